//! Text as DataFusion handles it best: views, of which short ones are compared without following a
//! pointer. What people are given is plain text again.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use arrow::error::ArrowError;

/// The schema with views for texts.
pub(super) fn with_views(schema: &SchemaRef) -> SchemaRef {
    exchanged(schema, &DataType::Utf8, &DataType::Utf8View)
}

/// The schema with texts for views.
pub(super) fn without_views(schema: &SchemaRef) -> SchemaRef {
    exchanged(schema, &DataType::Utf8View, &DataType::Utf8)
}

fn exchanged(schema: &SchemaRef, from: &DataType, to: &DataType) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| {
        let field = field.as_ref().clone();
        if field.data_type() == from { field.with_data_type(to.clone()) } else { field }
    });
    let fields: Vec<_> = fields.collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// Rows with texts for views, in the schema [`without_views`] made.
///
/// # Errors
/// A defect only.
pub(super) fn as_texts(rows: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns = rows.columns().iter().zip(schema.fields()).map(|(column, field)| {
        if column.data_type() == field.data_type() {
            return Ok(column.clone());
        }
        cast(column, field.data_type())
    });
    RecordBatch::try_new_with_options(
        schema.clone(),
        columns.collect::<Result<Vec<ArrayRef>, _>>()?,
        &arrow::array::RecordBatchOptions::new().with_row_count(Some(rows.num_rows())),
    )
}
