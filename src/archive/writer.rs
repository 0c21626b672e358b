//! Group commit: one commit is under way at a time, and work that arrives meanwhile forms the
//! next. Whoever submitted is answered after the log entry stands, never before.

use std::sync::Arc;
use std::time::Duration;

use deltalake_core::kernel::Action;
use object_store::ObjectStore;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::checkpoint::Checkpoints;
use super::entry;
use super::file_read::IdReader;
use super::follow::Follower;
use super::group::{FileSettings, Group};
use super::known_ids::KnownIds;
use super::log::{Log, Put};
use super::snapshot::Snapshot;
use super::{ArchiveError, WriterSettings};
use crate::clock::Clock;
use crate::event::EventBatch;
use crate::telemetry::Telemetry;

/// Rows of one commit; more wait for the next.
const GROUP_ROWS_MAX: usize = 256 * 1024;
/// Batches that may wait; beyond it ingest says that it is overloaded.
const QUEUE_MAX: usize = 1_024;

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Events that the commit added.
    pub accepted: usize,
    /// Events that stood already.
    pub duplicates: usize,
}

type Reply = oneshot::Sender<Result<Outcome, ArchiveError>>;

struct Submission {
    batch: EventBatch,
    reply: Reply,
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

/// What a commit needs.
pub(super) struct Committer {
    pub store: Arc<dyn ObjectStore>,
    pub log: Log,
    pub follower: Arc<Follower>,
    pub clock: Arc<dyn Clock>,
    pub telemetry: Telemetry,
    pub checkpoints: Checkpoints,
    pub settings: WriterSettings,
}

impl Writer {
    /// Starts the task that commits.
    pub(super) fn start(committer: Committer) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        let bytes_max = committer.settings.queue_bytes_max.min(Semaphore::MAX_PERMITS);
        let bytes = Arc::new(Semaphore::new(bytes_max));
        let telemetry = committer.telemetry.clone();
        let (stop, ended) = (CancellationToken::new(), CancellationToken::new());
        let guard = ended.clone().drop_guard();
        let work = committer.run(waiting, stop.clone());
        tokio::spawn(async move {
            let _ended = guard;
            work.await;
        });
        Self { queue, bytes, bytes_max, telemetry, stop, ended }
    }

    /// Commits a batch: on return its events are durable, and every look that starts later sees
    /// them.
    ///
    /// # Errors
    /// Unavailable if storage is away or the queue is full: the batch may or may not stand, and
    /// sending it again is safe. Corrupt if a file that must be asked for ids is damaged.
    pub async fn submit(&self, batch: EventBatch) -> Result<Outcome, ArchiveError> {
        if batch.is_empty() {
            return Ok(Outcome { accepted: 0, duplicates: 0 });
        }
        // A batch larger than the queue waits for all of it, alone.
        let size = batch.record_batch().get_array_memory_size().min(self.bytes_max);
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        let bytes = self.bytes.clone().try_acquire_many_owned(size);
        let bytes =
            bytes.map_err(|_| ArchiveError::Overloaded("too many bytes wait to be committed"))?;
        let (reply, answer) = oneshot::channel();
        let submission = Submission { batch, reply, _bytes: bytes };
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

    /// Commits what waits, takes nothing more, and returns when that is done.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.ended.cancelled().await;
    }

    /// Returns when nothing is committed any longer: after [`Writer::stop`], or by a defect.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }
}

