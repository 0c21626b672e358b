//! One commit: an entry is put as the next version, and what follows from what stands there then.

use std::sync::Arc;
use std::time::Duration;

use deltalake_core::kernel::Action;
use tokio::sync::Mutex;

use super::follow::Follower;
use crate::archive::error::ArchiveError;
use crate::archive::log::checkpoint::Checkpoints;
use crate::archive::log::entry::{self, Entry, Heading, NewEntry};
use crate::archive::log::head_note::HeadNotes;
use crate::archive::log::snapshot::Snapshot;
use crate::archive::log::{Log, Put};
use crate::clock::Clock;
use crate::telemetry::Telemetry;

/// Whoever has not followed for this long looks before it puts: its version may lie where the log
/// was cleaned.
pub(in crate::archive) const FOLLOW_BEFORE_PUT: Duration = Duration::from_secs(60);

/// What whoever of this process commits has in common.
#[derive(Debug)]
pub(in crate::archive) struct Commits {
    pub log: Log,
    pub follower: Follower,
    pub clock: Arc<dyn Clock>,
    pub telemetry: Telemetry,
    pub checkpoints: Checkpoints,
    pub notes: HeadNotes,
    /// Held by whoever plans a commit, so that they do not race each other.
    pub turn: Mutex<()>,
}

impl Commits {
    /// The entry that follows `snapshot`: it names the one before it, and vouches for as many
    /// events as there are with those that it adds.
    ///
    /// # Errors
    /// Internal only.
    pub fn entry_after(
        &self,
        snapshot: &Snapshot,
        operation: &str,
        mut actions: Vec<Action>,
    ) -> Result<NewEntry, ArchiveError> {
        let now = self.clock.now();
        let vouched = snapshot.vouched_with(added(&actions));
        actions.extend(vouched.into_iter().flat_map(|vouched| vouched.actions(now)));
        let heading = Heading { now, before: snapshot.head(), repairs_after: None };
        entry::write(operation, actions, heading)
    }

    /// Puts an entry as `version`, and follows what stands there then: the entry, which is given, or
    /// another's, and then there is `None`.
    ///
    /// # Errors
    /// As [`Log::put`]: the put may be in doubt.
    pub async fn put(&self, version: u64, entry: &NewEntry) -> Result<Option<Entry>, ArchiveError> {
        match self.log.put(version, entry).await? {
            Put::Committed => {
                let entry = entry::read(version, &entry.bytes)?;
                let current = self.follower.advance(version, &entry)?;
                self.checkpoints.committed(version, &current);
                self.notes.committed(&current);
                self.telemetry.archive.commits.inc();
                Ok(Some(entry))
            }
            Put::Lost(other) => {
                self.telemetry.archive.commit_conflicts.inc();
                match self.follower.advance(version, &other) {
                    // It may be repaired by now: the look that comes after a lost race tells.
                    Err(error) if !error.is_refusal() => Err(error),
                    _ => Ok(None),
                }
            }
        }
    }
}

/// The events that actions add.
fn added(actions: &[Action]) -> Option<u64> {
    let adds = actions.iter().filter_map(|action| match action {
        Action::Add(add) if add.data_change => Some(add),
        _ => None,
    });
    entry::rows_in(adds)
}
