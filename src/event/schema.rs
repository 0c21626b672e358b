//! The columns of an event in memory and in a data file.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};

use super::money;

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| Arc::new(build()));

/// The columns of an event in the archive's order.
///
/// The partition column `event_date` is not among them: it is derived from `ts` and part of a data
/// file's path.
pub fn schema() -> SchemaRef {
    Arc::clone(&SCHEMA)
}

fn build() -> Schema {
    let text = |name: &str, nullable| Field::new(name, DataType::Utf8, nullable);
    let count = |name: &str, nullable| Field::new(name, DataType::Int64, nullable);
    Schema::new(vec![
        text("event_id", false),
        text("org_id", false),
        text("event_type", false),
        Field::new("ts", timestamp_type(), false),
        text("provider", true),
        text("model", true),
        count("input_tokens", false),
        count("output_tokens", false),
        count("cached_input_tokens", true),
        count("cache_write_tokens", true),
        count("reasoning_tokens", true),
        Field::new("cost_usd", cost_type(), true),
        text("source", true),
        Field::new("ingested_at", timestamp_type(), true),
        Field::new("attributes", DataType::Map(attribute_entries(), false), true),
    ])
}

/// Microseconds in UTC.
pub(super) fn timestamp_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from("UTC")))
}

/// Dollars with [`money::PLACES`] places.
pub(super) fn cost_type() -> DataType {
    DataType::Decimal128(money::DIGITS, money::PLACES)
}

/// One entry of `attributes`. Its names are those of Parquet and Delta, so that readers rename
/// nothing.
pub(super) fn attribute_entries() -> FieldRef {
    let entry =
        vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Utf8, true)];
    Arc::new(Field::new("key_value", DataType::Struct(entry.into()), false))
}
