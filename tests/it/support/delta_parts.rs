//! Checkpoints of the log as other programs write them: in several objects, and with the statistics
//! of files as columns instead of text.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch, StructArray};
use arrow::datatypes::{DataType, Field, Fields, Schema, TimeUnit};
use arrow::json::ReaderBuilder;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// The objects that say what the whole checkpoint says.
pub fn in_parts_with_parsed_stats(whole: &[u8]) -> Vec<Vec<u8>> {
    let whole = Bytes::copy_from_slice(whole);
    let mut rows = ParquetRecordBatchReaderBuilder::try_new(whole).unwrap().build().unwrap();
    let rows = rows.next().unwrap().unwrap();
    let (fields, columns): (Vec<_>, Vec<ArrayRef>) = rows
        .schema()
        .fields()
        .iter()
        .zip(rows.columns())
        .map(|(field, column)| match field.name().as_str() {
            "add" => {
                let add = parsed(column.as_struct());
                (
                    Arc::new(Field::new("add", add.data_type().clone(), true)),
                    Arc::new(add) as ArrayRef,
                )
            }
            _ => (field.clone(), column.clone()),
        })
        .unzip();
    let rows = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
    let half = rows.num_rows() / 2;
    let parts = [rows.slice(0, half), rows.slice(half, rows.num_rows() - half)];
    let write = |rows: &RecordBatch| {
        let mut writer = ArrowWriter::try_new(Vec::new(), rows.schema(), None).unwrap();
        writer.write(rows).unwrap();
        writer.into_inner().unwrap()
    };
    parts.iter().map(write).collect()
}

/// What is added, with statistics as columns.
fn parsed(add: &StructArray) -> StructArray {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let bounds = DataType::Struct(Fields::from(vec![
        Field::new("org_id", DataType::Utf8, true),
        Field::new("ts", time, true),
    ]));
    let stats = Schema::new(vec![
        Field::new("numRecords", DataType::Int64, true),
        Field::new("minValues", bounds.clone(), true),
        Field::new("maxValues", bounds, true),
    ]);
    let texts = add.column_by_name("stats").unwrap().as_string::<i32>();
    let lines: String = texts.iter().map(|text| text.unwrap_or("{}").to_owned() + "\n").collect();
    let mut reader = ReaderBuilder::new(Arc::new(stats)).build(lines.as_bytes()).unwrap();
    let stats = StructArray::from(reader.next().unwrap().unwrap());
    let members =
        add.fields().iter().zip(add.columns()).map(|(field, column)| match field.name().as_str() {
            "stats" => {
                let field = Field::new("stats_parsed", stats.data_type().clone(), true);
                (Arc::new(field), Arc::new(stats.clone()) as ArrayRef)
            }
            _ => (field.clone(), column.clone()),
        });
    let (fields, columns): (Vec<_>, Vec<_>) = members.unzip();
    StructArray::new(fields.into(), columns, add.nulls().cloned())
}
