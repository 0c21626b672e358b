//! Actions of a checkpoint in the program's types: the files it adds and removes, the table's
//! description, and the numbers of applications.

use std::collections::HashMap;

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, BooleanArray, Int64Array, MapArray, RecordBatch,
    StringArray, StructArray,
};
use arrow::compute::filter;
use arrow::datatypes::Int64Type;
use arrow::json::LineDelimitedWriter;
use deltalake_core::kernel::Add;
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;

use crate::archive::error::ArchiveError;
use crate::archive::paths;

/// The actions of one kind in a batch.
fn kind<'a>(rows: &'a RecordBatch, name: &str) -> Result<&'a StructArray, ArchiveError> {
    let found = rows.column_by_name(name).and_then(|column| column.as_struct_opt());
    found.ok_or_else(|| defect(name))
}

fn member<'a, T: 'static>(actions: &'a StructArray, name: &str) -> Result<&'a T, ArchiveError> {
    let found = actions.column_by_name(name).and_then(|column| column.as_any().downcast_ref());
    found.ok_or_else(|| defect(name))
}

fn defect(column: &str) -> ArchiveError {
    ArchiveError::internal("reading the log", format!("no column {column}"))
}

/// The files that a batch of actions adds.
///
/// # Errors
/// Corrupt if one has a deletion vector, or lacks its path or its size.
pub(in crate::archive) fn adds(rows: &RecordBatch) -> Result<Vec<Add>, ArchiveError> {
    let adds = kind(rows, "add")?;
    let (path, stats) =
        (member::<StringArray>(adds, "path")?, member::<StringArray>(adds, "stats")?);
    let (size, modified) =
        (member::<Int64Array>(adds, "size")?, member::<Int64Array>(adds, "modificationTime")?);
    let data_change = member::<BooleanArray>(adds, "dataChange")?;
    let (values, tags) =
        (member::<MapArray>(adds, "partitionValues")?, member::<MapArray>(adds, "tags")?);
    let vector = member::<StructArray>(adds, "deletionVector")?;
    let there = (0..adds.len()).filter(|row| adds.is_valid(*row));
    let found = there.map(|row| {
        let path = if path.is_valid(row) { path.value(row) } else { Default::default() };
        let path = percent_decode_str(path).decode_utf8_lossy().into_owned();
        let broken = |reason: &str| ArchiveError::corrupt(paths::in_archive(&path), reason);
        if vector.is_valid(row) {
            return Err(broken("it has a deletion vector, which this table does not allow"));
        }
        if path.is_empty() || size.is_null(row) {
            return Err(broken("the log does not give its path or its size"));
        }
        Ok(Add {
            partition_values: texts(values, row)?.unwrap_or_default(),
            size: size.value(row),
            modification_time: if modified.is_valid(row) {
                modified.value(row)
            } else {
                Default::default()
            },
            data_change: data_change.is_valid(row) && data_change.value(row),
            stats: stats.is_valid(row).then(|| stats.value(row).to_owned()),
            tags: texts(tags, row)?,
            path,
            ..Add::default()
        })
    });
    found.collect()
}

fn texts(
    maps: &MapArray,
    row: usize,
) -> Result<Option<HashMap<String, Option<String>>>, ArchiveError> {
    if maps.is_null(row) {
        return Ok(None);
    }
    let entries = maps.value(row);
    let column =
        |at: usize| entries.columns().get(at).and_then(|column| column.as_string_opt::<i32>());
    let (keys, values) = column(0).zip(column(1)).ok_or_else(|| defect("value"))?;
    let pairs = keys.iter().zip(values);
    Ok(Some(
        pairs
            .filter_map(|(key, value)| Some((key?.to_owned(), value.map(str::to_owned))))
            .collect(),
    ))
}

/// The paths of files that a batch of actions removes, and the times of removal in milliseconds
/// since 1970.
///
/// # Errors
/// Internal only.
pub(in crate::archive) fn removes(rows: &RecordBatch) -> Result<Vec<(String, i64)>, ArchiveError> {
    let removes = kind(rows, "remove")?;
    let path = member::<StringArray>(removes, "path")?;
    let at = member::<Int64Array>(removes, "deletionTimestamp")?;
    let there = (0..removes.len()).filter(|row| removes.is_valid(*row) && path.is_valid(*row));
    let decoded = |row| percent_decode_str(path.value(row)).decode_utf8_lossy().into_owned();
    let removed_at = |row| if at.is_valid(row) { at.value(row) } else { Default::default() };
    Ok(there.map(|row| (decoded(row), removed_at(row))).collect())
}

/// The numbers of applications in a batch of actions.
///
/// # Errors
/// Internal only.
pub(in crate::archive) fn numbers(rows: &RecordBatch) -> Result<Vec<(&str, i64)>, ArchiveError> {
    let txns = kind(rows, "txn")?;
    let (app, number) = (txns.column_by_name("appId"), txns.column_by_name("version"));
    let app = app.and_then(|app| app.as_string_opt::<i32>()).ok_or_else(|| defect("appId"))?;
    let number = number.and_then(|number| number.as_primitive_opt::<Int64Type>());
    let number = number.ok_or_else(|| defect("version"))?;
    let there = (0..txns.len()).filter(|row| txns.is_valid(*row));
    let there = there.filter(|row| app.is_valid(*row) && number.is_valid(*row));
    Ok(there.map(|row| (app.value(row), number.value(row))).collect())
}

/// The action `name` in a batch, which describes the table; `None` if there is none.
///
/// # Errors
/// Corrupt, if it does not have the expected form.
pub(in crate::archive) fn description<T: DeserializeOwned>(
    rows: &RecordBatch,
    name: &str,
) -> Result<Option<T>, ArchiveError> {
    let found = kind(rows, name)?;
    if found.null_count() == found.len() {
        return Ok(None);
    }
    let broken = |error: &dyn std::fmt::Display| {
        ArchiveError::corrupt(paths::TABLE, format!("its description is not whole: {error}"))
    };
    let there = (0..found.len()).map(|row| found.is_valid(row)).collect::<Vec<_>>();
    let columns = found.columns().iter().map(|column| filter(column, &there.clone().into()));
    let columns = columns.collect::<Result<Vec<ArrayRef>, _>>().map_err(|error| broken(&error))?;
    let fields = arrow::datatypes::Schema::new(found.fields().clone());
    let rows = RecordBatch::try_new(fields.into(), columns).map_err(|error| broken(&error))?;
    let mut lines = LineDelimitedWriter::new(Vec::new());
    lines.write(&rows.slice(0, 1)).and_then(|()| lines.finish()).map_err(|error| broken(&error))?;
    serde_json::from_slice(&lines.into_inner()).map(Some).map_err(|error| broken(&error))
}
