//! Output to stdout and stderr. A reader may leave and a disk may fill up at any time; neither ends
//! a command or a server in the midst of its work.

use std::io::{self, ErrorKind, Write as _, stderr, stdout};

use parking_lot::Mutex;

use crate::printable::{printable, printable_lines};

/// The first error of a result that could not be written.
static UNWRITTEN: Mutex<Option<io::Error>> = Mutex::new(None);

/// Prints why a command failed, in one line.
pub(in crate::cli) fn print_error(error: &anyhow::Error) {
    print_note(&format!("error: {}", error.to_string().replace('\n', " ")));
}

/// Prints lines of a result. That they could not be written is told by `check_written`, so that the
/// command finishes its work first.
pub(in crate::cli) fn print_result(lines: &str) {
    if let Err(error) = writeln!(stdout(), "{}", printable_lines(lines)) {
        UNWRITTEN.lock().get_or_insert(error);
    }
}

/// Prints a line that is not a result. If that fails there is nowhere left to tell it.
pub(in crate::cli) fn print_note(line: &str) {
    let _ = writeln!(stderr(), "{}", printable(line));
}

/// Checks that all results were written.
///
/// # Errors
/// Some were not, and their reader has not left.
pub(in crate::cli) fn check_written() -> anyhow::Result<()> {
    let failed = UNWRITTEN.lock().take();
    written(failed.map_or(Ok(()), Err))
}

/// The outcome of writing results to stdout. A reader that has left has seen enough.
///
/// # Errors
/// They could not be written.
pub(in crate::cli) fn written(done: io::Result<()>) -> anyhow::Result<()> {
    match done {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(unwritten(&error)),
        _ => Ok(()),
    }
}

/// The error of results that could not be written to stdout.
pub(in crate::cli) fn unwritten(error: &io::Error) -> anyhow::Error {
    anyhow::anyhow!(
        "cannot write the results to stdout: {error}; what the command has done stays done"
    )
}
