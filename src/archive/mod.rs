//! The archive: a Delta Lake table of events in object storage, and small records next to it.
//!
//! All writes to an archive go through this module. It promises:
//! - an event is in the table at most once, even while other processes write (`writer`);
//! - a batch is acknowledged only once its log entry is durable (`writer`);
//! - a look that starts after an acknowledgement sees the event (`follow`);
//! - an incomplete count is never returned: an error names the object instead.

// Each group imports only from those above it; a test checks this.
mod chain;
mod error;
mod grace;
mod ledger_name;
mod paths;

mod store;

mod reports;

mod parquet;

mod file;

mod outside;

mod log;

mod sums;

mod versions;

mod write;

mod upkeep;

#[cfg(test)]
mod mutation_tests;

use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;
use tokio::sync::{Mutex, watch};

pub use self::error::ArchiveError;
pub use self::file::by_org::ByOrg;
pub use self::file::data_file::{DataFile, ScanFile, date_of};
pub use self::file::file_read::IdReader;
pub use self::file::foreign::{ForeignRows, foreign_rows};
pub use self::file::lossless::LosslessColumns;
pub use self::file::partial_maker::{CellsError, FurtherKind, MadeCells, PartialMaker};
pub use self::file::{ids::EventHash, orgs_among::orgs_among, stored_rows::stored_rows};
pub use self::grace::{GRACE_MAX, GRACE_MIN, UNCOMMITTED_MAX};
pub use self::ledger_name::LedgerName;
pub use self::log::archive_mark::ArchiveMark;
pub use self::log::snapshot::{Arrival, Snapshot};
pub use self::log::{job_mark::JobMark, newer::OfObject, place::ArchivePlace};
pub use self::outside::live_files::{LiveFile, live_files_in};
pub use self::outside::objects::{FoundObject, Objects};
pub use self::parquet::cells::{CellBatches, CellReader, CellWriter};
pub use self::parquet::checked_read::{CheckedObject, CheckedReader};
pub use self::parquet::footer::{END_BYTES, FooterFlaw, check_footer, footer_range};
pub use self::parquet::row_weights::{pieces, with_views};
pub use self::parquet::{columns::first_row, object_note::ObjectNote, pages::GroupScan};
pub use self::paths::{
    ACCESS_KEYS, BUDGETS, CROSSINGS, OPEN_CROSSINGS, PARTITION, USES, access_key, access_key_hash,
    budget_edition, budget_of, budgets_of, crossings_of, key_use, key_voucher, prices, vouched_for,
};
pub use self::reports::{
    Dollars, ImportedRows, LINE_ITEM, NewReportPart, REPORT_MODEL, ReportFigures, ReportGroup,
    ReportKey, ReportName, ReportPart, ReportRow, ReportSpan, Reports, ReportsError,
};
pub use self::store::records::{RecordMark, Records, Stored};
pub use self::store::sealed::{Record, SealState};
pub use self::store::store_check::StoreCheck;
pub use self::store::{cloud::Cloud, location::ArchiveLocation};
pub use self::store::{location_error::LocationError, probe::LogProbe};
pub use self::sums::ledger::{Ledger, LedgerCells, Ledgers, NewLedger};
pub use self::sums::totals::{Totals, TotalsStore};
pub use self::upkeep::declaration::Declared;
pub use self::upkeep::judge::{FOUND_BYTES_MAX as JUDGED_BYTES_MAX, Finding, Judge};
pub use self::upkeep::repair::{Broken, ForeignCommit, RepairPlan, Repairs};
pub use self::upkeep::{rewrite::Rewritten, vacuum::StaleFiles};
pub use self::versions::follow::FollowSettings;
pub use self::versions::opening::Creation;
pub use self::write::{floor::refuse_before_floor, writer::Committed, writer::WriterSettings};

use self::log::Log;
use self::log::checkpoint::Checkpoints;
use self::log::head_note::HeadNotes;
use self::upkeep::Upkeep;
use self::versions::commits::{Commits, FOLLOW_BEFORE_PUT};
use self::versions::follow::Follower;
use self::write::writer::{Committer, Writer};
use crate::clock::Clock;
use crate::event::{DimensionError, Dimensions, EventBatch, OrgId};
use crate::telemetry::Telemetry;

