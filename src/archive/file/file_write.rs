//! The encoding of sorted rows as a data file.

use std::sync::Arc;

use arrow::array::{Array as _, RecordBatch};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::errors::ParquetError;
use parquet::file::writer::SerializedFileWriter;

use super::data_file::{StoredCells, StoredPartial};
use super::date_rows::Order;
use super::file_layout;
use super::ids::EventHash;
use super::new_cells::{Making, NewBlocks, NewCells};
use super::partial_maker::NewPartial;
use super::stats::Stats;
use crate::archive::error::ArchiveError;
use crate::clock::Micros;
use crate::processors;

/// An encoded data file, and what the log says about it.
#[derive(Debug)]
pub struct EncodedFile {
    /// The Parquet file.
    pub bytes: Bytes,
    /// Its statistics for the log.
    pub stats: Stats,
    /// The fingerprints of its events. Empty if the file was written piece by piece and has too
    /// many for an id filter.
    pub ids: Vec<EventHash>,
    /// The partial inside it.
    pub partial: Option<StoredPartial>,
    /// The further cells inside of it.
    pub further: Vec<StoredCells>,
    /// When all of its events were ingested, if that is one instant.
    pub ingested: Option<Micros>,
}

/// Typical bytes of a row in a file.
const ROW_BYTES: usize = 48;

/// The encoded columns of a row group, and its statistics.
type EncodedGroup = (Vec<ArrowColumnChunk>, Stats);

impl EncodedFile {
    /// Encodes the rows of one date, in this order, as the new file `path`. Row groups are sorted
    /// and encoded in parallel, and the cells that it carries are made while they are encoded.
    ///
    /// # Errors
    /// Internal, if Arrow or Parquet refuse the rows.
    pub async fn of(
        order: Order,
        path: &str,
        making: Option<Making>,
    ) -> Result<Self, ArchiveError> {
        let order = Arc::new(order);
        let parts = order.parts(file_layout::GROUP_ROWS);
        let sorted = stream::iter(parts).map(|part| {
            let order = order.clone();
            blocking(move || order.rows(part))
        });
        let rows: Vec<RecordBatch> = sorted.buffered(processors::count()).try_collect().await?;
        let blocks = async {
            match making {
                Some(making) => making.make(path, rows.clone()).await,
                None => NewBlocks::default(),
            }
        };
        let (blocks, file) = tokio::join!(blocks, encode(&rows));
        let (writer, groups) = file?;
        let ids = Arc::into_inner(order).map(|order| order.ids).unwrap_or_default();
        blocking(move || append(writer, groups, ids, blocks).map_err(|error| internal(&error)))
            .await
    }
}

/// Runs CPU-bound work in a thread that may block.
///
/// # Errors
/// Internal, if it panics.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ArchiveError> + Send + 'static,
) -> Result<T, ArchiveError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| internal(&error))?
}

/// Encodes a row group for each batch.
async fn encode(
    rows: &[RecordBatch],
) -> Result<(SerializedFileWriter<Vec<u8>>, Vec<EncodedGroup>), ArchiveError> {
    let first = rows.first().ok_or_else(|| internal(&"there are no rows"))?;
    let count = rows.iter().map(RecordBatch::num_rows).sum();
    let opened = OpenFile::start(first, count, 0)?.writer.into_serialized_writer();
    let (writer, factory) = opened.map_err(|error| internal(&error))?;
    let factory = Arc::new(factory);
    let groups = stream::iter(rows.iter().cloned().enumerate()).map(|(number, rows)| {
        let factory = factory.clone();
        blocking(move || encode_group(&factory, number, &rows).map_err(|error| internal(&error)))
    });
    // Each row group keeps one processor busy.
    Ok((writer, groups.buffered(processors::count()).try_collect().await?))
}

fn encode_group(
    factory: &ArrowRowGroupWriterFactory,
    number: usize,
    rows: &RecordBatch,
) -> Result<EncodedGroup, ParquetError> {
    let mut writers = factory.create_column_writers(number)?.into_iter();
    let mut chunks = Vec::with_capacity(writers.len());
    for (field, column) in rows.schema_ref().fields().iter().zip(rows.columns()) {
        let mut open = Vec::new();
        for piece in file_layout::pieces(column.get_array_memory_size(), column.len()) {
            let column = column.slice(piece.start, piece.len());
            for (at, leaf) in compute_leaves(field, &column)?.into_iter().enumerate() {
                if open.len() <= at {
                    open.extend(writers.next());
                }
                let writer = open.get_mut(at);
                let writer =
                    writer.ok_or_else(|| ParquetError::General("a leaf too many".into()))?;
                writer.write(&leaf)?;
            }
        }
        for writer in open {
            chunks.push(writer.close()?);
        }
    }
    let stats = Stats::of_encoded(rows, |name| {
        let mut columns = chunks.iter().map(|chunk: &ArrowColumnChunk| &chunk.close().metadata);
        columns.find(|column| column.column_path().string() == name)?.statistics()
    });
    Ok((chunks, stats))
}

