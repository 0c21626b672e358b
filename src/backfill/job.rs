//! The backfill job: decoded rows are collected by date and committed, one commit at a time.

use std::sync::Arc;

use tokio_util::task::AbortOnDropHandle;

use super::claims::OrgClaims;
use super::commit::{Done, JobCommitter};
use super::decode::{DecodedChunk, Decoder, Reject};
use super::decoding::{ChunkDecoding, ChunkResult, decode};
use super::held::{HeldRows, Need};
use super::position::Position;
use super::read::Reading;
use super::read::rows::Chunk;
use super::rejects::Rejects;
use super::shape::Shape;
use super::spill::Spill;
use super::state::{JobEnd, JobState};
use super::{BackfillError, Inputs, JobSettings, JobSummary, Outcome, Progress, Unread, identity};
use crate::admission::Admission;
use crate::archive::JobMark;
use crate::event::OrgRule;
use crate::processors;

/// The most threads that decode.
const DECODERS_MAX: usize = 8;

/// The commit under way.
struct RunningCommit {
    task: AbortOnDropHandle<Result<Done, BackfillError>>,
    /// Memory that its rows take.
    bytes: usize,
}

/// Rows on their way from inputs into an archive.
pub struct Job {
    inputs: Inputs,
    delimiter: Option<u8>,
    decoder: Arc<Decoder>,
    progress: Arc<Progress>,
    claims: OrgClaims,
    held: HeldRows,
    /// None for a dry run.
    committer: Option<JobCommitter>,
    commit: Option<RunningCommit>,
    position: Position,
    rejects: Rejects,
    unread: Unread,
    left_out: u64,
    summary: JobSummary,
    state: JobState,
}

impl Job {
    /// A job that has not begun. Without an admission it only reads and checks.
    ///
    /// # Errors
    /// If the file for rejected rows cannot be created, the organisation's name clashes, or the
    /// archive cannot be read.
    pub async fn new(
        admission: Option<Arc<Admission>>,
        mut inputs: Inputs,
        settings: JobSettings,
        progress: Arc<Progress>,
    ) -> Result<Self, BackfillError> {
        let JobSettings {
            org_rule, maps, defaults, held_bytes_max, now, delimiter, prices, ..
        } = settings;
        let shape = Shape::new(maps, defaults, org_rule);
        inputs.leave_out_streams()?;
        if let Some(rejects) = &settings.rejects {
            inputs.leave_out(rejects)?;
        }
        let mut position = Position::default();
        if let Some(admission) = &admission {
            if let OrgRule::Only(org) = &shape.org_rule {
                admission.claim(org).await?;
            }
            let job = identity::of(&inputs, &shape, delimiter);
            position = Position::find(admission.archive(), job).await?;
        }
        let versions = admission.as_ref().map(|admission| admission.archive().versions());
        let spill = Arc::new(Spill::new(settings.spill_folder));
        let mut unread = Unread::default();
        std::mem::take(&mut inputs.failed).into_iter().for_each(|failed| unread.add(failed));
        Ok(Self {
            inputs,
            delimiter,
            decoder: Arc::new(Decoder {
                shape,
                now,
                versions,
                prices,
                refused: Default::default(),
            }),
            progress,
            claims: OrgClaims::new(admission.clone()),
            held: HeldRows::new(held_bytes_max),
            committer: admission.map(|admission| JobCommitter { admission, spill, now }),
            commit: None,
            position,
            rejects: Rejects::create(settings.rejects.as_deref())?,
            unread,
            left_out: 0,
            summary: JobSummary::default(),
            state: JobState::Reading,
        })
    }

    /// The number of rows that an earlier, unfinished run of the same job has brought in.
    pub fn done_before(&self) -> u64 {
        self.position.skipped
    }

