//! The backfill job: decoded rows are collected by date and committed, one commit at a time.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use futures::stream::{self, FuturesOrdered, Stream, StreamExt as _};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::commit::{Committer, Done};
use super::decode::{Decoded, Decoder, Reject};
use super::held::{Held, Need};
use super::position::Position;
use super::read::Reading;
use super::read::rows::Chunk;
use super::rejects::Rejects;
use super::shape::Shape;
use super::spill::Spill;
use super::{BackfillError, Inputs, Outcome, Progress, Settings, Summary, Unread, identity};
use crate::admission::Admission;
use crate::archive::{ArchiveError, JobMark};
use crate::event::{OrgId, OrgRule};

/// Chunks that may wait to be decoded.
const CHUNKS: usize = 2;
/// The fraction (1/n) of the memory for rows that one commit may take: its rows are held three
/// times, as read, sorted, and encoded.
const COMMIT_SHARE: usize = 4;
/// The fraction (1/n) of the memory for rows above which they are spilled.
const SPILL_SHARE: usize = 2;
/// The fraction (1/n) of the memory for rows above which commits are behind.
const BEHIND_SHARE: usize = 4;
/// The most threads that decode.
const DECODERS_MAX: usize = 8;
/// Names that are claimed at the same time.
const CLAIMS: usize = 16;

type Commit = AbortOnDropHandle<Result<Done, BackfillError>>;

