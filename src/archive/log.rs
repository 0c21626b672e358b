//! The table's log: opening it, reading an entry, putting one.
//!
//! The library's log store and snapshots are used directly. Its `CommitBuilder` is not: it
//! retries a lost race by itself, and ids must be looked for again first.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use deltalake_core::DeltaTableError;
use deltalake_core::kernel::transaction::TransactionError;
use deltalake_core::kernel::{Action, EagerSnapshot};
use deltalake_core::logstore::{CommitOrBytes, LogStore, StorageConfig, default_logstore};
use futures::TryStreamExt as _;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt as _};
use url::Url;

use super::ArchiveError;
use super::data_file::DataFile;
use super::entry::{self, Entry, NewEntry};
use super::error::is_of_store;
use super::ledger::{LEDGER_APP, LedgerName};
use super::log_listing::Listing;
use super::passed_over::{PassedOver, WithoutPassedOver};
use super::paths::{self, LOG};
use super::snapshot::Snapshot;
use super::table::{TableInfo, creation};
use crate::clock::Clock;
use crate::error::Kind;

/// Entries that are read side by side, step by step. One new entry is the usual case, so reading
/// ahead begins with the third.
const READ_AHEAD: [u64; 12] = [1, 1, 4, 16, 32, 32, 32, 32, 32, 32, 32, 32];
/// How long a put may stay in doubt before its writer is told so.
const DOUBT: Duration = Duration::from_secs(8);
const DOUBT_PAUSE: Duration = Duration::from_millis(50);

/// What became of a put.
#[derive(Debug)]
pub enum Put {
    /// The entry stands, whatever the store said on the way.
    Committed,
    /// Another's entry stands at that version.
    Lost(Box<Entry>),
}

/// A newer version.
#[derive(Debug)]
pub struct Followed {
    /// The version.
    pub snapshot: Snapshot,
    /// True if there was no entry after it.
    pub at_head: bool,
}

/// The log of one table.
#[derive(Debug, Clone)]
pub struct Log {
    store: Arc<dyn LogStore>,
    passed_over: Arc<PassedOver>,
    clock: Arc<dyn Clock>,
}

impl Log {
    /// The log in the archive whose root `store` is.
    ///
    /// # Errors
    /// Internal only.
    pub fn new(store: Arc<dyn ObjectStore>, clock: Arc<dyn Clock>) -> Result<Self, ArchiveError> {
        let passed_over = Arc::<PassedOver>::default();
        let store: Arc<dyn ObjectStore> =
            Arc::new(WithoutPassedOver::new(store, passed_over.clone()));
        let table = Arc::new(PrefixStore::new(store.clone(), paths::TABLE));
        // The library takes the path alone from this address; a scheme of our own keeps it from
        // looking for a folder on the machine.
        let location = Url::parse(&format!("tokenlake:///{}/", paths::TABLE))
            .map_err(|error| ArchiveError::internal("naming the table", error))?;
        let store = default_logstore(table, store, &location, &StorageConfig::default());
        Ok(Self { store, passed_over, clock })
    }

    /// The library's log store.
    pub(super) fn delta(&self) -> Arc<dyn LogStore> {
        self.store.clone()
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
        self.open_listed(listing).await
    }

    /// Opens anew, after a long pause, the table that `known` is a version of.
    ///
    /// # Errors
    /// As [`Log::open`]; Corrupt too if it is another table, or went back.
    pub async fn reopen(&self, known: &Snapshot) -> Result<Snapshot, ArchiveError> {
        let opened = self.open_listed(self.list().await?).await?;
        if opened.version() < known.version() || opened.table().id != known.table().id {
            let reason = "its log is not the one that was followed; start the server again";
            return Err(ArchiveError::corrupt(paths::TABLE, reason));
        }
        Ok(opened)
    }

