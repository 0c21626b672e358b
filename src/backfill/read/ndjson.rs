//! NDJSON: whole lines, a chunk at a time.

use std::io::{BufRead, Read as _};

use super::{CHUNK_BYTES, ROW_BYTES_MAX, ReadError, Rows, Sink};

pub(super) fn read(bytes: &mut dyn BufRead, sink: Sink<'_>) -> Result<(), ReadError> {
    let mut line = 0;
    loop {
        let mut lines = Vec::with_capacity(CHUNK_BYTES + CHUNK_BYTES / 8);
        bytes.take(CHUNK_BYTES as u64).read_to_end(&mut lines)?;
        if lines.is_empty() {
            return Ok(());
        }
        if !lines.ends_with(b"\n") {
            let rest = bytes.take(ROW_BYTES_MAX as u64).read_until(b'\n', &mut lines)?;
            if rest == ROW_BYTES_MAX && !lines.ends_with(b"\n") {
                let reason = "a row is longer than 16 MiB".to_owned();
                return Err(ReadError::Broken { line: line + ends(&lines) + 1, reason });
            }
        }
        let first = line;
        line += ends(&lines);
        if !sink(first, Rows::Lines(lines)) {
            return Ok(());
        }
    }
}

fn ends(lines: &[u8]) -> u64 {
    lines.iter().filter(|byte| **byte == b'\n').count() as u64
}
