//! The archive: a Delta Lake table of events in object storage, and small records beside it.
//!
//! The only module that speaks to the object store. What it promises:
//! - an event is in the table at most once, whoever writes beside us (`writer`);
//! - a batch is acknowledged after its log entry stands (`writer`);
//! - a look that starts after an acknowledgement sees the event (`follow`);
//! - what it cannot count whole is an error that names the object, never a smaller number.

mod anchor;
mod anchored;
mod by_org;
mod cells;
mod chain;
mod checked_read;
mod checkpoint;
mod checksums;
mod cloud;
mod commits;
mod data_file;
mod date_rows;
mod disk;
mod durable;
mod entry;
mod error;
mod expiry;
mod file_layout;
mod file_read;
mod file_write;
mod follow;
mod footer;
mod foreign;
mod gather_rows;
mod group;
mod head_note;
mod ids;
mod job_mark;
mod known_ids;
mod ledger;
mod listing;
mod live_files;
mod location;
mod log;
mod merge_input;
#[cfg(test)]
mod mutation_tests;
mod newer;
mod objects;
mod old_ledgers;
mod opening;
mod org_claim;
mod pages;
mod partial;
mod passed_over;
mod paths;
mod place;
mod plain;
mod probe;
mod records;
mod reopening;
mod repair;
mod rewrite;
mod row_counts;
mod row_merge;
mod row_weights;
mod sealed;
mod snapshot;
mod stats;
mod store_check;
mod table;
mod thrift;
mod totals;
mod upkeep;
mod upload;
mod vacuum;
mod vouched;
mod weighed_read;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;
use tokio::sync::{Mutex, watch};

pub use self::by_org::ByOrg;
pub use self::cells::{CellBatches, CellReader, CellWriter};
pub use self::checked_read::{CheckedObject, CheckedReader};
pub use self::cloud::Cloud;
pub use self::data_file::{DataFile, ToldFile, date_of};
pub use self::error::ArchiveError;
pub use self::expiry::refuse_before_floor;
pub use self::file_read::IdReader;
pub use self::follow::FollowSettings;
pub use self::footer::{END_BYTES, FooterFlaw, check_footer, footer_range};
pub use self::foreign::{
    FOUND_BYTES_MAX as JUDGED_BYTES_MAX, Finding, ForeignRows, Judge, foreign_rows,
};
pub use self::ids::EventHash;
pub use self::job_mark::JobMark;
pub use self::ledger::{Ledger, LedgerName, Ledgers, NewLedger};
pub use self::live_files::{LiveFile, live_files_in};
pub use self::location::{ArchiveLocation, LocationError};
pub use self::newer::OfObject;
pub use self::objects::{FoundObject, Objects};
pub use self::opening::Creation;
pub use self::pages::GroupScan;
pub use self::partial::PartialMaker;
pub use self::paths::{
    ACCESS_KEYS, ORGS, PARTITION, access_key, access_key_hash, key_voucher, vouched_for,
};
pub use self::place::ArchivePlace;
pub use self::plain::Plain;
pub use self::probe::LogProbe;
pub use self::records::{RecordMark, Records, Stored};
pub use self::repair::{Broken, ForeignCommit, RepairPlan, Repairs};
pub use self::rewrite::Rewritten;
pub use self::row_weights::{pieces, with_views};
pub use self::sealed::{Form, Record};
pub use self::snapshot::{Arrival, Snapshot};
pub use self::store_check::StoreCheck;
pub use self::totals::{Totals, TotalsStore};
pub use self::vacuum::{GRACE_MAX, GRACE_MIN, StaleFiles, UNCOMMITTED_MAX};
pub use self::writer::Outcome;

use self::checkpoint::Checkpoints;
use self::commits::{Commits, FOLLOW_BEFORE_PUT};
use self::follow::Follower;
use self::head_note::HeadNotes;
use self::log::Log;
use self::upkeep::Upkeep;
use self::writer::{Committer, Writer};
use crate::clock::Clock;
use crate::event::{EventBatch, OrgId};
use crate::telemetry::Telemetry;

