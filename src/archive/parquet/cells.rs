//! Files of cells in Parquet, sorted by organisation, so that one organisation's cells are a few
//! pages.
//!
//! The rows are those of `queries/partial.sql`. A data file carries the cells of its own events
//! between its last row group and its footer, where Parquet readers do not look. Totals snapshots
//! and ledgers are separate objects.

use std::ops::{Bound, Range};
use std::sync::Arc;

use arrow::array::{Array as _, AsArray as _, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::ObjectStore;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;
use parquet::basic::{Compression, Encoding};
use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;

use super::checked_read::{CheckedObject, CheckedReader};
use super::columns::first_row;
use crate::archive::error::ArchiveError;

/// Rows that are read together. An organisation's cells are often in a single group.
const GROUP_ROWS: usize = 4 * 1024;
/// Cells up to this size are read by one request for a query of all organisations, and up to a quarter of
/// it for a query of one.
const AT_ONCE_BYTES_MAX: u64 = 1024 * 1024;
/// The column that rows are sorted by.
const ORG: &str = "org_id";
/// The columns with few distinct values.
const NAMES: [&str; 4] = [ORG, "provider", "model", "hour"];

/// A writer of cells. The caller sorts them by organisation.
#[derive(Debug)]
pub struct CellWriter {
    writer: ArrowWriter<Vec<u8>>,
}

impl CellWriter {
    /// A writer of batches of this schema.
    ///
    /// # Errors
    /// Internal, if Parquet refuses the schema.
    pub fn new(schema: SchemaRef) -> Result<Self, ArchiveError> {
        let properties = properties(&schema).map_err(|error| internal(&error))?;
        // Parquet's own types are sufficient.
        let options =
            ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(Vec::new(), schema, options);
        Ok(Self { writer: writer.map_err(|error| internal(&error))? })
    }

    /// Adds rows.
    ///
    /// # Errors
    /// Internal, if Parquet refuses them.
    pub fn write(&mut self, cells: &RecordBatch) -> Result<(), ArchiveError> {
        self.writer.write(cells).map_err(|error| internal(&error))
    }

    /// The Parquet file.
    ///
    /// # Errors
    /// Internal.
    pub fn finish(self) -> Result<Bytes, ArchiveError> {
        self.writer.into_inner().map(Bytes::from).map_err(|error| internal(&error))
    }
}

/// The rows of an encoded file of cells that is in memory.
pub struct CellBatches(ParquetRecordBatchReader);

impl CellBatches {
    /// Reads what a [`CellWriter`] has written.
    ///
    /// # Errors
    /// Internal, if the bytes are something else.
    pub fn of(cells: Bytes) -> Result<Self, ArchiveError> {
        let reader = ParquetRecordBatchReaderBuilder::try_new(cells);
        let reader = reader.and_then(|reader| reader.with_batch_size(GROUP_ROWS).build());
        reader.map(Self).map_err(|error| internal(&error))
    }
}

impl Iterator for CellBatches {
    type Item = Result<RecordBatch, ArchiveError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.0.next()?;
        Some(next.map_err(|error| ArchiveError::internal("reading sums", error)))
    }
}

fn internal(error: &ParquetError) -> ArchiveError {
    ArchiveError::internal("encoding sums", error)
}

