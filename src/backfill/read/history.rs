//! The reader of other programs' histories: rows of JSON, of which some become events.

use std::io::BufRead;

use super::rows::{ChunkSink, RawRows, ReadError};
use super::{json, ndjson};
use crate::ingest::{self, History, HistoryFormat, Rows};

/// Reads a history: on lines of its own, or as any JSON.
pub(super) fn read(
    format: HistoryFormat,
    lines: bool,
    bytes: &mut dyn BufRead,
    sink: ChunkSink<'_>,
) -> Result<(), ReadError> {
    let mut events = HistoryEvents { history: History::new(format), index: 0, sink };
    let mut take = |first, rows| events.take(first, rows);
    let read = if lines { ndjson::read(bytes, &mut take) } else { json::read(bytes, &mut take) };
    // What was read before a flaw is kept.
    let mut last = Rows::new();
    events.history.end(&mut last);
    events.pass_on(last);
    read
}

struct HistoryEvents<'a> {
    history: History,
    /// HistoryEvents passed on so far.
    index: u64,
    sink: ChunkSink<'a>,
}

impl HistoryEvents<'_> {
    fn take(&mut self, first: u64, rows: RawRows) -> bool {
        let mut events = Rows::new();
        match rows {
            RawRows::Lines(text) => {
                for (line, row) in (first + 1..).zip(ingest::lines(&text)) {
                    match row {
                        Ok("") => {}
                        Ok(row) => self.history.row(line, row, &mut events),
                        Err(row) => events.push((line, row.bytes.to_vec())),
                    }
                }
            }
            RawRows::Values(values) => {
                for (line, value) in values {
                    match str::from_utf8(&value) {
                        Ok(row) => self.history.row(line, row, &mut events),
                        Err(_) => events.push((line, value)),
                    }
                }
            }
            // Neither of the readers makes others.
            RawRows::Records(..) | RawRows::Batch(..) => {}
        }
        self.pass_on(events)
    }

    fn pass_on(&mut self, events: Rows) -> bool {
        let first = self.index;
        self.index += events.len() as u64;
        events.is_empty() || (self.sink)(first, RawRows::Values(events))
    }
}
