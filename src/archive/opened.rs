//! An open archive: what the other modules ask of it, handed to the part that does it.

use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;
use tokio::sync::{Mutex, watch};

use super::error::ArchiveError;
use super::file::data_file::DataFile;
use super::file::file_read::IdReader;
use super::file::ids::EventHash;
use super::file::partial_maker::PartialMaker;
use super::ledger_name::LedgerName;
use super::log::Log;
use super::log::checkpoint::Checkpoints;
use super::log::head_note::HeadNotes;
use super::log::job_mark::JobMark;
use super::log::newer::OfObject;
use super::log::place::ArchivePlace;
use super::log::snapshot::Snapshot;
use super::store::records::Records;
use super::sums::ledger::Ledgers;
use super::upkeep::Upkeep;
use super::upkeep::declaration::Declared;
use super::upkeep::judge::Judge;
use super::upkeep::rewrite::Rewritten;
use super::upkeep::vacuum::StaleFiles;
use super::versions::commits::{Commits, FOLLOW_BEFORE_PUT};
use super::versions::follow::{FollowSettings, Follower};
use super::write::writer::{Committed, Committer, Writer, WriterSettings};
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
        let judge = Arc::new(Judge::new(store.clone()).noting());
        let upkeep = Upkeep {
            store: store.clone(),
            commits: commits.clone(),
            partials: partials.clone(),
            judge: judge.clone(),
        };
        let writer = Writer::start(Committer {
            store: store.clone(),
            commits: commits.clone(),
            partials,
            check: judge,
            settings,
        });
        let (records, ledgers) = (Records::new(store.clone()), Ledgers::new(store.clone()));
        let judge = Judge::new(store.clone());
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

    /// Whether commits after the known version are refused, as this process learns of it.
    pub fn refusals(&self) -> watch::Receiver<bool> {
        self.commits.follower.refusals()
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

    /// A judge of files that other programs wrote, who writes nothing.
    pub fn judge(&self) -> &Judge {
        &self.judge
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
