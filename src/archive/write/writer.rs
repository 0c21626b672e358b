//! Group commit: one commit is under way at a time, and work that arrives meanwhile forms the next.
//! A caller is answered only once its log entry is durable.

use std::sync::Arc;
use std::time::Duration;

use deltalake_core::kernel::{Action, Transaction};
use object_store::ObjectStore;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::floor::{AboveFloor, gather};
use super::foreign_check::ForeignCheck;
use super::group::{FileSettings, Group};
use super::known_ids::KnownIds;
use crate::archive::error::ArchiveError;
use crate::archive::file::file_read::IdReader;
use crate::archive::file::new_cells::Making;
use crate::archive::file::partial_maker::PartialMaker;
use crate::archive::log::entry::NewEntry;
use crate::archive::log::job_mark::JobMark;
use crate::archive::log::snapshot::Snapshot;
use crate::archive::versions::commits::{Commits, FOLLOW_BEFORE_PUT};
use crate::archive::versions::opening::Creation;
use crate::event::{EventBatch, Rejection};
use crate::telemetry::Telemetry;

/// Rows of one commit; more wait for the next.
const GROUP_ROWS_MAX: usize = 256 * 1024;
/// Batches that may wait; beyond that, ingest reports that it is overloaded.
const QUEUE_MAX: usize = 1_024;

/// How the writer works.
#[derive(Debug, Clone)]
pub struct WriterSettings {
    /// The minimum time between the starts of two commits.
    pub commit_interval: Duration,
    /// Memory for known ids.
    pub dedupe_bytes_max: usize,
    /// Commits from one checkpoint of the log to the next.
    pub checkpoint_every: u64,
    /// Memory for batches that wait or are being committed.
    pub queue_bytes_max: usize,
    /// Whether a table is created if there is none.
    pub creation: Creation,
}

impl Default for WriterSettings {
    fn default() -> Self {
        Self {
            commit_interval: Duration::ZERO,
            dedupe_bytes_max: 512 << 20,
            checkpoint_every: 500,
            queue_bytes_max: 256 << 20,
            creation: Creation::IfMissing,
        }
    }
}

/// The outcome for one caller's batches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Committed {
    /// Events that the commit added.
    pub accepted: usize,
    /// Events that the table already had.
    pub duplicates: usize,
    /// Events before the floor date, batch by batch.
    pub rejected: Vec<Rejection>,
}

type CommitReply = oneshot::Sender<Result<Committed, ArchiveError>>;

struct Submission {
    batches: Vec<EventBatch>,
    mark: Option<JobMark>,
    reply: CommitReply,
    _bytes: OwnedSemaphorePermit,
}

impl Submission {
    fn rows(&self) -> usize {
        self.batches.iter().map(EventBatch::len).sum()
    }
}

/// Batches and marks that are committed together.
struct CommitWork {
    batches: Arc<Vec<EventBatch>>,
    marks: Vec<JobMark>,
}

/// The caller waiting for this commit.
struct Waiter {
    /// How many of the batches are the caller's.
    batches: usize,
    reply: CommitReply,
    _bytes: OwnedSemaphorePermit,
}

/// Takes batches and commits them.
#[derive(Debug)]
pub struct Writer {
    queue: mpsc::Sender<Submission>,
    bytes: Arc<Semaphore>,
    bytes_max: usize,
    telemetry: Telemetry,
    stop: CancellationToken,
    ended: CancellationToken,
}

/// The task that commits.
pub(in crate::archive) struct Committer {
    pub store: Arc<dyn ObjectStore>,
    pub commits: Arc<Commits>,
    /// Makes the partials that new files carry; `None` for files without.
    pub partials: Option<Arc<dyn PartialMaker>>,
    pub check: Arc<dyn ForeignCheck>,
    pub settings: WriterSettings,
}