/// How the writer works.
#[derive(Debug, Clone)]
pub struct WriterSettings {
    /// The least time between the starts of two commits.
    pub commit_interval: Duration,
    /// Memory for known ids.
    pub dedupe_bytes_max: usize,
    /// Commits from one checkpoint of the log to the next.
    pub checkpoint_every: u64,
    /// Memory for batches that wait or are being committed.
    pub queue_bytes_max: usize,
    /// Makes the partials that new files carry; `None` for files without.
    pub partials: Option<Arc<dyn PartialMaker>>,
    /// Whether a table is made where none is.
    pub creation: Creation,
}

impl Default for WriterSettings {
    fn default() -> Self {
        Self {
            commit_interval: Duration::ZERO,
            dedupe_bytes_max: 512 << 20,
            checkpoint_every: 500,
            queue_bytes_max: 256 << 20,
            partials: None,
            creation: Creation::IfMissing,
        }
    }
}

/// An open archive.
#[derive(Debug)]
pub struct Archive {
    store: Arc<dyn ObjectStore>,
    commits: Arc<Commits>,
    writer: Writer,
    upkeep: Upkeep,
    records: Records,
    ledgers: Ledgers,
}

impl Archive {
    /// Opens the archive whose root `store` is, and makes its table where none is and one is to be.
    /// From then on nothing is written to the store, and nothing counts as absent from it, unless
    /// the newest log entry that is known is where it was.
    ///
    /// # Errors
    /// Corrupt, Unsupported or Unavailable.
    pub async fn open(
        store: Arc<dyn ObjectStore>,
        clock: Arc<dyn Clock>,
        telemetry: Telemetry,
        settings: WriterSettings,
        follow: FollowSettings,
    ) -> Result<Self, ArchiveError> {
        let place = ArchivePlace::new(store, clock.clone())?;
        Self::open_at(place, clock, telemetry, settings, follow).await
    }

    /// As [`Archive::open`], for whoever reads by the store of the place, too.
    ///
    /// # Errors
    /// As [`Archive::open`].
    pub async fn open_at(
        ArchivePlace { log }: ArchivePlace,
        clock: Arc<dyn Clock>,
        telemetry: Telemetry,
        settings: WriterSettings,
        follow: FollowSettings,
    ) -> Result<Self, ArchiveError> {
        let store = log.root();
        let creation = settings.creation;
        let follower =
            Follower::start(log.clone(), clock.clone(), telemetry.clone(), follow, creation)
                .await?;
        let checkpoints = Checkpoints::new(
            log.clone(),
            clock.clone(),
            telemetry.clone(),
            settings.checkpoint_every,
        );
        let turn = Mutex::default();
        let notes = HeadNotes::new(store.clone());
        let commits =
            Arc::new(Commits { log, follower, clock, telemetry, checkpoints, notes, turn });
        let upkeep = Upkeep {
            store: store.clone(),
            commits: commits.clone(),
            partials: settings.partials.clone(),
            judge: Judge::new(store.clone()),
        };
        let (writes, to) = (commits.clone(), store.clone());
        let writer = Writer::start(Committer { store: to, commits: writes, settings });
        let (records, ledgers) = (Records::new(store.clone()), Ledgers::new(store.clone()));
        Ok(Self { store, commits, writer, upkeep, records, ledgers })
    }

