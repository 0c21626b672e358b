//! One input of a merge: the memory it takes while it is open, and its rows in order.

use std::sync::Arc;

use arrow::array::{RecordBatch, new_null_array};
use arrow::compute::{SortColumn, concat, interleave_record_batch, lexsort_to_indices};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _, future};
use object_store::ObjectStore;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;
use parquet::basic::Type as PhysicalType;
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};

use super::data_file::DataFile;
use super::file_layout::SORT_COLUMNS;
use super::foreign::foreign_rows;
use crate::archive::error::ArchiveError;
use crate::archive::parquet::checked_read::{CheckedObject, CheckedReader};
use crate::archive::parquet::row_weights::weights;
use crate::event;

/// The maximum rows of a page.
const PAGE_ROWS: u64 = 4 * 1024;
/// The maximum bytes of an event; its attributes are bounded.
const ROW_BYTES: u64 = 20 << 10;
/// Bytes that a value takes in addition to its content.
const VALUE_BYTES: u64 = 16;
/// The maximum bytes of a foreign row that is merged. It becomes a row of a file of ours, and these
/// are no heavier.
const FOREIGN_ROW_BYTES_MAX: u64 = 32 << 10;

/// A stream of the rows of a file.
pub(in crate::archive) type RowStream = BoxStream<'static, Result<RecordBatch, ArchiveError>>;

/// A file, and its footer if the file is ours.
pub(in crate::archive) struct MergeInput {
    pub file: Arc<DataFile>,
    footer: Option<ArrowReaderMetadata>,
}

impl MergeInput {
    /// Reads the footer if the file is ours.
    ///
    /// # Errors
    /// Corrupt or Unavailable; `NotMerged` if a newer program wrote a column that this one does not
    /// know. Each names the file.
    pub async fn read(
        store: &Arc<dyn ObjectStore>,
        file: Arc<DataFile>,
    ) -> Result<Self, ArchiveError> {
        if !file.is_ours() {
            return Ok(Self { file, footer: None });
        }
        let path = file.path_in_archive();
        let mut reader = CheckedReader::new(store.clone(), CheckedObject::of(&file));
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let footer = ArrowReaderMetadata::load_async(&mut reader, options).await;
        let footer = footer.map_err(|error| ArchiveError::of_read(&path, &error))?;
        let options = ArrowReaderOptions::new().with_schema(schema_of(&footer, &path)?);
        let footer = ArrowReaderMetadata::try_new(footer.metadata().clone(), options);
        let footer = footer.map_err(|error| ArchiveError::of_read(&path, &error))?;
        Ok(Self { file, footer: Some(footer) })
    }

    /// Bytes that the file takes while it is open, as far as its footer says.
    pub fn open_bytes(&self) -> u64 {
        let groups = self.footer.iter().flat_map(|footer| footer.metadata().row_groups());
        let bytes = groups.map(|group| {
            let [rows, bytes, stored] =
                [group.num_rows(), group.total_byte_size(), group.compressed_size()].map(whole);
            stored.saturating_add(bytes.saturating_mul(PAGE_ROWS.min(rows)) / rows.max(1))
        });
        bytes.max().unwrap_or_default()
    }

    /// Its rows, sorted, in batches of at most `rows_max` rows and about `bytes`. The rows of a
    /// foreign file are sorted here, if they have at most `foreign_max` bytes. Also returns the
    /// bytes that the open file takes in addition to a batch.
    ///
    /// # Errors
    /// Corrupt or Unavailable; `NotMerged` if foreign rows have more bytes. Each names the file.
    pub async fn open(
        self,
        store: Arc<dyn ObjectStore>,
        rows_max: usize,
        bytes: u64,
        foreign_max: u64,
    ) -> Result<(RowStream, u64), ArchiveError> {
        let taken = self.open_bytes();
        let Self { file, footer } = self;
        let Some(footer) = footer else {
            return sorted_rows(store, &file, rows_max, foreign_max).await;
        };
        let damaged = {
            let path = file.path_in_archive();
            move |error| ArchiveError::of_read(&path, &error)
        };
        let groups = footer.metadata().row_groups().iter();
        let rows = groups.map(|group| rows_within(group, bytes)).min().unwrap_or(rows_max);
        let reader = CheckedReader::new(store, CheckedObject::of(&file));
        let rows = ParquetRecordBatchStreamBuilder::new_with_metadata(reader, footer)
            .with_batch_size(rows.min(rows_max))
            .build();
        let rows = rows.map_err(&damaged)?.map_err(damaged);
        Ok((rows.and_then(|rows| future::ready(with_all_columns(rows))).boxed(), taken))
    }
}