fn properties(schema: &SchemaRef) -> Result<WriterProperties, ParquetError> {
    let properties = WriterProperties::builder()
        .set_created_by(concat!("tokenlake ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_writer_version(WriterVersion::PARQUET_2_0)
        // zstd is a thirtieth smaller, but its setup for each of many short columns takes longer
        // than reading them.
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_offset_index_disabled(true)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_column_statistics_enabled(ColumnPath::from(ORG), EnabledStatistics::Chunk)
        .set_statistics_truncate_length(None);
    // Sums hardly repeat, so dictionaries of them would only be built and dropped.
    let sums = schema.fields().iter().filter(|field| !NAMES.contains(&field.name().as_str()));
    let properties = sums.fold(properties, |properties, field| {
        let column = ColumnPath::from(field.name().as_str());
        let properties = properties.set_column_dictionary_enabled(column.clone(), false);
        match field.data_type() {
            // Parquet stores these in 16 bytes, which no encoding of integers supports.
            DataType::Decimal128(19.., _) => properties,
            _ => properties.set_column_encoding(column, Encoding::DELTA_BINARY_PACKED),
        }
    });
    Ok(properties.build())
}

/// A reader of one file of cells.
#[derive(Debug, Clone)]
pub struct CellReader {
    store: Arc<dyn ObjectStore>,
    object: CheckedObject,
    metadata: ArrowReaderMetadata,
}

impl CellReader {
    /// Opens what a [`CellWriter`] has written.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the object.
    pub async fn open(
        store: Arc<dyn ObjectStore>,
        object: CheckedObject,
    ) -> Result<Self, ArchiveError> {
        let reader = CheckedReader::new(store.clone(), object.clone());
        Self::open_with(store, object, reader).await.map(|(cells, _)| cells)
    }

    /// Opens cells and reads those of the organisations in a range of names. It takes one request
    /// if the object is small.
    ///
    /// # Errors
    /// As [`CellReader::open`].
    pub async fn read_all(
        store: Arc<dyn ObjectStore>,
        object: CheckedObject,
        orgs: (Bound<&str>, Bound<&str>),
    ) -> Result<Vec<RecordBatch>, ArchiveError> {
        let reader = CheckedReader::new(store.clone(), object.clone());
        let (cells, reader) = Self::open_with(store, object, reader).await?;
        cells.stream(reader, orgs, None)?.try_collect().await
    }

    /// As [`CellReader::read_all`], of some columns alone, in the order of the file, and with views of
    /// texts, which share the file's dictionaries. Of a range of names the organisation is among them.
    ///
    /// # Errors
    /// As [`CellReader::open`].
    pub async fn read_columns(
        store: Arc<dyn ObjectStore>,
        object: CheckedObject,
        orgs: (Bound<&str>, Bound<&str>),
        columns: &[&str],
    ) -> Result<Vec<RecordBatch>, ArchiveError> {
        let at_once = match orgs {
            (Bound::Unbounded, Bound::Unbounded) => AT_ONCE_BYTES_MAX,
            _ => AT_ONCE_BYTES_MAX / 4,
        };
        let reader = CheckedReader::new(store.clone(), object.clone()).at_once(at_once);
        let (cells, reader) = Self::open_with(store, object, reader).await?;
        cells.in_views()?.stream(reader, orgs, Some(columns))?.try_collect().await
    }

    /// The rows of the organisations in a range of names, in order.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the object, now or from the stream.
    pub fn of_orgs(
        &self,
        orgs: (Bound<&str>, Bound<&str>),
    ) -> Result<BoxStream<'static, Result<RecordBatch, ArchiveError>>, ArchiveError> {
        self.stream(CheckedReader::new(self.store.clone(), self.object.clone()), orgs, None)
    }

    async fn open_with(
        store: Arc<dyn ObjectStore>,
        object: CheckedObject,
        mut reader: CheckedReader,
    ) -> Result<(Self, CheckedReader), ArchiveError> {
        let metadata =
            ArrowReaderMetadata::load_async(&mut reader, ArrowReaderOptions::new()).await;
        let metadata = metadata.map_err(|error| damaged(&object, &error))?;
        if metadata.schema().column_with_name(ORG).is_none() {
            return Err(no_sums(&object));
        }
        Ok((Self { store, object, metadata }, reader))
    }

    fn in_views(self) -> Result<Self, ArchiveError> {
        let fields = self.metadata.schema().fields().iter().map(|field| match field.data_type() {
            DataType::Utf8 => field.as_ref().clone().with_data_type(DataType::Utf8View),
            _ => field.as_ref().clone(),
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let options = ArrowReaderOptions::new().with_schema(schema);
        let metadata = ArrowReaderMetadata::try_new(self.metadata.metadata().clone(), options);
        let metadata = metadata.map_err(|error| damaged(&self.object, &error))?;
        Ok(Self { metadata, ..self })
    }

    fn stream(
        &self,
        reader: CheckedReader,
        orgs: (Bound<&str>, Bound<&str>),
        columns: Option<&[&str]>,
    ) -> Result<BoxStream<'static, Result<RecordBatch, ArchiveError>>, ArchiveError> {
        let groups = self.metadata.metadata().row_groups().iter().enumerate();
        let groups = groups.filter(|(_, group)| may_hold(group, &orgs)).map(|(at, _)| at).collect();
        let builder =
            ParquetRecordBatchStreamBuilder::new_with_metadata(reader, self.metadata.clone());
        let builder = match columns {
            Some(columns) => {
                let mask =
                    ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
                builder.with_projection(mask)
            }
            None => builder,
        };
        let rows = builder.with_row_groups(groups).with_batch_size(GROUP_ROWS).build();
        let rows = rows.map_err(|error| damaged(&self.object, &error))?;
        let (object, orgs) = (self.object.clone(), owned(orgs));
        let rows = rows.map(move |rows| {
            let rows = rows.map_err(|error| damaged(&object, &error))?;
            let chosen = rows_of(&rows, &orgs).ok_or_else(|| no_sums(&object))?;
            Ok(rows.slice(chosen.start, chosen.end - chosen.start))
        });
        Ok(rows.boxed())
    }
}

fn no_sums(object: &CheckedObject) -> ArchiveError {
    ArchiveError::corrupt(object.path().as_ref(), "it holds no sums")
}

/// How many runs of cells of the same organisation, provider and model there are; as many as there are
/// cells, if they are something else.
pub fn series_in(cells: &[RecordBatch]) -> usize {
    cells.iter().map(|cells| runs_in(cells).unwrap_or(cells.num_rows())).sum()
}

fn runs_in(cells: &RecordBatch) -> Option<usize> {
    let text = |name| {
        let column = cast(cells.column_by_name(name)?, &DataType::Utf8).ok()?;
        column.as_string_opt::<i32>().cloned()
    };
    let names: [StringArray; 3] = [text(ORG)?, text("provider")?, text("model")?];
    let differs = |names: &StringArray, one: usize, other: usize| {
        let valid = (names.is_valid(one), names.is_valid(other));
        valid.0 != valid.1 || (valid.0 && names.value(one) != names.value(other))
    };
    let begins = |row: &usize| match row.checked_sub(1) {
        Some(before) => names.iter().any(|names| differs(names, before, *row)),
        None => true,
    };
    Some((0..cells.num_rows()).filter(begins).count())
}

type OwnedBounds = (Bound<String>, Bound<String>);

fn owned((from, to): (Bound<&str>, Bound<&str>)) -> OwnedBounds {
    (from.map(str::to_owned), to.map(str::to_owned))
}

fn may_hold(group: &RowGroupMetaData, orgs: &(Bound<&str>, Bound<&str>)) -> bool {
    let column = group.columns().iter().find(|column| column.column_path().string() == ORG);
    let bounds = column.and_then(|column| column.statistics()).and_then(|statistics| {
        let text = |bytes| std::str::from_utf8(bytes).ok();
        Some((text(statistics.min_bytes_opt()?)?, text(statistics.max_bytes_opt()?)?))
    });
    let Some((first, last)) = bounds else { return true };
    let ends_before = match orgs.0 {
        Bound::Included(from) => last < from,
        Bound::Excluded(from) => last <= from,
        Bound::Unbounded => false,
    };
    let begins_after = match orgs.1 {
        Bound::Included(to) => first > to,
        Bound::Excluded(to) => first >= to,
        Bound::Unbounded => false,
    };
    !ends_before && !begins_after
}

/// The rows whose organisation is in range; `None` if they are not cells.
fn rows_of(rows: &RecordBatch, (from, to): &OwnedBounds) -> Option<Range<usize>> {
    if let (Bound::Unbounded, Bound::Unbounded) = (from, to) {
        return Some(0..rows.num_rows());
    }
    let names = rows.column_by_name(ORG)?;
    let first = |is_past: &dyn Fn(&str) -> bool| match names.as_string_view_opt() {
        Some(names) => Some(first_row(names, is_past)),
        None => Some(first_row(names.as_string_opt::<i32>()?, is_past)),
    };
    let start = first(&|name| match from {
        Bound::Included(from) => name >= from.as_str(),
        Bound::Excluded(from) => name > from.as_str(),
        Bound::Unbounded => true,
    })?;
    let end = first(&|name| match to {
        Bound::Included(to) => name > to.as_str(),
        Bound::Excluded(to) => name >= to.as_str(),
        Bound::Unbounded => false,
    })?;
    Some(start..end.max(start))
}

fn damaged(object: &CheckedObject, error: &ParquetError) -> ArchiveError {
    ArchiveError::of_read(object.path().as_ref(), error)
}

#[cfg(test)]
#[path = "cells_tests.rs"]
mod tests;
