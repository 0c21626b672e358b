//! The columns of an event in memory and in a data file.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{Schema, SchemaRef};

use super::column::Column;

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| Arc::new(build()));

/// The columns of an event in the archive's order.
///
/// The partition column `event_date` is not among them: it is derived from `ts` and part of a data
/// file's path.
pub fn schema() -> SchemaRef {
    Arc::clone(&SCHEMA)
}

fn build() -> Schema {
    Schema::new(Column::ALL.iter().filter_map(|column| column.field()).collect::<Vec<_>>())
}
