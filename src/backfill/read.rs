//! Inputs → chunks of rows, one input after the other, each as a stream.
//!
//! A reader only finds where rows begin and end; what they say is for `decode`. A flaw inside of a
//! row is that row's alone; a flaw of the file as a whole ends the reading.

mod csv;
mod json;
mod ndjson;
mod parquet;

use std::cell::Cell;
use std::io::{BufRead, Error, Read};
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;

use arrow::array::RecordBatch;
use tokio::sync::mpsc::Sender;

use super::format::Format;
use super::inputs::Input;
use super::{BackfillError, Progress, source};

pub(super) use self::csv::Header;

/// Bytes of rows that go together; a chunk is this large and a row more.
const CHUNK_BYTES: usize = 2 << 20;
/// Bytes of the largest row: a bound on memory, far above what an event can hold.
const ROW_BYTES_MAX: usize = 16 << 20;

/// Rows that follow each other in one input.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) input: Arc<Input>,
    /// The place of the first row in its input, from 0. With a line each, blank lines count.
    pub(super) first: u64,
    pub(super) rows: Rows,
}

/// Rows as their format has them.
#[derive(Debug)]
pub(super) enum Rows {
    /// Lines of NDJSON.
    Lines(Vec<u8>),
    /// JSON values, each with the line on which it begins.
    Values(Vec<(u64, Vec<u8>)>),
    /// Records of CSV.
    Records(Arc<Header>, Vec<::csv::ByteRecord>),
    /// Rows of Parquet.
    Batch(RecordBatch),
}

/// Takes chunks; false when nobody wants more.
pub(super) type Sink<'a> = &'a mut dyn FnMut(u64, Rows) -> bool;

/// Why a reader ended before the end of its input, in words.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error(transparent)]
    Io(#[from] Error),
    #[error("line {line}: {reason}")]
    Broken { line: u64, reason: String },
    #[error("{0}")]
    File(String),
}

/// Reads inputs one after the other until the last, the first that cannot be read, or until nobody
/// takes chunks any more. Blocks.
pub(super) fn read_all(
    inputs: Vec<Arc<Input>>,
    columns: &[String],
    progress: &Arc<Progress>,
    to: &Sender<Result<Chunk, BackfillError>>,
) {
    for input in inputs {
        let mut wanted = true;
        let mut sink = |first, rows| {
            let chunk = Chunk { input: input.clone(), first, rows };
            wanted = to.blocking_send(Ok(chunk)).is_ok();
            wanted
        };
        let read = read(&input, columns, progress, &mut sink);
        if let Err(error) = read {
            // Whoever went away does not need the reason.
            drop(to.blocking_send(Err(BackfillError::unreadable(&input.name, &error))));
            return;
        }
        if !wanted {
            return;
        }
        progress.add_file();
    }
}

fn read(
    input: &Input,
    columns: &[String],
    progress: &Arc<Progress>,
    sink: Sink<'_>,
) -> Result<(), ReadError> {
    match input.format {
        Format::Parquet => survived(|| parquet::read(input, columns, progress, sink)),
        Format::Ndjson => ndjson::read(&mut without_mark(source::open(input, progress)?)?, sink),
        Format::Json => json::read(&mut without_mark(source::open(input, progress)?)?, sink),
        Format::Csv => csv::read(without_mark(source::open(input, progress)?)?, columns, sink),
    }
}

/// Damaged Parquet finds places where its library panics: then the file is to blame, not we.
fn survived(read: impl FnOnce() -> Result<(), ReadError>) -> Result<(), ReadError> {
    std::panic::catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| {
        Err(ReadError::File("it is not a whole Parquet file: its pages are damaged".to_owned()))
    })
}

/// Passes over a byte order mark.
fn without_mark(mut bytes: Box<dyn BufRead + Send>) -> Result<Box<dyn BufRead + Send>, ReadError> {
    if bytes.fill_buf()?.starts_with(b"\xef\xbb\xbf") {
        bytes.consume(3);
    }
    Ok(bytes)
}

/// Ends with an error where more is read than may be left: a parser that looks for the end of a
/// row must not take all memory.
struct Bounded<R> {
    bytes: R,
    left: Rc<Cell<usize>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let left = self.left.get();
        if left == 0 {
            return Err(Error::other("a row is longer than 16 MiB; look for a missing quote"));
        }
        let end = into.len().min(left);
        let count = self.bytes.read(into.get_mut(..end).unwrap_or_default())?;
        self.left.set(left - count);
        Ok(count)
    }
}

/// A mapped column that an input does not have.
fn no_column(column: &str, known: &[String]) -> ReadError {
    ReadError::File(format!("it has no column {column:?}, but {}", known.join(", ")))
}

#[cfg(test)]
mod tests;
