//! Queries by PostgreSQL's protocol: parameters in, columns and rows out as messages of the protocol.
//!
//! A worker makes the messages, so that what a server does for a large result is to pass bytes on.
//! Formats are those of <https://www.postgresql.org/docs/current/protocol-message-formats.html>.

mod binary;
mod literal;
mod numeric;
mod oids;
mod parameter_types;
mod parameters;
mod places;
mod question;
mod rewrite;
mod rows;
mod shown;
mod text;

pub use self::numeric::read_numeric;
pub use self::oids::{WireType, oid};
pub use self::question::{WireParameter, WireQuestion};
pub use self::rows::RowMessages;

pub(super) use self::oids::type_of_column;
pub(super) use self::parameter_types::ParameterTypes;
pub(super) use self::parameters::set_parameters;
pub(super) use self::rewrite::{is_always_empty, rewrite};
pub(super) use self::shown::shown_schema;
