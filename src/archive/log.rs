//! The table's log: opening it, reading an entry, putting one.
//!
//! The library's log store and snapshots are used directly. Its `CommitBuilder` is not: it
//! retries a lost race by itself, and ids must be looked for again first.

use std::sync::Arc;
use std::time::Duration;

use deltalake_core::checkpoints;
use deltalake_core::kernel::{Action, Snapshot as DeltaSnapshot};
use deltalake_core::logstore::{CommitOrBytes, LogStore, StorageConfig, default_logstore};
use deltalake_core::table::config::TablePropertiesExt as _;
use deltalake_core::{DeltaTable, DeltaTableError};
use futures::TryStreamExt as _;
use object_store::ObjectStore;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use url::Url;

use super::data_file::DataFile;
use super::entry::{self, Entry, NewEntry};
use super::error::is_of_store;
use super::snapshot::Snapshot;
use super::table::{TableInfo, creation};
use super::{ArchiveError, paths};
use crate::clock::{Clock, DAY};

/// Entries that are read side by side once one new entry is found.
const READ_AHEAD: u64 = 32;
/// How long a put may stay in doubt before its writer is told so.
const DOUBT: Duration = Duration::from_secs(8);
const DOUBT_PAUSE: Duration = Duration::from_millis(50);

/// What became of a put.
#[derive(Debug)]
pub enum Put {
    /// The entry stands, whatever the store said on the way.
    Committed,
    /// Another's entry stands at that version.
    Lost(Entry),
}

/// The log of one table.
#[derive(Debug, Clone)]
pub struct Log {
    store: Arc<dyn LogStore>,
    clock: Arc<dyn Clock>,
}

impl Log {
    /// The log in the archive whose root `store` is.
    ///
    /// # Errors
    /// Internal only.
    pub fn new(store: Arc<dyn ObjectStore>, clock: Arc<dyn Clock>) -> Result<Self, ArchiveError> {
        let table = Arc::new(PrefixStore::new(store.clone(), paths::TABLE));
        // The library takes the path alone from this address; a scheme of our own keeps it from
        // looking for a folder on the machine.
        let location = Url::parse(&format!("tokenlake:///{}/", paths::TABLE))
            .map_err(|error| ArchiveError::internal("naming the table", error))?;
        let store = default_logstore(table, store, &location, &StorageConfig::default());
        Ok(Self { store, clock })
    }

