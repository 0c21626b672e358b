//! A file without the events that are in the table elsewhere: what a repair puts in the place of a file
//! that brought in events twice, among others.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use deltalake_core::kernel::Add;
use object_store::ObjectStore;

use super::new_rows::{NewDataFile, NewRows, hashes};
use crate::archive::error::ArchiveError;
use crate::archive::file::data_file::DataFile;
use crate::archive::file::file_write::blocking;
use crate::archive::file::ids::{EventHash, IdHasher};
use crate::archive::file::partial_maker::PartialMaker;
use crate::archive::file::row_merge::RowMerge;
use crate::archive::log::table::TableInfo;
use crate::clock::Micros;

/// The new file. It is stored once the repair is made.
#[derive(Debug)]
pub struct ThinnedFile {
    /// As a file of the table.
    pub file: Arc<DataFile>,
    new: NewDataFile,
}

impl ThinnedFile {
    /// A file with those events of `file` that are in `keep`, each once, in a table. The cells that it
    /// carries are made by `partials`.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the file; `NotMerged`, naming it, if it takes too much memory.
    pub(super) async fn of(
        store: &Arc<dyn ObjectStore>,
        table: &TableInfo,
        (file, mut keep): (&Arc<DataFile>, HashSet<EventHash>),
        partials: Arc<dyn PartialMaker>,
        now: Micros,
    ) -> Result<Self, ArchiveError> {
        let (mut rows, _) = RowMerge::open(store, std::slice::from_ref(file)).await?;
        let bytes = usize::try_from(file.size_bytes).unwrap_or(usize::MAX);
        let (mut new, hasher) = (NewRows::new(keep.len(), bytes, table), table.hasher);
        while let Some(more) = rows.next().await? {
            let step = move || {
                let first = first_of(&more, hasher, &mut keep)?;
                let new = if first.num_rows() == 0 { new } else { new.add(&first)? };
                Ok((new, keep))
            };
            (new, keep) = blocking(step).await?;
        }
        if !keep.is_empty() {
            let reason = "its events are not those that were read before";
            return Err(ArchiveError::corrupt(file.path_in_archive(), reason));
        }
        let new = new.finish(file.date, Some(partials), now).await?;
        Ok(Self { file: Arc::new(DataFile::from_add(&new.add)?), new })
    }

    /// What the log is to say of it.
    pub(super) fn add(&self) -> &Add {
        &self.new.add
    }

    /// Stores it.
    ///
    /// # Errors
    /// Unavailable.
    pub(super) async fn put(&self, store: &Arc<dyn ObjectStore>) -> Result<(), ArchiveError> {
        self.new.put(store).await
    }
}

/// The rows whose event is among `keep`, from which it is then taken.
fn first_of(
    rows: &RecordBatch,
    hasher: IdHasher,
    keep: &mut HashSet<EventHash>,
) -> Result<RecordBatch, ArchiveError> {
    let is_first: BooleanArray =
        hashes(rows, hasher)?.iter().map(|hash| Some(keep.remove(hash))).collect();
    filter_record_batch(rows, &is_first)
        .map_err(|error| ArchiveError::internal("taking out repeated events", error))
}
