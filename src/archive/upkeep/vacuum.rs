//! Deleting data files and ledgers that the table does not name, and the records about the files.
//!
//! A file is deleted if all of this is true:
//! - it was in the table's folder before an empty commit was made (the *fence*);
//! - it is not live at the fence's version;
//! - it was put longer than the *grace* before the fence;
//! - if the table ever named it, it has not done so for the grace.
//!
//! No commit can name it later. A writer that prepared its put before the fence loses its version
//! to the fence. It then writes anew all files that are older than `UNCOMMITTED_MAX`, which is less
//! than any grace. A writer that follows past the fence before it puts does the same. So does an
//! expiry with the ledger that it is to name.

use std::collections::HashSet;
use std::time::Duration;

use arrow::array::RecordBatch;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt as _};

use super::Upkeep;
use crate::archive::error::ArchiveError;
use crate::archive::log::checkpoint::{LogRetention, described};
use crate::archive::log::snapshot::Snapshot;
use crate::archive::paths;
use crate::clock::Micros;

/// Dates that are listed side by side.
const LISTED: usize = 8;

/// Data files and ledgers that no version has named for the grace, as they were found.
#[derive(Debug)]
pub struct StaleFiles {
    files: Vec<ObjectMeta>,
    /// All objects of ledgers.
    ledgers: Vec<ObjectMeta>,
    grace: Duration,
}

impl StaleFiles {
    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Their size in all.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    /// Their paths, relative to the archive.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|file| file.location.as_ref())
    }
}

impl Upkeep {
    /// Finds what a vacuum would delete now. Lists all data files and ledgers; changes nothing.
    ///
    /// # Errors
    /// Unavailable or Corrupt.
    pub async fn stale_files(&self, grace: Duration) -> Result<StaleFiles, ArchiveError> {
        // Listed first: a file that is put and committed later must not look stale.
        let now = self.commits.clock.now();
        let mut files = self.old_files(now, grace).await?;
        let ledgers = self.ledger_objects().await?;
        let snapshot = self.commits.follower.newest().await?;
        retain_unnamed(&mut files, &snapshot);
        if !files.is_empty() {
            let lately = self.removed_lately(&snapshot, now, grace).await?;
            files.retain(|file| !lately.contains(&file.location));
        }
        let mut old: Vec<_> =
            ledgers.iter().filter(|object| is_older(object, now, grace)).cloned().collect();
        self.retain_unnamed_ledgers(&mut old, &ledgers, &snapshot, now, grace).await?;
        files.append(&mut old);
        Ok(StaleFiles { files, ledgers, grace })
    }

    /// Deletes the stale files, after a fence. Returns how many.
    ///
    /// # Errors
    /// Unavailable or Corrupt; some may be deleted.
    pub async fn vacuum(&self, stale: StaleFiles) -> Result<usize, ArchiveError> {
        let StaleFiles { mut files, ledgers, grace } = stale;
        if files.is_empty() {
            return Ok(0);
        }
        let fence = |snapshot: &Snapshot| {
            self.commits.entry_after(snapshot, "VACUUM START", Vec::new()).map(Some)
        };
        let fence = self.commit(fence).await?;
        let fence = fence.ok_or_else(|| ArchiveError::internal("vacuuming", "no fence"))?;
        retain_unnamed(&mut files, &fence);
        // The store's clock is used: if ours runs fast, it must not make files look old.
        let place = Path::from(paths::log_entry(fence.version()));
        let at = self.store.head(&place).await;
        let at =
            at.map_err(|error| ArchiveError::unavailable(format!("reading {place}"), error))?;
        let at = at.last_modified.timestamp_micros();
        files.retain(|file| is_older(file, at, grace));
        self.retain_unnamed_ledgers(&mut files, &ledgers, &fence, at, grace).await?;
        let places = futures::stream::iter(files.into_iter().map(|file| Ok(file.location)));
        let mut deletes = self.store.delete_stream(places.boxed());
        let mut deleted = 0;
        while let Some(done) = deletes.next().await {
            match done {
                Ok(_) => deleted += 1,
                // Another vacuum was first.
                Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(ArchiveError::unavailable("deleting old files", error)),
            }
        }
        Ok(deleted)
    }

    /// The data files, and records about them, that were put longer than the grace ago. Files are
    /// listed date by date, because the log folder holds more objects than there are data files.
    async fn old_files(
        &self,
        now: Micros,
        grace: Duration,
    ) -> Result<Vec<ObjectMeta>, ArchiveError> {
        let failed = |error| ArchiveError::unavailable("listing data files", error);
        let table = self.store.list_with_delimiter(Some(&Path::from(paths::TABLE))).await;
        let folders = table.map_err(failed)?.common_prefixes;
        let listed = folders.into_iter().filter(paths::is_date_folder).map(|folder| async move {
            let old = self.store.list(Some(&folder)).try_filter(|file| {
                let old = paths::is_data_file(&file.location) && is_older(file, now, grace);
                std::future::ready(old)
            });
            old.try_collect::<Vec<_>>().await.map_err(failed)
        });
        let listed = futures::stream::iter(listed).buffered(LISTED).try_concat();
        let mut found: Vec<_> = listed.await?;
        let records = self.store.list(Some(&Path::from(paths::FIRST_SIGHTS)));
        let old = records.try_filter(|record| std::future::ready(is_older(record, now, grace)));
        found.extend(old.try_collect::<Vec<_>>().await.map_err(failed)?);
        Ok(found)
    }

    /// Files removed by entries within the grace: readers of an older version may still need them.
    async fn removed_lately(
        &self,
        snapshot: &Snapshot,
        now: Micros,
        grace: Duration,
    ) -> Result<HashSet<Path>, ArchiveError> {
        let each = |lately: &mut HashSet<Path>, rows: &RecordBatch| {
            for (path, at_millis) in described::removes(rows)? {
                let at = at_millis.saturating_mul(1_000);
                if at.saturating_add(micros(grace)) > now {
                    lately.insert(paths::first_sight(&path));
                    lately.insert(Path::from(paths::in_archive(&path)));
                }
            }
            Ok(())
        };
        let log = &self.commits.log;
        log.for_each_action(snapshot.version(), LogRetention::FOREVER, HashSet::new, each).await
    }
}

fn retain_unnamed(files: &mut Vec<ObjectMeta>, snapshot: &Snapshot) {
    let mut live: HashSet<_> = snapshot.files().map(|file| file.path_in_archive()).collect();
    let foreign = snapshot.files().filter(|file| !file.is_ours());
    live.extend(foreign.map(|file| paths::first_sight(&file.path).to_string()));
    files.retain(|file| !live.contains(file.location.as_ref()));
}

pub(in crate::archive) fn is_older(file: &ObjectMeta, now: Micros, grace: Duration) -> bool {
    file.last_modified.timestamp_micros().saturating_add(micros(grace)) <= now
}

fn micros(duration: Duration) -> Micros {
    Micros::try_from(duration.as_micros()).unwrap_or(Micros::MAX)
}
