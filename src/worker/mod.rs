//! Queries of anybody, each answered by a process of its own.
//!
//! What a query makes in memory is not bounded by any pool: `repeat`, `array_repeat`, or the
//! folding of constants while it is planned. So it runs in a process of this same program whose
//! address space, time and right to write files are bounded by the system, and which is killed when
//! its time is up or its client has gone. The server's own memory holds some tens of kilobytes of
//! an answer.
//!
//! A worker reads one question on stdin, in one frame, and writes its answer to stdout, in frames
//! whose last one says that it is whole. Its stdin stays open as long as the server waits: where it
//! ends, the worker does.

mod error;
mod frame;
mod limits;
#[cfg(test)]
mod mutation_tests;
mod pool;
mod process;
mod question;
mod reply;
mod settings;

pub use self::error::WorkerError;
pub use self::limits::{PROGRAM_BYTES, WorkerLimits};
pub use self::pool::Workers;
pub use self::process::answer_one;
pub use self::question::Question;
pub use self::reply::Reply;
pub use self::settings::{Turn, WorkerSettings};
