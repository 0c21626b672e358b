//! Reads the ids in a data file: all of them, or those among a few that are wanted.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{AsArray as _, RecordBatch};
use futures::TryStreamExt as _;
use object_store::ObjectStore;
use parquet::arrow::ProjectionMask;
use parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;
use parquet::errors::ParquetError;

use super::data_file::DataFile;
use super::foreign::foreign_ids;
use super::ids::EventHash;
use super::ids::IdHasher;
use crate::archive::error::ArchiveError;
use crate::archive::parquet::checked_read::{CheckedObject, CheckedReader};
use crate::archive::parquet::columns::text;

type Builder = ParquetRecordBatchStreamBuilder<CheckedReader>;

/// Reads ids from data files.
#[derive(Debug, Clone)]
pub struct IdReader {
    store: Arc<dyn ObjectStore>,
    hasher: IdHasher,
}

impl IdReader {
    /// A reader of the archive whose root is `store`.
    pub fn new(store: Arc<dyn ObjectStore>, hasher: IdHasher) -> Self {
        Self { store, hasher }
    }

    /// As [`IdReader::all`], after verifying every byte of the file by the log's checksums,
    /// including columns that are not read here.
    ///
    /// # Errors
    /// Corrupt, naming the file, or Unavailable.
    pub async fn checked(&self, file: &Arc<DataFile>) -> Result<Vec<EventHash>, ArchiveError> {
        let reader = CheckedReader::new(self.store.clone(), CheckedObject::of(file));
        reader.check_all().await.map_err(|error| damaged(file, &error))?;
        self.all(file).await
    }

    /// The fingerprints of all events in the file.
    ///
    /// # Errors
    /// Corrupt, naming the file, or Unavailable.
    pub async fn all(&self, file: &Arc<DataFile>) -> Result<Vec<EventHash>, ArchiveError> {
        let mut found = Vec::new();
        if !file.is_ours() {
            self.each_id(file, |hash, _, _| found.push(hash)).await?;
            return Ok(found);
        }
        let builder = self.open(file).await?;
        self.scan(file, builder, None, |hash| found.push(hash)).await?;
        Ok(found)
    }

    /// The fingerprints in `wanted` (fingerprint and `event_id`) that the file holds. The file's
    /// Bloom filters are checked before its columns are read.
    ///
    /// # Errors
    /// Corrupt, naming the file, or Unavailable.
    pub async fn among(
        &self,
        file: &Arc<DataFile>,
        wanted: &HashMap<EventHash, String>,
    ) -> Result<HashSet<EventHash>, ArchiveError> {
        let mut found = HashSet::new();
        let mut keep = |hash| {
            if wanted.contains_key(&hash) {
                found.insert(hash);
            }
        };
        if !file.is_ours() {
            self.each_id(file, |hash, _, _| keep(hash)).await?;
            return Ok(found);
        }
        let mut builder = self.open(file).await?;
        let groups = self.groups_that_may_hold(file, &mut builder, wanted).await?;
        if !groups.is_empty() {
            self.scan(file, builder, Some(groups), keep).await?;
        }
        Ok(found)
    }

    /// Calls `each` with the fingerprint, organisation and id of each event in a foreign file,
    /// whatever types it has them in. A row that lacks either is skipped, because no client could
    /// send it again.
    ///
    /// # Errors
    /// Foreign, if its ids cannot be read as text; Corrupt or Unavailable. Each names the file.
    pub(in crate::archive) async fn each_id(
        &self,
        file: &DataFile,
        mut each: impl FnMut(EventHash, &str, &str),
    ) -> Result<(), ArchiveError> {
        let mut rows = foreign_ids(self.store.clone(), file).await?;
        while let Some(rows) = rows.try_next().await? {
            let (orgs, ids) = (text(&rows, "org_id")?, text(&rows, "event_id")?);
            for (org, id) in orgs.iter().zip(ids) {
                if let Some((org, id)) = org.zip(id) {
                    each(self.hasher.hash(org, id), org, id);
                }
            }
        }
        Ok(())
    }

    async fn open(&self, file: &Arc<DataFile>) -> Result<Builder, ArchiveError> {
        let reader = CheckedReader::new(self.store.clone(), CheckedObject::of(file));
        Builder::new(reader).await.map_err(|error| damaged(file, &error))
    }

    async fn groups_that_may_hold(
        &self,
        file: &Arc<DataFile>,
        builder: &mut Builder,
        wanted: &HashMap<EventHash, String>,
    ) -> Result<Vec<usize>, ArchiveError> {
        let columns = builder.parquet_schema().columns();
        let column = columns.iter().position(|column| column.name() == "event_id");
        let column = column
            .ok_or_else(|| ArchiveError::corrupt(file.path_in_archive(), "it has no event_id"))?;
        let mut groups = Vec::new();
        for group in 0..builder.metadata().num_row_groups() {
            let filter = builder.get_row_group_column_bloom_filter(group, column).await;
            let filter = filter.map_err(|error| damaged(file, &error))?;
            if filter.is_none_or(|filter| wanted.values().any(|id| filter.check(id.as_str()))) {
                groups.push(group);
            }
        }
        Ok(groups)
    }

    async fn scan(
        &self,
        file: &Arc<DataFile>,
        builder: Builder,
        groups: Option<Vec<usize>>,
        mut each: impl FnMut(EventHash),
    ) -> Result<(), ArchiveError> {
        let mask = ProjectionMask::columns(builder.parquet_schema(), ["event_id", "org_id"]);
        let builder = builder.with_projection(mask);
        let builder = match groups {
            Some(groups) => builder.with_row_groups(groups),
            None => builder,
        };
        let mut batches = builder.build().map_err(|error| damaged(file, &error))?;
        while let Some(batch) = batches.try_next().await.map_err(|error| damaged(file, &error))? {
            self.hashes(&batch)
                .ok_or_else(|| {
                    ArchiveError::corrupt(file.path_in_archive(), "its ids are not text")
                })?
                .for_each(&mut each);
        }
        Ok(())
    }

    /// The fingerprints of a batch's events; `None` if it lacks the columns.
    fn hashes<'a>(
        &'a self,
        batch: &'a RecordBatch,
    ) -> Option<impl Iterator<Item = EventHash> + 'a> {
        let orgs = batch.column_by_name("org_id")?.as_string_opt::<i32>()?;
        let ids = batch.column_by_name("event_id")?.as_string_opt::<i32>()?;
        Some(
            orgs.iter()
                .zip(ids)
                .map(|(org, id)| self.hasher.hash(org.unwrap_or_default(), id.unwrap_or_default())),
        )
    }
}

fn damaged(file: &DataFile, error: &ParquetError) -> ArchiveError {
    ArchiveError::of_read(&file.path_in_archive(), error)
}