    /// True if there is a table in the archive whose root `store` is.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn exists(
        store: Arc<dyn ObjectStore>,
        clock: Arc<dyn Clock>,
    ) -> Result<bool, ArchiveError> {
        Log::new(store, clock)?.exists().await
    }

    /// The newest version that this process knows; no I/O.
    pub fn current(&self) -> Arc<Snapshot> {
        self.commits.follower.current()
    }

    /// The versions as this process learns of them.
    pub fn versions(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.commits.follower.versions()
    }

    /// The newest version: all that was acknowledged before this call, by any process, is in it.
    ///
    /// # Errors
    /// Unavailable or Corrupt.
    pub async fn newest(&self) -> Result<Arc<Snapshot>, ArchiveError> {
        self.commits.follower.newest().await
    }

    /// As [`Archive::newest`], but content with what was newest up to `staleness_max` ago.
    ///
    /// # Errors
    /// Unavailable or Corrupt.
    pub async fn fresh(&self, staleness_max: Duration) -> Result<Arc<Snapshot>, ArchiveError> {
        if !staleness_max.is_zero() && self.commits.follower.age() <= staleness_max {
            return Ok(self.current());
        }
        self.newest().await
    }

    /// Commits a batch: on return its events are durable, and every look that starts later sees
    /// them.
    ///
    /// # Errors
    /// Unavailable (safe to send again) or Corrupt.
    pub async fn submit(&self, batch: EventBatch) -> Result<Outcome, ArchiveError> {
        self.writer.submit(vec![batch], None).await
    }

    /// As [`Archive::submit`], of several batches in one commit, which also says how far a job is.
    /// Without a batch it says only that.
    ///
    /// # Errors
    /// As [`Archive::submit`].
    pub async fn submit_part(
        &self,
        batches: Vec<EventBatch>,
        mark: Option<JobMark>,
    ) -> Result<Outcome, ArchiveError> {
        self.writer.submit(batches, mark).await
    }

    /// How far a job was by its last commit; `None` if it made none.
    ///
    /// # Errors
    /// Unavailable or Corrupt.
    pub async fn job_position(&self, job: &str) -> Result<Option<i64>, ArchiveError> {
        let version = self.commits.follower.newest().await?.version();
        self.commits.log.job_position(job, version).await
    }

    /// Moves the events of live files of one date into one new file, or those of the first ones, if
    /// memory has no room for all; no event changes. `None` if another has removed one meanwhile.
    ///
    /// # Errors
    /// Corrupt, naming the file, if one is damaged; `NotMerged`; Unavailable.
    pub async fn rewrite(
        &self,
        files: &[Arc<DataFile>],
    ) -> Result<Option<Rewritten>, ArchiveError> {
        self.upkeep.rewrite(files).await
    }

    /// Time by the clock that counts sleep.
    pub fn elapsed(&self) -> Duration {
        self.commits.clock.elapsed()
    }

    /// Finds the data files and ledgers that no version has named for longer than `grace`.
    ///
    /// # Errors
    /// Unavailable or Corrupt.
    pub async fn stale_files(&self, grace: Duration) -> Result<StaleFiles, ArchiveError> {
        self.upkeep.stale_files(grace).await
    }

    /// Deletes such files, behind an empty commit. Gives how many.
    ///
    /// # Errors
    /// Unavailable or Corrupt; some may be deleted.
    pub async fn vacuum(&self, stale: StaleFiles) -> Result<usize, ArchiveError> {
        self.upkeep.vacuum(stale).await
    }

    /// Claims an organisation's name, as [`Records::claim_org`] does. A process that stood still for
    /// long looks for the newest version first: without it nothing is written.
    ///
    /// # Errors
    /// As [`Records::claim_org`], and as [`Archive::newest`].
    pub async fn claim_org(&self, org_id: &OrgId) -> Result<(), ArchiveError> {
        if self.commits.follower.age() > FOLLOW_BEFORE_PUT {
            self.newest().await?;
        }
        self.records.claim_org(org_id).await
    }

    /// The records beside the table.
    pub fn records(&self) -> &Records {
        &self.records
    }

    /// The totals of what has expired.
    pub fn ledgers(&self) -> &Ledgers {
        &self.ledgers
    }

    /// The object store, rooted at the archive, for the scans of `sql`.
    pub fn store(&self) -> Arc<dyn ObjectStore> {
        self.store.clone()
    }

    /// What judges files that other programs wrote.
    pub fn judge(&self) -> &Judge {
        &self.upkeep.judge
    }

    /// The fingerprints of all events in a file, every byte of which is checked on the way.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the file.
    pub async fn event_hashes(&self, file: &Arc<DataFile>) -> Result<Vec<EventHash>, ArchiveError> {
        self.id_reader().checked(file).await
    }

    /// What reads the ids in files.
    pub fn id_reader(&self) -> IdReader {
        IdReader::new(self.store.clone(), self.current().table().hasher)
    }

    /// Commits what waits, notes the newest commit, and takes nothing more.
    pub async fn close(&self) {
        self.writer.stop().await;
        self.commits.notes.write().await;
    }

    /// Returns when the archive can no longer be followed or written: after [`Archive::close`],
    /// or by a defect.
    pub async fn ended(&self) {
        tokio::select! {
            () = self.writer.ended() => {}
            () = self.commits.follower.ended() => {}
        }
    }
}
