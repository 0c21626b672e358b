//! One commit: an entry is put as the next version, and what follows from what stands there then.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use super::ArchiveError;
use super::checkpoint::Checkpoints;
use super::entry::{self, Entry, NewEntry};
use super::follow::Follower;
use super::log::{Log, Put};
use crate::clock::Clock;
use crate::telemetry::Telemetry;

/// Whoever has not followed for this long looks before it puts: its version may lie where the log
/// was cleaned.
pub(super) const FOLLOW_BEFORE_PUT: Duration = Duration::from_secs(60);

/// What whoever of this process commits has in common.
#[derive(Debug)]
pub(super) struct Commits {
    pub log: Log,
    pub follower: Follower,
    pub clock: Arc<dyn Clock>,
    pub telemetry: Telemetry,
    pub checkpoints: Checkpoints,
    /// Held by whoever plans a commit, so that they do not race each other.
    pub turn: Mutex<()>,
}

impl Commits {
    /// Puts an entry as `version`, and follows what stands there then: the entry, which is given, or
    /// another's, and then there is `None`.
    ///
    /// # Errors
    /// As [`Log::put`]: the put may be in doubt.
    pub async fn put(
        &self,
        version: u64,
        entry: &NewEntry,
        followed_at: Duration,
    ) -> Result<Option<Entry>, ArchiveError> {
        match self.log.put(version, entry, followed_at).await? {
            Put::Committed => {
                let entry = entry::read(version, &entry.bytes)?;
                self.follower.advance(version, &entry)?;
                self.checkpoints.committed(version);
                self.telemetry.archive.commits.inc();
                Ok(Some(entry))
            }
            Put::Lost(other) => {
                self.telemetry.archive.commit_conflicts.inc();
                self.follower.advance(version, &other)?;
                Ok(None)
            }
        }
    }
}
