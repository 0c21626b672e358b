//! CSV below a header: records, a chunk at a time.

use std::cell::Cell;
use std::collections::HashSet;
use std::io::{BufRead, Read};
use std::rc::Rc;
use std::sync::Arc;

use csv::{ByteRecord, Reader, ReaderBuilder};

use super::{Bounded, CHUNK_BYTES, ROW_BYTES_MAX, ReadError, Rows, Sink, no_column};

/// The names of the columns, in order.
#[derive(Debug)]
pub(in crate::backfill) struct Header(pub(in crate::backfill) Vec<String>);

pub(super) fn read(
    bytes: Box<dyn BufRead + Send>,
    columns: &[String],
    sink: Sink<'_>,
) -> Result<(), ReadError> {
    let left = Rc::new(Cell::new(ROW_BYTES_MAX));
    let bytes = Bounded { bytes, left: left.clone() };
    // A record of another length is a bad row, not a bad file.
    let mut reader = ReaderBuilder::new().flexible(true).has_headers(true).from_reader(bytes);
    let header = Arc::new(Header::read(reader.byte_headers().map_err(broken)?, columns)?);
    let mut first = 0;
    loop {
        let mut records = Vec::new();
        let read = fill(&mut reader, &left, &mut records);
        let count = records.len() as u64;
        // What came whole before a flaw is taken.
        let wanted = count > 0 && sink(first, Rows::Records(header.clone(), records));
        read?;
        if !wanted {
            return Ok(());
        }
        first += count;
    }
}

/// Adds records, as many as a chunk has room for.
fn fill(
    reader: &mut Reader<impl Read>,
    left: &Cell<usize>,
    records: &mut Vec<ByteRecord>,
) -> Result<(), ReadError> {
    let mut held = 0;
    while held < CHUNK_BYTES {
        let mut record = ByteRecord::new();
        left.set(ROW_BYTES_MAX);
        if !reader.read_byte_record(&mut record).map_err(broken)? {
            break;
        }
        held += record.as_slice().len() + record.len() * size_of::<usize>();
        records.push(record);
    }
    Ok(())
}

impl Header {
    fn read(header: &ByteRecord, columns: &[String]) -> Result<Self, ReadError> {
        let broken = |reason: String| ReadError::Broken { line: 1, reason };
        let names = header.iter().map(|name| std::str::from_utf8(name).map(str::trim));
        let names = names.map(|name| name.map(str::to_owned)).collect::<Result<Vec<_>, _>>();
        let names = names.map_err(|error| broken(format!("the header is not UTF-8: {error}")))?;
        let mut seen = HashSet::new();
        if let Some(twice) = names.iter().find(|name| !seen.insert(name.as_str())) {
            return Err(broken(format!("the header names the column {twice:?} twice")));
        }
        match columns.iter().find(|column| !seen.contains(column.as_str())) {
            // A file without a line has no rows either.
            Some(column) if !names.is_empty() => Err(no_column(column, &names)),
            _ => Ok(Self(names)),
        }
    }
}

fn broken(error: csv::Error) -> ReadError {
    let line = error.position().map(csv::Position::line);
    match (error.into_kind(), line) {
        (csv::ErrorKind::Io(error), _) => ReadError::Io(error),
        (kind, line) => {
            ReadError::Broken { line: line.unwrap_or_default(), reason: format!("{kind:?}") }
        }
    }
}