    /// Reads all inputs and commits their events, until the end or until `stop` is done. After
    /// `stop` the commit under way is finished, and the other rows are left for the next run.
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> Outcome {
        let worked = self.work(stop).await;
        let kept = self.rejects.finish();
        let (rejected, files) = (self.rejects.count, self.progress.files());
        let summary = JobSummary { rejected, files, ..self.summary };
        let end = match std::mem::take(&mut self.state).end(worked.and(kept)) {
            JobEnd::Whole => {
                self.finished(summary).await.map_or_else(JobEnd::Failed, |()| JobEnd::Whole)
            }
            early => early,
        };
        let (stopped, error) = match end {
            JobEnd::Whole => (false, None),
            JobEnd::Stopped(error) => (true, error),
            JobEnd::Failed(error) => (false, Some(error)),
        };
        let Self { unread, left_out, .. } = self;
        Outcome { summary, stopped, error, unread, left_out }
    }

    /// Says in the table that the job is done, where it says that it is not; fails if no row was
    /// an event.
    async fn finished(&mut self, summary: JobSummary) -> Result<(), BackfillError> {
        if let (Some(committer), Some(done)) = (&self.committer, self.position.done()) {
            committer.admission.archive().submit_part(Vec::new(), Some(done)).await?;
        }
        if summary.read > 0 && summary.read == summary.rejected {
            let first = self.rejects.first.take().unwrap_or_default();
            return Err(BackfillError::AllRejected { rows: summary.rejected, first });
        }
        Ok(())
    }

    /// Reads, gathers and commits until nothing is left to do. One commit goes on while the next is
    /// gathered, as far as memory allows.
    async fn work(&mut self, stop: impl Future<Output = ()>) -> Result<(), BackfillError> {
        let (decoder, progress) = (self.decoder.clone(), self.progress.clone());
        let reading = Reading { decoder, delimiter: self.delimiter, progress };
        let mut decoding = ChunkDecoding::start(reading, std::mem::take(&mut self.inputs));
        let mut stop = std::pin::pin!(stop);
        loop {
            if self.state.is_reading() && decoding.is_done() {
                self.check_columns()?;
                self.state = JobState::Draining(None);
            }
            self.make_room().await?;
            self.start_commit();
            let (reading, committing) = (self.state.is_reading(), self.commit.is_some());
            if !reading && !committing {
                return Ok(());
            }
            let has_room =
                self.commit.as_ref().is_none_or(|commit| self.held.has_room(commit.bytes));
            let gathers = reading && has_room;
            let decoders = self.decoders();
            tokio::select! {
                biased;
                () = &mut stop, if !self.state.is_stopping() => {
                    self.state.stop();
                    self.held.clear();
                }
                done = next(&mut self.commit), if committing => self.committed(done?)?,
                decoded = decoding.next(decoders), if gathers => {
                    if let Some(decoded) = decoded {
                        self.gather(decoded).await?;
                    }
                }
            }
        }
    }

    /// How many chunks may be decoded at a time. If many rows wait, commits are the bottleneck.
    /// They then get a core for themselves, so that no core idles while a commit does its work on
    /// one.
    fn decoders(&self) -> usize {
        let cores = processors::count().min(DECODERS_MAX);
        let is_behind = self.commit.is_some() && self.held.is_behind();
        if is_behind { (cores - 1).max(1) } else { cores }
    }

    /// Takes a chunk, or what kept one from being read.
    async fn gather(&mut self, decoded: ChunkResult) -> Result<(), BackfillError> {
        match decoded {
            Ok((chunk, decoded)) => return self.take(chunk, decoded).await,
            Err(why @ BackfillError::Unreadable { .. }) => {
                self.position.unsure_from(self.summary.read);
                self.unread.add(why);
            }
            Err(failed) => self.state = JobState::Draining(Some(failed)),
        }
        Ok(())
    }