impl Committer {
    async fn run(self, mut waiting: mpsc::Receiver<Submission>, stop: CancellationToken) {
        let hasher = self.follower.current().table().hasher;
        let reader = IdReader::new(self.store.clone(), hasher);
        let budget = self.settings.dedupe_bytes_max;
        let mut known = KnownIds::new(budget, reader, self.telemetry.clone());
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
            let (batches, replies): (Vec<_>, Vec<_>) =
                group.into_iter().map(|one| (one.batch, (one.reply, one._bytes))).unzip();
            match self.commit(batches, &mut known).await {
                Ok(group) => self.answer(&group, replies),
                Err(error) => {
                    tracing::warn!(%error, batches = replies.len(), "commit failed");
                    for (reply, _) in replies {
                        // Whoever went away does not need the answer.
                        drop(reply.send(Err(error.clone())));
                    }
                }
            }
        }
    }

    fn answer(&self, group: &Group, replies: Vec<(Reply, OwnedSemaphorePermit)>) {
        let mut counts = group.counts();
        for (batch, (reply, _)) in replies.into_iter().enumerate() {
            let (accepted, duplicates) = counts.remove(&batch).unwrap_or_default();
            self.telemetry.ingest.accepted.add(accepted);
            self.telemetry.ingest.duplicates.add(duplicates);
            drop(reply.send(Ok(Outcome { accepted, duplicates })));
        }
    }

    /// Looks for known ids, writes files, puts the entry; after a lost race, all of it again
    /// against what came.
    async fn commit(
        &self,
        batches: Vec<EventBatch>,
        known: &mut KnownIds,
    ) -> Result<Group, ArchiveError> {
        let began = std::time::Instant::now();
        let mut followed_at = self.follower.followed_at();
        let mut snapshot = self.follower.current();
        if self.follower.age() > FOLLOW_BEFORE_PUT {
            snapshot = self.follower.newest().await?;
            followed_at = self.follower.followed_at();
        }
        let hasher = snapshot.table().hasher;
        let group = tokio::task::spawn_blocking(move || Group::gather(&batches, hasher)).await;
        let mut group = group.map_err(|error| ArchiveError::internal("gathering", error))??;
        loop {
            snapshot = self.mark_known(&mut group, known, snapshot).await?;
            let how = FileSettings {
                store: self.store.clone(),
                partials: self.settings.partials.clone(),
                hasher,
                now: self.clock.now(),
            };
            group.write_files(&how).await?;
            if group.files().is_empty() {
                return Ok(group);
            }
            let actions =
                group.files().values().map(|file| Action::Add(file.add.clone())).collect();
            let entry = entry::write("WRITE", actions, self.clock.now())?;
            let version = snapshot.version() + 1;
            match self.log.put(version, &entry, followed_at).await? {
                Put::Committed => {
                    self.committed(version, &entry, &group, known)?;
                    self.telemetry.archive.commits.inc();
                    self.telemetry.archive.commit_durations.observe(began.elapsed());
                    return Ok(group);
                }
                Put::Lost(other) => {
                    self.telemetry.archive.commit_conflicts.inc();
                    self.follower.advance(version, &other)?;
                    snapshot = self.follower.newest().await?;
                    followed_at = self.follower.followed_at();
                }
            }
        }
    }

    /// Marks the events that the table has, at `snapshot` or the newer version that it returns.
    async fn mark_known(
        &self,
        group: &mut Group,
        known: &mut KnownIds,
        mut snapshot: Arc<Snapshot>,
    ) -> Result<Arc<Snapshot>, ArchiveError> {
        while let Err(error) = group.mark_known(known, &snapshot).await {
            // A file that was rewritten since may be gone; its ids live on in another.
            let newest = self.follower.newest().await?;
            if newest.version() == snapshot.version() {
                return Err(error);
            }
            snapshot = newest;
        }
        Ok(snapshot)
    }

    fn committed(
        &self,
        version: u64,
        entry: &entry::NewEntry,
        group: &Group,
        known: &mut KnownIds,
    ) -> Result<(), ArchiveError> {
        self.follower.advance(version, &entry::read(version, &entry.bytes)?)?;
        for (date, file) in group.files() {
            known.insert(version, *date, file.add.path.as_str().into(), file.ids.iter().copied());
        }
        known.inserted(version);
        self.checkpoints.committed(version);
        Ok(())
    }
}

/// A writer that has not followed for this long looks before it puts: its version may lie where
/// the log was cleaned.
const FOLLOW_BEFORE_PUT: Duration = Duration::from_secs(60);

fn take_group(first: Submission, waiting: &mut mpsc::Receiver<Submission>) -> Vec<Submission> {
    let mut rows = first.batch.len();
    let mut group = vec![first];
    while rows < GROUP_ROWS_MAX {
        let Ok(next) = waiting.try_recv() else { break };
        rows += next.batch.len();
        group.push(next);
    }
    group
}
