//! A comparison as columns, for programs and for people.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Decimal128Array, Int64Array, ListBuilder, RecordBatch, StringArray,
    StringBuilder,
};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use chrono::NaiveDate;

use super::comparison::Comparison;
use super::figures::{COST, METRICS};
use crate::event::money;

/// Digits of a sum.
const DIGITS: u8 = 38;
/// Which of the metrics is a count of calls.
const REQUESTS: usize = 0;

/// The rows of a comparison. Reasons are a list, or a text for people.
///
/// # Errors
/// A sum of more than 38 digits.
pub fn comparison_rows(
    rows: &[Comparison],
    with_reasons_as_text: bool,
) -> Result<RecordBatch, ArrowError> {
    let days = rows.iter().map(|row| days_since_1970(row.day));
    let providers = rows.iter().map(|row| &*row.provider);
    let models = rows.iter().map(|row| row.model.as_deref());
    let mut columns: Vec<(String, ArrayRef)> = vec![
        ("day".to_owned(), Arc::new(Date32Array::from_iter_values(days))),
        ("provider".to_owned(), Arc::new(StringArray::from_iter_values(providers))),
        ("model".to_owned(), Arc::new(models.collect::<StringArray>())),
    ];
    for (metric, name) in METRICS.into_iter().enumerate() {
        let events = rows.iter().map(|row| row.events.sums.get(metric).copied());
        let reported =
            rows.iter().map(|row| row.reported.get(metric).and_then(|figure| figure.told()));
        let differences = rows.iter().map(|row| row.difference(metric));
        columns.push((format!("events_{name}"), sums(metric, events)?));
        columns.push((format!("report_{name}"), sums(metric, reported)?));
        columns.push((format!("difference_{name}"), sums(metric, differences)?));
    }
    columns.push(("reasons".to_owned(), reasons(rows, with_reasons_as_text)));
    let fields =
        columns.iter().map(|(name, column)| Field::new(name, column.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    RecordBatch::try_new(schema, columns.into_iter().map(|(_, column)| column).collect())
}

fn days_since_1970(day: NaiveDate) -> i32 {
    i32::try_from((day - NaiveDate::default()).num_days()).unwrap_or(i32::MAX)
}

fn sums(metric: usize, sums: impl Iterator<Item = Option<i128>>) -> Result<ArrayRef, ArrowError> {
    if metric == REQUESTS {
        let counts = sums.map(|sum| sum.and_then(|sum| i64::try_from(sum).ok()));
        return Ok(Arc::new(counts.collect::<Int64Array>()));
    }
    let places = if metric == COST { money::PLACES } else { 0 };
    let sums = sums.collect::<Decimal128Array>().with_precision_and_scale(DIGITS, places)?;
    sums.validate_decimal_precision(DIGITS)?;
    Ok(Arc::new(sums))
}

fn reasons(rows: &[Comparison], as_text: bool) -> ArrayRef {
    if as_text {
        let texts = rows.iter().map(|row| row.reasons.join("; "));
        return Arc::new(StringArray::from_iter_values(texts));
    }
    let item = Field::new("item", DataType::Utf8, true);
    let mut lists = ListBuilder::new(StringBuilder::new()).with_field(item);
    for row in rows {
        for reason in &row.reasons {
            lists.values().append_value(reason);
        }
        lists.append(true);
    }
    Arc::new(lists.finish())
}
