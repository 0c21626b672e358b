//! Backfill: history out of files into the table, exactly once, beside live ingest.
//!
//! ```text
//! inputs ─▶ read ─▶ decode ─▶ held ─▶ archive.submit
//! files     chunks  events    by date  the commit of all events
//! ```
//!
//! One thread reads inputs in order and cuts them into chunks; several decode chunks side by side;
//! their results are taken in order and gathered by date. A bounded channel between the steps lets
//! none run ahead. A date is committed when it fills a commit, or when nothing was added to it for a
//! while; rows of dates that come in no order are put aside on a disk once they take their share of
//! `--memory`, so that files are few and large whatever the order.
//!
//! Rows take the writer's own way: looked for, written and committed as those of requests are. Each
//! commit also says before which row all is in, so that the same job, run again after it was
//! stopped, passes over what is in; what it does not know is found by the events' ids. Rows without
//! an id get one that depends on their input's name below what was given, their place in it and
//! their bytes.
//!
//! An input that cannot be read to its end keeps no other from it; what cannot be right for any row,
//! like a mapped column that no input has, ends the job before anything is committed.

mod columns;
mod commit;
mod content;
mod decode;
mod error;
mod format;
mod held;
mod identity;
mod inputs;
mod job;
mod outcome;
mod pair;
mod place;
mod position;
mod progress;
mod read;
mod rejects;
mod schema;
mod shape;
mod source;
mod spill;
mod split;

pub use self::error::BackfillError;
pub use self::format::{Format, parse_delimiter};
pub use self::inputs::Inputs;
pub use self::inputs::found::Input;
pub use self::job::Job;
pub use self::outcome::{Outcome, Settings, Summary, Unread};
pub use self::pair::FieldPair;
pub use self::progress::Progress;