impl Writer {
    /// Starts the task that commits.
    pub(in crate::archive) fn start(committer: Committer) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        let bytes_max = committer.settings.queue_bytes_max.min(Semaphore::MAX_PERMITS);
        let bytes = Arc::new(Semaphore::new(bytes_max));
        let telemetry = committer.commits.telemetry.clone();
        let (stop, ended) = (CancellationToken::new(), CancellationToken::new());
        let guard = ended.clone().drop_guard();
        let work = committer.run(waiting, stop.clone());
        tokio::spawn(async move {
            let _ended = guard;
            work.await;
        });
        Self { queue, bytes, bytes_max, telemetry, stop, ended }
    }

    /// Commits batches, and with them how far a job has got. On return their events are durable,
    /// and every look that starts later sees them.
    ///
    /// # Errors
    /// Unavailable if storage cannot be reached or the queue is full: the batches may or may not be
    /// committed, and sending them again is safe. Corrupt if a file that must be searched for ids
    /// is damaged.
    pub async fn submit(
        &self,
        batches: Vec<EventBatch>,
        mark: Option<JobMark>,
    ) -> Result<Committed, ArchiveError> {
        if mark.is_none() && batches.iter().all(EventBatch::is_empty) {
            return Ok(Committed::default());
        }
        // A batch larger than the queue waits for all of it, alone.
        let sizes = batches.iter().map(|batch| batch.record_batch().get_array_memory_size());
        let size = u32::try_from(sizes.sum::<usize>().min(self.bytes_max)).unwrap_or(u32::MAX);
        let bytes = self.bytes.clone().try_acquire_many_owned(size);
        let bytes =
            bytes.map_err(|_| ArchiveError::Overloaded("too many bytes wait to be committed"))?;
        let (reply, answer) = oneshot::channel();
        let submission = Submission { batches, mark, reply, _bytes: bytes };
        self.queue.try_send(submission).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => ArchiveError::Overloaded("too many batches wait"),
            mpsc::error::TrySendError::Closed(_) => ArchiveError::Stopping,
        })?;
        self.show_waiting();
        let answer = answer.await.map_err(|_| ArchiveError::Stopping)?;
        self.show_waiting();
        answer
    }

    fn show_waiting(&self) {
        let waiting = self.bytes_max.saturating_sub(self.bytes.available_permits());
        self.telemetry.ingest.in_flight_bytes.set(waiting);
    }

    /// Commits the waiting batches, accepts no more, and returns when that is done.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.ended.cancelled().await;
    }

    /// Returns when nothing more is committed: after [`Writer::stop`], or because of a defect.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }
}

impl Committer {
    async fn run(self, mut waiting: mpsc::Receiver<Submission>, stop: CancellationToken) {
        let hasher = self.commits.follower.current().table().hasher;
        let reader = IdReader::new(self.store.clone(), hasher);
        let (budget, check) = (self.settings.dedupe_bytes_max, self.check.clone());
        let mut known = KnownIds::new(budget, reader, check, self.commits.telemetry.clone());
        let mut last: Option<Instant> = None;
        loop {
            let first = tokio::select! {
                first = waiting.recv() => first,
                () = stop.cancelled(), if !waiting.is_closed() => {
                    waiting.close();
                    continue;
                }
            };
            let Some(first) = first else { return };
            if let Some(last) = last {
                tokio::time::sleep_until(last + self.settings.commit_interval).await;
            }
            last = Some(Instant::now());
            let group = take_group(first, &mut waiting);
            let (work, replies) = gathered(group);
            match self.commit(work, &mut known).await {
                Ok(committed) => self.answer(committed, replies),
                Err(error) => {
                    tracing::warn!(%error, batches = replies.len(), "commit failed");
                    for waiting in replies {
                        // A caller that has gone away needs no answer.
                        drop(waiting.reply.send(Err(error.clone())));
                    }
                }
            }
        }
    }

    fn answer(&self, committed: AboveFloor, replies: Vec<Waiter>) {
        let counts = committed.group.counts();
        let mut rejections = committed.rejected.into_iter();
        let mut batch = 0;
        for waiting in replies {
            let rejected: Vec<_> = rejections.by_ref().take(waiting.batches).flatten().collect();
            let theirs = (batch..batch + waiting.batches).filter_map(|batch| counts.get(&batch));
            let (accepted, duplicates) =
                theirs.fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
            batch += waiting.batches;
            self.commits.telemetry.ingest.accepted.add(accepted);
            self.commits.telemetry.ingest.duplicates.add(duplicates);
            self.commits.telemetry.ingest.rejected.add(rejected.len());
            drop(waiting.reply.send(Ok(Committed { accepted, duplicates, rejected })));
        }
    }