    /// Opens the newest version. A checkpoint that is damaged is passed over where an older one, or
    /// the entries, tell the same.
    async fn open_listed(&self, mut listing: Listing) -> Result<Snapshot, ArchiveError> {
        loop {
            let (version, error) = match (self.open_from(&listing).await, listing.checkpoint) {
                (Err(error), Some(version)) if error.is_damage_of_checkpoint(version) => {
                    (version, error)
                }
                (opened, _) => return opened,
            };
            self.passed_over.add(version);
            listing = self.list_from(None).await?;
            if !listing.is_whole() {
                self.passed_over.forget(version);
                return Err(error);
            }
            tracing::warn!(%error, "a checkpoint of the log is passed over");
        }
    }

    async fn open_from(&self, listing: &Listing) -> Result<Snapshot, ArchiveError> {
        // Only what the library keeps in checkpoints is taken from it; entries after that are
        // read here, so that none passes unchecked.
        let mut snapshot = self.open_at(listing.checkpoint).await?;
        while let Some(next) = self.follow(&snapshot).await? {
            snapshot = next.snapshot;
            if next.at_head {
                break;
            }
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

    /// Reads entries after `snapshot`, up to some hundreds. `None` means that nothing is new, and
    /// cost one request.
    ///
    /// # Errors
    /// Corrupt or Unavailable; the snapshot stays usable as the older version it is.
    pub async fn follow(&self, snapshot: &Snapshot) -> Result<Option<Followed>, ArchiveError> {
        let mut newest: Option<Snapshot> = None;
        for width in READ_AHEAD {
            let first = newest.as_ref().unwrap_or(snapshot).version() + 1;
            let entries = (first..first + width).map(|version| self.read(version));
            for entry in futures::future::try_join_all(entries).await? {
                let Some(entry) = entry else {
                    return Ok(newest.map(|snapshot| Followed { snapshot, at_head: true }));
                };
                newest = Some(self.apply(newest.as_ref().unwrap_or(snapshot), &entry)?);
            }
        }
        Ok(newest.map(|snapshot| Followed { snapshot, at_head: false }))
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
        let bytes = self.read_bytes(version).await?;
        bytes.map(|bytes| entry::read(version, &bytes)).transpose()
    }

    /// The bytes of one entry; `None` where there is none.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn read_bytes(&self, version: u64) -> Result<Option<Bytes>, ArchiveError> {
        self.store.read_commit_entry(version).await.map_err(|error| {
            ArchiveError::unavailable(format!("reading {}", paths::log_entry(version)), error)
        })
    }

    /// Puts `entry` as `version`, and finds out what became of it.
    ///
    /// A store may answer "already exists" or an error after the put worked, so every answer but
    /// success is checked by reading: ours, absent (the same bytes are put again) or another's.
    ///
    /// `followed_at` is when the version before was known to be the newest, by the clock that
    /// counts sleep.
    ///
    /// # Errors
    /// Unavailable, with the put in doubt: it may stand, or come to stand, at that version.
    pub async fn put(
        &self,
        version: u64,
        entry: &NewEntry,
        followed_at: Duration,
    ) -> Result<Put, ArchiveError> {
        let started = tokio::time::Instant::now();
        loop {
            let bytes = CommitOrBytes::LogBytes(entry.bytes.clone());
            let answer = self.store.write_commit_entry(version, bytes, entry.commit_id).await;
            let Err(error) = answer else { break };
            // "Already exists" comes from an entry that is as durable as a put makes it. After any
            // other answer even our own entry may not be (a disk that could not sync its folder),
            // so it is put again until it is that.
            let exists = matches!(error, TransactionError::VersionAlreadyExists(_));
            match self.read(version).await {
                Ok(Some(found)) if found.commit_id != Some(entry.commit_id) => {
                    return Ok(Put::Lost(Box::new(found)));
                }
                Ok(Some(_)) if exists => break,
                Err(error) if matches!(error.kind(), Kind::Corrupt | Kind::Invalid) => {
                    return Err(error);
                }
                _ if started.elapsed() < DOUBT => tokio::time::sleep(DOUBT_PAUSE).await,
                _ => {
                    let doing = format!("committing {}", paths::log_entry(version));
                    return Err(ArchiveError::unavailable(doing, error));
                }
            }
        }
        self.check_not_cleaned_away(version, followed_at).await?;
        Ok(Put::Committed)
    }

    /// After a long pause (a suspended machine, say), log cleanup may have passed this version,
    /// and the entry would lie where nobody reads it.
    async fn check_not_cleaned_away(
        &self,
        version: u64,
        followed_at: Duration,
    ) -> Result<(), ArchiveError> {
        const LONG: Duration = Duration::from_secs(600);
        let pause = self.clock.elapsed().saturating_sub(followed_at);
        if pause < LONG || version == 0 || self.read(version - 1).await?.is_some() {
            return Ok(());
        }
        let cleaned = std::io::Error::other("the log was cleaned past it meanwhile");
        Err(ArchiveError::unavailable(format!("committing version {version}"), cleaned))
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
            EagerSnapshot::try_new(self.store.as_ref(), Some(version)).await.map_err(damaged)?;
        let table = TableInfo::new(delta.protocol(), delta.metadata())?;
        let ledger = match checkpoint {
            Some(_) => delta.transaction_version(self.store.as_ref(), LEDGER_APP).await,
            None => Ok(None),
        };
        let ledger = ledger.map_err(damaged)?.map(|number| {
            LedgerName::from_number(number).ok_or_else(|| {
                ArchiveError::corrupt(object.as_str(), "it names no ledger that can be")
            })
        });
        let views: Vec<_> =
            delta.file_views(self.store.as_ref(), None).try_collect().await.map_err(damaged)?;
        #[allow(
            deprecated,
            reason = "the action is the one form that checkpoints and entries share"
        )]
        let files = views.iter().map(|view| DataFile::from_add(&view.add_action()));
        let files = files.collect::<Result<Vec<_>, _>>()?.into_iter();
        Ok(Snapshot::new(version, table, files, ledger.transpose()?))
    }

    /// The number that the last `txn` action of a job had, as of a version.
    ///
    /// # Errors
    /// Unavailable or Corrupt.
    pub async fn job_position(&self, job: &str, version: u64) -> Result<Option<i64>, ArchiveError> {
        let failed = |error: DeltaTableError| {
            ArchiveError::unavailable(format!("reading how far {job} is"), error)
        };
        let delta = EagerSnapshot::try_new(self.store.as_ref(), Some(version)).await;
        let position = delta.map_err(failed)?.transaction_version(self.store.as_ref(), job).await;
        position.map_err(failed)
    }

    async fn create(&self) -> Result<(), ArchiveError> {
        let actions: Vec<Action> = creation(&crate::event::schema())?;
        let entry = entry::write("CREATE TABLE", actions, self.clock.now())?;
        // Losing this race is as good as winning it.
        self.put(0, &entry, self.clock.elapsed()).await.map(|_| ())
    }

    /// Lists the log from the checkpoint that the library noted last, or else all of it.
    async fn list(&self) -> Result<Listing, ArchiveError> {
        if let Some(version) = self.noted_checkpoint().await {
            let listing = self.list_from(Some(version)).await?;
            if listing.checkpoint.is_some() {
                return Ok(listing);
            }
            // The library would fail for want of it.
            self.passed_over.add(version);
        }
        self.list_from(None).await
    }

    async fn noted_checkpoint(&self) -> Option<u64> {
        let note = Path::from(format!("{LOG}/_last_checkpoint"));
        let note = self.store.object_store(None).get(&note).await.ok()?.bytes().await.ok()?;
        serde_json::from_slice::<serde_json::Value>(&note).ok()?.get("version")?.as_u64()
    }

    async fn list_from(&self, version: Option<u64>) -> Result<Listing, ArchiveError> {
        let folder = Path::from(LOG);
        let store = self.store.object_store(None);
        let failed =
            |error| ArchiveError::unavailable(format!("listing {}/{LOG}", paths::TABLE), error);
        let mut names = match version {
            // Every name of the version is longer than its digits, and so comes after them.
            Some(version) => {
                let before = Path::from(format!("{LOG}/{version:020}"));
                store.list_with_offset(Some(&folder), &before)
            }
            None => store.list(Some(&folder)),
        };
        let mut listing = Listing::default();
        while let Some(object) = names.try_next().await.map_err(failed)? {
            listing.take(object.location.filename().unwrap_or_default());
        }
        Ok(listing)
    }
}
