//! Tests of batches by weight.

use arrow::array::{ArrayRef, AsArray as _, DictionaryArray, Int32Array, StringArray};
use arrow::datatypes::{Int32Type, Schema};
use object_store::ObjectStoreExt as _;
use object_store::memory::InMemory;
use object_store::path::Path;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use super::*;
use crate::archive::parquet::row_weights::{weights, with_views};

const ROWS: i32 = 4_000;
const BYTES: usize = 1 << 20;

/// Rows, some with a long text. The file holds that text once if it has a `dictionary`, otherwise
/// for each row.
async fn read(long: impl Fn(i32) -> bool, dictionary: bool) -> Vec<RecordBatch> {
    let values: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(50_000), "y".into()]));
    let keys: Int32Array = (0..ROWS).map(|row| Some(i32::from(!long(row)))).collect();
    let column: ArrayRef = Arc::new(DictionaryArray::<Int32Type>::new(keys, values));
    let numbers: ArrayRef = Arc::new((0..ROWS).map(Some).collect::<Int32Array>());
    let rows = RecordBatch::try_from_iter([("a", column), ("n", numbers)]).unwrap();
    let properties = WriterProperties::builder().set_dictionary_enabled(dictionary).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), rows.schema(), Some(properties)).unwrap();
    for (start, end) in [(0, 1_000), (1_000, 2_500), (2_500, 4_000)] {
        for at in (start..end).step_by(10) {
            writer.write(&rows.slice(at, 10)).unwrap();
        }
        writer.flush().unwrap();
    }
    let bytes = writer.into_inner().unwrap();
    let (store, path) = (Arc::new(InMemory::new()), Path::from("a"));
    let object = CheckedObject::new(path.clone(), bytes.len() as u64, None);
    store.put(&path, bytes.into()).await.unwrap();
    let mut reader = CheckedReader::new(store.clone(), object.clone());
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let found = ArrowReaderMetadata::load_async(&mut reader, options).await.unwrap();
    let fields: Vec<_> = found.schema().fields().iter().map(with_views).collect();
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let options = options.with_schema(Arc::new(Schema::new(fields)));
    let metadata = ArrowReaderMetadata::try_new(found.metadata().clone(), options).unwrap();
    let mask = ProjectionMask::all();
    let read = WeighedRead { store, object, metadata, mask, rows_max: 1_024, bytes: BYTES };
    read.rows().try_collect().await.unwrap()
}

#[tokio::test]
async fn batches_have_about_as_many_bytes_as_they_may_and_all_rows() {
    for (name, long) in [
        ("none", (|_| false) as fn(i32) -> bool),
        ("all", |_| true),
        ("late ones", |row| row > 3_000),
        ("early ones", |row| row < 1_000),
    ] {
        for dictionary in [false, true] {
            let batches = read(long, dictionary).await;
            let numbers = batches.iter().flat_map(|rows| {
                rows.column(1).as_primitive::<Int32Type>().values().iter().copied()
            });
            assert!(numbers.eq(0..ROWS), "{name}");
            for rows in &batches {
                let bytes: u64 = weights(rows).iter().sum();
                assert!(bytes <= (BYTES + 50_100) as u64, "{name}: {bytes}");
                assert!(rows.get_array_memory_size() < 8 * BYTES, "{name}");
            }
            let most = if name == "none" { 6 } else { 220 };
            assert!(batches.len() <= most, "{name}: {} batches", batches.len());
        }
    }
}