/// An open archive.
#[derive(Debug)]
pub struct Archive {
    store: Arc<dyn ObjectStore>,
    commits: Arc<Commits>,
    writer: Writer,
    upkeep: Upkeep,
    records: Records,
    ledgers: Ledgers,
    judge: Judge,
}

impl Archive {
    /// Opens the archive at the root of `store`. Creates its table if there is none and the
    /// settings allow it. From then on, nothing is written to the store and no object counts as
    /// absent unless the newest known log entry is still in its place. New files carry no partials.
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
        Self::open_at(place, clock, telemetry, None, settings, follow).await
    }

    /// As [`Archive::open`], for callers that also read through the place's store. New files carry
    /// what `partials` makes of their rows; without it they carry no partial.
    ///
    /// # Errors
    /// As [`Archive::open`].
    pub async fn open_at(
        ArchivePlace { log }: ArchivePlace,
        clock: Arc<dyn Clock>,
        telemetry: Telemetry,
        partials: Option<Arc<dyn PartialMaker>>,
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
            partials: partials.clone(),
            judge: Judge::new(store.clone()).noting(),
        };
        let judge = Judge::new(store.clone());
        let (writes, to) = (commits.clone(), store.clone());
        let writer = Writer::start(Committer { store: to, commits: writes, partials, settings });
        let (records, ledgers) = (Records::new(store.clone()), Ledgers::new(store.clone()));
        Ok(Self { store, commits, writer, upkeep, records, ledgers, judge })
    }

    /// True if the archive at the root of `store` has a table.
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

    /// The newest version. It contains everything that any process acknowledged before this call.
    ///
    /// # Errors
    /// Unavailable or Corrupt.
    pub async fn newest(&self) -> Result<Arc<Snapshot>, ArchiveError> {
        self.commits.follower.newest().await
    }

    /// As [`Archive::newest`], but also accepts the version that was newest up to `staleness_max`
    /// ago.
    ///
    /// # Errors
    /// Unavailable or Corrupt.
    pub async fn fresh(&self, staleness_max: Duration) -> Result<Arc<Snapshot>, ArchiveError> {
        if !staleness_max.is_zero() && self.commits.follower.age() <= staleness_max {
            return Ok(self.current());
        }
        self.newest().await
    }

    /// The newest version, if what failed at `snapshot` may succeed there; otherwise `None`. An
    /// object is reported as damaged or missing only if it is part of the newest version.
    ///
    /// # Errors
    /// As [`Archive::newest`].
    pub async fn newer(
        &self,
        snapshot: &Snapshot,
        error: &impl OfObject,
    ) -> Result<Option<Arc<Snapshot>>, ArchiveError> {
        if error.object().is_none() {
            return Ok(None);
        }
        let newest = self.newest().await?;
        Ok(newest.explains(error, snapshot).then_some(newest))
    }

    /// Does `work` at `snapshot`. Repeats it at the newest version for as long as it fails on files
    /// that others have rewritten and removed. Each attempt is at a newer version; only the
    /// caller's deadline limits their number.
    ///
    /// # Errors
    /// The error of the work, if no newer version explains it; or as [`Archive::newest`].
    pub async fn at_newest<T, E, W>(
        &self,
        mut snapshot: Arc<Snapshot>,
        mut work: impl FnMut(Arc<Snapshot>) -> W,
    ) -> Result<T, E>
    where
        E: OfObject + From<ArchiveError>,
        W: Future<Output = Result<T, E>>,
    {
        loop {
            let error = match work(snapshot.clone()).await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            match self.newer(&snapshot, &error).await? {
                Some(newest) => snapshot = newest,
                None => return Err(error),
            }
        }
    }

    /// Commits a batch: on return its events are durable, and every look that starts later sees
    /// them.
    ///
    /// # Errors
    /// Unavailable (safe to send again) or Corrupt.
    pub async fn submit(&self, batch: EventBatch) -> Result<Committed, ArchiveError> {
        self.writer.submit(vec![batch], None).await
    }

    /// As [`Archive::submit`], for several batches in one commit, which also records how far a job
    /// has got. Without batches it records only that.
    ///
    /// # Errors
    /// As [`Archive::submit`].
    pub async fn submit_part(
        &self,
        batches: Vec<EventBatch>,
        mark: Option<JobMark>,
    ) -> Result<Committed, ArchiveError> {
        self.writer.submit(batches, mark).await
    }

    /// How far a job had got at its last commit; `None` if it has made none.
    ///
    /// # Errors
    /// Unavailable or Corrupt.
    pub async fn job_position(&self, job: &str) -> Result<Option<i64>, ArchiveError> {
        let version = self.commits.follower.newest().await?.version();
        self.commits.log.job_position(job, version).await
    }

    /// Moves the events of live files of one date into one new file. If memory has no room for all,
    /// only the first files are moved. No event changes. `None` if another process has removed one
    /// of the files meanwhile.
    ///
    /// # Errors
    /// Corrupt, naming the file, if one is damaged; `NotMerged`; Unavailable.
    pub async fn rewrite(
        &self,
        files: &[Arc<DataFile>],
    ) -> Result<Option<Rewritten>, ArchiveError> {
        self.upkeep.rewrite(files).await
    }

    /// Takes all live files before the floor of `ledger` out of the table. The commit makes the
    /// version after `snapshot` and names the ledger, which must contain the totals of these files.
    /// `None` if another commit came first: the expiry must then be planned anew.
    ///
    /// # Errors
    /// Unavailable, in which case the commit may exist or still appear; or Corrupt.
    pub async fn expire(
        &self,
        snapshot: &Snapshot,
        ledger: LedgerName,
    ) -> Result<Option<Arc<Snapshot>>, ArchiveError> {
        self.upkeep.expire(snapshot, ledger).await
    }

    /// Makes the archive's dimensions what `change` makes of them; `None` of it leaves them as they are.
    ///
    /// # Errors
    /// Unavailable, in which case the commit may exist or still appear; or Corrupt.
    pub async fn declare(
        &self,
        change: impl Fn(&Dimensions) -> Result<Option<Dimensions>, DimensionError> + Send,
    ) -> Result<Declared, ArchiveError> {
        self.upkeep.declare(change).await
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

    /// Deletes stale files, after an empty commit (the fence). Returns how many.
    ///
    /// # Errors
    /// Unavailable or Corrupt; some may be deleted.
    pub async fn vacuum(&self, stale: StaleFiles) -> Result<usize, ArchiveError> {
        self.upkeep.vacuum(stale).await
    }

    /// As [`Records::claim_org`]. A process that has not followed the log for a while looks first.
    ///
    /// # Errors
    /// As [`Records::claim_org`], and as [`Archive::newest`].
    pub async fn claim_org(&self, org_id: &OrgId) -> Result<(), ArchiveError> {
        if self.commits.follower.age() > FOLLOW_BEFORE_PUT {
            self.newest().await?;
        }
        self.records.claim_org(org_id).await
    }

    /// The records next to the table.
    pub fn records(&self) -> &Records {
        &self.records
    }

    /// The totals of expired events.
    pub fn ledgers(&self) -> &Ledgers {
        &self.ledgers
    }

    /// The object store, rooted at the archive, for the scans of `sql`.
    pub fn store(&self) -> Arc<dyn ObjectStore> {
        self.store.clone()
    }

    /// A judge of files that other programs wrote, who writes nothing.
    pub fn judge(&self) -> &Judge {
        &self.judge
    }

    /// The fingerprints of all events in a file. Every byte of the file is checked.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the file.
    pub async fn event_hashes(&self, file: &Arc<DataFile>) -> Result<Vec<EventHash>, ArchiveError> {
        self.id_reader().checked(file).await
    }

    /// A reader of the ids in files.
    pub fn id_reader(&self) -> IdReader {
        IdReader::new(self.store.clone(), self.current().table().hasher)
    }

    /// Commits the waiting batches, notes the newest commit, and accepts no more batches.
    pub async fn close(&self) {
        self.writer.stop().await;
        self.commits.notes.write().await;
    }

    /// Returns when the archive is no longer followed or written: it is closed, or by a defect.
    pub async fn ended(&self) {
        tokio::select! {
            () = self.writer.ended() => {}
            () = self.commits.follower.ended() => {}
        }
    }
}
