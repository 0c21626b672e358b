//! Output to stdout and stderr.

use crate::printable::{printable, printable_lines};

/// Prints why a command failed, in one line.
#[allow(clippy::print_stderr, reason = "this is where messages for people go")]
pub(in crate::cli) fn print_error(error: &anyhow::Error) {
    eprintln!("error: {}", printable(&error.to_string().replace('\n', " ")));
}

/// Prints lines of a result.
#[allow(clippy::print_stdout, reason = "this is where results go")]
pub(in crate::cli) fn print_result(lines: &str) {
    println!("{}", printable_lines(lines));
}

/// Prints a line that is not a result.
#[allow(clippy::print_stderr, reason = "this is where all but results goes")]
pub(in crate::cli) fn print_note(line: &str) {
    eprintln!("{}", printable(line));
}
