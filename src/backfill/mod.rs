//! Backfill: history out of files into the table, exactly once, beside live ingest.
//!
//! ```text
//! inputs ─▶ read ─▶ decode ─▶ held ─▶ archive.submit
//! files     chunks  events    by date  the commit of all events
//! ```
//!
//! One thread reads inputs in order and cuts them into chunks; several decode chunks side by side;
//! their results are taken in order and gathered by date. A bounded channel between the steps lets
//! none run ahead. A date that fills a commit is committed at once; where the rows that wait take
//! more than their share of `--memory`, the largest dates go first. So files are few and large as
//! long as that share holds a good part of what comes; an input without any order over very many
//! dates makes smaller files. Nothing spills to a disk yet.
//!
//! Rows take the writer's own way: looked for, written and committed as those of requests are. What
//! a job did is known by its events alone, so that whoever runs the same command again finds what is
//! in already, and reads all inputs again to do so. Rows without an id get one that depends on
//! their input's name below what was given, their place in it and their bytes.

mod decode;
mod error;
mod format;
mod held;
mod identity;
mod inputs;
mod job;
mod progress;
mod read;
mod rejects;
mod shape;
mod source;
mod spill;
mod time;

pub use self::error::BackfillError;
pub use self::format::Format;
pub use self::inputs::{Input, Inputs};
pub use self::job::{Job, Outcome, Settings, Summary};
pub use self::progress::Progress;
pub use self::shape::FieldPair;
