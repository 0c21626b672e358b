//! Runs each query of a user in a separate process.
//!
//! No memory pool limits what a query allocates in functions such as `repeat` or `array_repeat`, or
//! while constants are folded during planning. So a query runs in a process of this same program,
//! and the system limits its address space, its time and its right to write files. The process is
//! killed when its time is up or its client has disconnected. The server's own memory holds some
//! tens of kilobytes of an answer.
//!
//! A worker reads one question from stdin, in one frame, and writes its answer to stdout, in
//! frames, the last of which marks it as complete. Its stdin stays open as long as the server
//! waits. When stdin ends, so does the worker.

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
pub use self::pool::{TURN_WAIT, Workers};
pub use self::process::answer_one;
pub use self::question::{AnswerForm, Question};
pub use self::reply::Reply;
pub use self::settings::{Turn, WorkerSettings};
