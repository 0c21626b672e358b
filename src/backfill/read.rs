//! The readers: they turn inputs into chunks of rows, one input after the other, each as a stream.
//!
//! A reader only finds where rows begin and end; `decode` reads their content. A flaw inside a row
//! affects that row alone; a flaw of the file as a whole ends the reading of that file.

mod csv;
mod history;
mod json;
mod ndjson;
mod parquet;
mod quotes;
pub(super) mod rows;

use std::io::BufRead as _;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use tokio::sync::mpsc::Sender;

use self::rows::{Chunk, ChunkSink, ReadError, some_of};
use super::content;
use super::decode::Decoder;
use super::format::InputFormat;
use super::inputs::found::{Input, InputPlace};
use super::place::Has;
use super::source::{self, OpenInput};
use super::{BackfillError, FieldPair, Progress};

/// The settings for reading inputs.
pub(super) struct Reading {
    pub(super) decoder: Arc<Decoder>,
    /// The delimiter between cells, if one was given.
    pub(super) delimiter: Option<u8>,
    pub(super) progress: Arc<Progress>,
}

impl Reading {
    /// Reads inputs one after the other, until the last or until the receiver is gone. An input
    /// that cannot be read to its end is reported and does not stop the others. Blocks.
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

    fn one(&self, input: &Input, sink: ChunkSink<'_>) -> Result<(), ReadError> {
        let shape = &self.decoder.shape;
        let look = |column: &dyn Fn(&str) -> Has, names: &[String]| {
            let in_folder = |place: &str| input.folders.iter().any(|(name, _)| name == place);
            match shape.look(|place| if in_folder(place) { Has::Yes } else { column(place) }) {
                Some(pair) if !input.of_table => Err(no_column(pair, names)),
                _ => Ok(()),
            }
        };
        if input.format == Some(InputFormat::Parquet) && !matches!(input.place, InputPlace::Stdin) {
            return survived(|| parquet::read(input, &self.progress, &look, sink));
        }
        let OpenInput { head, mut bytes } = source::open(input, &self.progress)?;
        let Some(format) = input.format.or_else(|| content::format(&head)) else {
            let reason = "its first line shows no format; give --format";
            return Err(ReadError::File(content::no_text(&head).unwrap_or(reason.to_owned())));
        };
        if format == InputFormat::Parquet {
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
            InputFormat::Ndjson => ndjson::read(&mut bytes, sink),
            InputFormat::Json => json::read(&mut bytes, sink),
            InputFormat::History(format) => {
                let lines = content::format(&head) != Some(InputFormat::Json);
                history::read(format, lines, &mut bytes, sink)
            }
            format => {
                let tabs = (format == InputFormat::Tsv).then_some(b'\t');
                let given = input.folders.iter().map(|(name, _)| name.as_str());
                let mut given = given.chain(shape.defaults.iter().map(FieldPair::field));
                let has_time = given.any(|name| name == "ts");
                let delimiter = self.delimiter.or(tabs);
                csv::Csv { delimiter, shape, look: &look, has_time }.read(bytes, sink)
            }
        }
    }
}

/// Catches panics: damaged Parquet can make its library panic, and then the file is to blame.
fn survived(read: impl FnOnce() -> Result<(), ReadError>) -> Result<(), ReadError> {
    std::panic::catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| {
        Err(ReadError::File("it is not a whole Parquet file: its pages are damaged".to_owned()))
    })
}

/// The error for a mapped column that an input does not have.
fn no_column(pair: &FieldPair, known: &[String]) -> ReadError {
    let (field, column, known) = (pair.field(), &pair.other, some_of(known));
    ReadError::File(format!("it has no column {column:?} for {field}, but {known}"))
}

#[cfg(test)]
mod tests;
