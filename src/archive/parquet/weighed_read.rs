//! A reader of an untrusted Parquet file, in batches of bounded memory.
//!
//! The page headers say how many bytes a row takes. They arrive with the first rows of a row group.
//! If the rows are heavier than assumed, the group is restarted with fewer rows per batch.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use object_store::ObjectStore;
use parking_lot::Mutex;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::async_reader::{
    AsyncFileReader, ParquetRecordBatchStream, ParquetRecordBatchStreamBuilder,
};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ParquetMetaData;

use super::checked_read::{CheckedObject, CheckedReader};
use super::pages::GroupScan;
use super::row_weights::pieces;

/// A row group is restarted if its batches would have more than this many times `bytes`.
const OVERWEIGHT: usize = 4;

/// A read of one file: the object, its columns, and the size of its batches.
#[derive(Clone)]
pub(in crate::archive) struct WeighedRead {
    pub store: Arc<dyn ObjectStore>,
    pub object: CheckedObject,
    pub metadata: ArrowReaderMetadata,
    pub mask: ProjectionMask,
    /// Rows of a batch, at most.
    pub rows_max: usize,
    /// Bytes of a batch, about; a row is never split.
    pub bytes: usize,
}

impl WeighedRead {
    /// The rows. If texts are read as views, a batch keeps to `bytes` even once each row has its
    /// own copy of its text.
    pub fn rows(self) -> BoxStream<'static, Result<RecordBatch>> {
        let (groups, bytes) = (self.metadata.metadata().num_row_groups(), self.bytes);
        let groups = stream::iter(0..groups);
        let batches = groups.then(move |group| self.clone().group(group)).try_flatten();
        let cut = batches
            .map_ok(move |batch| stream::iter(pieces(batch, bytes)).map_err(ParquetError::from));
        cut.try_flatten().boxed()
    }

    async fn group(self, group: usize) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let mut rows = self.rows_max.max(1);
        loop {
            let fewer = Arc::<Mutex<Option<usize>>>::default();
            let mut batches = self.begin(group, rows, fewer.clone())?;
            let first = batches.try_next().await;
            match (first, fewer.lock().take().filter(|fewer| *fewer < rows)) {
                (Err(_), Some(fewer)) => rows = fewer,
                (first, _) => {
                    let first = stream::iter(first.transpose());
                    return Ok(first.chain(batches).boxed());
                }
            }
        }
    }

    fn begin(
        &self,
        group: usize,
        rows: usize,
        fewer: Arc<Mutex<Option<usize>>>,
    ) -> Result<ParquetRecordBatchStream<WatchedPages>> {
        let found = self.metadata.metadata().row_group(group);
        let scan = Some(GroupScan::new(found, |leaf| self.mask.leaf_included(leaf)));
        let inner = CheckedReader::new(self.store.clone(), self.object.clone());
        let reader = WatchedPages { inner, scan, rows, bytes: self.bytes, fewer };
        ParquetRecordBatchStreamBuilder::new_with_metadata(reader, self.metadata.clone())
            .with_projection(self.mask.clone())
            .with_row_groups(vec![group])
            .with_batch_size(rows)
            .build()
    }
}

/// A reader that inspects the pages of a row group as they are read, before any is decompressed.
struct WatchedPages {
    inner: CheckedReader,
    /// None once it is done.
    scan: Option<GroupScan>,
    rows: usize,
    bytes: usize,
    /// How many rows a batch may have, if that is fewer than `rows`.
    fewer: Arc<Mutex<Option<usize>>>,
}

impl WatchedPages {
    fn look(&mut self, ranges: &[Range<u64>], found: &[Bytes]) -> Result<()> {
        let Some(mut scan) = self.scan.take() else { return Ok(()) };
        while let Some(wanted) = scan.wants().map_err(ParquetError::NYI)? {
            let part = ranges.iter().zip(found).find_map(|(range, bytes)| {
                let start = usize::try_from(wanted.start.checked_sub(range.start)?).ok()?;
                let end = usize::try_from(wanted.end.checked_sub(range.start)?).ok()?;
                bytes.get(start..end)
            });
            let part =
                part.ok_or_else(|| ParquetError::General("a column is not read whole".into()))?;
            scan.take(part).map_err(ParquetError::General)?;
        }
        let fits = scan.weight().rows_of(self.bytes);
        if fits.saturating_mul(OVERWEIGHT) < self.rows {
            *self.fewer.lock() = Some(fits);
            return Err(ParquetError::General("its rows are heavy".into()));
        }
        Ok(())
    }
}

impl AsyncFileReader for WatchedPages {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        self.inner.get_bytes(range)
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        async move {
            let found = self.inner.get_byte_ranges(ranges.clone()).await?;
            self.look(&ranges, &found)?;
            Ok(found)
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        self.inner.get_metadata(options)
    }
}

#[cfg(test)]
#[path = "weighed_read_tests.rs"]
mod tests;
