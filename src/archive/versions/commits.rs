//! One commit: puts an entry as the next version, and follows the entry that is there then.

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

/// A process that has not followed for this long looks before it puts: its next version may be in
/// the part of the log that was cleaned away.
pub(in crate::archive) const FOLLOW_BEFORE_PUT: Duration = Duration::from_secs(60);

/// The state shared by all tasks of this process that commit.
#[derive(Debug)]
pub(in crate::archive) struct Commits {
    pub log: Log,
    pub follower: Follower,
    pub clock: Arc<dyn Clock>,
    pub telemetry: Telemetry,
    pub checkpoints: Checkpoints,
    pub notes: HeadNotes,
    /// Held while a commit is planned, so that commits of this process do not race each other.
    pub turn: Mutex<()>,
}

impl Commits {
    /// The entry that follows `snapshot`. It names the one before it, and vouches for the number of
    /// events, including those that it adds.
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

    /// As [`Commits::entry_after`], of an entry that adds files that this program wrote, in a table of
    /// this layout at least. If the table is of an older program, the entry brings it the columns that
    /// it lacks.
    ///
    /// # Errors
    /// Internal only.
    pub fn entry_with_files(
        &self,
        snapshot: &Snapshot,
        operation: &str,
        actions: impl Iterator<Item = Action>,
        format: u64,
    ) -> Result<NewEntry, ArchiveError> {
        let readied = snapshot.table().readied(format)?;
        self.entry_after(snapshot, operation, readied.into_iter().chain(actions).collect())
    }

    /// Puts an entry as `version`, and follows the entry that is there then. Returns the entry if
    /// it is ours, `None` if it is another's.
    ///
    /// # Errors
    /// As [`Log::put`]: the put may be in doubt.
    pub async fn put(&self, version: u64, entry: &NewEntry) -> Result<Option<Entry>, ArchiveError> {
        self.follower.check_noted().await?;
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
                    // It may be repaired by now; the look after a lost race shows that.
                    Err(error) if !error.is_refusal() => Err(error),
                    _ => Ok(None),
                }
            }
        }
    }
}

/// The number of events that actions add, if the count of every file is given.
fn added(actions: &[Action]) -> Option<u64> {
    let adds = actions.iter().filter_map(|action| match action {
        Action::Add(add) if add.data_change => Some(add),
        _ => None,
    });
    entry::rows_in(adds)
}
