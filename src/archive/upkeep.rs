//! Commits that keep a table in shape and change none of its events.

use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;
use tokio::sync::Mutex;

use super::checkpoint::Checkpoints;
use super::entry::{self, Entry, NewEntry};
use super::follow::Follower;
use super::log::{Log, Put};
use super::snapshot::Snapshot;
use super::writer::FOLLOW_BEFORE_PUT;
use super::{ArchiveError, PartialMaker};
use crate::clock::Clock;
use crate::telemetry::Telemetry;

/// What such a commit needs.
#[derive(Debug)]
pub(super) struct Upkeep {
    pub store: Arc<dyn ObjectStore>,
    pub log: Log,
    pub follower: Arc<Follower>,
    pub clock: Arc<dyn Clock>,
    pub telemetry: Telemetry,
    pub checkpoints: Checkpoints,
    /// As in [`super::writer::Committer`].
    pub turn: Arc<Mutex<()>>,
    pub partials: Option<Arc<dyn PartialMaker>>,
}

impl Upkeep {
    /// Commits what `plan` makes of the newest version; after a lost race, what it makes of the
    /// version after that. Gives the version that the commit made, or `None` if `plan` gives up.
    ///
    /// # Errors
    /// As [`Log::put`]: the put may be in doubt.
    pub async fn commit(
        &self,
        mut plan: impl FnMut(&Snapshot) -> Result<Option<NewEntry>, ArchiveError>,
    ) -> Result<Option<Arc<Snapshot>>, ArchiveError> {
        let _turn = self.turn.lock().await;
        let mut snapshot = match self.follower.age() > FOLLOW_BEFORE_PUT {
            true => self.follower.newest().await?,
            false => self.follower.current(),
        };
        loop {
            let followed_at = self.follower.followed_at();
            let Some(entry) = plan(&snapshot)? else { return Ok(None) };
            let version = snapshot.version() + 1;
            if let Some(entry) = self.put(version, &entry, followed_at).await? {
                // One who follows may have passed it already; this is the version itself.
                return self.log.apply(&snapshot, &entry).map(|made| Some(Arc::new(made)));
            }
            snapshot = self.follower.newest().await?;
        }
    }

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
