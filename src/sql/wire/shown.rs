//! The schema in which rows leave: one Arrow type for each of PostgreSQL's.

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema, SchemaRef};

/// The schema with plain texts and bytes instead of views, dictionaries and long ones.
pub(in crate::sql) fn shown_schema(schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| {
        let shown = shown(field.data_type());
        field.as_ref().clone().with_data_type(shown)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn shown(kind: &DataType) -> DataType {
    match kind {
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary | DataType::FixedSizeBinary(_) => {
            DataType::Binary
        }
        DataType::Dictionary(_, values) => shown(values),
        DataType::Date64 => DataType::Date32,
        // What numbers and counts rows and items. PostgreSQL has no numbers without a sign.
        DataType::UInt64 => DataType::Int64,
        kind => kind.clone(),
    }
}
