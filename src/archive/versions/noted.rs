//! Compares the log with the note of its newest commit while a process runs.
//!
//! To a process that has not seen the newest entries, a log without them looks like one in which
//! nothing is new. The note tells the difference. See [`HeadNote`].

use std::time::Duration;

use parking_lot::Mutex;

use crate::archive::error::ArchiveError;
use crate::archive::log::Log;
use crate::archive::log::head_note::HeadNote;
use crate::archive::log::snapshot::Snapshot;

/// How often the note is read. Each is a request, which object stores charge for.
const EVERY: Duration = Duration::from_secs(5);

/// The note, as of some seconds ago at most.
#[derive(Debug)]
pub(super) struct NotedHead {
    log: Log,
    /// When the log was last found to have the noted commit; by the clock that counts sleep.
    checked_at: Mutex<Duration>,
}

impl NotedHead {
    /// For a process that has compared both at `checked_at`.
    pub fn new(log: Log, checked_at: Duration) -> Self {
        Self { log, checked_at: Mutex::new(checked_at) }
    }

    /// True if the note is to be read again.
    pub fn is_due(&self) -> bool {
        self.log.anchor.elapsed().saturating_sub(*self.checked_at.lock()) >= EVERY
    }

    /// Makes sure that the log, whose newest known version is `current`, has the noted commit.
    ///
    /// # Errors
    /// Corrupt, naming the entry; Unavailable.
    pub async fn check(&self, current: &Snapshot) -> Result<(), ArchiveError> {
        if !self.is_due() {
            return Ok(());
        }
        let began = self.log.anchor.elapsed();
        if let Some(note) = HeadNote::read(self.log.root()).await?
            && let Err(lost) = note.check(Some(current))
            // It may have been committed just now.
            && self.log.read_bytes(current.version() + 1).await?.is_none()
        {
            return Err(lost);
        }
        *self.checked_at.lock() = began;
        Ok(())
    }
}
