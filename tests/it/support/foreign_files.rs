//! Data files as other programs write them, and the commits that append them: by the rules of Delta
//! Lake, in the programs' own types and shapes, without our tags.

use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, Int32Array, MapArray, RecordBatch, StructArray, UInt32Array,
};
use arrow::compute::{cast, take_record_batch};
use arrow::datatypes::{DataType, Field, Fields, Schema, TimeUnit};
use object_store::ObjectStore;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use serde_json::{Value, json};
use tokenlake::event::{EventBatchBuilder, OrgId, OrgRule};
use tokenlake::ingest::{ContentKind, decode};

use super::event::{Event, NOON};
use super::foreign::{File, commit};
use super::store::write;

/// The date of [`NOON`].
pub const TODAY: &str = "2026-03-10";

/// Events as rows of ours.
pub fn rows(org: &str, events: &[Event]) -> RecordBatch {
    let body = events.iter().map(Event::line).collect::<Vec<_>>().join("\n");
    let rule = OrgRule::Only(OrgId::parse(org).unwrap());
    let builder = EventBatchBuilder::new(rule, NOON);
    let decoded = decode(&ContentKind::Ndjson, body.as_bytes(), builder).unwrap();
    assert_eq!(decoded.rejections, []);
    decoded.batch.record_batch().clone()
}

/// The same rows with the columns of `change` in another type.
pub fn cast_where(rows: &RecordBatch, change: impl Fn(&Field) -> Option<DataType>) -> RecordBatch {
    with_columns(rows, |field, column| match change(field) {
        Some(to) => cast(column, &to).unwrap(),
        None => column.clone(),
    })
}

/// The same rows with one column changed.
pub fn with_column(rows: &RecordBatch, name: &str, column: &ArrayRef) -> RecordBatch {
    with_columns(rows, |field, known| match field.name() == name {
        true => column.clone(),
        false => known.clone(),
    })
}

fn with_columns(rows: &RecordBatch, change: impl Fn(&Field, &ArrayRef) -> ArrayRef) -> RecordBatch {
    let schema = rows.schema();
    let columns: Vec<_> =
        schema.fields().iter().zip(rows.columns()).map(|(field, at)| change(field, at)).collect();
    let fields = schema
        .fields()
        .iter()
        .zip(&columns)
        .map(|(field, column)| Field::new(field.name(), column.data_type().clone(), true));
    let schema = Schema::new(fields.collect::<Vec<_>>());
    RecordBatch::try_new(Arc::new(schema), columns).unwrap()
}

/// Changes rows into another program's form of them.
pub type Shape = fn(&RecordBatch) -> RecordBatch;

fn texts(rows: &RecordBatch, to: &DataType) -> RecordBatch {
    cast_where(rows, |field| (*field.data_type() == DataType::Utf8).then(|| to.clone()))
}

fn counts(rows: &RecordBatch, to: &DataType) -> RecordBatch {
    cast_where(rows, |field| (*field.data_type() == DataType::Int64).then(|| to.clone()))
}

fn times(rows: &RecordBatch, unit: TimeUnit, zone: Option<&str>) -> RecordBatch {
    let to = DataType::Timestamp(unit, zone.map(Arc::from));
    cast_where(rows, |field| {
        matches!(field.data_type(), DataType::Timestamp(..)).then(|| to.clone())
    })
}

fn costs(rows: &RecordBatch, to: &DataType) -> RecordBatch {
    cast_where(rows, |field| (field.name() == "cost_usd").then(|| to.clone()))
}

/// Only what an event must have, and what the tests' sums are by.
fn without_optional(rows: &RecordBatch) -> RecordBatch {
    let kept = [0, 1, 2, 3, 4, 5, 6, 7, 11];
    rows.project(&kept).unwrap()
}

fn reversed_with_more(rows: &RecordBatch) -> RecordBatch {
    let last = rows.num_rows() as u32;
    let rows = take_record_batch(rows, &UInt32Array::from_iter_values((0..last).rev())).unwrap();
    let schema = rows.schema();
    let more: ArrayRef = Arc::new(Int32Array::from_iter_values(0..rows.num_rows() as i32));
    let fields = schema.fields().iter().rev().map(|field| field.as_ref().clone());
    let fields = [Field::new("more", DataType::Int32, true)].into_iter().chain(fields);
    let columns = [more].into_iter().chain(rows.columns().iter().rev().cloned());
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    RecordBatch::try_new(schema, columns.collect()).unwrap()
}

