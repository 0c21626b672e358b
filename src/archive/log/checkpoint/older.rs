//! The rows of an existing checkpoint, read some at a time however its row groups are cut.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::{FutureExt as _, TryStreamExt as _};
use object_store::ObjectStore;
use object_store::path::Path;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, RowSelection, RowSelector,
};
use parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;
use parquet::errors::ParquetError;
use parquet::file::metadata::PageIndexPolicy;

use super::columns;
use crate::archive::error::ArchiveError;
use crate::archive::parquet::checked_read::{CheckedObject, CheckedReader};

/// Rows whose pages are read together: one takes up to some ten KiB, most of it the id filter.
const WINDOW_ROWS: usize = 2 * 1024;
/// Rows that are decoded at a time.
const BATCH_ROWS: usize = 256;

/// One object of a checkpoint.
pub(in crate::archive) struct Older {
    store: Arc<dyn ObjectStore>,
    path: Path,
    size_bytes: u64,
    metadata: ArrowReaderMetadata,
    /// The windows that are still to be read: row group, first row in it, rows.
    windows: std::vec::IntoIter<(usize, usize, usize)>,
}

impl Older {
    /// Opens an object in the archive at the root of `store`; `path` is relative to the archive.
    ///
    /// # Errors
    /// Corrupt, naming the object, or Unavailable.
    pub async fn open(
        store: Arc<dyn ObjectStore>,
        path: &str,
        size_bytes: u64,
    ) -> Result<Self, ArchiveError> {
        let path = Path::from(path);
        let mut reader =
            CheckedReader::new(store.clone(), CheckedObject::new(path.clone(), size_bytes, None));
        // With a page index, only the pages of the selected rows are read.
        let options = ArrowReaderOptions::new()
            .with_skip_arrow_metadata(true)
            .with_page_index_policy(PageIndexPolicy::Optional);
        let load = ArrowReaderMetadata::load_async(&mut reader, options);
        let metadata = whole(&path, load).await?;
        let groups = metadata.metadata().row_groups().iter().enumerate();
        let windows = groups.flat_map(|(at, group)| {
            let rows = usize::try_from(group.num_rows()).unwrap_or_default();
            let starts = (0..rows).step_by(WINDOW_ROWS);
            starts.map(move |start| (at, start, WINDOW_ROWS.min(rows - start)))
        });
        let windows = windows.collect::<Vec<_>>().into_iter();
        Ok(Self { store, path, size_bytes, metadata, windows })
    }

    /// Its path, relative to the archive.
    pub fn path(&self) -> String {
        self.path.to_string()
    }

    /// The next actions; `None` after the last.
    ///
    /// # Errors
    /// As [`Older::open`].
    pub async fn next(&mut self) -> Result<Option<Vec<RecordBatch>>, ArchiveError> {
        let Some((group, start, rows)) = self.windows.next() else { return Ok(None) };
        let schema = self.metadata.parquet_schema();
        let has_stats =
            schema.columns().iter().any(|column| columns::is_stats(column.path().parts()));
        let wanted = schema.columns().iter().enumerate();
        let wanted =
            wanted.filter(|(_, column)| columns::is_wanted(column.path().parts(), has_stats));
        let mask = ProjectionMask::leaves(schema, wanted.map(|(at, _)| at));
        let object = CheckedObject::new(self.path.clone(), self.size_bytes, None);
        let reader = CheckedReader::new(self.store.clone(), object);
        let selection = vec![RowSelector::skip(start), RowSelector::select(rows)];
        let read = async {
            ParquetRecordBatchStreamBuilder::new_with_metadata(reader, self.metadata.clone())
                .with_projection(mask)
                .with_row_groups(vec![group])
                .with_row_selection(RowSelection::from(selection))
                .with_batch_size(BATCH_ROWS)
                .build()?
                .try_collect::<Vec<_>>()
                .await
        };
        let batches = whole(&self.path, read).await?;
        let fitted = batches.iter().map(columns::of_checkpoint).collect::<Result<_, _>>();
        fitted.map(Some).map_err(|error| ArchiveError::corrupt(self.path.as_ref(), error))
    }
}

/// The decoder may panic on a file without a known checksum.
async fn whole<T>(
    path: &Path,
    read: impl Future<Output = Result<T, ParquetError>>,
) -> Result<T, ArchiveError> {
    match AssertUnwindSafe(read).catch_unwind().await {
        Ok(read) => read.map_err(|error| ArchiveError::of_read(path.as_ref(), &error)),
        Err(_) => Err(ArchiveError::corrupt(path.as_ref(), "no reader of Parquet can decode it")),
    }
}
