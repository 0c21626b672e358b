//! What a Parquet file's own schema says beyond the Arrow types that its library makes of it.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use parquet::basic::{LogicalType, Type as PhysicalType};
use parquet::file::metadata::ParquetMetaData;
use parquet::schema::types::ColumnDescriptor;

use super::columns::Leaf;
use crate::archive::with_views;

/// Bytes of a UUID.
const UUID_BYTES: i32 = 16;
/// What writers of Arrow note of columns, and what they call such a one.
const ARROW_SCHEMA: &str = "ARROW:schema";
const ARROW_UUID: &[u8] = b"arrow.uuid";

/// What is known of a schema.
pub(super) struct Known {
    /// Of each leaf, in order.
    pub(super) leaves: Arc<[Leaf]>,
    /// With the types that columns are read as.
    pub(super) schema: SchemaRef,
}

/// Looks at a schema and at what the library made of it.
pub(super) fn known(metadata: &ParquetMetaData, schema: &SchemaRef) -> Known {
    let columns = metadata.file_metadata().schema_descr().columns();
    let noted = metadata.file_metadata().key_value_metadata();
    let noted = noted.into_iter().flatten().find(|note| note.key == ARROW_SCHEMA);
    let noted = noted.and_then(|note| note.value.as_deref()).is_some_and(notes_uuids);
    let leaf = |column: &Arc<_>| if is_uuid(column, noted) { Leaf::Uuid } else { Leaf::Plain };
    let old: Vec<_> =
        columns.iter().map(|column| column.physical_type() == PhysicalType::INT96).collect();
    let mut old = old.into_iter();
    // A text of a dictionary is there once, however many rows have it.
    let fields = schema.fields().iter().map(|field| with_views(&in_micros(field, &mut old)));
    let schema = Schema::new(fields.collect::<Vec<_>>()).into();
    Known { leaves: columns.iter().map(leaf).collect(), schema }
}

fn is_uuid(column: &ColumnDescriptor, noted: bool) -> bool {
    let fixed = column.physical_type() == PhysicalType::FIXED_LEN_BYTE_ARRAY
        && column.type_length() == UUID_BYTES;
    match column.logical_type_ref() {
        Some(LogicalType::Uuid) => fixed,
        // Some writers note it of their own type, and nowhere else.
        None => fixed && noted && column.converted_type() == parquet::basic::ConvertedType::NONE,
        Some(_) => false,
    }
}

/// Whether an Arrow schema, as it is noted in a file, has columns of UUIDs.
fn notes_uuids(noted: &str) -> bool {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(noted).unwrap_or_default();
    bytes.windows(ARROW_UUID.len()).any(|part| part == ARROW_UUID)
}

/// The old times of 96 bits go further than nanoseconds in 64 do. Leaves come in the order of the
/// schema, so that each takes the next mark.
fn in_micros(field: &FieldRef, old: &mut std::vec::IntoIter<bool>) -> FieldRef {
    let kind = match field.data_type() {
        DataType::Struct(fields) => {
            DataType::Struct(fields.iter().map(|field| in_micros(field, old)).collect())
        }
        DataType::List(item) => DataType::List(in_micros(item, old)),
        DataType::Map(entries, sorted) => DataType::Map(in_micros(entries, old), *sorted),
        kind => match old.next() {
            Some(true) => DataType::Timestamp(TimeUnit::Microsecond, None),
            _ => kind.clone(),
        },
    };
    Arc::new(Field::clone(field).with_data_type(kind))
}
