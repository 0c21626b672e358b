//! Rows of an answer as columns: the names and types of `GET /v1/usage`.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::groups::{GroupKey, UsageGroup};
use crate::archive::ArchiveError;
use crate::event::money::format_decimal;
use crate::rollup::UsageSums;
use crate::sql::SqlError;

/// A row.
#[derive(Debug, Clone)]
pub struct UsageRow {
    /// Where its step begins, as text.
    pub start: Arc<str>,
    /// The values of the groups.
    pub key: GroupKey,
    /// The sums.
    pub sums: UsageSums,
}

/// The columns after those of the groups. Sums without a bound are text.
const SUMS: [(&str, DataType); 8] = [
    ("requests", DataType::Int64),
    ("input_tokens", DataType::Utf8),
    ("output_tokens", DataType::Utf8),
    ("cached_input_tokens", DataType::Utf8),
    ("cache_write_tokens", DataType::Utf8),
    ("reasoning_tokens", DataType::Utf8),
    ("cost_usd", DataType::Utf8),
    ("unpriced_requests", DataType::Int64),
];
const START: &str = "start";

/// The columns' names and types. A dimension with the name of another column has `_2` after it.
pub fn schema(groups: &[UsageGroup]) -> SchemaRef {
    let is_taken = |name: &str| name == START || SUMS.iter().any(|(sum, _)| *sum == name);
    let groups = groups.iter().map(|group| {
        let name = group.name();
        let name = if is_taken(name) { format!("{name}_2") } else { name.to_owned() };
        Field::new(name, DataType::Utf8, true)
    });
    let sums = SUMS.iter().map(|(name, kind)| Field::new(*name, kind.clone(), false));
    let start = Field::new(START, DataType::Utf8, false);
    Arc::new(Schema::new([start].into_iter().chain(groups).chain(sums).collect::<Vec<_>>()))
}

/// The rows as columns.
///
/// # Errors
/// Internal, only for a defect.
pub fn columns(schema: &SchemaRef, rows: &[UsageRow]) -> Result<RecordBatch, SqlError> {
    let text = |of: &dyn Fn(&UsageSums) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| of(&row.sums))))
    };
    let count = |of: fn(&UsageSums) -> i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| of(&row.sums))))
    };
    let starts = rows.iter().map(|row| &*row.start);
    let mut columns: Vec<ArrayRef> = vec![Arc::new(StringArray::from_iter_values(starts))];
    for group in 0..schema.fields().len().saturating_sub(1 + SUMS.len()) {
        let values = rows.iter().map(|row| row.key.get(group).and_then(Option::as_deref));
        columns.push(Arc::new(values.collect::<StringArray>()));
    }
    columns.extend([
        count(|sums| sums.requests),
        text(&|sums| sums.input_tokens.to_string()),
        text(&|sums| sums.output_tokens.to_string()),
        text(&|sums| sums.cached_input_tokens.to_string()),
        text(&|sums| sums.cache_write_tokens.to_string()),
        text(&|sums| sums.reasoning_tokens.to_string()),
        text(&|sums| format_decimal(sums.cost).to_string()),
        count(|sums| sums.unpriced),
    ]);
    RecordBatch::try_new(schema.clone(), columns)
        .map_err(|error| ArchiveError::internal("showing usage", error).into())
}