fn other_parts_of_maps(rows: &RecordBatch) -> RecordBatch {
    let map = rows.column_by_name("attributes").unwrap().as_map();
    let parts = Fields::from(vec![
        Field::new("keys", DataType::LargeUtf8, false),
        Field::new("values", DataType::LargeUtf8, true),
    ]);
    let columns = map.entries().columns().iter().map(|part| cast(part, &DataType::LargeUtf8));
    let columns = columns.map(Result::unwrap).collect();
    let entries = StructArray::try_new(parts.clone(), columns, None).unwrap();
    let field = Arc::new(Field::new("entries", DataType::Struct(parts), false));
    let map = MapArray::try_new(field, map.offsets().clone(), entries, map.nulls().cloned(), false);
    let map: ArrayRef = Arc::new(map.unwrap());
    with_column(rows, "attributes", &map)
}

fn other_case(rows: &RecordBatch) -> RecordBatch {
    let schema = rows.schema();
    let fields = schema.fields().iter().map(|field| {
        Field::new(field.name().to_uppercase(), field.data_type().clone(), field.is_nullable())
    });
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    RecordBatch::try_new(schema, rows.columns().to_vec()).unwrap()
}

/// The forms in which other programs write, each of which holds the same events.
pub const SHAPES: [(&str, Shape); 19] = [
    ("as ours", |rows| rows.clone()),
    ("optional columns", |rows| cast_where(rows, |_| None)),
    ("large text", |rows| texts(rows, &DataType::LargeUtf8)),
    ("views of text", |rows| texts(rows, &DataType::Utf8View)),
    ("dictionaries of text", |rows| {
        texts(rows, &DataType::Dictionary(DataType::Int32.into(), DataType::Utf8.into()))
    }),
    ("bytes", |rows| texts(rows, &DataType::Binary)),
    ("integers of 32 bits", |rows| counts(rows, &DataType::Int32)),
    ("integers of 8 bits", |rows| counts(rows, &DataType::Int8)),
    ("integers without sign", |rows| counts(rows, &DataType::UInt64)),
    ("counts as decimals", |rows| counts(rows, &DataType::Decimal128(20, 2))),
    ("longer decimals", |rows| costs(rows, &DataType::Decimal128(38, 20))),
    ("shorter decimals", |rows| costs(rows, &DataType::Decimal128(9, 2))),
    ("floats that are exact", |rows| costs(rows, &DataType::Float64)),
    ("milliseconds", |rows| times(rows, TimeUnit::Millisecond, Some("UTC"))),
    ("nanoseconds without a zone", |rows| times(rows, TimeUnit::Nanosecond, None)),
    ("without optional columns", without_optional),
    ("another order, with more columns", reversed_with_more),
    ("maps with other parts", other_parts_of_maps),
    ("names in capitals", other_case),
];

/// The bytes of a file of these rows, in row groups of two.
pub fn parquet(rows: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let groups = WriterProperties::builder().set_max_row_group_row_count(Some(2)).build();
    let mut writer = ArrowWriter::try_new(&mut bytes, rows.schema(), Some(groups)).unwrap();
    writer.write(rows).unwrap();
    writer.close().unwrap();
    bytes
}

/// Puts a file of `rows` on `date`, and describes it as a log entry does.
pub async fn put(store: &Arc<dyn ObjectStore>, date: &str, name: &str, rows: &RecordBatch) -> File {
    let bytes = parquet(rows);
    let path = format!("event_date={date}/{name}.parquet");
    let (size, count) = (bytes.len() as u64, rows.num_rows() as u64);
    let file = File { path, date: date.to_owned(), size, rows: count };
    write(store, &file.place(), bytes).await;
    file
}

/// Appends `rows` to today's, in one commit of another program; gives the file.
pub async fn append(store: &Arc<dyn ObjectStore>, name: &str, rows: &RecordBatch) -> File {
    let file = put(store, TODAY, name, rows).await;
    commit(store, &[file.add(true)]).await;
    file
}

/// The action that adds a file of which the log knows nothing.
pub fn add_untold(file: &File) -> Value {
    let mut action = file.add(true);
    action["add"].as_object_mut().unwrap().remove("stats");
    action
}

/// The action that adds a file whose bounds the log has, as JSON.
pub fn add_with_stats(file: &File, stats: &Value) -> Value {
    let mut action = file.add(true);
    action["add"]["stats"] = json!(stats.to_string());
    action
}
