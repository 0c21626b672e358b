//! The columns of a batch that the archive itself reads.

use arrow::array::{
    ArrayAccessor, AsArray as _, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::TimestampMicrosecondType;

use crate::archive::error::ArchiveError;

/// A required text column.
///
/// # Errors
/// Internal, if it is missing.
pub fn text<'a>(
    rows: &'a RecordBatch,
    name: &'static str,
) -> Result<&'a StringArray, ArchiveError> {
    rows.column_by_name(name)
        .and_then(|column| column.as_string_opt::<i32>())
        .ok_or_else(|| ArchiveError::internal("reading a batch", format!("no text column {name}")))
}

/// The times of events.
///
/// # Errors
/// Internal, if they are missing.
pub fn times(rows: &RecordBatch) -> Result<&TimestampMicrosecondArray, ArchiveError> {
    rows.column_by_name("ts")
        .and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>())
        .ok_or_else(|| ArchiveError::internal("reading a batch", "no column ts"))
}

/// The first row that `is_past`, as are all rows after it: `partition_point` of a sorted column.
pub fn first_row<'a>(
    names: impl ArrayAccessor<Item = &'a str> + Copy,
    is_past: impl Fn(&str) -> bool,
) -> usize {
    let (mut low, mut high) = (0, names.len());
    while low < high {
        let middle = low.midpoint(high);
        match is_past(names.value(middle)) {
            true => high = middle,
            false => low = middle + 1,
        }
    }
    low
}