/// The columns of events that a file of ours has, in its order. One from before a column lacks it.
fn schema_of(footer: &ArrowReaderMetadata, path: &str) -> Result<SchemaRef, ArchiveError> {
    let events = event::schema();
    let fields = footer.schema().fields().iter().map(|found| {
        let (_, field) = events.fields().find(found.name()).ok_or_else(|| {
            let name = found.name();
            let reason = format!(
                "this program does not know its column {name}, and would drop it; upgrade it"
            );
            ArchiveError::NotMerged { path: path.to_owned(), reason }
        })?;
        Ok(field.clone())
    });
    Ok(Arc::new(Schema::new(fields.collect::<Result<Vec<_>, ArchiveError>>()?)))
}

/// The same rows with nulls in the columns that they lack.
fn with_all_columns(rows: RecordBatch) -> Result<RecordBatch, ArchiveError> {
    let events = event::schema();
    if rows.num_columns() == events.fields().len() {
        return Ok(rows);
    }
    let columns = events.fields().iter().map(|field| match rows.column_by_name(field.name()) {
        Some(column) => column.clone(),
        None => new_null_array(field.data_type(), rows.num_rows()),
    });
    RecordBatch::try_new(events.clone(), columns.collect()).map_err(|error| wrong(&error))
}

fn whole(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// How many rows of a row group of ours have at most `bytes`, whichever rows they are.
fn rows_within(group: &RowGroupMetaData, bytes: u64) -> usize {
    let all = group.columns().iter().map(decoded_bytes).sum::<Option<u64>>();
    if all.is_some_and(|all| all <= bytes) {
        return usize::MAX;
    }
    usize::try_from((bytes / ROW_BYTES).max(1)).unwrap_or(usize::MAX)
}

/// Bytes of the values of a column once they are decoded; `None` if the footer does not say.
fn decoded_bytes(column: &ColumnChunkMetaData) -> Option<u64> {
    let bytes = match column.column_type() {
        PhysicalType::BYTE_ARRAY => whole(column.unencoded_byte_array_data_bytes()?),
        _ => 0,
    };
    Some(bytes.saturating_add(whole(column.num_values()).saturating_mul(VALUE_BYTES)))
}

/// The rows of a foreign file, sorted, in batches, and the bytes that all of them take.
async fn sorted_rows(
    store: Arc<dyn ObjectStore>,
    file: &Arc<DataFile>,
    batch_rows: usize,
    bytes_max: u64,
) -> Result<(RowStream, u64), ArchiveError> {
    let mut rows = foreign_rows(store, file, event::schema(), batch_rows).await?;
    let (mut batches, mut bytes) = (Vec::new(), 0_u64);
    while let Some(batch) = rows.try_next().await? {
        let weights = weights(&batch);
        bytes = weights.iter().fold(bytes, |sum, weight| sum.saturating_add(*weight));
        let path = file.path_in_archive();
        if weights.iter().any(|weight| *weight > FOREIGN_ROW_BYTES_MAX) {
            let reason = format!("one of its rows has more than {FOREIGN_ROW_BYTES_MAX} bytes");
            return Err(ArchiveError::NotMerged { path, reason });
        }
        if bytes > bytes_max {
            let reason = format!("its rows have more than {bytes_max} bytes, too many to sort");
            return Err(ArchiveError::NotMerged { path, reason });
        }
        batches.push(batch);
    }
    let order = order_of(&batches).map_err(|error| wrong(&error))?;
    let step = batch_rows.max(1);
    let pieces = (0..order.len()).step_by(step).map(move |start| {
        let piece = order.get(start..order.len().min(start + step));
        let batches: Vec<_> = batches.iter().collect();
        interleave_record_batch(&batches, piece.unwrap_or_default()).map_err(|error| wrong(&error))
    });
    Ok((futures::stream::iter(pieces).boxed(), bytes))
}

/// The places of all rows in their batches, sorted as the rows of a file are.
fn order_of(batches: &[RecordBatch]) -> Result<Vec<(usize, usize)>, ArrowError> {
    let columns = SORT_COLUMNS.iter().filter_map(|name| {
        let parts: Vec<_> = batches.iter().filter_map(|rows| rows.column_by_name(name)).collect();
        let parts: Vec<_> = parts.iter().map(|part| part.as_ref()).collect();
        (!parts.is_empty()).then(|| concat(&parts))
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    if columns.is_empty() {
        return Ok(Vec::new());
    }
    let columns = columns.into_iter().map(|values| SortColumn { values, options: None });
    let order = lexsort_to_indices(&columns.collect::<Vec<_>>(), None)?;
    let places = batches.iter().enumerate();
    let places = places.flat_map(|(at, rows)| (0..rows.num_rows()).map(move |row| (at, row)));
    let places: Vec<_> = places.collect();
    Ok(order.values().iter().filter_map(|at| places.get(*at as usize).copied()).collect())
}

fn wrong(error: &ArrowError) -> ArchiveError {
    ArchiveError::internal("sorting rows", error)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::StringArray;
    use arrow::datatypes::{DataType, Field};
    use bytes::Bytes;
    use parquet::arrow::ArrowWriter;

    use super::*;
    use crate::event::{EventBatchBuilder, OrgRule};
    use crate::ingest;

    fn rows() -> RecordBatch {
        let mut builder = EventBatchBuilder::new(OrgRule::Own, 1_770_000_000_000_000);
        let event = r#"{"event_id":"a","org_id":"o","ts":1769000000,"cost_usd":1,"a":"b"}"#;
        builder.push(0, &ingest::fields(event).unwrap());
        builder.finish().unwrap().batch.record_batch().clone()
    }

    fn footer(rows: &RecordBatch) -> ArrowReaderMetadata {
        let mut writer = ArrowWriter::try_new(Vec::new(), rows.schema(), None).unwrap();
        writer.write(rows).unwrap();
        let bytes = Bytes::from(writer.into_inner().unwrap());
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        ArrowReaderMetadata::load(&bytes, options).unwrap()
    }

    #[test]
    fn a_file_from_before_a_column_has_nulls_in_it() {
        let all = rows();
        assert_eq!(schema_of(&footer(&all), "x").unwrap(), event::schema());
        let columns = all.num_columns();
        let older = all.project(&(0..columns - 1).collect::<Vec<_>>()).unwrap();
        assert_eq!(schema_of(&footer(&older), "x").unwrap(), older.schema());
        let read = with_all_columns(older).unwrap();
        assert_eq!(read.schema(), all.schema());
        assert_eq!(read.column(columns - 1).null_count(), 1);
        assert_eq!(read.column(0), all.column(0));
    }

    #[test]
    fn a_file_with_a_column_that_only_a_newer_program_knows_is_not_merged() {
        let all = rows();
        let mut fields = all.schema().fields().to_vec();
        fields.push(Field::new("later", DataType::Utf8, true).into());
        let mut columns = all.columns().to_vec();
        columns.push(Arc::new(StringArray::from(vec!["x"])));
        let newer = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
        let error = schema_of(&footer(&newer), "x").unwrap_err();
        assert!(matches!(error, ArchiveError::NotMerged { .. }), "{error}");
        assert!(error.to_string().contains("later") && error.to_string().contains("upgrade"));
    }
}