    /// True if there is a table.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn exists(&self) -> Result<bool, ArchiveError> {
        Ok(!self.list().await?.is_empty())
    }

    /// Opens the table at its newest version; makes it where none is.
    ///
    /// # Errors
    /// Corrupt if an entry is missing or damaged; Unsupported if the table is not for this
    /// program; Unavailable.
    pub async fn open(&self) -> Result<Snapshot, ArchiveError> {
        let mut listing = self.list().await?;
        if listing.is_empty() {
            self.create().await?;
            listing = self.list().await?;
        }
        // Only what the library keeps in checkpoints is taken from it; entries after that are
        // read here, so that none passes unchecked.
        let mut snapshot = self.open_at(listing.checkpoint).await?;
        if let Some(next) = self.follow(&snapshot).await? {
            snapshot = next;
        }
        if snapshot.version() < listing.newest {
            let missing = paths::log_entry(snapshot.version() + 1);
            return Err(ArchiveError::corrupt(
                missing,
                "later entries exist but this one does not",
            ));
        }
        Ok(snapshot)
    }

    /// Reads every entry after `snapshot`. `None` means that nothing is new, and cost one request.
    ///
    /// # Errors
    /// Corrupt or Unavailable; the snapshot stays usable as the older version it is.
    pub async fn follow(&self, snapshot: &Snapshot) -> Result<Option<Snapshot>, ArchiveError> {
        let mut newest: Option<Snapshot> = None;
        // One new entry is the usual case, so reading ahead begins with the third.
        for width in [1, 1, READ_AHEAD / 8].into_iter().chain(std::iter::repeat(READ_AHEAD)) {
            let first = newest.as_ref().unwrap_or(snapshot).version() + 1;
            let entries = (first..first + width).map(|version| self.read(version));
            for entry in futures::future::try_join_all(entries).await? {
                let Some(entry) = entry else { return Ok(newest) };
                newest = Some(self.apply(newest.as_ref().unwrap_or(snapshot), &entry)?);
            }
        }
        Ok(newest)
    }

    /// The snapshot after an entry, checked.
    ///
    /// # Errors
    /// Corrupt or Unsupported.
    pub fn apply(&self, snapshot: &Snapshot, entry: &Entry) -> Result<Snapshot, ArchiveError> {
        let next = snapshot.next(entry)?;
        if entry.protocol.is_none() && entry.metadata.is_none() {
            return Ok(next);
        }
        let table = next.table().changed(entry.protocol.as_ref(), entry.metadata.as_ref());
        let table = table.map_err(|error| error.in_entry(next.version()))?;
        Ok(next.with_table(table))
    }

    /// Reads one entry; `None` where there is none.
    ///
    /// # Errors
    /// Corrupt or Unavailable.
    pub async fn read(&self, version: u64) -> Result<Option<Entry>, ArchiveError> {
        let bytes = self.store.read_commit_entry(version).await.map_err(|error| {
            ArchiveError::unavailable(format!("reading {}", paths::log_entry(version)), error)
        })?;
        bytes.map(|bytes| entry::read(version, &bytes)).transpose()
    }

    /// Puts `entry` as `version`, and finds out what became of it.
    ///
    /// A store may answer "already exists" or an error after the put worked, so every answer but
    /// success is checked by reading: ours, absent (the same bytes are put again) or another's.
    ///
    /// # Errors
    /// Unavailable, with the put in doubt: it may stand, or come to stand, at that version.
    pub async fn put(&self, version: u64, entry: &NewEntry) -> Result<Put, ArchiveError> {
        let start = self.clock.elapsed();
        let started = tokio::time::Instant::now();
        loop {
            let bytes = CommitOrBytes::LogBytes(entry.bytes.clone());
            let answer = self.store.write_commit_entry(version, bytes, entry.commit_id).await;
            let Err(error) = answer else { break };
            match self.read(version).await {
                Ok(Some(found)) if found.commit_id == Some(entry.commit_id) => break,
                Ok(Some(found)) => return Ok(Put::Lost(found)),
                Err(error) if error.kind() == crate::error::Kind::Corrupt => return Err(error),
                Ok(None) | Err(_) if started.elapsed() < DOUBT => {
                    tokio::time::sleep(DOUBT_PAUSE).await;
                }
                Ok(None) | Err(_) => {
                    let doing = format!("committing {}", paths::log_entry(version));
                    return Err(ArchiveError::unavailable(doing, error));
                }
            }
        }
        self.check_not_cleaned_away(version, self.clock.elapsed().saturating_sub(start)).await?;
        Ok(Put::Committed)
    }

    /// After a slow put (a suspended machine, say), log cleanup may have passed this version, and
    /// the entry would lie where nobody reads it.
    async fn check_not_cleaned_away(
        &self,
        version: u64,
        took: Duration,
    ) -> Result<(), ArchiveError> {
        const SLOW: Duration = Duration::from_secs(600);
        if took < SLOW || version == 0 || self.read(version - 1).await?.is_some() {
            return Ok(());
        }
        Err(ArchiveError::internal(
            "committing",
            "the log was cleaned past a commit that took too long",
        ))
    }

    /// Writes a checkpoint of the newest version, and removes entries that it makes needless and
    /// that are past the table's log retention.
    ///
    /// # Errors
    /// Unavailable; nothing is lost by it.
    pub async fn checkpoint(&self) -> Result<(), ArchiveError> {
        let failed =
            |error: DeltaTableError| ArchiveError::unavailable("writing a checkpoint", error);
        let mut table = DeltaTable::new(self.store.clone());
        table.load().await.map_err(failed)?;
        checkpoints::create_checkpoint(&table, None).await.map_err(failed)?;
        let retention = table.snapshot().map_err(failed)?.table_config().log_retention_duration();
        // Followers may be hours late; a setting below a day would pull the log away under them.
        if retention >= Duration::from_micros(DAY.unsigned_abs()) {
            checkpoints::cleanup_metadata(&table, None).await.map_err(failed)?;
        }
        Ok(())
    }

    /// The version of a checkpoint, or version 0.
    async fn open_at(&self, checkpoint: Option<u64>) -> Result<Snapshot, ArchiveError> {
        let version = checkpoint.unwrap_or(0);
        let object = checkpoint.map_or_else(|| paths::log_entry(0), paths::log_checkpoint);
        let damaged = |error: DeltaTableError| {
            if is_of_store(&error) {
                return ArchiveError::unavailable(format!("opening {}", paths::TABLE), error);
            }
            ArchiveError::corrupt(object.as_str(), error)
        };
        let delta =
            DeltaSnapshot::try_new(self.store.as_ref(), Some(version)).await.map_err(damaged)?;
        let table = TableInfo::new(delta.protocol(), delta.metadata())?;
        let views: Vec<_> =
            delta.file_views(self.store.as_ref(), None).try_collect().await.map_err(damaged)?;
        #[allow(
            deprecated,
            reason = "the action is the one form that checkpoints and entries share"
        )]
        let files = views.iter().map(|view| DataFile::from_add(&view.add_action()));
        Ok(Snapshot::new(version, table, files.collect::<Result<Vec<_>, _>>()?.into_iter()))
    }

    async fn create(&self) -> Result<(), ArchiveError> {
        let actions: Vec<Action> = creation(&crate::event::schema())?;
        let entry = entry::write("CREATE TABLE", actions, self.clock.now())?;
        // Losing this race is as good as winning it.
        self.put(0, &entry).await.map(|_| ())
    }

    async fn list(&self) -> Result<Listing, ArchiveError> {
        let folder = Path::from("_delta_log");
        let store = self.store.object_store(None);
        let failed = |error| {
            ArchiveError::unavailable(format!("listing {}/_delta_log", paths::TABLE), error)
        };
        let mut names = store.list(Some(&folder));
        let mut listing = Listing::default();
        while let Some(object) = names.try_next().await.map_err(failed)? {
            listing.take(object.location.filename().unwrap_or_default());
        }
        Ok(listing)
    }
}

/// What the log's folder holds.
#[derive(Debug, Default)]
struct Listing {
    entries: bool,
    newest: u64,
    checkpoint: Option<u64>,
}

impl Listing {
    fn is_empty(&self) -> bool {
        !self.entries && self.checkpoint.is_none()
    }

    fn take(&mut self, name: &str) {
        let Some((digits, ending)) = name.split_once('.') else { return };
        let Some(version) = (digits.len() == 20).then(|| digits.parse::<u64>().ok()).flatten()
        else {
            return;
        };
        if ending == "json" {
            self.entries = true;
            self.newest = self.newest.max(version);
        } else if ending.starts_with("checkpoint") && ending.ends_with("parquet") {
            self.checkpoint = self.checkpoint.max(Some(version));
            self.newest = self.newest.max(version);
        }
    }
}
