//! The table's log: reading, following and putting entries.
//!
//! The Delta library's log store is used directly. Its `CommitBuilder` is not: it retries a lost
//! race by itself, while here known ids must be looked for again first.

pub(super) mod anchor;
pub(super) mod anchored;
pub(super) mod archive_mark;
pub(super) mod checkpoint;
mod confirm;
pub(super) mod entry;
pub(super) mod head_note;
pub(super) mod job_mark;
pub(super) mod listing;
pub(super) mod newer;
pub(super) mod passed_over;
pub(super) mod place;
pub(super) mod snapshot;
pub(super) mod table;
mod trail;
pub(super) mod vouched;

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use bytes::Bytes;
use deltalake_core::kernel::transaction::TransactionError;
use deltalake_core::logstore::{CommitOrBytes, LogStore, StorageConfig, default_logstore};
use object_store::ObjectStore;
use object_store::prefix::PrefixStore;
use parking_lot::Mutex;
use url::Url;

use self::anchor::Anchor;
use self::anchored::AnchoredStore;
use self::checkpoint::{LogRetention, described};
use self::entry::{Entry, NewEntry};
use self::job_mark::JobMark;
use self::passed_over::{PassedOver, WithoutPassedOver};
use self::snapshot::Snapshot;
use self::trail::Trail;
use crate::archive::chain::EntryLink;
use crate::archive::error::ArchiveError;
use crate::archive::file::row_counts;
use crate::archive::paths;
use crate::clock::Clock;
use crate::error::Kind;

/// How many entries each step after the first reads in parallel. One new entry is the usual case, so
/// reading ahead begins with the third.
const READ_AHEAD: [u64; 11] = [1, 4, 16, 32, 32, 32, 32, 32, 32, 32, 32];
/// How many entries that are known to exist are read in parallel.
const READ_AT_ONCE: u64 = 64;
/// How long a put may stay in doubt before it fails.
const DOUBT: Duration = Duration::from_secs(8);
const DOUBT_PAUSE: Duration = Duration::from_millis(50);

/// The outcome of a put.
#[derive(Debug)]
pub enum Put {
    /// The entry is durable, whatever the store answered on the way.
    Committed,
    /// Another entry exists at that version.
    Lost(Box<Entry>),
}

/// A newer version.
#[derive(Debug)]
pub struct Followed {
    /// The version.
    pub snapshot: Snapshot,
    /// True if there was no entry after it.
    pub at_head: bool,
    /// The entries that made it.
    trail: Trail,
}

/// The log of one table.
#[derive(Debug, Clone)]
pub struct Log {
    pub(in crate::archive) store: Arc<dyn LogStore>,
    /// The archive's root.
    pub(in crate::archive) root: Arc<dyn ObjectStore>,
    /// The archive's root, without the check that it is the right one.
    raw: Arc<dyn ObjectStore>,
    pub(in crate::archive) anchor: Anchor,
    /// Checkpoints that `store` hides.
    pub(in crate::archive) passed_over: Arc<PassedOver>,
    pub(in crate::archive) clock: Arc<dyn Clock>,
    /// A version whose successor is refused, the last version searched for a repair, and its link.
    scanned: Arc<Mutex<Option<(u64, u64, EntryLink)>>>,
}

impl Log {
    /// The log of the archive at the root of `store`.
    ///
    /// # Errors
    /// Internal only.
    pub fn new(store: Arc<dyn ObjectStore>, clock: Arc<dyn Clock>) -> Result<Self, ArchiveError> {
        Self::anchored(store, Anchor::new(clock.clone()), clock)
    }

