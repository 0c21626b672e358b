//! The types of columns that have more than a name for their type.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};

use super::money;

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
