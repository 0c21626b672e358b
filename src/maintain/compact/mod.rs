//! Compaction: a date's small files become few sorted ones, in commits that change no event. Then
//! the vacuum: data files that no version names are deleted.

mod plan;
mod run;
mod task;

pub use self::run::{CompactSettings, CompactSummary, Compactor};
pub use self::task::keep_compacted;