fn append(
    mut writer: SerializedFileWriter<Vec<u8>>,
    groups: Vec<EncodedGroup>,
    ids: Vec<EventHash>,
    blocks: NewBlocks,
) -> Result<EncodedFile, ParquetError> {
    let mut stats = Stats::default();
    for (chunks, of_group) in groups {
        let mut group = writer.next_row_group()?;
        for chunk in chunks {
            chunk.append_to_row_group(&mut group)?;
        }
        group.close()?;
        stats.merge(of_group);
    }
    end(writer, stats, ids, blocks)
}

/// Adds the cells that the file carries besides its rows, and ends it. Readers of Parquet follow the
/// footer, which does not refer to them.
fn end(
    mut writer: SerializedFileWriter<Vec<u8>>,
    stats: Stats,
    ids: Vec<EventHash>,
    blocks: NewBlocks,
) -> Result<EncodedFile, ParquetError> {
    let blocks = blocks.beside(writer.bytes_written());
    let mut write = |bytes: &Bytes| {
        let start = writer.bytes_written() as u64;
        writer.write_all(bytes)?;
        Ok::<_, ParquetError>(start..start + bytes.len() as u64)
    };
    let partial = match blocks.partial {
        None => None,
        Some(NewPartial { bytes, sql_version, lossless, .. }) => {
            Some(StoredPartial { sql_version, range: write(&bytes)?, lossless })
        }
    };
    let further = blocks.further.into_iter().map(|NewCells { name, bytes, version }| {
        Ok(StoredCells { name: name.into(), version, range: write(&bytes)? })
    });
    let further = further.collect::<Result<_, ParquetError>>()?;
    let ingested = blocks.ingested;
    Ok(EncodedFile { bytes: writer.into_inner()?.into(), stats, ids, partial, further, ingested })
}

/// A data file that is written piece by piece, so that its rows are never all in memory.
#[derive(Debug)]
pub struct OpenFile {
    writer: ArrowWriter<Vec<u8>>,
    stats: Stats,
    ids: Vec<EventHash>,
}

impl OpenFile {
    /// Begins a file of `count` rows of one date, sorted by [`file_layout::SORT_COLUMNS`]; `first`
    /// holds some of them. The file is expected to have about `bytes`, or the usual bytes of its
    /// rows if these are more.
    ///
    /// # Errors
    /// Internal, if Arrow or Parquet refuse the rows.
    pub fn start(first: &RecordBatch, count: usize, bytes: usize) -> Result<Self, ArchiveError> {
        let options = file_layout::options(first, count).map_err(|error| internal(&error))?;
        // To grow, the buffer would have to be in memory twice. Reserved memory that is not written
        // takes none.
        let bytes = Vec::with_capacity(bytes.max(count * ROW_BYTES));
        let writer = ArrowWriter::try_new_with_options(bytes, first.schema(), options)
            .map_err(|error| internal(&error))?;
        Ok(Self { writer, stats: Stats::default(), ids: Vec::new() })
    }

    /// Adds rows that sort after all earlier ones, with their fingerprints. CPU-bound, in
    /// proportion to the rows.
    ///
    /// # Errors
    /// As [`OpenFile::start`].
    pub fn write(&mut self, rows: &RecordBatch, ids: Vec<EventHash>) -> Result<(), ArchiveError> {
        for piece in file_layout::pieces(rows.get_array_memory_size(), rows.num_rows()) {
            let piece = rows.slice(piece.start, piece.len());
            self.writer.write(&piece).map_err(|error| internal(&error))?;
            if self.writer.in_progress_size() >= file_layout::GROUP_BYTES {
                self.writer.flush().map_err(|error| internal(&error))?;
            }
        }
        self.stats.merge(Stats::of(rows));
        self.ids.extend(ids);
        Ok(())
    }

    /// Ends the file, with the cells that it carries besides its rows.
    ///
    /// # Errors
    /// Internal, if Parquet refuses.
    pub fn finish(self, blocks: NewBlocks) -> Result<EncodedFile, ArchiveError> {
        let opened = self.writer.into_serialized_writer();
        let ended = opened.and_then(|(writer, _)| end(writer, self.stats, self.ids, blocks));
        ended.map_err(|error| internal(&error))
    }
}

fn internal(error: &dyn std::fmt::Display) -> ArchiveError {
    ArchiveError::internal("encoding a data file", error)
}