    /// Looks for known ids, writes files, puts the entry. After a lost race, all of it is done
    /// again against the newer version.
    async fn commit(
        &self,
        work: CommitWork,
        known: &mut KnownIds,
    ) -> Result<AboveFloor, ArchiveError> {
        let began = std::time::Instant::now();
        let _turn = self.commits.turn.lock().await;
        let mut snapshot = self.commits.follower.current();
        if self.commits.follower.age() > FOLLOW_BEFORE_PUT {
            snapshot = self.commits.follower.newest().await?;
        }
        let CommitWork { batches, marks } = work;
        let only_marks = batches.is_empty();
        let mut gathered = gather(batches.clone(), &snapshot).await?;
        let mut looked_at = None;
        loop {
            let group = &mut gathered.group;
            let marked_at = looked_at.unwrap_or(snapshot.version());
            snapshot = self.mark_known(group, known, snapshot, looked_at).await?;
            looked_at = Some(snapshot.version());
            if snapshot.floor() != gathered.floor || !snapshot.continues(marked_at) {
                // An expiry came first: what has expired must not be counted again. Or a repair,
                // which may have taken out events that are marked as known.
                gathered = gather(batches.clone(), &snapshot).await?;
                looked_at = None;
                continue;
            }
            group.forget_old_files(self.commits.clock.elapsed());
            group.write_files(&self.file_settings(&snapshot)).await?;
            if group.files().is_empty() && !only_marks {
                // Known events count as duplicates only if this is still the right archive, and
                // nobody has taken them out.
                let known_at =
                    std::mem::replace(&mut snapshot, self.commits.follower.newest().await?);
                if snapshot.continues(known_at.version()) {
                    return Ok(gathered);
                }
                continue;
            }
            let entry = self.entry(&snapshot, group, &marks)?;
            let version = snapshot.version() + 1;
            if self.commits.put(version, &entry).await?.is_some() {
                remember(group, known, version);
                self.commits.telemetry.archive.commit_durations.observe(began.elapsed());
                return Ok(gathered);
            }
            snapshot = self.commits.follower.newest().await?;
        }
    }

    fn file_settings(&self, snapshot: &Snapshot) -> FileSettings {
        let dimensions = &snapshot.table().dimensions;
        let maker = self.partials.clone();
        FileSettings {
            store: self.store.clone(),
            making: maker.map(|maker| Making { maker, dimensions: dimensions.clone() }),
            now: self.commits.clock.now(),
            elapsed: self.commits.clock.elapsed(),
        }
    }

    fn entry(
        &self,
        snapshot: &Snapshot,
        group: &Group,
        marks: &[JobMark],
    ) -> Result<NewEntry, ArchiveError> {
        let now = self.commits.clock.now();
        let adds = group.files().values().map(|file| Action::Add(file.add.clone()));
        let numbers = marks.iter().flat_map(|mark| {
            let check = (JobMark::check_app(&mark.job), mark.check());
            [(mark.job.clone(), mark.position), check]
        });
        let marks = numbers.map(|(app_id, version)| {
            Action::Txn(Transaction { app_id, version, last_updated: Some(now / 1_000) })
        });
        let actions = adds.chain(marks);
        if group.files().is_empty() {
            return self.commits.entry_after(snapshot, "WRITE", actions.collect());
        }
        self.commits.entry_with_files(snapshot, "WRITE", actions, group.format())
    }

    /// Marks the events that the table has at `snapshot`, or at the newer version that it returns.
    /// `looked_at` is the version up to which they are marked already.
    async fn mark_known(
        &self,
        group: &mut Group,
        known: &mut KnownIds,
        mut snapshot: Arc<Snapshot>,
        looked_at: Option<u64>,
    ) -> Result<Arc<Snapshot>, ArchiveError> {
        if let Some(since) = looked_at
            && matches!(group.mark_arrived(known, since, &snapshot).await, Ok(true))
        {
            return Ok(snapshot);
        }
        while let Err(error) = group.mark_known(known, &snapshot).await {
            // A file that was rewritten since may be gone; its ids are in another.
            let newest = self.commits.follower.newest().await?;
            if newest.version() == snapshot.version() {
                return Err(error);
            }
            snapshot = newest;
        }
        Ok(snapshot)
    }
}

/// Adds the committed ids to those that are known.
fn remember(group: &mut Group, known: &mut KnownIds, version: u64) {
    let files = group.files().iter().map(|(date, file)| (*date, file.add.path.as_str().into()));
    for (date, path) in files.collect::<Vec<_>>() {
        known.insert(version, date, path, group.take_ids(date));
    }
    known.inserted(version);
}

fn take_group(first: Submission, waiting: &mut mpsc::Receiver<Submission>) -> Vec<Submission> {
    let mut rows = first.rows();
    let mut group = vec![first];
    while rows < GROUP_ROWS_MAX {
        let Ok(next) = waiting.try_recv() else { break };
        rows += next.rows();
        group.push(next);
    }
    group
}

fn gathered(group: Vec<Submission>) -> (CommitWork, Vec<Waiter>) {
    let (mut all, mut marks) = (Vec::new(), Vec::new());
    let mut replies = Vec::with_capacity(group.len());
    for Submission { batches, mark, reply, _bytes } in group {
        replies.push(Waiter { batches: batches.len(), reply, _bytes });
        all.extend(batches);
        marks.extend(mark);
    }
    (CommitWork { batches: Arc::new(all), marks }, replies)
}
