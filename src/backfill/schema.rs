//! The properties of a Parquet file's schema beyond the Arrow types that the library derives.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use parquet::basic::{LogicalType, Type as PhysicalType};
use parquet::file::metadata::ParquetMetaData;
use parquet::schema::types::ColumnDescriptor;

use super::columns::Leaf;
use crate::archive::with_views;

/// Bytes of a UUID.
const UUID_BYTES: i32 = 16;
/// The key of the note in which writers of Arrow describe their columns, and the name of the UUID
/// type there.
const ARROW_SCHEMA: &str = "ARROW:schema";
const ARROW_UUID: &[u8] = b"arrow.uuid";

/// The properties of a schema.
pub(super) struct KnownSchema {
    /// The properties of each leaf, in order.
    pub(super) leaves: Arc<[Leaf]>,
    /// The schema with the types that columns are read as.
    pub(super) schema: SchemaRef,
}

/// Derives the properties from Parquet's schema and the library's Arrow schema.
pub(super) fn known(metadata: &ParquetMetaData, schema: &SchemaRef) -> KnownSchema {
    let columns = metadata.file_metadata().schema_descr().columns();
    let noted = metadata.file_metadata().key_value_metadata();
    let noted = noted.into_iter().flatten().find(|note| note.key == ARROW_SCHEMA);
    let noted = noted.and_then(|note| note.value.as_deref()).is_some_and(notes_uuids);
    let leaf = |column: &Arc<_>| if is_uuid(column, noted) { Leaf::Uuid } else { Leaf::Plain };
    let old: Vec<_> =
        columns.iter().map(|column| column.physical_type() == PhysicalType::INT96).collect();
    let mut old = old.into_iter();
    // With views, a text of a dictionary is in memory once, however many rows have it.
    let fields = schema.fields().iter().map(|field| with_views(&in_micros(field, &mut old)));
    let schema = Schema::new(fields.collect::<Vec<_>>()).into();
    KnownSchema { leaves: columns.iter().map(leaf).collect(), schema }
}

fn is_uuid(column: &ColumnDescriptor, noted: bool) -> bool {
    let fixed = column.physical_type() == PhysicalType::FIXED_LEN_BYTE_ARRAY
        && column.type_length() == UUID_BYTES;
    match column.logical_type_ref() {
        Some(LogicalType::Uuid) => fixed,
        // Some writers note it only in their own schema.
        None => fixed && noted && column.converted_type() == parquet::basic::ConvertedType::NONE,
        Some(_) => false,
    }
}

/// Whether an Arrow schema, as noted in a file, has UUID columns.
fn notes_uuids(noted: &str) -> bool {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(noted).unwrap_or_default();
    bytes.windows(ARROW_UUID.len()).any(|part| part == ARROW_UUID)
}

/// Reads the old 96-bit times as microseconds, because their range exceeds that of 64-bit
/// nanoseconds. Leaves come in the order of the schema, so each takes the next item of `old`.
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
