//! Tests of the weights that page headers yield.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, DictionaryArray, Int32Array, Int64Array, Int64Builder, ListBuilder, RecordBatch,
    StringArray,
};
use arrow::datatypes::Int32Type;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::file::properties::{WriterProperties, WriterVersion};

use super::*;

fn written(column: ArrayRef, properties: WriterProperties) -> (Bytes, ParquetMetaData) {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..column.len() as i64));
    let rows = RecordBatch::try_from_iter([("a", column), ("n", numbers)]).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), rows.schema(), Some(properties)).unwrap();
    writer.write(&rows).unwrap();
    let bytes = Bytes::from(writer.into_inner().unwrap());
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&bytes).unwrap();
    (bytes, metadata)
}

fn weighed((bytes, metadata): &(Bytes, ParquetMetaData)) -> Result<GroupWeight, String> {
    let mut scan = GroupScan::new(metadata.row_group(0), |_| true);
    while let Some(range) = scan.wants()? {
        scan.take(
            &bytes[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()],
        )?;
    }
    Ok(scan.weight())
}

fn plain() -> parquet::file::properties::WriterPropertiesBuilder {
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).unwrap()))
        .set_dictionary_enabled(false)
}

#[test]
fn the_heaviest_page_tells_how_many_rows_fit() {
    for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
        let long = |row: usize| if row > 3_900 { "x".repeat(20_000) } else { "y".to_owned() };
        let texts: ArrayRef = Arc::new((0..4_000).map(long).map(Some).collect::<StringArray>());
        let encoding = parquet::basic::Encoding::PLAIN;
        let file = written(
            texts,
            plain()
                .set_writer_version(version)
                .set_encoding(encoding)
                .set_data_page_row_count_limit(10)
                .set_write_batch_size(10)
                .build(),
        );
        let weight = weighed(&file).unwrap();
        assert!((20_000..21_000).contains(&weight.row_bytes), "{weight:?}");
        assert_eq!((weight.rows_of(1 << 20), weight.rows_of(1)), (52, 1));
    }
}

#[test]
fn a_text_of_a_dictionary_is_there_once_and_counts_among_the_pages() {
    let values: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(500_000)]));
    let column: ArrayRef =
        Arc::new(DictionaryArray::<Int32Type>::new(Int32Array::from(vec![0; 4_000]), values));
    let weight = weighed(&written(column, WriterProperties::default())).unwrap();
    assert!(weight.row_bytes < 100, "{weight:?}");
    assert!(weight.pages_bytes > 500_000, "{weight:?}");
}

#[test]
fn a_page_and_a_row_that_memory_has_no_room_for_are_refused() {
    let text: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(130 << 20)]));
    let error = weighed(&written(text, plain().build())).unwrap_err();
    assert!(error.contains("128 MiB"), "{error}");
    let mut lists = ListBuilder::new(Int64Builder::new());
    lists.values().append_slice(&vec![1; (4 << 20) + 1]);
    lists.append(true);
    let error = weighed(&written(Arc::new(lists.finish()), plain().build())).unwrap_err();
    assert!(error.contains("column a.list") && error.contains("in a row"), "{error}");
}

#[test]
fn damaged_headers_are_refused_and_long_ones_read() {
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(50_000), "z".repeat(50_000)]));
    let properties =
        plain().set_statistics_truncate_length(None).set_write_page_header_statistics(true).build();
    let file = written(texts, properties);
    assert!(weighed(&file).unwrap().row_bytes >= 50_000);
    let (bytes, metadata) = file;
    let damaged = Bytes::from(vec![0xff; bytes.len()]);
    assert!(weighed(&(damaged, metadata)).unwrap_err().contains("damaged"));
}
