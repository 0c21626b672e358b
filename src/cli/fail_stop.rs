//! The end of a process in which a part of it panics.
//!
//! Rows of a query that is spread over nodes pass through tasks of the engine. If one of them panics, what
//! it had not passed on yet is missing, and the others go on: the answer would have fewer rows. So the
//! process ends, and who waits for its rows gets an error.

use std::panic;
use std::process;

use crate::new_file;

/// The exit status of a program of Rust that panics.
const PANICKED: i32 = 101;

/// From now on a panic in any thread ends the process.
pub(super) fn on_panic() {
    let told = panic::take_hook();
    panic::set_hook(Box::new(move |about| {
        told(about);
        new_file::remove_unfinished();
        process::exit(PANICKED);
    }));
}
