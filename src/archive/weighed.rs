//! The rows of a Parquet file in batches of about so many bytes, whatever its rows weigh.
//!
//! A batch of so many rows has no bound: a column of a few kilobytes may hold a text of a megabyte
//! in each row. So the first batch is small, and what it weighs tells how large the next may be.

use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::ObjectStore;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::arrow::async_reader::{ParquetRecordBatchStream, ParquetRecordBatchStreamBuilder};
use parquet::basic::Type as PhysicalType;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};

use super::checked_read::{CheckedObject, CheckedReader};

/// A batch may have so many times the rows of the one before it.
const GROWTH: usize = 32;
/// A batch that weighs so many times what it should has the next one made smaller.
const OVERWEIGHT: usize = 4;

/// What a batch may have.
#[derive(Debug, Clone, Copy)]
pub(super) struct BatchSize {
    /// Rows.
    pub rows_max: usize,
    /// Bytes, about. A row is never split.
    pub bytes: usize,
    /// Whether what the footer says of the weight of rows is believed.
    pub trusted: bool,
}

/// Rows of a first batch whose weight nobody knows, at most.
const ROWS_FIRST_MAX: usize = 64;
/// What a value weighs besides its bytes.
const VALUE_BYTES: usize = 16;

impl BatchSize {
    /// How many rows of this weight are a batch.
    fn rows_of(self, bytes: usize, rows: usize) -> usize {
        let each = bytes.div_ceil(rows.max(1)).max(1);
        (self.bytes / each).clamp(1, self.rows_max.max(1))
    }

    /// Rows of the first batch of a row group, of the columns in `mask`.
    fn first_rows(self, group: &RowGroupMetaData, mask: &ProjectionMask) -> usize {
        let columns = group.columns().iter().enumerate();
        let columns = columns.filter(|(at, _)| mask.leaf_included(*at)).map(|(_, column)| column);
        let rows = usize::try_from(group.num_rows()).unwrap_or_default();
        if self.trusted {
            let weights = columns.clone().map(|column| weight(column, rows));
            if let Some(bytes) = weights.sum::<Option<usize>>() {
                return self.rows_of(bytes, rows);
            }
        }
        // No value is longer than all of its column. A dictionary has each of them once.
        let longest = columns.map(|column| usize::try_from(column.uncompressed_size()).unwrap_or_default());
        let longest = longest.max().unwrap_or_default().max(1);
        (OVERWEIGHT * self.bytes / longest).clamp(1, ROWS_FIRST_MAX.min(self.rows_max.max(1)))
    }
}

/// Bytes of the values of a column once they are decoded; `None` if the footer does not say.
fn weight(column: &ColumnChunkMetaData, rows: usize) -> Option<usize> {
    let bytes = match column.column_type() {
        PhysicalType::BYTE_ARRAY => column.unencoded_byte_array_data_bytes()?,
        _ => 0,
    };
    let values = usize::try_from(column.num_values()).ok()?.max(rows);
    Some(usize::try_from(bytes).ok()?.saturating_add(values.saturating_mul(VALUE_BYTES)))
}

/// What is read, and how far.
struct Reading {
    store: Arc<dyn ObjectStore>,
    object: CheckedObject,
    metadata: ArrowReaderMetadata,
    mask: ProjectionMask,
    size: BatchSize,
    /// Rows of the next batch.
    rows: usize,
    group: usize,
    /// Rows of the group that were read.
    done: usize,
    open: Option<ParquetRecordBatchStream<CheckedReader>>,
}

/// The rows of an object, of the columns in `mask`.
pub(super) fn weighed_rows(
    store: Arc<dyn ObjectStore>,
    object: CheckedObject,
    metadata: ArrowReaderMetadata,
    mask: ProjectionMask,
    size: BatchSize,
) -> BoxStream<'static, Result<RecordBatch, ParquetError>> {
    let (rows, group, done, open) = (1, 0, 0, None);
    let reading = Reading { store, object, metadata, mask, size, rows, group, done, open };
    stream::try_unfold(reading, async |mut reading| {
        Ok(reading.next().await?.map(|batch| (batch, reading)))
    })
    .boxed()
}

