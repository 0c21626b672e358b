//! All actions in force at a version of the log, read in steps of bounded memory: first those of
//! its entries, from the newest back to a checkpoint, and then those of the checkpoint.

use std::vec;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};

use super::columns;
use super::older::Older;
use super::replay::{From, LogRetention, Replay};
use crate::archive::error::ArchiveError;
use crate::archive::file::file_write::blocking;
use crate::archive::log::Log;
use crate::archive::log::listing::{ListedCheckpoint, ListedObject};
use crate::archive::paths;
use crate::error::Kind;

/// Entries that are read side by side.
const READ_AHEAD: usize = 8;

/// The part of a version that is still to be read.
pub(in crate::archive) struct LogState {
    log: Log,
    /// Entries that are still to be read, the newest first.
    entries: BoxStream<'static, Result<(u64, Bytes), ArchiveError>>,
    objects: vec::IntoIter<ListedObject>,
    open: Option<Older>,
    in_checkpoint: bool,
    /// `None` only while a step uses it.
    replay: Option<Replay>,
}

impl LogState {
    /// The actions in force at `version`, from a checkpoint and the entries after it or, without
    /// one, from all entries.
    pub fn new(
        log: &Log,
        version: u64,
        checkpoint: Option<ListedCheckpoint>,
        retention: LogRetention,
    ) -> Self {
        let first = checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.version + 1);
        let from = log.clone();
        let entries = stream::iter((first..=version).rev()).map(move |version| {
            let log = from.clone();
            async move {
                let entry = log.read_bytes(version).await?;
                let missing =
                    || ArchiveError::corrupt(paths::log_entry(version), "it is not there");
                Ok((version, entry.ok_or_else(missing)?))
            }
        });
        let entries = entries.buffered(READ_AHEAD).boxed();
        let objects = checkpoint.map(|checkpoint| checkpoint.objects).unwrap_or_default();
        let replay = Some(Replay::new(retention));
        Self {
            log: log.clone(),
            entries,
            objects: objects.into_iter(),
            open: None,
            in_checkpoint: false,
            replay,
        }
    }

    /// True once the next actions come from the checkpoint.
    pub fn is_in_checkpoint(&self) -> bool {
        self.in_checkpoint
    }

    /// The next actions; `None` after the last.
    ///
    /// # Errors
    /// Corrupt, naming the object; Unavailable.
    pub async fn next(&mut self) -> Result<Option<Vec<RecordBatch>>, ArchiveError> {
        if let Some((version, entry)) = self.entries.try_next().await? {
            let name = paths::log_entry(version);
            let decode = move || columns::of_entry(&entry);
            return self.keep(name, From::Entry, decode).await.map(Some);
        }
        self.in_checkpoint = true;
        loop {
            if let Some(open) = &mut self.open {
                let name = open.path();
                match open.next().await? {
                    Some(rows) => {
                        return self.keep(name, From::Checkpoint, || Ok(rows)).await.map(Some);
                    }
                    None => self.open = None,
                }
            }
            let Some(object) = self.objects.next() else { break };
            let root = self.log.root();
            self.open = Some(Older::open(root, &object.path, object.size_bytes).await?);
        }
        match self.replay.as_ref().is_some_and(Replay::is_described) {
            true => Ok(None),
            false => Err(ArchiveError::corrupt(paths::TABLE, "its log does not describe it")),
        }
    }

    /// How many actions were in force, and how many of them add a file.
    pub fn counts(&self) -> (u64, u64) {
        self.replay.as_ref().map_or((0, 0), |replay| (replay.kept, replay.kept_adds))
    }

    async fn keep(
        &mut self,
        name: String,
        from: From,
        decode: impl FnOnce() -> Result<Vec<RecordBatch>, ArrowError> + Send + 'static,
    ) -> Result<Vec<RecordBatch>, ArchiveError> {
        let lent = || ArchiveError::internal("reading the log", "a step was not ended");
        let mut replay = self.replay.take().ok_or_else(lent)?;
        let work = move || {
            let kept = decode().and_then(|rows| replay.keep(&rows, from));
            Ok((replay, kept.map_err(|error| ArchiveError::corrupt(name, error))?))
        };
        let (replay, kept) = blocking(work).await?;
        self.replay = Some(replay);
        Ok(kept)
    }
}

impl Log {
    /// Calls `each` with all actions in force at `version`, some at a time. A checkpoint that
    /// cannot be read is passed over for an older one; then `begin` is called once more.
    ///
    /// # Errors
    /// Corrupt, naming the object, if no older checkpoint replaces it; Unavailable.
    pub(in crate::archive) async fn for_each_action<T>(
        &self,
        version: u64,
        retention: LogRetention,
        begin: impl Fn() -> T,
        mut each: impl FnMut(&mut T, &RecordBatch) -> Result<(), ArchiveError>,
    ) -> Result<T, ArchiveError> {
        let mut before = version.saturating_add(1);
        loop {
            let checkpoint = self.checkpoint_before(before).await?;
            let at = checkpoint.as_ref().map(|checkpoint| checkpoint.version);
            let (mut state, mut found) =
                (LogState::new(self, version, checkpoint, retention), begin());
            let read = async {
                while let Some(batches) = state.next().await? {
                    batches.iter().try_for_each(|rows| each(&mut found, rows))?;
                }
                Ok(())
            };
            let read: Result<(), ArchiveError> = read.await;
            match (read, at.filter(|_| state.is_in_checkpoint())) {
                (Ok(()), _) => return Ok(found),
                (Err(error), Some(at)) if error.kind() == Kind::Corrupt => {
                    tracing::warn!(%error, "a checkpoint of the log is passed over");
                    before = at;
                }
                (Err(error), _) => return Err(error),
            }
        }
    }
}
