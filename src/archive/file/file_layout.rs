//! The layout of a data file: encodings, compression, statistics, row groups and pages. Chosen by
//! measurement; `docs/decisions/026-the-layout-of-a-data-file.md` has the figures.
//!
//! Only encodings that every common reader knows are used: dictionaries, DELTA_BINARY_PACKED and
//! DELTA_LENGTH_BYTE_ARRAY. BYTE_STREAM_SPLIT would be a little smaller for numbers, but Spark does
//! not read it from such columns.

use std::ops::Range;

use arrow::array::{Array as _, ArrayRef, ArrowPrimitiveType, AsArray as _, RecordBatch};
use arrow::datatypes::{DataType, Decimal128Type, Int64Type, TimestampMicrosecondType};
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

/// The columns that the rows of a file are sorted by.
pub(in crate::archive) const SORT_COLUMNS: [&str; 2] = ["org_id", "ts"];
/// Rows of a row group: the Bloom filter of this many ids fills 256 KiB, and its size is a power of
/// two.
pub(in crate::archive) const GROUP_ROWS: usize = 96 * 1024;
/// About how many bytes a stored row group has. Until it is complete, it takes that much memory in
/// addition to the file's buffer.
pub(in crate::archive) const GROUP_BYTES: usize = 32 << 20;
/// Rows of a page: one organisation's hour should be a few pages.
const PAGE_ROWS: usize = 4 * 1024;
/// If a page of `PAGE_ROWS` rows had more bytes than this, rows are written in pieces of about
/// `PIECE_BYTES`.
const HEAVY_PAGE_BYTES: usize = 4 << 20;
const PIECE_BYTES: usize = 1 << 20;
/// Ids and packed numbers hold no repeats to find: higher levels take twice as long, and make ids
/// larger.
const ZSTD_LEVEL: i32 = 1;
/// A batch asks for hundreds of ids at once, so a filter is useful only if it is rarely wrong.
const BLOOM_FPP: f64 = 1e-4;
/// A column of texts that hardly repeat: a dictionary would only be built and dropped.
const UNIQUE_COLUMN: &str = "event_id";
/// The leaf columns of the only nested column.
const ATTRIBUTES: [[&str; 3]; 2] =
    [["attributes", "key_value", "key"], ["attributes", "key_value", "value"]];
/// Values that are looked at to judge whether a column of numbers repeats itself.
const SAMPLE: usize = 256;

/// The options for a file of `count` rows; `rows` are the first of them, or all.
///
/// # Errors
/// A defect only.
pub(in crate::archive) fn options(
    rows: &RecordBatch,
    count: usize,
) -> Result<ArrowWriterOptions, ParquetError> {
    // The Arrow schema in the footer would be a quarter of the overhead of a small file, and says
    // nothing that the Parquet types do not.
    Ok(ArrowWriterOptions::new()
        .with_properties(properties(rows, count)?)
        .with_skip_arrow_metadata(true))
}

