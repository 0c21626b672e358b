//! Totals snapshots: the usage of every organisation at a version of the table, stored next to it
//! so that a cold start reads little. They are derived and never the truth: one that is missing,
//! stale or damaged only costs time.
//!
//! A totals snapshot is an object of cells and a small mark that vouches for it. The mark holds the
//! checksums of its blocks. It also holds that of the log entry of its version, so that the
//! snapshot is not used with a log that was set back.

use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::ledger::Ledgers;
use super::read_back::any_is_gone;
use crate::archive::error::ArchiveError;
use crate::archive::file::data_file::DataFile;
use crate::archive::log::Log;
use crate::archive::log::snapshot::Snapshot;
use crate::archive::parquet::cells::CellReader;
use crate::archive::parquet::checked_read::CheckedObject;
use crate::archive::parquet::checksums::Checksums;
use crate::archive::paths;
use crate::clock::{Clock, Micros};
use crate::error::Kind;

/// Marks that are tried, the newest first; older ones are removed.
const KEPT: usize = 3;
/// Log entries that are read to join a totals snapshot with the known part of the log. Beyond that,
/// adding up the live files is as fast.
const ENTRIES_MAX: u64 = 4_096;
/// Log entries that are read side by side.
const SIDE_BY_SIDE: usize = 32;

/// The content of a mark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct TotalsMark {
    version: u64,
    hours_from: Micros,
    object: String,
    size_bytes: u64,
    crc32: String,
    /// Rows of the version's live files and events of its ledger, if the log gives every count.
    rows: Option<u64>,
    /// CRC-32 of the log entry of the version.
    entry_crc32: u32,
    /// CRC-32 of this mark with 0 in this place.
    mark_crc32: u32,
}

impl TotalsMark {
    fn sealed(self) -> Result<Self, ArchiveError> {
        let mark_crc32 = Self { mark_crc32: 0, ..self.clone() }.crc32()?;
        Ok(Self { mark_crc32, ..self })
    }

    fn crc32(&self) -> Result<u32, ArchiveError> {
        let text = serde_json::to_vec(self);
        let text = text.map_err(|error| ArchiveError::internal("writing a mark", error))?;
        Ok(crc32fast::hash(&text))
    }

    fn parse(path: &Path, bytes: &[u8]) -> Result<Self, ArchiveError> {
        let mark: Self = serde_json::from_slice(bytes)
            .map_err(|error| ArchiveError::corrupt(path.as_ref(), error))?;
        if mark.clone().sealed()? != mark {
            return Err(ArchiveError::corrupt(path.as_ref(), "its checksum is wrong"));
        }
        Ok(mark)
    }
}

/// The usage of every organisation at a version.
#[derive(Debug, Clone)]
pub struct Totals {
    /// The version.
    pub version: u64,
    /// Hours from this one on are kept apart; all earlier ones are one.
    pub hours_from: Micros,
    rows: Option<u64>,
    cells: CellReader,
}

impl Totals {
    /// The cells, by organisation.
    pub fn cells(&self) -> &CellReader {
        &self.cells
    }
}

/// The totals snapshots of one table that SQL of one version made.
#[derive(Debug, Clone)]
pub struct TotalsStore {
    store: Arc<dyn ObjectStore>,
    log: Log,
    ledgers: Ledgers,
    sql_version: Arc<str>,
}

impl TotalsStore {
    /// The totals snapshots in the archive at the root of `store`.
    ///
    /// # Errors
    /// Internal only.
    pub fn new(
        store: Arc<dyn ObjectStore>,
        clock: Arc<dyn Clock>,
        sql_version: Arc<str>,
    ) -> Result<Self, ArchiveError> {
        let ledgers = Ledgers::new(store.clone());
        Ok(Self { log: Log::new(store.clone(), clock)?, ledgers, store, sql_version })
    }

    /// The checkpoints by SQL of another version, of the same table.
    pub fn of_version(&self, sql_version: Arc<str>) -> Self {
        Self { sql_version, ..self.clone() }
    }

