//! The reader of NDJSON: whole lines, a chunk at a time.

use std::io::{BufRead, Read as _};

use super::rows::{CHUNK_BYTES, ChunkSink, ROW_BYTES_MAX, RawRows, ReadError};

/// The most lines of a chunk: the data kept for each row takes more than a short line does.
const CHUNK_LINES: usize = 32 << 10;

pub(super) fn read(bytes: &mut dyn BufRead, sink: ChunkSink<'_>) -> Result<(), ReadError> {
    let mut line = 0;
    loop {
        let mut lines = Vec::with_capacity(CHUNK_BYTES + CHUNK_BYTES / 8);
        let read = fill(bytes, &mut lines);
        if read.is_err() {
            // Whole lines before the flaw are kept.
            let whole = memchr::memrchr(b'\n', &lines).map_or(0, |end| end + 1);
            lines.truncate(whole);
        }
        let cut = is_cut(&lines);
        let wanted = !lines.is_empty() && hand_on(lines, &mut line, sink);
        match read {
            Ok(()) if wanted && cut => {
                let reason = "the file ends inside of this row".to_owned();
                return Err(ReadError::Broken { line: line + 1, reason });
            }
            Err(ReadError::Broken { reason, .. }) => {
                return Err(ReadError::Broken { line: line + 1, reason });
            }
            Err(error) => return Err(error),
            Ok(()) if !wanted => return Ok(()),
            Ok(()) => {}
        }
    }
}

/// Adds whole lines until a chunk is full, and the rest of the last one.
fn fill(bytes: &mut dyn BufRead, lines: &mut Vec<u8>) -> Result<(), ReadError> {
    bytes.take(CHUNK_BYTES as u64).read_to_end(lines)?;
    if lines.is_empty() || lines.ends_with(b"\n") {
        return Ok(());
    }
    let rest = bytes.take(ROW_BYTES_MAX as u64).read_until(b'\n', lines)?;
    if rest == ROW_BYTES_MAX && !lines.ends_with(b"\n") {
        return Err(ReadError::Broken {
            line: 0,
            reason: "a row is longer than 16 MiB".to_owned(),
        });
    }
    Ok(())
}

/// Passes lines on, the first of which has number `line`; false if the receiver wants no more.
fn hand_on(lines: Vec<u8>, line: &mut u64, sink: ChunkSink<'_>) -> bool {
    let mut rest = lines;
    loop {
        let nth = memchr::memchr_iter(b'\n', &rest).nth(CHUNK_LINES - 1);
        let after = match nth.filter(|end| end + 1 < rest.len()) {
            Some(end) => rest.split_off(end + 1),
            None => Vec::new(),
        };
        let first = *line;
        *line += ends(&rest);
        if !sink(first, RawRows::Lines(rest)) {
            return false;
        }
        if after.is_empty() {
            return true;
        }
        rest = after;
    }
}

/// Whether the last line is only the beginning of an object. Only the last line of a file has no
/// line end. Such a line is a bad row, and it also shows that the file is cut short.
fn is_cut(lines: &[u8]) -> bool {
    let last = memchr::memrchr(b'\n', lines).map_or(0, |end| end + 1);
    let last = lines.get(last..).unwrap_or_default().trim_ascii();
    last.starts_with(b"{") && !last.ends_with(b"}")
}

fn ends(lines: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', lines).count() as u64
}
