//! Cells that were added up in memory, as the columns of `partial.sql`.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Decimal128Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use super::SqlError;
use super::partial_row::PartialRow;
use super::query::PARTIAL;
use crate::clock::Micros;
use crate::event::money;

/// Digits of a sum: the maximum of a 16-byte decimal.
const SUM_DIGITS: u8 = 38;

/// The columns' names and types.
pub fn cell_schema() -> SchemaRef {
    let time = || DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let tokens = |name| Field::new(name, DataType::Decimal128(SUM_DIGITS, 0), false);
    Arc::new(Schema::new(vec![
        Field::new("org_id", DataType::Utf8, false),
        Field::new("provider", DataType::Utf8, true),
        Field::new("model", DataType::Utf8, true),
        Field::new("hour", time(), false),
        Field::new("requests", DataType::Int64, false),
        tokens("input_tokens"),
        tokens("output_tokens"),
        tokens("cached_input_tokens"),
        tokens("cache_write_tokens"),
        tokens("reasoning_tokens"),
        Field::new("cost_usd", DataType::Decimal128(SUM_DIGITS, money::PLACES), false),
        Field::new("unpriced", DataType::Int64, false),
        Field::new("last_ts", time(), false),
    ]))
}

/// The rows as columns.
///
/// # Errors
/// [`SqlError::Query`], if a sum has more digits than a decimal can hold.
pub fn cell_columns(rows: &[PartialRow]) -> Result<RecordBatch, SqlError> {
    let text = |of: fn(&PartialRow) -> Option<&str>| -> ArrayRef {
        Arc::new(rows.iter().map(of).collect::<StringArray>())
    };
    let times = |of: fn(&PartialRow) -> Micros| -> ArrayRef {
        let times = TimestampMicrosecondArray::from_iter_values(rows.iter().map(of));
        Arc::new(times.with_timezone("UTC"))
    };
    let counts = |of: fn(&PartialRow) -> u64| -> ArrayRef {
        let counts = rows.iter().map(of).map(|count| i64::try_from(count).unwrap_or(i64::MAX));
        Arc::new(Int64Array::from_iter_values(counts))
    };
    let sums = |of: fn(&PartialRow) -> i128, scale| -> Result<ArrayRef, SqlError> {
        let sums = Decimal128Array::from_iter_values(rows.iter().map(of));
        sums.validate_decimal_precision(SUM_DIGITS).map_err(|error| wrong(&error))?;
        let sums = sums.with_precision_and_scale(SUM_DIGITS, scale);
        Ok(Arc::new(sums.map_err(|error| wrong(&error))?))
    };
    let columns = vec![
        text(|row| Some(&row.org_id)),
        text(|row| row.provider.as_deref()),
        text(|row| row.model.as_deref()),
        times(|row| row.hour),
        counts(|row| row.requests),
        sums(|row| row.input_tokens, 0)?,
        sums(|row| row.output_tokens, 0)?,
        sums(|row| row.cached_input_tokens, 0)?,
        sums(|row| row.cache_write_tokens, 0)?,
        sums(|row| row.reasoning_tokens, 0)?,
        sums(|row| row.cost, money::PLACES)?,
        counts(|row| row.unpriced),
        times(|row| row.last_ts),
    ];
    RecordBatch::try_new(cell_schema(), columns).map_err(|error| wrong(&error))
}

fn wrong(error: &arrow::error::ArrowError) -> SqlError {
    SqlError::Query { query: PARTIAL.name, reason: error.to_string() }
}