fn properties(rows: &RecordBatch, count: usize) -> Result<WriterProperties, ParquetError> {
    let schema = rows.schema();
    // Parquet counts leaf columns. The sort columns come before the only nested column, so their
    // indexes in the schema are the same.
    let sorting = SORT_COLUMNS.iter().filter_map(|name| {
        let column_idx = i32::try_from(schema.index_of(name).ok()?).ok()?;
        Some(SortingColumn { column_idx, descending: false, nulls_first: false })
    });
    let one_page = count <= PAGE_ROWS;
    let statistics = if one_page { EnabledStatistics::Chunk } else { EnabledStatistics::Page };
    let mut builder = WriterProperties::builder()
        .set_created_by(concat!("tokenlake ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_write_batch_size(PAGE_ROWS)
        .set_statistics_enabled(statistics)
        // An index of one page would say what the footer says.
        .set_offset_index_disabled(one_page)
        .set_sorting_columns(Some(sorting.collect()));
    for (field, column) in schema.fields().iter().zip(rows.columns()) {
        builder = encoded(builder, field.name(), column);
    }
    for leaf in ATTRIBUTES {
        let leaf = ColumnPath::new(leaf.map(str::to_owned).to_vec());
        builder = builder
            .set_column_encoding(leaf.clone(), Encoding::DELTA_LENGTH_BYTE_ARRAY)
            .set_column_statistics_enabled(leaf, EnabledStatistics::None);
    }
    Ok(with_ids(builder, count).build())
}

/// The ranges of rows to pass to a writer at a time. The writer looks at the size of a page only
/// after each call, and a reader of a page holds all of it. Rows of usual weight are one range, so
/// their pages are bounded by rows.
pub(in crate::archive) fn pieces(bytes: usize, rows: usize) -> impl Iterator<Item = Range<usize>> {
    let each = bytes.div_ceil(rows.max(1)).max(1);
    let heavy = each.saturating_mul(PAGE_ROWS) > HEAVY_PAGE_BYTES;
    let step = if heavy { (PIECE_BYTES / each).max(1) } else { rows.max(1) };
    // An array without rows is written as well.
    (0..rows.max(1)).step_by(step).map(move |start| start..rows.min(start + step))
}

/// Sets the encoding of one column. If it has a dictionary too, that is used as long as it is
/// small.
fn encoded(
    builder: WriterPropertiesBuilder,
    name: &str,
    column: &ArrayRef,
) -> WriterPropertiesBuilder {
    let path = ColumnPath::from(name);
    let repeats = match column.data_type() {
        DataType::Utf8 => {
            return builder.set_column_encoding(path, Encoding::DELTA_LENGTH_BYTE_ARRAY);
        }
        DataType::Int64 => repeats::<Int64Type>(column),
        DataType::Timestamp(..) => repeats::<TimestampMicrosecondType>(column),
        DataType::Decimal128(..) => repeats::<Decimal128Type>(column),
        _ => return builder,
    };
    builder
        .set_column_encoding(path.clone(), Encoding::DELTA_BINARY_PACKED)
        .set_column_dictionary_enabled(path, repeats)
}

/// Whether values occur twice or more on average, so that a dictionary pays.
fn repeats<T: ArrowPrimitiveType<Native: Ord>>(column: &ArrayRef) -> bool {
    let Some(numbers) = column.as_primitive_opt::<T>() else { return true };
    let step = numbers.len().div_ceil(SAMPLE).max(1);
    let mut seen: Vec<_> = numbers.iter().step_by(step).flatten().collect();
    let count = seen.len();
    seen.sort_unstable();
    seen.dedup();
    seen.len() * 2 <= count
}

/// Sets up the column of ids. They are found by the Bloom filter; bounds would not help, because
/// ids have no order.
fn with_ids(builder: WriterPropertiesBuilder, rows: usize) -> WriterPropertiesBuilder {
    let id = ColumnPath::from(UNIQUE_COLUMN);
    let ids = u64::try_from(rows.min(GROUP_ROWS)).unwrap_or(u64::MAX);
    builder
        .set_column_dictionary_enabled(id.clone(), false)
        .set_column_statistics_enabled(id.clone(), EnabledStatistics::None)
        .set_column_bloom_filter_enabled(id.clone(), true)
        .set_column_bloom_filter_fpp(id.clone(), BLOOM_FPP)
        .set_column_bloom_filter_max_ndv(id, ids)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use bytes::Bytes;
    use parquet::arrow::ArrowWriter;
    use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
    use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};

    use super::*;
    use crate::event::{EventBatchBuilder, FieldValue, OrgRule};

    /// Rows whose output repeats and whose input does not.
    fn rows(count: usize) -> RecordBatch {
        let number = |number: usize| FieldValue::Number(Cow::Owned(number.to_string()));
        let text = |text: String| FieldValue::Text(Cow::Owned(text));
        let mut builder = EventBatchBuilder::new(OrgRule::Own, 1_770_000_000_000_000);
        for at in 0..count {
            let fields = [
                (Cow::Borrowed("event_id"), text(format!("{at}"))),
                (Cow::Borrowed("org_id"), text(format!("org-{:05}", at / 100))),
                (Cow::Borrowed("ts"), number(1_769_000_000_000_000 + at)),
                (Cow::Borrowed("input_tokens"), number(at * 7 % 99_991)),
                (Cow::Borrowed("output_tokens"), number(at % 3)),
                (Cow::Borrowed("cost_usd"), number(at)),
                (Cow::Borrowed("note"), text(format!("{}", at % 2))),
            ];
            builder.push(at, &fields);
        }
        builder.finish().unwrap().batch.record_batch().clone()
    }

    /// Writes a file of these rows, reads them back, and returns its metadata.
    fn written(rows: &RecordBatch) -> ParquetMetaData {
        let mut writer = ArrowWriter::try_new_with_options(
            Vec::new(),
            rows.schema(),
            options(rows, rows.num_rows()).unwrap(),
        );
        writer.as_mut().unwrap().write(rows).unwrap();
        let bytes = Bytes::from(writer.unwrap().into_inner().unwrap());
        let options = ArrowReaderOptions::new()
            .with_page_index_policy(PageIndexPolicy::Optional)
            .with_schema(rows.schema());
        let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, options);
        let builder = builder.unwrap().with_batch_size(rows.num_rows());
        let metadata = builder.metadata().as_ref().clone();
        let read: Vec<_> = builder.build().unwrap().map(Result::unwrap).collect();
        let read = arrow::compute::concat_batches(&rows.schema(), &read).unwrap();
        assert_eq!(&read, rows);
        metadata
    }

    fn has_dictionary(metadata: &ParquetMetaData, column: &str) -> bool {
        let mut columns = metadata.row_group(0).columns().iter();
        let column = columns.find(|found| found.column_path().string() == column).unwrap();
        column.dictionary_page_offset().is_some()
    }

    #[test]
    fn columns_that_repeat_themselves_have_a_dictionary() {
        let metadata = written(&rows(1_000));
        for column in ["org_id", "output_tokens", "ingested_at", "attributes.key_value.value"] {
            assert!(has_dictionary(&metadata, column), "{column}");
        }
        for column in ["event_id", "ts", "input_tokens", "cost_usd"] {
            assert!(!has_dictionary(&metadata, column), "{column}");
        }
    }

    #[test]
    fn a_file_of_one_page_has_no_index_of_pages() {
        assert!(written(&rows(PAGE_ROWS)).offset_index().is_none());
        let larger = written(&rows(PAGE_ROWS + 1));
        let ts = larger.offset_index().unwrap()[0][3].page_locations().len();
        assert_eq!((larger.num_row_groups(), ts), (1, 2));
    }

    #[test]
    fn a_full_row_group_has_a_filter_of_256_kib() {
        let metadata = written(&rows(GROUP_ROWS + 1));
        let filter = |group: usize| metadata.row_group(group).column(0).bloom_filter_length();
        let bytes = filter(0).unwrap();
        assert!((256 << 10..(256 << 10) + 64).contains(&bytes), "{bytes}");
        assert_eq!(metadata.num_row_groups(), 2);
    }
}