    /// The log of the archive at the root of `raw`, which must be the one that `anchor` knows.
    ///
    /// # Errors
    /// Internal only.
    pub(in crate::archive) fn anchored(
        raw: Arc<dyn ObjectStore>,
        anchor: Anchor,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ArchiveError> {
        let root: Arc<dyn ObjectStore> = Arc::new(AnchoredStore::new(raw.clone(), anchor.clone()));
        let passed_over = Arc::<PassedOver>::default();
        let shown: Arc<dyn ObjectStore> =
            Arc::new(WithoutPassedOver::new(root.clone(), passed_over.clone()));
        let table = Arc::new(PrefixStore::new(shown.clone(), paths::TABLE));
        // The library takes the path alone from this address; a scheme of our own keeps it from
        // looking for a folder on the machine.
        let location = Url::parse(&format!("tokenlake:///{}/", paths::TABLE))
            .map_err(|error| ArchiveError::internal("naming the table", error))?;
        let store = default_logstore(table, shown, &location, &StorageConfig::default());
        let scanned = Arc::default();
        Ok(Self { store, root, raw, anchor, passed_over, clock, scanned })
    }

    /// The same log without its anchor, for opening it anew: the known entry may have been cleaned
    /// away.
    ///
    /// # Errors
    /// Internal only.
    pub(in crate::archive) fn unanchored(&self) -> Result<Self, ArchiveError> {
        Self::new(self.raw.clone(), self.clock.clone())
    }

    /// The archive's root, which is read and written only while it is the right archive.
    pub(in crate::archive) fn root(&self) -> Arc<dyn ObjectStore> {
        self.root.clone()
    }

    /// The library's log store.
    pub(in crate::archive) fn delta(&self) -> Arc<dyn LogStore> {
        self.store.clone()
    }

    /// Reads entries after `snapshot`, up to some hundreds. `None` means that nothing is new; that
    /// costs one request.
    ///
    /// # Errors
    /// Corrupt, Refused, OtherLog, Newer or Unavailable; `snapshot` stays usable as an older
    /// version.
    pub async fn follow(&self, snapshot: &Snapshot) -> Result<Option<Followed>, ArchiveError> {
        self.follow_listed(snapshot, snapshot.version()).await
    }

    /// As [`Log::follow`], where a listing has told of entries up to a version: those are read at
    /// once, and the entry after them with them.
    ///
    /// # Errors
    /// As [`Log::follow`].
    pub(in crate::archive) async fn follow_listed(
        &self,
        snapshot: &Snapshot,
        listed: u64,
    ) -> Result<Option<Followed>, ArchiveError> {
        let mut newest: Option<Snapshot> = None;
        let mut trail = Trail::default();
        let named = (listed.saturating_sub(snapshot.version()) + 1).min(READ_AT_ONCE);
        for width in std::iter::once(named).chain(READ_AHEAD) {
            let first = newest.as_ref().unwrap_or(snapshot).version() + 1;
            let entries = (first..first + width).map(|version| self.read(version));
            for entry in futures::future::try_join_all(entries).await? {
                let Some(entry) = entry else {
                    return Ok(newest.map(|snapshot| Followed { snapshot, at_head: true, trail }));
                };
                let known = newest.as_ref().unwrap_or(snapshot);
                let mut applied = self.apply(known, &entry);
                if applied.as_ref().is_err_and(ArchiveError::is_refusal)
                    && self.apply_if(known, &entry, true).is_ok()
                    && let Some((version, accepting)) = self.accepting(known.version() + 1).await?
                {
                    trail.add(version, &accepting);
                    applied = self.apply_if(known, &entry, true);
                }
                match (applied, newest) {
                    (Ok(next), _) => {
                        trail.follow(next.version(), &entry);
                        newest = Some(next);
                    }
                    // The good entries are taken first.
                    (Err(error), Some(snapshot)) if error.is_refusal() => {
                        return Ok(Some(Followed { snapshot, at_head: false, trail }));
                    }
                    (Err(error), None) if error.is_refusal() => {
                        return Ok(Some(self.repaired(snapshot).await?.ok_or(error)?));
                    }
                    (Err(error), _) => return Err(error),
                }
            }
        }
        Ok(newest.map(|snapshot| Followed { snapshot, at_head: false, trail }))
    }

    /// True if a tokenlake has committed after a version, or repaired what came after it: none
    /// commits after an entry that it refuses. A process that comes later may be unable to judge
    /// the entry itself. If there are no statistics, rows are counted in the file, and that file is
    /// gone after a rewrite and a vacuum.
    pub(in crate::archive) async fn is_accepted(&self, version: u64) -> Result<bool, ArchiveError> {
        Ok(self.accepting(version).await?.is_some())
    }

    /// The entry by which a version is accepted, as [`Log::is_accepted`] has it.
    async fn accepting(&self, version: u64) -> Result<Option<(u64, Entry)>, ArchiveError> {
        let mut later = version + 1;
        while let Some(entry) = self.read(later).await? {
            if entry.commit_id.is_some() {
                let accepts = entry.repairs_after.is_none_or(|good| version <= good);
                return Ok(accepts.then_some((later, entry)));
            }
            later += 1;
        }
        Ok(None)
    }

    /// The version that the first repair of what follows `good` makes; `None` if there is no repair
    /// yet.
    async fn repaired(&self, good: &Snapshot) -> Result<Option<Followed>, ArchiveError> {
        let mut to = good.version();
        // Another log may have been in this one's place during the last search.
        let scanned = *self.scanned.lock();
        if let Some((of, version, link)) = scanned.filter(|(of, ..)| *of == to)
            && self.read(version).await?.is_some_and(|entry| entry.link == Some(link))
        {
            to = version.max(of);
        }
        let repairs = |entry: &Entry| entry.repairs_after == Some(good.version());
        while let Some(entry) = self.read(to + 1).await? {
            to += 1;
            if repairs(&entry) {
                let entries = (good.version() + 1..=to).map(|version| self.read(version));
                let entries = futures::future::try_join_all(entries).await?;
                let entries: Vec<_> = entries.into_iter().flatten().collect();
                let mut trail = Trail::default();
                (good.version() + 1..).zip(&entries).for_each(|(at, entry)| trail.add(at, entry));
                let snapshot = self.apply_repair(good, &entries)?;
                return Ok(Some(Followed { snapshot, at_head: false, trail }));
            }
            *self.scanned.lock() = entry.link.map(|link| (good.version(), to, link));
        }
        Ok(None)
    }

    /// The snapshot after all of `entries`, the last of which is a repair.
    fn apply_repair(&self, good: &Snapshot, entries: &[Entry]) -> Result<Snapshot, ArchiveError> {
        let next = good.repaired(entries)?;
        let protocol = entries.iter().rev().find_map(|entry| entry.protocol.as_ref());
        let metadata = entries.iter().rev().find_map(|entry| entry.metadata.as_ref());
        let table = good.table().changed(protocol, metadata);
        Ok(next.with_table(table.map_err(|error| error.in_entry(good.version() + 1))?))
    }

    /// The snapshot after an entry, checked.
    ///
    /// # Errors
    /// Refused, OtherLog or Newer.
    pub fn apply(&self, snapshot: &Snapshot, entry: &Entry) -> Result<Snapshot, ArchiveError> {
        self.apply_if(snapshot, entry, entry.commit_id.is_some())
    }

    fn apply_if(
        &self,
        snapshot: &Snapshot,
        entry: &Entry,
        accepted: bool,
    ) -> Result<Snapshot, ArchiveError> {
        let next = snapshot.next_if(entry, accepted)?;
        if entry.protocol.is_none() && entry.metadata.is_none() {
            return Ok(next);
        }
        let table = next.table().changed(entry.protocol.as_ref(), entry.metadata.as_ref());
        let table = table.map_err(|error| error.in_entry(next.version()))?;
        Ok(next.with_table(table))
    }

    /// Reads one entry; `None` if there is none.
    ///
    /// # Errors
    /// Corrupt or Unavailable.
    pub async fn read(&self, version: u64) -> Result<Option<Entry>, ArchiveError> {
        let Some(bytes) = self.read_bytes(version).await? else { return Ok(None) };
        let mut entry = entry::read(version, &bytes)?;
        for add in &mut entry.adds {
            row_counts::complete(&self.root, add).await?;
        }
        Ok(Some(entry))
    }

    /// The bytes of one entry; `None` if there is none.
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
    /// A store may answer "already exists" or an error although the put worked. So every answer but
    /// success is checked by reading: the entry is ours, absent (the same bytes are put again) or
    /// another's.
    ///
    /// # Errors
    /// Unavailable, with the put in doubt: the entry may exist at that version, or appear there
    /// later.
    pub async fn put(&self, version: u64, entry: &NewEntry) -> Result<Put, ArchiveError> {
        let started = tokio::time::Instant::now();
        loop {
            let bytes = CommitOrBytes::LogBytes(entry.bytes.clone());
            let answer = self.store.write_commit_entry(version, bytes, entry.commit_id).await;
            let Err(error) = answer else { return Ok(Put::Committed) };
            // "Already exists" comes from an entry that is as durable as a put makes it. After any
            // other answer even our own entry may not be durable (a disk that could not sync its
            // folder), so it is put again.
            let exists = matches!(error, TransactionError::VersionAlreadyExists(_));
            match self.read_surely(version).await {
                Ok(Some(found)) if found.commit_id != Some(entry.commit_id) => {
                    return Ok(Put::Lost(Box::new(found)));
                }
                // Its log may have been cleaned past the entry. Then the entry is put once more.
                Ok(Some(_)) if exists => return Ok(Put::Committed),
                Err(error) if error.kind() == Kind::Corrupt => return Err(error),
                _ if started.elapsed() < DOUBT => tokio::time::sleep(DOUBT_PAUSE).await,
                _ => {
                    let doing = format!("committing {}", paths::log_entry(version));
                    return Err(ArchiveError::unavailable(doing, error));
                }
            }
        }
    }

    /// Makes sure that the archive is the one that was opened.
    ///
    /// # Errors
    /// Unavailable, also if it is another archive.
    pub(in crate::archive) async fn check_anchor(&self) -> Result<(), ArchiveError> {
        let checked = self.anchor.check(self.raw.as_ref()).await;
        checked.map_err(|error| ArchiveError::unavailable("looking for the archive", error))
    }

    /// The number in the last `txn` action of a job, as of a version; `None` also if its checksum
    /// is wrong.
    ///
    /// # Errors
    /// Unavailable or Corrupt.
    pub async fn job_position(&self, job: &str, version: u64) -> Result<Option<i64>, ArchiveError> {
        let check = JobMark::check_app(job);
        let begin = <[Option<i64>; 2]>::default;
        let each = |[position, checked]: &mut [Option<i64>; 2], rows: &RecordBatch| {
            for (app, number) in described::numbers(rows)? {
                if app == job {
                    *position = Some(number);
                } else if app == check {
                    *checked = Some(number);
                }
            }
            Ok(())
        };
        let told = self.for_each_action(version, LogRetention::FOREVER, begin, each).await?;
        let [position, check] = told;
        let Some(position) = position else { return Ok(None) };
        let mark = JobMark { job: job.to_owned(), position };
        // Older programs wrote no checksum.
        Ok(Some(position).filter(|_| check.is_none_or(|check| check == mark.check())))
    }
}
