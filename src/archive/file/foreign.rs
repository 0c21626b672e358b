//! Foreign data files, read as events whatever Parquet types their columns have.
//!
//! All code that reads the rows of a foreign file uses this module: partials, SQL, the search for
//! ids, rewrites, and the judge. A column is accepted if none of its values changes in the
//! conversion. Each value must obey the rules of its column.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, future};
use object_store::ObjectStore;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::basic::Type as PhysicalType;
use parquet::errors::ParquetError;

use super::data_file::DataFile;
use super::first_sight::known_object;
use crate::archive::error::ArchiveError;
use crate::archive::parquet::checked_read::CheckedReader;
use crate::archive::parquet::row_weights::with_views;
use crate::archive::parquet::weighed_read::WeighedRead;
use crate::event;

/// Bytes of a batch before it is cast.
const BATCH_BYTES: usize = 8 << 20;

/// A stream of the rows of a file.
pub type ForeignRows = BoxStream<'static, Result<RecordBatch, ArchiveError>>;

/// The rows of a foreign file, in the columns `wanted`: any of [`event::schema`], in any order.
/// Each value is checked. The rows keep the order of the file, which may be unsorted.
///
/// # Errors
/// Foreign, if a column cannot be converted exactly or a value breaks a rule; Corrupt or
/// Unavailable, now or from the stream. Each names the file.
pub async fn foreign_rows(
    store: Arc<dyn ObjectStore>,
    file: &DataFile,
    wanted: SchemaRef,
    batch_rows: usize,
) -> Result<ForeignRows, ArchiveError> {
    let path = file.path_in_archive();
    let shown = wanted.fields().len();
    let rows = cast_rows(store, file, with_type(wanted), batch_rows).await?;
    let judged = rows.and_then(move |rows| {
        let checked = event::check_stored(&rows);
        future::ready(checked.map(|()| rows).map_err(|reason| refused(&path, reason)))
    });
    let shown: Vec<_> = (0..shown).collect();
    let rows = judged.map(move |rows| match rows? {
        rows if rows.num_columns() == shown.len() => Ok(rows),
        rows => {
            let shown = rows.project(&shown);
            shown.map_err(|error| ArchiveError::internal("reading events", error))
        }
    });
    Ok(rows.boxed())
}

/// The same columns, and the type behind them if it tells which costs are allowed.
fn with_type(wanted: SchemaRef) -> SchemaRef {
    let has = |name: &str| wanted.index_of(name).is_ok();
    if !has("cost_usd") || has("event_type") {
        return wanted;
    }
    let mut fields = wanted.fields().to_vec();
    fields.extend(event::schema().fields().find("event_type").map(|(_, field)| field.clone()));
    Arc::new(Schema::new(fields))
}

/// The identities in a foreign file: `event_id` and `org_id`, null if a row has none. They are not
/// checked against the rules of events, because callers only look for events that obey them.
///
/// # Errors
/// As [`foreign_rows`], except that values are not checked.
pub(in crate::archive) async fn foreign_ids(
    store: Arc<dyn ObjectStore>,
    file: &DataFile,
) -> Result<ForeignRows, ArchiveError> {
    const BATCH_ROWS: usize = 8 * 1024;
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let wanted = Arc::new(Schema::new(vec![text("event_id"), text("org_id")]));
    cast_rows(store, file, wanted, BATCH_ROWS).await
}

/// As [`open_rows`], but a panic becomes an error: the decoder may panic on an untrusted file.
async fn cast_rows(
    store: Arc<dyn ObjectStore>,
    file: &DataFile,
    wanted: SchemaRef,
    batch_rows: usize,
) -> Result<ForeignRows, ArchiveError> {
    let path = file.path_in_archive();
    let broken = |path: &str| ArchiveError::corrupt(path, "no reader of Parquet can decode it");
    let rows = AssertUnwindSafe(open_rows(store, file, wanted, batch_rows)).catch_unwind().await;
    let rows = AssertUnwindSafe(rows.unwrap_or_else(|_| Err(broken(&path)))?).catch_unwind();
    Ok(rows.map(move |rows| rows.unwrap_or_else(|_| Err(broken(&path)))).boxed())
}

