//! Text as DataFusion handles it best: views, which compare short texts without following a
//! pointer. Results have plain text again.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::util::display::FormatOptions;

/// What does not fit is an error, not a null.
const CHECKED: CastOptions<'_> = CastOptions { safe: false, format_options: FormatOptions::new() };

/// The schema with views instead of texts.
pub(super) fn with_views(schema: &SchemaRef) -> SchemaRef {
    exchanged(schema, &DataType::Utf8, &DataType::Utf8View)
}

/// The schema with texts instead of views.
pub(super) fn without_views(schema: &SchemaRef) -> SchemaRef {
    exchanged(schema, &DataType::Utf8View, &DataType::Utf8)
}

/// The schema with distinct names: a second `c` becomes `c_2`, because programs read rows by name.
pub(super) fn with_distinct_names(schema: &SchemaRef) -> SchemaRef {
    let mut taken: HashSet<String> =
        schema.fields().iter().map(|field| field.name().clone()).collect();
    if taken.len() == schema.fields().len() {
        return schema.clone();
    }
    let mut seen = HashSet::new();
    let fields = schema.fields().iter().map(|field| {
        if seen.insert(field.name().clone()) {
            return field.as_ref().clone();
        }
        let names = (2_u64..).map(|number| format!("{}_{number}", field.name()));
        let name = names.into_iter().find(|name| !taken.contains(name)).unwrap_or_default();
        taken.insert(name.clone());
        field.as_ref().clone().with_name(name)
    });
    let fields: Vec<_> = fields.collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

fn exchanged(schema: &SchemaRef, from: &DataType, to: &DataType) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| {
        let field = field.as_ref().clone();
        if field.data_type() == from { field.with_data_type(to.clone()) } else { field }
    });
    let fields: Vec<_> = fields.collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// The rows with texts instead of views, in the schema that [`without_views`] returned.
///
/// # Errors
/// A number that is too large for the type in which it is shown; else only for a defect.
pub(super) fn as_texts(rows: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns = rows.columns().iter().zip(schema.fields()).map(|(column, field)| {
        if column.data_type() == field.data_type() {
            return Ok(column.clone());
        }
        cast_with_options(column, field.data_type(), &CHECKED)
    });
    RecordBatch::try_new_with_options(
        schema.clone(),
        columns.collect::<Result<Vec<ArrayRef>, _>>()?,
        &arrow::array::RecordBatchOptions::new().with_row_count(Some(rows.num_rows())),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::Field;

    #[test]
    fn a_second_column_of_a_name_takes_the_next_free_one() {
        let of = |names: &[&str]| {
            let fields = names.iter().map(|name| Field::new(*name, DataType::Int64, true));
            let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
            let schema = with_distinct_names(&schema);
            schema.fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>()
        };
        assert_eq!(of(&["a", "b"]), ["a", "b"]);
        assert_eq!(of(&["c", "c", "c"]), ["c", "c_2", "c_3"]);
        assert_eq!(of(&["c", "c", "c_2"]), ["c", "c_3", "c_2"]);
    }
}
