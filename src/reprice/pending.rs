//! Corrections of one date that wait for their commit, and the commit.

use std::time::Duration;

use crate::archive::{Archive, ArchiveError, Committed};
use crate::error::Kind;
use crate::event::EventBatch;

/// Rows of a commit at most: so many are one file.
const ROWS_MAX: usize = 256 * 1024;
/// Pauses between tries while storage is unreachable.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(5)];

/// Corrections that wait.
#[derive(Debug)]
pub(super) struct PendingCorrections {
    batches: Vec<EventBatch>,
    rows: usize,
    bytes: usize,
    bytes_max: usize,
}

impl PendingCorrections {
    /// None yet; they may take about `bytes_max`.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { batches: Vec::new(), rows: 0, bytes: 0, bytes_max }
    }

    pub(super) fn push(&mut self, batch: EventBatch) {
        self.rows += batch.len();
        self.bytes += batch.record_batch().get_array_memory_size();
        self.batches.push(batch);
    }

    /// Whether a commit is due.
    pub(super) fn is_full(&self) -> bool {
        self.bytes >= self.bytes_max || self.rows >= ROWS_MAX
    }

    /// Whether none waits.
    pub(super) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Forgets them.
    pub(super) fn clear(&mut self) {
        *self = Self::new(self.bytes_max);
    }

    /// Commits them, and tries again while storage is unreachable: what is in already is left out.
    ///
    /// # Errors
    /// Unavailable or Corrupt; they wait no longer then.
    pub(super) async fn commit(&mut self, archive: &Archive) -> Result<Committed, ArchiveError> {
        let batches = std::mem::take(&mut self.batches);
        self.clear();
        let mut pauses = PAUSES.into_iter();
        loop {
            let error = match archive.submit_part(batches.clone(), None).await {
                Ok(committed) => return Ok(committed),
                Err(error) => error,
            };
            match pauses.next().filter(|_| error.kind() == Kind::Unavailable) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(error),
            }
        }
    }
}
