//! Usage by time and group: `GET /v1/usage` and `tokenlake usage`.
//!
//! A question names a range, steps of a zone's clock and groups. It is answered at one version of the
//! table, date by date, from cells that are merged already: whole UTC hours as they are, and hours that
//! a step or the range cuts with the help of rows. The calendar and the grouping do no I/O; the cells
//! come from `rollup`.

mod answer;
mod dates;
mod error;
mod groups;
mod instant;
mod pieces;
mod question;
mod sources;
mod step;
mod table;
mod zone;

pub use self::answer::UsageRows;
pub use self::error::UsageError;
pub use self::instant::check_instant;
pub use self::question::{AskedUsage, UsageQuestion};
pub use self::sources::WhoseUsage;
pub use self::step::{StepSpan, UsageStep};
pub use self::zone::Zone;
