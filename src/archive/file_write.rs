//! Turning sorted rows into a data file.

use std::sync::Arc;

use arrow::array::{AsArray as _, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::TimestampMicrosecondType;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::errors::ParquetError;
use parquet::file::writer::SerializedFileWriter;

use super::data_file::StoredPartial;
use super::file_layout;
use super::ids::EventHash;
use super::partial::{NewPartial, PartialMaker};
use super::stats::Stats;
use super::{ArchiveError, date_rows::Order};

/// A file's bytes and what the log says of it.
#[derive(Debug)]
pub struct EncodedFile {
    /// The Parquet file.
    pub bytes: Bytes,
    /// For the log.
    pub stats: Stats,
    /// The fingerprints of its events.
    pub ids: Vec<EventHash>,
    /// The partial inside of it.
    pub partial: Option<StoredPartial>,
}

/// What is encoded of a file, a row group after the other.
type Groups = Vec<Vec<ArrowColumnChunk>>;

impl EncodedFile {
    /// The rows of one date, in this order, as the new file `path`. Row groups are sorted and
    /// encoded side by side, and beside them `maker` makes the partial.
    ///
    /// # Errors
    /// Internal, if Arrow or Parquet refuse the rows.
    pub async fn of(
        order: Order,
        path: &str,
        maker: Option<Arc<dyn PartialMaker>>,
    ) -> Result<Self, ArchiveError> {
        let order = Arc::new(order);
        let parts = order.parts(file_layout::GROUP_ROWS);
        let sorted = stream::iter(parts).map(|part| {
            let order = order.clone();
            blocking(move || order.rows(part))
        });
        let rows: Vec<RecordBatch> = sorted.buffered(threads()).try_collect().await?;
        let (partial, file) = tokio::join!(
            async {
                match maker {
                    Some(maker) => NewPartial::make(maker, path, rows.clone()).await,
                    None => None,
                }
            },
            encode(&rows),
        );
        let (writer, groups) = file?;
        let ids = Arc::into_inner(order).map(|order| order.ids).unwrap_or_default();
        blocking(move || finish(writer, groups, &rows, partial, ids)).await
    }
}

/// Cores, each of which one row group keeps busy.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ArchiveError> + Send + 'static,
) -> Result<T, ArchiveError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| internal(&error))?
}

async fn encode(
    rows: &[RecordBatch],
) -> Result<(SerializedFileWriter<Vec<u8>>, Groups), ArchiveError> {
    let (writer, factory) = open(rows).map_err(|error| internal(&error))?;
    let factory = Arc::new(factory);
    let groups = stream::iter(rows.iter().cloned().enumerate()).map(|(number, rows)| {
        let factory = factory.clone();
        blocking(move || encode_group(&factory, number, &rows).map_err(|error| internal(&error)))
    });
    Ok((writer, groups.buffered(threads()).try_collect().await?))
}

fn open(
    rows: &[RecordBatch],
) -> Result<(SerializedFileWriter<Vec<u8>>, ArrowRowGroupWriterFactory), ParquetError> {
    let options = file_layout::options(rows)?;
    let schema = rows.first().map(RecordBatch::schema).unwrap_or_else(crate::event::schema);
    let count: usize = rows.iter().map(RecordBatch::num_rows).sum();
    let bytes = Vec::with_capacity(count * 64);
    ArrowWriter::try_new_with_options(bytes, schema, options)?.into_serialized_writer()
}

fn encode_group(
    factory: &ArrowRowGroupWriterFactory,
    number: usize,
    rows: &RecordBatch,
) -> Result<Vec<ArrowColumnChunk>, ParquetError> {
    let mut writers = factory.create_column_writers(number)?.into_iter();
    let mut chunks = Vec::with_capacity(writers.len());
    for (field, column) in rows.schema_ref().fields().iter().zip(rows.columns()) {
        for leaf in compute_leaves(field, column)? {
            let writer = writers.next();
            let mut writer =
                writer.ok_or_else(|| ParquetError::General("a leaf too many".into()))?;
            writer.write(&leaf)?;
            chunks.push(writer.close()?);
        }
    }
    Ok(chunks)
}

/// Adds the partial of the rows, where there is one, and ends the file. Readers of Parquet go by
/// the footer, which does not name it.
fn finish(
    mut writer: SerializedFileWriter<Vec<u8>>,
    groups: Groups,
    rows: &[RecordBatch],
    partial: Option<NewPartial>,
    ids: Vec<EventHash>,
) -> Result<EncodedFile, ArchiveError> {
    append(&mut writer, groups).map_err(|error| internal(&error))?;
    let partial = match partial {
        None => None,
        Some(NewPartial { bytes, sql_version, plain }) => {
            let start = writer.bytes_written() as u64;
            writer.write_all(&bytes).map_err(|error| internal(&error))?;
            let range = start..start + bytes.len() as u64;
            Some(StoredPartial { sql_version, range, plain })
        }
    };
    let bytes = writer.into_inner().map_err(|error| internal(&error))?.into();
    Ok(EncodedFile { bytes, stats: Stats::of(rows), ids, partial })
}

fn append(writer: &mut SerializedFileWriter<Vec<u8>>, groups: Groups) -> Result<(), ParquetError> {
    for chunks in groups {
        let mut group = writer.next_row_group()?;
        for chunk in chunks {
            chunk.append_to_row_group(&mut group)?;
        }
        group.close()?;
    }
    Ok(())
}

fn internal(error: &dyn std::fmt::Display) -> ArchiveError {
    ArchiveError::internal("encoding a data file", error)
}

/// A required text column.
///
/// # Errors
/// Internal, if it is not there.
pub fn text<'a>(
    rows: &'a RecordBatch,
    name: &'static str,
) -> Result<&'a arrow::array::StringArray, ArchiveError> {
    rows.column_by_name(name)
        .and_then(|column| column.as_string_opt::<i32>())
        .ok_or_else(|| ArchiveError::internal("reading a batch", format!("no text column {name}")))
}

/// The times of events.
///
/// # Errors
/// Internal, if they are not there.
pub fn times(rows: &RecordBatch) -> Result<&TimestampMicrosecondArray, ArchiveError> {
    rows.column_by_name("ts")
        .and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>())
        .ok_or_else(|| ArchiveError::internal("reading a batch", "no column ts"))
}