    /// The newest totals snapshot up to the version of `snapshot`. One that cannot be read is
    /// passed over, and so are versions for which `is_damaged` is true.
    ///
    /// # Errors
    /// Unavailable, if they cannot be listed.
    pub async fn newest(
        &self,
        snapshot: &Snapshot,
        is_damaged: impl Fn(u64) -> bool,
    ) -> Result<Option<Totals>, ArchiveError> {
        let mut versions: Vec<_> = self.marks(snapshot).await?;
        versions.retain(|version| *version <= snapshot.version() && !is_damaged(*version));
        for version in versions.into_iter().rev().take(KEPT) {
            match self.open(snapshot, version).await {
                Ok(totals) => return Ok(Some(totals)),
                Err(error) => {
                    tracing::warn!(%error, version, "a totals snapshot is unusable")
                }
            }
        }
        Ok(None)
    }

    /// Stores a totals snapshot of the version of `snapshot`. `None` if it is already gone: others
    /// have made newer ones meanwhile, and removed the old ones, or the bucket was a copy of the
    /// archive for a moment.
    ///
    /// # Errors
    /// Unavailable, or Corrupt if what was stored is not what is read back.
    pub async fn put(
        &self,
        snapshot: &Snapshot,
        hours_from: Micros,
        cells: Bytes,
    ) -> Result<Option<Totals>, ArchiveError> {
        let version = snapshot.version();
        let entry_crc32 = self.entry_crc32(version).await?;
        if snapshot.head().is_some_and(|head| head.crc32() != entry_crc32) {
            return Err(ArchiveError::OtherLog { path: paths::log_entry(version) });
        }
        let object = paths::totals(&self.folder(snapshot), version, Uuid::new_v4());
        let mark = TotalsMark {
            version,
            hours_from,
            object: object.to_string(),
            size_bytes: cells.len() as u64,
            crc32: Checksums::of(&cells).to_text(),
            rows: self.rows_at(snapshot).await?,
            entry_crc32,
            mark_crc32: 0,
        };
        let text = serde_json::to_vec(&mark.sealed()?);
        let text = text.map_err(|error| ArchiveError::internal("writing a mark", error))?;
        let mark = paths::totals_mark(&self.folder(snapshot), version);
        self.put_object(&object, cells).await?;
        self.put_object(&mark, text.into()).await?;
        self.clean(snapshot).await?;
        match self.open(snapshot, version).await {
            Err(error) if error.kind() == Kind::Corrupt => {
                let is_gone = any_is_gone(self.store.as_ref(), &[object, mark]).await?;
                if is_gone { Ok(None) } else { Err(error) }
            }
            opened => opened.map(Some),
        }
    }

    /// The files that brought new events after a totals snapshot, up to and including the version
    /// of `snapshot`. `None` if they are no longer known, or if the events do not add up: another
    /// program may have deleted some meanwhile.
    ///
    /// # Errors
    /// Unavailable or Corrupt.
    pub async fn arrivals(
        &self,
        snapshot: &Snapshot,
        totals: &Totals,
    ) -> Result<Option<Vec<Arc<DataFile>>>, ArchiveError> {
        let after = totals.version;
        let known_after = snapshot.arrivals_after().max(after);
        if known_after - after > ENTRIES_MAX {
            return Ok(None);
        }
        let entries = (after + 1..=known_after).map(|version| async move {
            let entry = self.log.read(version).await?;
            let Some(entry) = entry.filter(|entry| !entry.deletes_events()) else {
                return Ok(None);
            };
            let adds = entry.adds.iter().filter(|add| add.data_change);
            let files = adds.map(|add| DataFile::from_add(add).map(Arc::new));
            files.collect::<Result<Vec<_>, ArchiveError>>().map(Some)
        });
        let entries = futures::stream::iter(entries).buffered(SIDE_BY_SIDE);
        let entries: Vec<Option<Vec<_>>> = entries.try_collect().await?;
        let Some(files) = entries.into_iter().collect::<Option<Vec<_>>>() else { return Ok(None) };
        let mut files: Vec<_> = files.into_iter().flatten().collect();
        let Some(later) = snapshot.arrivals_since(known_after) else { return Ok(None) };
        files.extend(later.filter(|came| came.data_change).map(|came| came.file.clone()));
        let rows = totals.rows.zip(rows_of(files.iter()));
        let rows = rows.map(|(before, since)| before.saturating_add(since));
        let adds_up = rows.zip(self.rows_at(snapshot).await?).is_none_or(|(rows, all)| rows == all);
        Ok(adds_up.then_some(files))
    }