async fn open_rows(
    store: Arc<dyn ObjectStore>,
    file: &DataFile,
    wanted: SchemaRef,
    batch_rows: usize,
) -> Result<ForeignRows, ArchiveError> {
    let path = file.path_in_archive();
    let failed = |error: &ParquetError| unreadable(&path, error);
    let object = known_object(&store, file).await?;
    let mut reader = CheckedReader::new(store.clone(), object.clone());
    // The Arrow schema in the footer is ignored, because the types of Parquet are fewer.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let found = ArrowReaderMetadata::load_async(&mut reader, options).await;
    let found = found.and_then(|found| as_it_is_read(&found)).map_err(|error| failed(&error))?;
    let columns = wanted.fields().iter().filter_map(|field| place(found.schema(), field.name()));
    let mask = ProjectionMask::roots(found.parquet_schema(), columns);
    let (rows_max, bytes) = (batch_rows, BATCH_BYTES);
    let read = WeighedRead { store, object, metadata: found, mask, rows_max, bytes };
    let cast = read.rows().map(move |rows| {
        let rows = rows.map_err(|error| unreadable(&path, &error))?;
        cast_batch(&rows, &wanted).map_err(|reason| refused(&path, reason))
    });
    Ok(cast.boxed())
}

/// Changes the schema that a file is read with. INT96 becomes microseconds, because nanoseconds in
/// 64 bits end in the year 2262 and wrap around. Texts become views, so that all rows share a text
/// of a dictionary until they are weighed.
fn as_it_is_read(found: &ArrowReaderMetadata) -> Result<ArrowReaderMetadata, ParquetError> {
    let roots = found.parquet_schema().root_schema().get_fields();
    let is_int96 = |at: usize| {
        let root = roots.get(at).filter(|root| root.is_primitive());
        root.is_some_and(|root| root.get_physical_type() == PhysicalType::INT96)
    };
    let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
    let fields = found.schema().fields().iter().enumerate().map(|(at, field)| match is_int96(at) {
        true => Arc::new(field.as_ref().clone().with_data_type(micros.clone())),
        false => with_views(field),
    });
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true).with_schema(schema);
    ArrowReaderMetadata::try_new(found.metadata().clone(), options)
}

/// The index of a column. To Delta Lake, names that differ only in case are the same.
fn place(schema: &Schema, name: &str) -> Option<usize> {
    let by = |same: fn(&str, &str) -> bool| {
        schema.fields().iter().position(|field| same(field.name(), name))
    };
    by(|a, b| a == b).or_else(|| by(str::eq_ignore_ascii_case))
}

fn cast_batch(rows: &RecordBatch, wanted: &SchemaRef) -> Result<RecordBatch, String> {
    let columns = wanted.fields().iter().map(|field| -> Result<ArrayRef, String> {
        let found = place(rows.schema_ref(), field.name()).and_then(|at| rows.columns().get(at));
        let column = match found {
            Some(found) => event::exact_column(field, found)?,
            // The file is from before the column was added. By Delta Lake, its rows have nulls.
            None if field.is_nullable() => new_null_array(field.data_type(), rows.num_rows()),
            None => return Err(format!("it has no column {}", field.name())),
        };
        if !field.is_nullable() && column.logical_null_count() > 0 {
            return Err(format!("it has a row without {}", field.name()));
        }
        Ok(column)
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    RecordBatch::try_new_with_options(wanted.clone(), columns, &options)
        .map_err(|error| format!("its columns do not fit together: {error}"))
}

/// The error for a foreign file that cannot be counted.
pub(in crate::archive) fn refused(path: &str, reason: impl Into<String>) -> ArchiveError {
    ArchiveError::Foreign { path: path.to_owned(), reason: reason.into() }
}

/// The error for a failed read. A codec or an encryption that this program does not support is not
/// damage.
fn unreadable(path: &str, error: &ParquetError) -> ArchiveError {
    let words = error.to_string();
    let unknown = matches!(error, ParquetError::NYI(_)) || words.contains("Disabled feature");
    match unknown || words.contains("encrypt") {
        true => refused(path, format!("it is in a form that this program does not read: {words}")),
        false => ArchiveError::of_read(path, error),
    }
}
