//! The output of a reader: chunks of rows, or the error that ended it before the end of its input.

use std::io::Error;
use std::sync::Arc;

use arrow::array::RecordBatch;
use csv::ByteRecord;

use crate::backfill::columns::Leaf;
use crate::backfill::inputs::found::Input;
use crate::backfill::place::Has;
use crate::event::excerpt;

/// The names of the columns, in order.
#[derive(Debug)]
pub(in crate::backfill) struct Header(pub(in crate::backfill) Vec<String>);

/// A row of CSV.
#[derive(Debug)]
pub(in crate::backfill) struct CsvRecord {
    pub(in crate::backfill) cells: ByteRecord,
    /// Number of further lines that the row swallowed because a quote is not closed where it should
    /// be.
    pub(in crate::backfill) swallowed: u64,
}

/// Bytes of the rows in a chunk; it may exceed this by one row.
pub(super) const CHUNK_BYTES: usize = 2 << 20;

/// Bytes of the largest row: a bound on memory, far above what an event can hold.
pub(super) const ROW_BYTES_MAX: usize = 16 << 20;

/// Bytes that a row takes besides its text.
pub(super) const ROW_OVERHEAD_BYTES: usize = 64;

/// Rows that follow each other in one input.
#[derive(Debug)]
pub(in crate::backfill) struct Chunk {
    pub(in crate::backfill) input: Arc<Input>,
    /// The index of the first row in its input, from 0. In formats with a row per line, blank lines
    /// count.
    pub(in crate::backfill) first: u64,
    pub(in crate::backfill) rows: RawRows,
}

/// Rows in the form of their format.
#[derive(Debug)]
pub(in crate::backfill) enum RawRows {
    /// Lines of NDJSON.
    Lines(Vec<u8>),
    /// JSON values, each with the line on which it begins.
    Values(Vec<(u64, Vec<u8>)>),
    /// Records of CSV.
    Records(Arc<Header>, Vec<CsvRecord>),
    /// Rows of Parquet, with the properties of each leaf of their schema.
    Batch(RecordBatch, Arc<[Leaf]>),
}

/// Receives chunks; returns false if no more are wanted.
pub(super) type ChunkSink<'a> = &'a mut dyn FnMut(u64, RawRows) -> bool;

/// Why a reader ended before the end of its input.
#[derive(Debug, thiserror::Error)]
pub(in crate::backfill) enum ReadError {
    #[error(transparent)]
    Io(#[from] Error),
    #[error("line {line}: {reason}")]
    Broken { line: u64, reason: String },
    #[error("{0}")]
    File(String),
}

/// Looks for the mapped columns in an input, by a test for each and the names of its columns. An
/// error if a required one is missing.
pub(super) type ColumnCheck<'a> =
    &'a dyn Fn(&dyn Fn(&str) -> Has, &[String]) -> Result<(), ReadError>;

/// A list of column names, shortened: there may be a million.
pub(super) fn some_of(names: &[String]) -> String {
    const SHOWN_MAX: usize = 40;
    let shown = names.iter().take(SHOWN_MAX).map(|name| excerpt(name)).collect::<Vec<_>>();
    let more = names.len().saturating_sub(SHOWN_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}
