//! The reader of CSV and TSV below a header: records, a chunk at a time.

use std::cell::RefCell;
use std::collections::HashSet;
use std::io::{Error, Read};
use std::rc::Rc;
use std::sync::Arc;

use csv::{ByteRecord, Reader, ReaderBuilder};

use super::quotes::Quotes;
use super::rows::{
    CHUNK_BYTES, ChunkSink, ColumnCheck, CsvRecord, Header, ROW_BYTES_MAX, ROW_OVERHEAD_BYTES,
    RawRows, ReadError, some_of,
};
use crate::backfill::pair::is_field;
use crate::backfill::place::in_header;
use crate::backfill::shape::Shape;
use crate::backfill::source::Stream;
use crate::event::excerpt;

/// Other delimiters that a file may have, and how to pass them.
const OTHERS: [(char, &str); 4] = [(';', "';'"), ('\t', "tab"), ('|', "'|'"), (',', "','")];
const TOO_LONG: &str = "a row is longer than 16 MiB; look for a missing quote";

/// The settings for reading a file.
pub(super) struct Csv<'a> {
    /// The delimiter between cells; a comma by default.
    pub(super) delimiter: Option<u8>,
    pub(super) shape: &'a Shape,
    pub(super) look: ColumnCheck<'a>,
    /// Whether rows get their time from elsewhere, so that no column is needed for it.
    pub(super) has_time: bool,
}

/// The bytes of a file, watched as they are read. Quotes are followed, and a parser that searches
/// for the end of a row must not take all memory.
struct WatchedBytes {
    bytes: Stream,
    watch: Rc<RefCell<Watch>>,
}

struct Watch {
    quotes: Quotes,
    /// Bytes that the row may still take.
    left: usize,
    ended: bool,
}

impl Read for WatchedBytes {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let mut watch = self.watch.borrow_mut();
        if watch.left == 0 {
            return Err(Error::other(TOO_LONG));
        }
        let end = into.len().min(watch.left);
        let into = into.get_mut(..end).unwrap_or_default();
        let count = self.bytes.read(into)?;
        watch.quotes.pass(into.get(..count).unwrap_or_default());
        watch.left -= count;
        watch.ended |= count == 0;
        Ok(count)
    }
}

impl Csv<'_> {
    pub(super) fn read(&self, bytes: Stream, sink: ChunkSink<'_>) -> Result<(), ReadError> {
        let delimiter = self.delimiter.unwrap_or(b',');
        let watch = Watch { quotes: Quotes::new(delimiter), left: ROW_BYTES_MAX, ended: false };
        let watch = Rc::new(RefCell::new(watch));
        let bytes = WatchedBytes { bytes, watch: watch.clone() };
        // A record with another number of cells is a bad row, not a bad file.
        let mut builder = ReaderBuilder::new();
        let builder = builder.delimiter(delimiter).flexible(true).has_headers(false);
        let mut rows = CsvRecords { reader: builder.from_reader(bytes), watch };
        let Some(names) = rows.next()? else { return Ok(()) };
        let header = Arc::new(self.header(&names.cells, delimiter)?);
        let mut first = 0;
        loop {
            let mut records = Vec::new();
            let read = rows.fill(&mut records);
            let count = records.len() as u64;
            // Whole rows before a flaw are kept.
            let wanted = count > 0 && sink(first, RawRows::Records(header.clone(), records));
            read?;
            if !wanted {
                return Ok(());
            }
            first += count;
        }
    }

    fn header(&self, names: &ByteRecord, delimiter: u8) -> Result<Header, ReadError> {
        let broken = |reason: String| ReadError::Broken { line: 1, reason };
        let names = names.iter().map(|name| std::str::from_utf8(name).map(str::trim));
        let names = names.map(|name| name.map(str::to_owned)).collect::<Result<Vec<_>, _>>();
        let names = names.map_err(|error| broken(format!("the header is not UTF-8: {error}")))?;
        let mut seen = HashSet::new();
        if let Some(twice) = names.iter().find(|name| !seen.insert(name.as_str())) {
            let twice = excerpt(twice);
            return Err(broken(format!("the header names the column {twice:?} twice")));
        }
        if let [only] = names.as_slice()
            && let Some((_, other)) = OTHERS.iter().find(|(other, _)| only.contains(*other))
        {
            let (only, is) = (excerpt(only), char::from(delimiter));
            return Err(broken(format!(
                "the header is one column, {only:?}, without a {is:?} between cells; give --delimiter {other}"
            )));
        }
        (self.look)(&|place| in_header(&names, place), &names)?;
        let known = |name: &String| is_field(name) || self.shape.is_field(name);
        if !self.has_time && !names.iter().any(known) {
            let names = some_of(&names);
            return Err(broken(format!(
                "none of its columns is a field of events: {names}; the first line must name the columns; --map takes other names"
            )));
        }
        Ok(Header(names))
    }
}

/// The rows of a file.
struct CsvRecords {
    reader: Reader<WatchedBytes>,
    watch: Rc<RefCell<Watch>>,
}

impl CsvRecords {
    /// Adds records until a chunk is full.
    fn fill(&mut self, records: &mut Vec<CsvRecord>) -> Result<(), ReadError> {
        let mut held = 0;
        while held < CHUNK_BYTES {
            let Some(record) = self.next()? else { break };
            held += record.cells.as_slice().len() + record.cells.len() * size_of::<usize>();
            held += ROW_OVERHEAD_BYTES;
            records.push(record);
        }
        Ok(())
    }

    /// The next record. A record that a missing quote stretches to the end of the file is an error.
    fn next(&mut self) -> Result<Option<CsvRecord>, ReadError> {
        let mut cells = ByteRecord::new();
        self.watch.borrow_mut().left = ROW_BYTES_MAX;
        let (start, line) = (self.reader.position().byte(), self.reader.position().line());
        match self.reader.read_byte_record(&mut cells) {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(error) => return Err(broken(error, line)),
        }
        // Blank lines before a record are not part of it.
        let line = cells.position().map_or(line, csv::Position::line);
        let end = self.reader.position().byte();
        let mut watch = self.watch.borrow_mut();
        if watch.ended && watch.quotes.is_open_since(start) {
            let reason = "a quote in this row is not closed: nothing is read from here to the end of the file";
            return Err(ReadError::Broken { line, reason: reason.to_owned() });
        }
        let flawed = watch.quotes.flawed(start, end);
        let swallowed = if flawed { breaks(&cells) } else { 0 };
        Ok(Some(CsvRecord { cells, swallowed }))
    }
}

/// Number of line ends inside cells.
fn breaks(cells: &ByteRecord) -> u64 {
    memchr::memchr_iter(b'\n', cells.as_slice()).count() as u64
}

fn broken(error: csv::Error, line: u64) -> ReadError {
    match error.into_kind() {
        csv::ErrorKind::Io(error) if error.to_string() == TOO_LONG => {
            ReadError::Broken { line, reason: TOO_LONG.to_owned() }
        }
        csv::ErrorKind::Io(error) => ReadError::Io(error),
        kind => ReadError::Broken { line, reason: format!("{kind:?}") },
    }
}
