//! Readers for DataFusion's scans. They verify checksums, name the file in their errors, and keep
//! footers between queries.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use bytes::Bytes;
use datafusion::common::exec_datafusion_err;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::ParquetFileReaderFactory;
use datafusion::error::Result as DataFusionResult;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::future::BoxFuture;
use futures::{FutureExt as _, TryFutureExt as _};
use object_store::ObjectStore;
use parking_lot::Mutex;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};

use super::cell_kind::CellKind;
use super::presummed::{self, Resolution, Wanted, WantedColumns};
use super::sql_version;
use crate::archive::{ArchiveError, CheckedObject, CheckedReader, DataFile};
use crate::byte_lru::ByteLru;

/// The address under which the runtime knows the archive's store.
pub(super) const STORE_URL: &str = "tokenlake://archive";

/// An object, and the offset in it at which a Parquet file begins.
type ParquetPlace = (object_store::path::Path, u64);

/// A cache key: the file, the organisation if only its rows are cached, the grain, and the columns.
type PresummedKey = (Arc<str>, Option<Arc<str>>, Resolution, WantedColumns);

/// Creates readers. A scanned file carries its [`CheckedObject`] as an extension.
#[derive(Debug)]
pub(super) struct Readers {
    store: Arc<dyn ObjectStore>,
    /// Footers with their page indexes. Objects never change, so no entry becomes stale.
    footers: Mutex<ByteLru<ParquetPlace, Arc<ParquetMetaData>>>,
    keeps: bool,
    /// Presummed rows by file, organisation and resolution. They never become stale either.
    presummed: Mutex<ByteLru<PresummedKey, Arc<[RecordBatch]>>>,
}

impl Readers {
    /// Readers that keep footers and presummed rows up to these sizes.
    pub(super) fn new(
        store: Arc<dyn ObjectStore>,
        footer_bytes_max: usize,
        presummed_bytes_max: usize,
    ) -> Self {
        let footers = Mutex::new(ByteLru::new(footer_bytes_max));
        let presummed = Mutex::new(ByteLru::new(presummed_bytes_max));
        Self { store, footers, keeps: footer_bytes_max > 0, presummed }
    }

    /// The archive's store.
    pub(super) fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// The presummed rows of a file, or those of one organisation.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the file.
    pub(super) async fn presummed(
        &self,
        file: &DataFile,
        wanted: Wanted<'_>,
    ) -> Result<Arc<[RecordBatch]>, ArchiveError> {
        let Wanted { org, resolution, columns } = wanted;
        let all = (file.path.clone(), None, resolution, columns);
        let kept = self.presummed.lock().get_mut(&all).cloned();
        let kept = kept.and_then(|kept| match org {
            Some(org) => presummed::of_org(&kept, org).map(Arc::from),
            None => Some(kept),
        });
        if let Some(kept) = kept {
            return Ok(kept);
        }
        let own = (file.path.clone(), org.map(Arc::from), resolution, columns);
        if let Some(kept) = self.presummed.lock().get_mut(&own) {
            return Ok(kept.clone());
        }
        let object = file.stored_partial(&sql_version()).ok_or_else(|| {
            ArchiveError::corrupt(file.path_in_archive(), "the log names no sums for it")
        })?;
        let days = file.stored_cells(&CellKind::Days.version());
        let rows: Arc<[_]> = presummed::read(&self.store, object, days, wanted).await?.into();
        let bytes = rows.iter().map(RecordBatch::get_array_memory_size).sum();
        self.presummed.lock().put(own, rows.clone(), bytes);
        Ok(rows)
    }
}

/// Creates readers, each with a shared handle.
#[derive(Debug, Clone)]
pub(super) struct ReaderFactory(pub Arc<Readers>);

impl ParquetFileReaderFactory for ReaderFactory {
    fn create_reader(
        &self,
        _partition_index: usize,
        file: PartitionedFile,
        _metadata_size_hint: Option<usize>,
        _metrics: &ExecutionPlanMetricsSet,
    ) -> DataFusionResult<Box<dyn AsyncFileReader + Send>> {
        let object = file
            .extension::<CheckedObject>()
            .ok_or_else(|| exec_datafusion_err!("a file of this table has lost its description"))?;
        let place = (object.path().clone(), object.part_start());
        let inner = CheckedReader::new(self.0.store.clone(), object.clone());
        Ok(Box::new(Reader { place, inner, readers: self.0.clone() }))
    }
}

struct Reader {
    place: ParquetPlace,
    inner: CheckedReader,
    readers: Arc<Readers>,
}

impl Reader {
    async fn footer(
        &mut self,
        options: Option<&ArrowReaderOptions>,
    ) -> parquet::errors::Result<Arc<ParquetMetaData>> {
        if !self.readers.keeps {
            return self.inner.get_metadata(options).await;
        }
        if let Some(kept) = self.readers.footers.lock().get_mut(&self.place) {
            return Ok(kept.clone());
        }
        // The cached footer includes everything that another query may need.
        let whole = options.cloned().unwrap_or_default();
        let whole = whole.with_page_index_policy(PageIndexPolicy::Optional);
        let footer = self.inner.get_metadata(Some(&whole)).await?;
        let bytes = footer.memory_size();
        self.readers.footers.lock().put(self.place.clone(), footer.clone(), bytes);
        Ok(footer)
    }
}

fn named(path: &object_store::path::Path, error: &ParquetError) -> ParquetError {
    ParquetError::External(Box::new(ArchiveError::of_read(path.as_ref(), error)))
}

impl AsyncFileReader for Reader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        let Self { place, inner, .. } = self;
        inner.get_bytes(range).map_err(|error| named(&place.0, &error)).boxed()
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, parquet::errors::Result<Vec<Bytes>>> {
        let Self { place, inner, .. } = self;
        inner.get_byte_ranges(ranges).map_err(|error| named(&place.0, &error)).boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, parquet::errors::Result<Arc<ParquetMetaData>>> {
        async move {
            let path = self.place.0.clone();
            self.footer(options).await.map_err(|error| named(&path, &error))
        }
        .boxed()
    }
}
