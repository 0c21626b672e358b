//! The rows of a data file for those who add them up: some of the columns, of the organisations in a
//! range of names.

use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use arrow::array::{AsArray as _, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::ObjectStore;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowPredicateFn, ArrowReaderOptions, RowFilter};
use parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;
use parquet::file::metadata::PageIndexPolicy;

use super::data_file::DataFile;
use super::foreign::{ForeignRows, foreign_rows};
use crate::archive::error::ArchiveError;
use crate::archive::parquet::checked_read::{CheckedObject, CheckedReader};
use crate::event;

/// Rows of a batch.
const BATCH_ROWS: usize = 2 * 1024;
/// The column that rows are chosen by.
const ORG: &str = "org_id";

/// Names in a range, as long as a stream needs them.
type OrgRange = (Bound<String>, Bound<String>);

/// The rows of the organisations in a range of names, in those of `columns` that the file has; `org_id`
/// must be among them. Of files of ours, pages without such rows are passed over. Those of other programs
/// must have been judged.
///
/// # Errors
/// Corrupt, Foreign or Unavailable, now or from the stream. Each names the file.
pub async fn stored_rows(
    store: Arc<dyn ObjectStore>,
    file: &DataFile,
    columns: &[&str],
    orgs: (Bound<&str>, Bound<&str>),
) -> Result<ForeignRows, ArchiveError> {
    let all = matches!(orgs, (Bound::Unbounded, Bound::Unbounded));
    let orgs = (!all).then(|| (orgs.0.map(str::to_owned), orgs.1.map(str::to_owned)));
    match file.is_ours() {
        true => own_rows(store, file, columns, orgs).await,
        false => others_rows(store, file, columns, orgs).await,
    }
}

async fn own_rows(
    store: Arc<dyn ObjectStore>,
    file: &DataFile,
    columns: &[&str],
    orgs: Option<OrgRange>,
) -> Result<ForeignRows, ArchiveError> {
    let path = file.path_in_archive();
    let damaged = move |error| ArchiveError::of_read(&path, &error);
    let reader = CheckedReader::new(store, CheckedObject::of(file));
    let mut options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    if orgs.is_some() {
        options = options.with_page_index_policy(PageIndexPolicy::Optional);
    }
    let opened = ParquetRecordBatchStreamBuilder::new_with_options(reader, options).await;
    let mut opened = opened.map_err(&damaged)?;
    let found = opened.schema().fields().iter().enumerate();
    let found = found.filter(|(_, field)| columns.contains(&field.name().as_str()));
    let mask = ProjectionMask::roots(opened.parquet_schema(), found.map(|(at, _)| at));
    if let Some(orgs) = orgs {
        let names = ProjectionMask::columns(opened.parquet_schema(), [ORG]);
        let chosen = ArrowPredicateFn::new(names, move |rows| are_within(&rows, &orgs));
        opened = opened.with_row_filter(RowFilter::new(vec![Box::new(chosen)]));
    }
    let rows = opened.with_projection(mask).with_batch_size(BATCH_ROWS).build();
    Ok(rows.map_err(&damaged)?.map_err(damaged).boxed())
}

async fn others_rows(
    store: Arc<dyn ObjectStore>,
    file: &DataFile,
    columns: &[&str],
    orgs: Option<OrgRange>,
) -> Result<ForeignRows, ArchiveError> {
    let events = event::schema();
    let wanted = events.fields().iter().filter(|field| columns.contains(&field.name().as_str()));
    let wanted = Arc::new(Schema::new(wanted.cloned().collect::<Vec<_>>()));
    let rows = foreign_rows(store, file, wanted, BATCH_ROWS).await?;
    let Some(orgs) = orgs else { return Ok(rows) };
    let wrong = |error| ArchiveError::internal("reading events", error);
    let chosen = rows.map(move |rows| {
        let rows = rows?;
        let chosen = are_within(&rows, &orgs).and_then(|own| filter_record_batch(&rows, &own));
        chosen.map_err(wrong)
    });
    Ok(chosen.boxed())
}

/// Whether the organisation of each row is in a range.
fn are_within(rows: &RecordBatch, (from, to): &OrgRange) -> Result<BooleanArray, ArrowError> {
    let names = rows.column_by_name(ORG).and_then(|names| names.as_string_opt::<i32>());
    let names = names.ok_or_else(|| ArrowError::SchemaError(format!("no text column {ORG}")))?;
    let range = (from.as_ref().map(String::as_str), to.as_ref().map(String::as_str));
    let is_within = |name: Option<&str>| {
        Some(name.is_some_and(|name| RangeBounds::<str>::contains(&range, name)))
    };
    Ok(names.iter().map(is_within).collect())
}