/// Rows on their way from inputs into an archive.
pub struct Job {
    /// None for a dry run.
    admission: Option<Arc<Admission>>,
    decoder: Arc<Decoder>,
    progress: Arc<Progress>,
    held: Held,
    held_bytes_max: usize,
    spill: Arc<Spill>,
    commit: Option<Commit>,
    committing_bytes: usize,
    position: Position,
    inputs: Option<Inputs>,
    delimiter: Option<u8>,
    unread: Unread,
    left_out: u64,
    rejects: Rejects,
    claimed: HashSet<String>,
    summary: Summary,
    /// No more input is read.
    ended: bool,
    /// All input was read.
    whole: bool,
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
        settings: Settings,
        progress: Arc<Progress>,
    ) -> Result<Self, BackfillError> {
        let Settings { org_rule, maps, defaults, held_bytes_max, now, delimiter, .. } = settings;
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
        let mut job = Self {
            decoder: Arc::new(Decoder {
                shape,
                now,
                versions: admission.as_ref().map(|admission| admission.archive().versions()),
                refused: Default::default(),
            }),
            admission,
            progress,
            held: Held::new(held_bytes_max / COMMIT_SHARE),
            held_bytes_max,
            spill: Arc::new(Spill::new(settings.spill_folder)),
            commit: None,
            committing_bytes: 0,
            position,
            inputs: None,
            delimiter,
            unread: Unread::default(),
            left_out: 0,
            rejects: Rejects::create(settings.rejects.as_deref())?,
            claimed: HashSet::new(),
            summary: Summary::default(),
            ended: false,
            whole: false,
        };
        for failed in std::mem::take(&mut inputs.failed) {
            job.unread.add(failed);
        }
        job.inputs = Some(inputs);
        Ok(job)
    }

    /// The number of rows that an earlier, unfinished run of the same job has brought in.
    pub fn done_before(&self) -> u64 {
        self.position.skipped
    }

    /// Reads all inputs and commits their events, until the end or until `stop` is done. After
    /// `stop` the commit under way is finished, and the other rows are left for the next run.
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> Outcome {
        let (mut stopped, mut error) = (false, None);
        let inputs = self.inputs.take().unwrap_or_default();
        let chunks = self.chunks(inputs);
        if let Err(failed) = self.work(chunks, stop, &mut stopped, &mut error).await {
            error.get_or_insert(failed);
        }
        if let Err(failed) = self.rejects.finish() {
            error.get_or_insert(failed);
        }
        let (rejected, files) = (self.rejects.count, self.progress.files());
        let summary = Summary { rejected, files, ..self.summary };
        if error.is_none() && !stopped {
            error = match self.finished().await {
                Err(failed) => Some(failed),
                Ok(()) if summary.read > 0 && summary.read == rejected => {
                    let first = self.rejects.first.take().unwrap_or_default();
                    Some(BackfillError::AllRejected { rows: rejected, first })
                }
                Ok(()) => None,
            };
        }
        let Self { unread, left_out, .. } = self;
        Outcome { summary, stopped, error, unread, left_out }
    }

    /// Records in the table that the job is done, if an earlier mark says that it is not.
    async fn finished(&mut self) -> Result<(), BackfillError> {
        if let (Some(admission), Some(done)) = (&self.admission, self.position.done()) {
            admission.archive().submit_part(Vec::new(), Some(done)).await?;
        }
        Ok(())
    }

    /// The inputs as chunks, in order.
    fn chunks(&self, inputs: Inputs) -> impl Stream<Item = Result<Chunk, BackfillError>> + use<> {
        let (to, mut chunks) = mpsc::channel(CHUNKS);
        let (decoder, progress) = (self.decoder.clone(), self.progress.clone());
        let reading = Reading { decoder, delimiter: self.delimiter, progress };
        let reader = tokio::task::spawn_blocking(move || {
            let inputs = inputs.files.into_iter().map(Arc::new).collect();
            reading.all(inputs, &to);
        });
        // A reader that panics because of a defect in a format's library must not look like the
        // end.
        let end = stream::once(reader).filter_map(async |read| {
            read.is_err().then_some(Err(BackfillError::Internal("reading an input")))
        });
        stream::poll_fn(move |context| chunks.poll_recv(context)).chain(end)
    }

    async fn work(
        &mut self,
        chunks: impl Stream<Item = Result<Chunk, BackfillError>>,
        stop: impl Future<Output = ()>,
        stopped: &mut bool,
        error: &mut Option<BackfillError>,
    ) -> Result<(), BackfillError> {
        let (mut chunks, mut stop) = (std::pin::pin!(chunks), std::pin::pin!(stop));
        let (mut decoding, mut read) = (FuturesOrdered::new(), false);
        loop {
            if read && decoding.is_empty() && !self.ended {
                self.check_columns()?;
                (self.ended, self.whole) = (true, true);
            }
            self.make_room().await?;
            self.start_commit();
            let committing = self.commit.is_some();
            if self.ended && !committing {
                return Ok(());
            }
            // One commit runs while the next is collected, as far as memory allows.
            let room = self.held.bytes() + self.committing_bytes <= self.held_bytes_max;
            let room = !self.ended && (room || !committing);
            tokio::select! {
                biased;
                () = &mut stop, if !*stopped => {
                    (*stopped, self.ended) = (true, true);
                    self.held.clear();
                }
                done = next(&mut self.commit), if committing => self.committed(done?)?,
                Some(decoded) = decoding.next(), if room && !decoding.is_empty() => match decoded {
                    Ok((chunk, decoded)) => self.take(&chunk, decoded).await?,
                    Err(why @ BackfillError::Unreadable { .. }) => {
                        self.position.unsure_from(self.summary.read);
                        self.unread.add(why);
                    }
                    Err(failed) => {
                        *error = Some(failed);
                        self.ended = true;
                    }
                },
                chunk = chunks.next(), if room && !read && decoding.len() < self.decoders() => {
                    let decode = |chunk| decoding.push_back(decode(self.decoder.clone(), chunk));
                    read = chunk.map(decode).is_none();
                }
            }
        }
    }

    /// How many chunks may be decoded at a time. If many rows wait, commits are the bottleneck.
    /// They then get a core for themselves, so that no core idles while a commit does its work on
    /// one.
    fn decoders(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, usize::from).min(DECODERS_MAX);
        let behind =
            self.commit.is_some() && self.held.bytes() > self.held_bytes_max / BEHIND_SHARE;
        if behind { (cores - 1).max(1) } else { cores }
    }

    /// Adds the events of a chunk to those that wait.
    async fn take(
        &mut self,
        chunk: &Arc<Chunk>,
        mut decoded: Decoded,
    ) -> Result<(), BackfillError> {
        if self.claim(&decoded.split.orgs).await? {
            // A name in the chunk clashes. To reject its rows, the chunk is decoded again.
            (_, decoded) = decode(self.decoder.clone(), Ok(chunk.clone())).await?;
        }
        let first = self.summary.read;
        self.progress.add_rows(decoded.rows);
        self.summary.read += decoded.rows;
        self.left_out += decoded.left_out;
        self.rejects.add(&decoded.rejects)?;
        self.held.next_chunk();
        let skipped = self.summary.read <= self.position.skipped;
        for (date, batch) in decoded.split.dates {
            match &self.admission {
                None => self.summary.accepted += batch.len() as u64,
                Some(_) if skipped => self.summary.duplicates += batch.len() as u64,
                Some(_) => self.held.add(date, batch, first),
            }
        }
        Ok(())
    }

    /// Spills rows if memory is short and no date has enough for a commit.
    async fn make_room(&mut self) -> Result<(), BackfillError> {
        if !self.ended && self.is_short() {
            self.start_commit();
        }
        let waits = self.waits_for_columns();
        if waits && self.held.is_flushing() {
            self.check_columns()?;
        }
        if self.ended || !self.is_short() || !waits && self.held.has_ready(Need::Room) {
            return Ok(());
        }
        for (date, batches) in self.held.unload() {
            let spill = self.spill.clone();
            let put = tokio::task::spawn_blocking(move || spill.put(&batches)).await;
            let extent = put.map_err(|_| BackfillError::Internal("putting rows aside"))??;
            self.held.unloaded(date, extent);
        }
        Ok(())
    }

    /// Claims the names of organisations that are new here; true if one clashes with another.
    async fn claim(&mut self, orgs: &BTreeSet<String>) -> Result<bool, BackfillError> {
        let Some(admission) = &self.admission else { return Ok(false) };
        let new = orgs.iter().filter(|org| !self.claimed.contains(*org));
        let new = new.filter_map(|org| OrgId::parse(org).ok()).collect::<Vec<_>>();
        let claim = async |org: OrgId| (admission.claim(&org).await, org);
        let mut claims = stream::iter(new.into_iter().map(claim)).buffered(CLAIMS);
        let mut clash = false;
        while let Some((claimed, org)) = claims.next().await {
            match claimed {
                Ok(()) => drop(self.claimed.insert(org.as_str().to_owned())),
                Err(error @ ArchiveError::OrgCase { .. }) => {
                    clash = true;
                    let reason = error.to_string();
                    self.decoder.refused.lock().insert(org.as_str().to_owned(), reason);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(clash)
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

    fn is_short(&self) -> bool {
        self.held.bytes() > self.held_bytes_max / SPILL_SHARE
    }

    fn start_commit(&mut self) {
        let may = self.commit.is_none() && !self.waits_for_columns();
        let Some(admission) = self.admission.as_ref().filter(|_| may) else { return };
        let need = match (self.ended, self.is_short()) {
            (true, _) => Need::All,
            (false, true) => Need::Room,
            (false, false) => Need::Full,
        };
        if let Some(load) = self.held.take(need) {
            self.committing_bytes = load.bytes;
            let committer = Committer {
                admission: admission.clone(),
                spill: self.spill.clone(),
                now: self.decoder.now,
            };
            // In a task, so that decoding goes on while the commit computes.
            let commit = tokio::spawn(committer.commit(load, self.mark()));
            self.commit = Some(AbortOnDropHandle::new(commit));
        }
    }

    /// The job's position after the commit that begins now; none if the job will be done.
    fn mark(&self) -> Option<JobMark> {
        let row = self.held.first().unwrap_or(self.summary.read);
        self.position.mark(row, self.whole && self.held.is_empty())
    }

    fn committed(&mut self, done: Done) -> Result<(), BackfillError> {
        self.commit = None;
        self.committing_bytes -= done.bytes;
        self.summary.accepted += done.accepted as u64;
        self.summary.duplicates += done.duplicates as u64;
        // If all were duplicates, there was no commit.
        if let Some(mark) = done.mark.filter(|_| done.accepted > 0) {
            self.position.marked(&mark);
        }
        if !self.held.has_unloaded() {
            self.spill.clear();
        }
        let late: Vec<_> = done.rejected.into_iter().map(Reject::late).collect();
        self.rejects.add(&late)
    }
}

async fn next(commit: &mut Option<Commit>) -> Result<Done, BackfillError> {
    match commit {
        Some(commit) => commit.await.map_err(|_| BackfillError::Internal("committing events"))?,
        None => std::future::pending().await,
    }
}

async fn decode(
    decoder: Arc<Decoder>,
    chunk: Result<impl Into<Arc<Chunk>> + Send + 'static, BackfillError>,
) -> Result<(Arc<Chunk>, Decoded), BackfillError> {
    let chunk = chunk?;
    let work = tokio::task::spawn_blocking(move || {
        let chunk = chunk.into();
        decoder.decode(&chunk).map(|decoded| (chunk, decoded))
    });
    work.await.map_err(|_| BackfillError::Internal("decoding rows"))?
}
