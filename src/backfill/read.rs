//! Inputs → chunks of rows, one input after the other, each as a stream.
//!
//! A reader only finds where rows begin and end; what they say is for `decode`. A flaw inside of a
//! row is that row's alone; a flaw of the file as a whole ends the reading of that file.

mod csv;
mod json;
mod ndjson;
mod parquet;
mod quotes;

use std::io::{BufRead as _, Error};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use arrow::array::RecordBatch;
use tokio::sync::mpsc::Sender;

use super::columns::Leaf;
use super::content;
use super::decode::Decoder;
use super::format::Format;
use super::inputs::{Input, Place};
use super::place::Has;
use super::source::{self, Opened};
use super::{BackfillError, FieldPair, Progress};
use crate::event::excerpt;

pub(super) use self::csv::{Header, Record};

/// Bytes of rows that go together; a chunk is this large and a row more.
const CHUNK_BYTES: usize = 2 << 20;
/// Bytes of the largest row: a bound on memory, far above what an event can hold.
const ROW_BYTES_MAX: usize = 16 << 20;
/// What is known of a row, besides its bytes.
const ROW_OVERHEAD_BYTES: usize = 64;

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
    Records(Arc<Header>, Vec<Record>),
    /// Rows of Parquet, with what their schema says of each leaf.
    Batch(RecordBatch, Arc<[Leaf]>),
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

/// How inputs are read.
pub(super) struct Reading {
    pub(super) decoder: Arc<Decoder>,
    /// What stands between cells, where it was given.
    pub(super) delimiter: Option<u8>,
    pub(super) progress: Arc<Progress>,
}

impl Reading {
    /// Reads inputs one after the other, until the last or until nobody takes chunks any more. One
    /// that cannot be read to its end is told of, and does not keep the others from it. Blocks.
    pub(super) fn all(&self, inputs: Vec<Arc<Input>>, to: &Sender<Result<Chunk, BackfillError>>) {
        for input in inputs {
            let mut wanted = true;
            let mut sink = |first, rows| {
                let chunk = Chunk { input: input.clone(), first, rows };
                wanted = to.blocking_send(Ok(chunk)).is_ok();
                wanted
            };
            let read = self.one(&input, &mut sink);
            if !wanted {
                return;
            }
            match read {
                Ok(()) => self.progress.add_file(),
                Err(error) => {
                    let error = BackfillError::unreadable(&input.name, &error);
                    if to.blocking_send(Err(error)).is_err() {
                        return;
                    }
                }
            }
        }
    }

    fn one(&self, input: &Input, sink: Sink<'_>) -> Result<(), ReadError> {
        let shape = &self.decoder.shape;
        let look = |column: &dyn Fn(&str) -> Has, names: &[String]| {
            let in_folder = |place: &str| input.folders.iter().any(|(name, _)| name == place);
            match shape.look(|place| if in_folder(place) { Has::Yes } else { column(place) }) {
                Some(pair) if !input.of_table => Err(no_column(pair, names)),
                _ => Ok(()),
            }
        };
        if input.format == Some(Format::Parquet) && !matches!(input.place, Place::Stdin) {
            return survived(|| parquet::read(input, &self.progress, &look, sink));
        }
        let Opened { head, mut bytes } = source::open(input, &self.progress)?;
        let Some(format) = input.format.or_else(|| content::format(&head)) else {
            let reason = "its first line tells no format; give --format";
            return Err(ReadError::File(content::no_text(&head).unwrap_or(reason.to_owned())));
        };
        if format == Format::Parquet {
            if let Some(reason) = content::no_parquet(&head) {
                return Err(ReadError::File(reason));
            }
            let file = source::put_aside(bytes)?;
            return survived(|| parquet::read_file(&file, &self.progress, &look, sink));
        }
        if let Some(reason) = content::no_text(&head) {
            return Err(ReadError::File(reason));
        }
        if head.starts_with(content::MARK) {
            bytes.consume(content::MARK.len());
        }
        match format {
            Format::Ndjson => ndjson::read(&mut bytes, sink),
            Format::Json => json::read(&mut bytes, sink),
            format => {
                let tabs = (format == Format::Tsv).then_some(b'\t');
                let given = input.folders.iter().map(|(name, _)| name.as_str());
                let mut given = given.chain(shape.defaults.iter().map(FieldPair::field));
                let has_time = given.any(|name| name == "ts");
                let delimiter = self.delimiter.or(tabs);
                csv::Csv { delimiter, shape, look: &look, has_time }.read(bytes, sink)
            }
        }
    }
}

/// Looks for the mapped columns among those that an input says that it has, by a test for each and
/// their names; an error if one is missing that must be there.
pub(super) type Look<'a> = &'a dyn Fn(&dyn Fn(&str) -> Has, &[String]) -> Result<(), ReadError>;

/// Damaged Parquet finds places where its library panics: then the file is to blame, not we.
fn survived(read: impl FnOnce() -> Result<(), ReadError>) -> Result<(), ReadError> {
    std::panic::catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| {
        Err(ReadError::File("it is not a whole Parquet file: its pages are damaged".to_owned()))
    })
}

/// A mapped column that an input does not have.
fn no_column(pair: &FieldPair, known: &[String]) -> ReadError {
    let (field, column, known) = (pair.field(), &pair.other, some_of(known));
    ReadError::File(format!("it has no column {column:?} for {field}, but {known}"))
}

/// Some of the names of columns: there may be a million.
fn some_of(names: &[String]) -> String {
    const SHOWN_MAX: usize = 40;
    let shown = names.iter().take(SHOWN_MAX).map(|name| excerpt(name)).collect::<Vec<_>>();
    let more = names.len().saturating_sub(SHOWN_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

#[cfg(test)]
mod tests;
