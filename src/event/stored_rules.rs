//! The rules of the columns for rows that other programs have already stored.
//!
//! Columns that are not counted (providers, models, sources, attributes) never refuse a row.

use arrow::array::{AsArray as _, RecordBatch, StringArray};
use arrow::datatypes::{ArrowPrimitiveType, Decimal128Type, Int64Type, TimestampMicrosecondType};

use super::correction::COST_CORRECTION;
use super::money::COST_MAX;
use super::row::TOKENS_MAX;
use super::values::TEXT_BYTES_MAX;
use super::{org, time};

/// Token counts.
const COUNTS: [&str; 5] = [
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
];
/// Counts that are parts of other counts.
const PARTS: [(&str, &str); 3] = [
    ("cached_input_tokens", "input_tokens"),
    ("cache_write_tokens", "input_tokens"),
    ("reasoning_tokens", "output_tokens"),
];

/// Judges rows that have some of the columns of [`super::schema()`], in its types.
///
/// # Errors
/// The first rule that a row breaks, as the end of a sentence whose subject is the file. It holds
/// no value, since the rows belong to all organisations.
pub fn check_stored(rows: &RecordBatch) -> Result<(), String> {
    let text = |name: &str| rows.column_by_name(name)?.as_string_opt::<i32>();
    let holds = |name: &str, what: &str| format!("it has a row whose {name} {what}");
    let all = |name: &str, rule: fn(&str) -> bool| {
        text(name).is_none_or(|texts: &StringArray| texts.iter().flatten().all(rule))
    };
    if !all("event_id", |id| (1..=TEXT_BYTES_MAX).contains(&id.len())) {
        return Err(holds("event_id", &format!("is not 1 to {TEXT_BYTES_MAX} bytes")));
    }
    if !all("org_id", |org| org::check(org).is_ok()) {
        return Err(holds("org_id", &org::InvalidOrgId.to_string()));
    }
    if !all("event_type", |kind| !kind.is_empty()) {
        return Err(holds("event_type", "is empty"));
    }
    if !values::<TimestampMicrosecondType>(rows, "ts").all(|ts| ts >= time::EARLIEST) {
        return Err(holds("ts", "is before 2015-01-01"));
    }
    for name in COUNTS {
        if !values::<Int64Type>(rows, name).all(|count| (0..=TOKENS_MAX).contains(&count)) {
            return Err(holds(name, &format!("is not from 0 to {TOKENS_MAX}")));
        }
    }
    if !costs_fit(rows) {
        return Err(holds("cost_usd", "is not from 0 to below 1000000"));
    }
    let broken = PARTS.iter().find(|(part, total)| is_more(rows, part, total));
    match broken {
        Some((part, total)) => Err(holds(part, &format!("is more than its {total}"))),
        None => Ok(()),
    }
}

/// Whether each cost is one that its event may have. Corrections alone may be below zero.
fn costs_fit(rows: &RecordBatch) -> bool {
    if values::<Decimal128Type>(rows, "cost_usd").all(|cost| (0..COST_MAX).contains(&cost)) {
        return true;
    }
    let types = rows.column_by_name("event_type").and_then(|types| types.as_string_opt::<i32>());
    let costs = rows.column_by_name("cost_usd");
    let costs = costs.and_then(|costs| costs.as_primitive_opt::<Decimal128Type>());
    let Some((types, costs)) = types.zip(costs) else { return false };
    types.iter().zip(costs).all(|(kind, cost)| match cost {
        Some(cost) if kind == Some(COST_CORRECTION) => cost.abs() < COST_MAX,
        Some(cost) => (0..COST_MAX).contains(&cost),
        None => true,
    })
}

/// The values of a column without nulls; none if the column is absent.
fn values<T: ArrowPrimitiveType>(
    rows: &RecordBatch,
    name: &str,
) -> impl Iterator<Item = T::Native> {
    let column = rows.column_by_name(name).and_then(|column| column.as_primitive_opt::<T>());
    column.into_iter().flat_map(|column| column.iter().flatten())
}

fn is_more(rows: &RecordBatch, part: &str, total: &str) -> bool {
    let counts = |name: &str| rows.column_by_name(name)?.as_primitive_opt::<Int64Type>();
    let Some((parts, totals)) = counts(part).zip(counts(total)) else { return false };
    let mut pairs = parts.iter().zip(totals.iter());
    pairs.any(|(part, total)| part.zip(total).is_some_and(|(part, total)| part > total))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array};

    use super::*;

    fn broken(columns: &[(&str, ArrayRef)]) -> Option<String> {
        let columns = columns.iter().map(|(name, column)| (*name, column.clone(), true));
        check_stored(&RecordBatch::try_from_iter_with_nullable(columns).unwrap()).err()
    }

    fn texts(values: &[&str]) -> ArrayRef {
        Arc::new(StringArray::from(values.to_vec()))
    }

    fn counts(values: &[Option<i64>]) -> ArrayRef {
        Arc::new(Int64Array::from(values.to_vec()))
    }

    #[test]
    fn each_rule_is_named_by_its_column() {
        let long = "x".repeat(257);
        for (name, column, words) in [
            ("event_id", texts(&["a", ""]), "not 1 to 256 bytes"),
            ("event_id", texts(&[&long]), "not 1 to 256 bytes"),
            ("org_id", texts(&["acme", "a b"]), "is not 1 to 128 of"),
            ("event_type", texts(&[""]), "is empty"),
            ("input_tokens", counts(&[Some(1), Some(-1)]), "not from 0 to 1000000000000"),
            ("reasoning_tokens", counts(&[Some(TOKENS_MAX + 1)]), "not from 0"),
        ] {
            let reason = broken(&[(name, column)]).unwrap();
            assert!(reason.contains(words) && reason.contains(name), "{reason}");
        }
    }

    #[test]
    fn a_part_may_be_its_total_and_no_more() {
        let pair = |part: Option<i64>, total: i64| {
            broken(&[
                ("cached_input_tokens", counts(&[None, part])),
                ("input_tokens", counts(&[Some(0), Some(total)])),
            ])
        };
        assert_eq!((pair(Some(7), 7), pair(None, 7)), (None, None));
        assert!(pair(Some(8), 7).unwrap().contains("is more than its input_tokens"));
    }

    #[test]
    fn what_is_not_counted_refuses_nothing() {
        let long = "x".repeat(10_000);
        assert_eq!(
            broken(&[("provider", texts(&["", " ", &long])), ("source", texts(&[""; 3]))]),
            None
        );
    }
}