    /// The number of events of a version, live and expired, if the log gives every count.
    async fn rows_at(&self, snapshot: &Snapshot) -> Result<Option<u64>, ArchiveError> {
        let expired = self.ledgers.of(snapshot).await?.map_or(0, |ledger| ledger.events());
        Ok(rows_of(snapshot.files()).and_then(|live| live.checked_add(expired)))
    }

    fn folder(&self, snapshot: &Snapshot) -> Path {
        paths::totals_folder(&snapshot.table().id, &self.sql_version)
    }

    async fn put_object(&self, path: &Path, bytes: Bytes) -> Result<(), ArchiveError> {
        let put = self.store.put(path, bytes.into()).await;
        put.map(drop).map_err(|error| ArchiveError::unavailable(format!("writing {path}"), error))
    }

    async fn open(&self, snapshot: &Snapshot, version: u64) -> Result<Totals, ArchiveError> {
        let path = paths::totals_mark(&self.folder(snapshot), version);
        let read = |error| ArchiveError::of_read(path.as_ref(), &error);
        let bytes = self.store.get(&path).await.map_err(read)?.bytes().await.map_err(read)?;
        let mark = TotalsMark::parse(&path, &bytes)?;
        if mark.version != version || mark.entry_crc32 != self.entry_crc32(version).await? {
            return Err(ArchiveError::corrupt(path.as_ref(), "it is of another log"));
        }
        // An object in another folder was made by other SQL, or from another table.
        if !Path::from(mark.object.as_str()).prefix_matches(&self.folder(snapshot)) {
            return Err(ArchiveError::corrupt(path.as_ref(), "it is of another folder"));
        }
        let checksums = Checksums::from_text(&mark.crc32)
            .ok_or_else(|| ArchiveError::corrupt(path.as_ref(), "it has no checksums"))?;
        let object = CheckedObject::new(mark.object.into(), mark.size_bytes, Some(checksums));
        let cells = CellReader::open(self.store.clone(), object).await?;
        Ok(Totals { version, hours_from: mark.hours_from, rows: mark.rows, cells })
    }

    async fn entry_crc32(&self, version: u64) -> Result<u32, ArchiveError> {
        let bytes = self.log.read_bytes(version).await?;
        let bytes = bytes.ok_or_else(|| {
            ArchiveError::corrupt(paths::log_entry(version), "there is no such object")
        })?;
        Ok(crc32fast::hash(&bytes))
    }

    /// The versions that have a mark, in order.
    async fn marks(&self, snapshot: &Snapshot) -> Result<Vec<u64>, ArchiveError> {
        let all = self.list(snapshot).await?;
        let mut versions: Vec<_> = all.iter().filter_map(paths::totals_mark_version).collect();
        versions.sort_unstable();
        Ok(versions)
    }

    async fn list(&self, snapshot: &Snapshot) -> Result<Vec<Path>, ArchiveError> {
        let folder = self.folder(snapshot);
        let found = self.store.list(Some(&folder)).map_ok(|object| object.location);
        let found: Result<Vec<_>, _> = found.try_collect().await;
        found.map_err(|error| ArchiveError::unavailable(format!("listing {folder}"), error))
    }

    /// Removes everything older than the kept marks, and what a crash left without a mark. Marks of
    /// later versions do not count: the log may have been set back since.
    async fn clean(&self, snapshot: &Snapshot) -> Result<(), ArchiveError> {
        let mut marks = self.marks(snapshot).await?;
        marks.retain(|version| *version <= snapshot.version());
        let Some(oldest) = marks.iter().rev().nth(KEPT - 1) else { return Ok(()) };
        for path in self.list(snapshot).await? {
            if paths::totals_version(&path).is_some_and(|version| version < *oldest) {
                let deleted = self.store.delete(&path).await;
                deleted.map_err(|error| {
                    ArchiveError::unavailable(format!("removing {path}"), error)
                })?;
            }
        }
        Ok(())
    }
}

/// The rows of files, if the count of every file is known.
fn rows_of<'a>(mut files: impl Iterator<Item = &'a Arc<DataFile>>) -> Option<u64> {
    files.try_fold(0_u64, |sum, file| sum.checked_add(file.rows?))
}