impl Reading {
    async fn next(&mut self) -> Result<Option<RecordBatch>, ParquetError> {
        loop {
            let groups = self.metadata.metadata().row_groups();
            let Some(group) = groups.get(self.group) else { return Ok(None) };
            let rows = usize::try_from(group.num_rows()).unwrap_or_default();
            let mut open = match self.open.take() {
                Some(open) => open,
                None if self.done < rows => {
                    if self.done == 0 {
                        self.rows = self.size.first_rows(group, &self.mask);
                    }
                    self.begin()?
                }
                None => {
                    (self.group, self.done) = (self.group + 1, 0);
                    continue;
                }
            };
            let Some(batch) = open.try_next().await? else {
                (self.group, self.done) = (self.group + 1, 0);
                continue;
            };
            self.done += batch.num_rows();
            let fits = self.size.rows_of(batch.get_array_memory_size(), batch.num_rows());
            let grown = fits.min(self.rows.saturating_mul(GROWTH));
            // To begin anew has its price: not for a little more.
            if grown >= 2 * self.rows || fits.saturating_mul(OVERWEIGHT) < self.rows {
                self.rows = grown;
            } else {
                self.open = Some(open);
            }
            return Ok(Some(batch));
        }
    }

    fn begin(&self) -> Result<ParquetRecordBatchStream<CheckedReader>, ParquetError> {
        let reader = CheckedReader::new(self.store.clone(), self.object.clone());
        ParquetRecordBatchStreamBuilder::new_with_metadata(reader, self.metadata.clone())
            .with_projection(self.mask.clone())
            .with_row_groups(vec![self.group])
            .with_offset(self.done)
            .with_batch_size(self.rows)
            .build()
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array as _, ArrayRef, AsArray as _, DictionaryArray, Int32Array, StringArray};
    use arrow::datatypes::{Int32Type, Schema};
    use object_store::ObjectStoreExt as _;
    use object_store::memory::InMemory;
    use object_store::path::Path;
    use parquet::arrow::ArrowWriter;
    use parquet::arrow::arrow_reader::ArrowReaderOptions;

    use super::*;

    /// 4,000 rows, of which some hold a long text that stands in the file once.
    async fn read(long: impl Fn(i32) -> bool, trusted: bool) -> Vec<RecordBatch> {
        let values: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(100_000), "y".into()]));
        let keys: Int32Array = (0..4_000).map(|row| Some(i32::from(!long(row)))).collect();
        let column: ArrayRef = Arc::new(DictionaryArray::<Int32Type>::new(keys, values));
        let rows: ArrayRef = Arc::new((0..4_000).map(Some).collect::<Int32Array>());
        let rows = RecordBatch::try_from_iter([("a", column), ("n", rows)]).unwrap();
        let mut writer = ArrowWriter::try_new(Vec::new(), rows.schema(), None).unwrap();
        for start in [0, 1_000, 2_500] {
            let end = [1_000, 2_500, 4_000].into_iter().find(|end| *end > start).unwrap();
            writer.write(&rows.slice(start, end - start)).unwrap();
            writer.flush().unwrap();
        }
        let bytes = writer.into_inner().unwrap();
        let (store, path) = (Arc::new(InMemory::new()), Path::from("a"));
        let object = CheckedObject::new(path.clone(), bytes.len() as u64, None);
        store.put(&path, bytes.into()).await.unwrap();
        let mut reader = CheckedReader::new(store.clone(), object.clone());
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let metadata = ArrowReaderMetadata::load_async(&mut reader, options).await.unwrap();
        let size = BatchSize { rows_max: 1_024, bytes: 1 << 20, trusted };
        let rows = weighed_rows(store, object, metadata, ProjectionMask::all(), size);
        rows.try_collect().await.unwrap()
    }

    #[tokio::test]
    async fn batches_have_about_as_many_bytes_as_they_may_and_all_rows() {
        for (name, long) in [
            ("none", (|_| false) as fn(i32) -> bool),
            ("all", |_| true),
            ("late ones", |row| row > 3_000),
            ("early ones", |row| row < 1_000),
        ] {
          for trusted in [false, true] {
            let batches = read(long, trusted).await;
            let schema: Arc<Schema> = batches[0].schema();
            let rows = arrow::compute::concat_batches(&schema, batches.iter().map(|rows| rows));
            let numbers = rows.unwrap().column(1).as_primitive::<Int32Type>().clone();
            assert_eq!(numbers.values(), &(0..4_000).collect::<Vec<_>>()[..], "{name}");
            let most = |rows: &RecordBatch| rows.column(0).get_array_memory_size();
            // Rows that become heavy show in one batch.
            let heavy = batches.iter().filter(|rows| most(rows) > 4 << 20).count();
            assert!(heavy <= usize::from(name == "late ones"), "{name}: {heavy}");
            assert!(batches.len() < 600, "{name}: {} batches", batches.len());
          }
        }
    }
}
