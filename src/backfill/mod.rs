//! Backfill: it brings history from files into the table, each event once, while servers ingest.
//!
//! ```text
//! inputs ─▶ read ─▶ decode ─▶ held ─▶ archive.submit
//! files     chunks  events    by date  the commit of all events
//! ```
//!
//! One thread reads the inputs in order and cuts them into chunks. Several threads decode chunks at
//! the same time; the results are taken in order and collected by date. A bounded channel between
//! the steps keeps each from running ahead. A date is committed when it fills a commit, or when
//! nothing was added to it for a while. If rows come in no order of dates, they are spilled to a
//! disk once they take their share of `--memory`, so that files are few and large in any order.
//!
//! Rows go through the same writer as those of requests, which looks for duplicates, encodes and
//! commits. Each commit also records before which row everything is in. If the job is stopped and
//! run again, it skips the rows that are in; the events' ids reveal any others. A row without an id
//! gets one that depends on its input's name below the given path, its place in the input, and its
//! bytes.
//!
//! An input that cannot be read to its end does not stop the others. A mistake that affects every
//! row, like a mapped column that no input has, ends the job before anything is committed.

mod chunk_events;
mod claims;
mod columns;
mod commit;
mod content;
mod decode;
mod decoding;
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
mod state;

pub use self::error::BackfillError;
pub use self::format::{InputFormat, parse_delimiter};
pub use self::inputs::Inputs;
pub use self::inputs::found::Input;
pub use self::job::Job;
pub use self::outcome::{JobSettings, JobSummary, MEMORY_BYTES, Outcome, ROWS_SHARE, Unread};
pub use self::pair::FieldPair;
pub use self::progress::Progress;