    /// Adds the events of a chunk to those that wait.
    async fn take(
        &mut self,
        chunk: Arc<Chunk>,
        mut decoded: DecodedChunk,
    ) -> Result<(), BackfillError> {
        let clashes = self.claims.claim(&decoded.split.orgs).await?;
        if !clashes.is_empty() {
            let clashes = clashes.into_iter().map(|clash| (clash.org, clash.reason));
            self.decoder.refused.lock().extend(clashes);
            // The rows of these names are refused, and for that read once more.
            (_, decoded) = decode(self.decoder.clone(), chunk).await?;
        }
        let first = self.summary.read;
        self.progress.add_rows(decoded.rows);
        self.summary.read += decoded.rows;
        self.left_out += decoded.left_out;
        self.rejects.add(&decoded.rejects)?;
        self.held.next_chunk();
        let skipped = self.summary.read <= self.position.skipped;
        for (date, batch) in decoded.split.dates {
            match &self.committer {
                None => self.summary.accepted += batch.len() as u64,
                Some(_) if skipped => self.summary.duplicates += batch.len() as u64,
                Some(_) => self.held.add(date, batch, first),
            }
        }
        Ok(())
    }

    /// Spills rows if memory is short and no date has enough for a commit.
    async fn make_room(&mut self) -> Result<(), BackfillError> {
        if !self.state.is_reading() {
            return Ok(());
        }
        if self.held.is_short() {
            self.start_commit();
        }
        let waits = self.waits_for_columns();
        if waits && self.held.is_flushing() {
            self.check_columns()?;
        }
        let Some(committer) = self.committer.as_ref().filter(|_| self.held.is_short()) else {
            return Ok(());
        };
        if !waits && self.held.has_ready(Need::Room) {
            return Ok(());
        }
        for (date, batches) in self.held.unload() {
            let spill = committer.spill.clone();
            let put = tokio::task::spawn_blocking(move || spill.put(&batches)).await;
            let extent = put.map_err(|_| BackfillError::Internal("putting rows aside"))??;
            self.held.unloaded(date, extent);
        }
        Ok(())
    }

    /// Whether a mapped column is still missing: nothing is committed until an input has it.
    fn waits_for_columns(&self) -> bool {
        self.decoder.shape.missing().is_some()
    }

    /// Fails if no input has a mapped column. Without rows, no column counts as missing.
    fn check_columns(&self) -> Result<(), BackfillError> {
        match self.decoder.shape.missing().filter(|_| self.summary.read > 0) {
            None => Ok(()),
            Some(pair) => {
                let (field, column) = (pair.field.clone(), pair.other.clone());
                Err(BackfillError::NoColumn { field, column })
            }
        }
    }

    fn start_commit(&mut self) {
        let may = self.commit.is_none() && !self.waits_for_columns();
        let Some(committer) = self.committer.as_ref().filter(|_| may) else { return };
        let need = match (self.state.is_reading(), self.held.is_short()) {
            (false, _) => Need::All,
            (true, true) => Need::Room,
            (true, false) => Need::Full,
        };
        if let Some(load) = self.held.take(need) {
            let bytes = load.bytes;
            // In a task, so that decoding goes on while the commit computes.
            let task = tokio::spawn(committer.clone().commit(load, self.mark()));
            self.commit = Some(RunningCommit { task: AbortOnDropHandle::new(task), bytes });
        }
    }

    /// The job's position after the commit that begins now; none if the job will be done.
    fn mark(&self) -> Option<JobMark> {
        let row = self.held.first().unwrap_or(self.summary.read);
        self.position.mark(row, self.state.has_read_all() && self.held.is_empty())
    }

    fn committed(&mut self, done: Done) -> Result<(), BackfillError> {
        self.commit = None;
        self.summary.accepted += done.accepted as u64;
        self.summary.duplicates += done.duplicates as u64;
        // If all were duplicates, there was no commit.
        if let Some(mark) = done.mark.filter(|_| done.accepted > 0) {
            self.position.marked(&mark);
        }
        if let Some(committer) = self.committer.as_ref().filter(|_| !self.held.has_unloaded()) {
            committer.spill.clear();
        }
        let late: Vec<_> = done.rejected.into_iter().map(Reject::late).collect();
        self.rejects.add(&late)
    }
}

async fn next(commit: &mut Option<RunningCommit>) -> Result<Done, BackfillError> {
    match commit {
        Some(commit) => {
            (&mut commit.task).await.map_err(|_| BackfillError::Internal("committing events"))?
        }
        None => std::future::pending().await,
    }
}
