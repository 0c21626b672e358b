//! The work of one commit: the rows of all who wait, which of them are new, and their files.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{AsArray as _, RecordBatch, UInt64Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::TimestampMicrosecondType;
use chrono::NaiveDate;
use deltalake_core::kernel::Add;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use uuid::Uuid;

use super::data_file::{add_action, date_of};
use super::file_write::{self, EncodedFile, OpenFile};
use super::ids::{EventHash, IdHasher};
use super::known_ids::{KnownIds, Wanted, around};
use super::partial::{NewPartial, PartialMaker};
use super::snapshot::Snapshot;
use super::{ArchiveError, paths};
use crate::clock::Micros;
use crate::event::EventBatch;

/// Files that are encoded and put side by side.
const FILES: usize = 8;

/// A new file of one date, put but not yet committed.
#[derive(Debug)]
pub struct NewFile {
    /// For the log.
    pub add: Add,
    /// What it holds.
    pub ids: Vec<EventHash>,
}

#[derive(Debug)]
struct Row {
    batch: usize,
    date: NaiveDate,
    hash: EventHash,
    duplicate: bool,
}

/// Rows that wait for one commit.
#[derive(Debug)]
pub struct Group {
    rows: RecordBatch,
    each: Vec<Row>,
    files: BTreeMap<NaiveDate, NewFile>,
}

impl Group {
    /// Gathers batches; of two events with one identity, the first stands.
    ///
    /// # Errors
    /// Internal, if a batch does not have the schema of events.
    pub fn gather(batches: &[EventBatch], hasher: IdHasher) -> Result<Self, ArchiveError> {
        let internal = |error| ArchiveError::internal("gathering batches", error);
        let schema = crate::event::schema();
        let rows = concat_batches(&schema, batches.iter().map(EventBatch::record_batch))
            .map_err(|error| internal(error.to_string()))?;
        let (orgs, ids) =
            (file_write::text(&rows, "org_id")?, file_write::text(&rows, "event_id")?);
        let times = rows.column_by_name("ts");
        let times = times.and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>());
        let times = times.ok_or_else(|| internal("no column ts".into()))?;
        let owners = batches
            .iter()
            .enumerate()
            .flat_map(|(batch, rows)| std::iter::repeat_n(batch, rows.len()));
        let mut each = Vec::with_capacity(rows.num_rows());
        for (((batch, org), id), ts) in owners.zip(orgs).zip(ids).zip(times.values()) {
            let date =
                date_of(*ts).ok_or_else(|| internal("a time outside the calendar".into()))?;
            let hash = hasher.hash(org.unwrap_or_default(), id.unwrap_or_default());
            each.push(Row { batch, date, hash, duplicate: false });
        }
        let mut group = Self { rows, each, files: BTreeMap::new() };
        group.mark_repeats();
        Ok(group)
    }

    fn mark_repeats(&mut self) {
        let mut seen: HashSet<(NaiveDate, EventHash)> = HashSet::with_capacity(self.each.len());
        for row in &mut self.each {
            row.duplicate = around(row.date).any(|date| seen.contains(&(date, row.hash)));
            if !row.duplicate {
                seen.insert((row.date, row.hash));
            }
        }
    }

    /// Marks what stands in the table by now. A file that holds such an event is planned anew.
    ///
    /// # Errors
    /// As [`KnownIds::find`].
    pub async fn mark_known(
        &mut self,
        known: &mut KnownIds,
        snapshot: &Snapshot,
    ) -> Result<(), ArchiveError> {
        let ids = file_write::text(&self.rows, "event_id")?;
        let wanted: Vec<_> = self
            .each
            .iter()
            .zip(ids)
            .filter(|(row, _)| !row.duplicate)
            .map(|(row, id)| Wanted {
                date: row.date,
                hash: row.hash,
                event_id: id.unwrap_or_default(),
            })
            .collect();
        let found = known.find(snapshot, &wanted).await?;
        for row in self.each.iter_mut().filter(|row| !row.duplicate) {
            if found.contains(&(row.date, row.hash)) {
                row.duplicate = true;
                self.files.remove(&row.date);
            }
        }
        Ok(())
    }

    /// Encodes and puts the files of new events that are not put yet.
    ///
    /// # Errors
    /// Unavailable, or Internal.
    pub(super) async fn write_files(&mut self, how: &FileSettings) -> Result<(), ArchiveError> {
        let mut missing: BTreeMap<NaiveDate, Vec<u64>> = BTreeMap::new();
        for (row, at) in self.each.iter().zip(0..) {
            if !row.duplicate && !self.files.contains_key(&row.date) {
                missing.entry(row.date).or_default().push(at);
            }
        }
        let rows = &self.rows;
        let work = missing
            .into_iter()
            .map(|(date, chosen)| write_file(how.clone(), date, rows.clone(), chosen.into()));
        let mut work = futures::stream::iter(work.collect::<Vec<_>>()).buffer_unordered(FILES);
        while let Some((date, file)) = work.try_next().await? {
            self.files.insert(date, file);
        }
        Ok(())
    }

    /// The files to commit, by date.
    pub fn files(&self) -> &BTreeMap<NaiveDate, NewFile> {
        &self.files
    }

    /// New events and duplicates, by batch.
    pub fn counts(&self) -> HashMap<usize, (usize, usize)> {
        let mut counts: HashMap<usize, (usize, usize)> = HashMap::new();
        for row in &self.each {
            let (new, duplicates) = counts.entry(row.batch).or_default();
            *(if row.duplicate { duplicates } else { new }) += 1;
        }
        counts
    }
}

/// Where and how files are written.
#[derive(Debug, Clone)]
pub(super) struct FileSettings {
    pub store: Arc<dyn ObjectStore>,
    pub partials: Option<Arc<dyn PartialMaker>>,
    pub hasher: IdHasher,
    pub now: Micros,
}

async fn write_file(
    to: FileSettings,
    date: NaiveDate,
    rows: RecordBatch,
    chosen: UInt64Array,
) -> Result<(NaiveDate, NewFile), ArchiveError> {
    let encoding = |error| ArchiveError::internal("encoding a data file", error);
    let path = paths::data_file(date, Uuid::new_v4());
    // A commit of one date takes all rows as they are.
    let rows = if chosen.len() == rows.num_rows() {
        rows
    } else {
        let rows = tokio::task::spawn_blocking(move || take_record_batch(&rows, &chosen)).await;
        rows.map_err(encoding)?.map_err(|error| ArchiveError::internal("choosing rows", error))?
    };
    let for_partial = rows.clone();
    let hasher = to.hasher;
    let file = tokio::task::spawn_blocking(move || OpenFile::encode(&rows, &hasher));
    let partial = match &to.partials {
        Some(maker) => NewPartial::make(maker.clone(), &path, for_partial).await,
        None => None,
    };
    let file = file.await.map_err(encoding)??;
    let finished = tokio::task::spawn_blocking(move || {
        let encoded = file.finish(partial)?;
        Ok::<_, ArchiveError>((add_action(&path, date, &encoded, to.now), encoded))
    });
    let (add, EncodedFile { bytes, ids, .. }) = finished.await.map_err(encoding)??;
    let place = Path::from(paths::in_archive(&add.path));
    to.store
        .put(&place, bytes.into())
        .await
        .map_err(|error| ArchiveError::unavailable(format!("writing {place}"), error))?;
    Ok((date, NewFile { add, ids }))
}
