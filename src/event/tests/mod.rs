//! Tests of every rule of the columns, through the builder.

mod builder;
mod numbers;
mod text;

use std::borrow::Cow;

use super::FieldValue::{Bool, Json, Map, Mended, Null};
use super::time::Naive;
use super::*;
use crate::clock::{Micros, SECOND};
use arrow::array::{Array, AsArray, Int64Array};

const NOW: Micros = 1_704_164_645 * SECOND;

type Field = (Cow<'static, str>, FieldValue<'static>);

fn text(value: &str) -> FieldValue<'static> {
    FieldValue::Text(value.to_owned().into())
}

fn number(value: &str) -> FieldValue<'static> {
    FieldValue::Number(value.to_owned().into())
}

/// A valid event with some fields changed.
fn event(changes: &[(&'static str, FieldValue<'static>)]) -> Vec<Field> {
    let defaults = [("event_id", text("e1")), ("ts", number("1704164645"))];
    let kept = defaults.into_iter().filter(|(name, _)| !changes.iter().any(|(n, _)| n == name));
    kept.chain(changes.iter().cloned()).map(|(name, value)| (name.into(), value)).collect()
}

fn only_acme() -> OrgRule {
    OrgRule::Only(OrgId::parse("acme").unwrap())
}

fn decode(events: &[Vec<Field>], rule: OrgRule) -> Decoded {
    let mut builder = EventBatchBuilder::new(rule, NOW);
    for (index, fields) in events.iter().enumerate() {
        builder.push(index, fields);
    }
    builder.finish().unwrap()
}

fn one(changes: &[(&'static str, FieldValue<'static>)]) -> Result<EventBatch, String> {
    let decoded = decode(&[event(changes)], only_acme());
    assert_eq!(decoded.events(), 1);
    match decoded.rejections.first() {
        None => Ok(decoded.batch),
        Some(rejection) => Err(rejection.error.clone()),
    }
}

/// One accepted event, with the counts of its mends.
fn mended(
    changes: &[(&'static str, FieldValue<'static>)],
) -> (EventBatch, Vec<(&'static str, u64)>) {
    let decoded = decode(&[event(changes)], only_acme());
    assert_eq!(decoded.rejections, [], "{changes:?}");
    (decoded.batch, decoded.mended.counts().map(|(mend, count)| (mend.name(), count)).collect())
}

fn string(batch: &EventBatch, column: &str) -> Option<String> {
    let column = batch.record_batch().column_by_name(column).unwrap().as_string::<i32>();
    column.iter().next().unwrap().map(str::to_owned)
}

fn integer(batch: &EventBatch, column: &str) -> Option<i64> {
    let column: &Int64Array = batch.record_batch().column_by_name(column).unwrap().as_primitive();
    column.iter().next().unwrap()
}

fn attributes(batch: &EventBatch) -> Option<Vec<(String, String)>> {
    let maps = batch.record_batch().column_by_name("attributes").unwrap().as_map();
    maps.is_valid(0).then(|| {
        let entries = maps.value(0);
        let keys = entries.column(0).as_string::<i32>().iter();
        let values = entries.column(1).as_string::<i32>().iter();
        keys.zip(values).map(|(k, v)| (k.unwrap().into(), v.unwrap().into())).collect()
    })
}
