//! Parquet files that are small, but large once they are read.

use std::sync::Arc;

use arrow::array::{ArrayRef, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int32Type, Schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

/// A stack for trees that are made and let go by functions that call themselves.
const STACK_BYTES: usize = 1 << 30;

/// Events of one second of 2025, with one more column.
pub fn events_with(name: &str, column: ArrayRef) -> RecordBatch {
    let count = column.len();
    let ids: StringArray = (0..count).map(|id| Some(format!("e{id}"))).collect();
    let columns: [(&str, ArrayRef); 3] = [
        ("event_id", Arc::new(ids)),
        ("ts", Arc::new(Int64Array::from(vec![1_735_689_600; count]))),
        (name, column),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// A column that holds a text of so many bytes once, for each row for which `long` is true.
pub fn repeated(bytes: usize, rows: usize, long: impl Fn(usize) -> bool) -> ArrayRef {
    let values: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(bytes), "y".to_owned()]));
    let keys: Int32Array = (0..rows).map(|row| Some(i32::from(!long(row)))).collect();
    Arc::new(DictionaryArray::<Int32Type>::new(keys, values))
}

/// The rows as Parquet, compressed, with or without dictionaries.
pub fn parquet(rows: &RecordBatch, dictionaries: bool) -> Vec<u8> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).unwrap()))
        .set_dictionary_enabled(dictionaries)
        .build();
    let options =
        ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), rows.schema(), options).unwrap();
    for start in (0..rows.num_rows()).step_by(64) {
        writer.write(&rows.slice(start, 64.min(rows.num_rows() - start))).unwrap();
    }
    writer.into_inner().unwrap()
}

/// A Parquet file without rows, one column of which has so many groups around it.
pub fn nested(levels: usize) -> Vec<u8> {
    let write = move || {
        let mut kind = DataType::Utf8;
        for _ in 0..levels {
            kind = DataType::Struct(vec![Field::new("a", kind, true)].into());
        }
        let schema = Arc::new(Schema::new(vec![
            Field::new("event_id", DataType::Utf8, false),
            Field::new("n", kind, true),
        ]));
        let options = ArrowWriterOptions::new().with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(Vec::new(), schema, options).unwrap();
        writer.into_inner().unwrap()
    };
    std::thread::Builder::new().stack_size(STACK_BYTES).spawn(write).unwrap().join().unwrap()
}
