//! Reprice: it computes what stored calls cost by other tables of prices, and writes the difference as
//! corrections. No event is changed.
//!
//! ```text
//! files of a date ─▶ earlier corrections ─▶ calls that are due ─▶ corrections ─▶ archive.submit
//!                    by hash of the event    price by the tables    same time, names, attributes
//! ```
//!
//! The work goes date by date. Corrections of a date are read first, into a map that is bounded: if they
//! are too many, the events of the date are done in parts, by a hash of their ids. Then the calls
//! are read and priced one batch at a time.
//!
//! Nothing is remembered besides the corrections themselves. The id of a correction is a function of the
//! event and of the number of corrections that a reprice has made of it before. So the same
//! work done again, by a run that goes on after another was killed or by one beside it, on whichever
//! machine and by whichever tables, makes an event that the table has already; the writer leaves it out.

mod changes;
mod decide;
mod due_calls;
mod earlier;
mod error;
mod expired;
mod hash_part;
mod id;
mod outcome;
mod pending;
mod run;
mod scope;
mod stored_events;

pub use self::changes::{CostChange, CostChanges};
pub use self::error::RepriceError;
pub use self::outcome::{LeftCalls, RepriceOutcome};
pub use self::run::{Repricing, reprice};
pub use self::scope::RepriceScope;
