//! The head note: a record of the newest commit, outside of the log.
//!
//! Each entry of the log names the one before it, so a gap is noticed. Nothing in the log shows
//! that its newest entries are gone. So a program that commits notes its newest commit in a record
//! next to the table: at once after a pause, every few seconds while more commits follow, and when
//! it ends. A log that ends before the noted commit has lost entries, and is not opened.
//!
//! Programs that commit at the same time overwrite each other's notes, and older programs write
//! none. So a note may name a commit that is not the newest one. It never names one that was not
//! made.

use std::sync::{Arc, Weak};
use std::time::Duration;

use object_store::ObjectStore;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::snapshot::Snapshot;
use crate::archive::chain::EntryLink;
use crate::archive::error::ArchiveError;
use crate::archive::paths;
use crate::archive::store::records::Records;
use crate::archive::store::sealed::Record;
use crate::error::Kind;

/// The minimum time between two notes of a process. Each is a put, which object stores charge for.
const EVERY: Duration = Duration::from_secs(5);

/// A commit that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::archive) struct HeadNote {
    /// The version that it made.
    pub version: u64,
    /// The text of the link to its entry.
    entry: String,
}

impl Record for HeadNote {}

impl HeadNote {
    /// The note of the commit that made a version.
    pub fn new(version: u64, link: EntryLink) -> Self {
        Self { version, entry: link.to_string() }
    }

    /// Writes the note, over an existing one.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn write(&self, store: Arc<dyn ObjectStore>) -> Result<(), ArchiveError> {
        Records::new(store).put(&paths::head_note(), self).await
    }

    /// Reads the note of the archive at the root of `store`; `None` if there is none. A damaged
    /// note counts as none, and the next commit replaces it.
    ///
    /// # Errors
    /// Unavailable; NewerRecord.
    pub async fn read(store: Arc<dyn ObjectStore>) -> Result<Option<Self>, ArchiveError> {
        match Records::new(store).get(&paths::head_note()).await {
            Ok(stored) => Ok(stored.map(|stored| stored.record)),
            Err(error @ ArchiveError::Corrupt { .. }) => {
                tracing::warn!(%error, "cannot check whether the newest log entries exist");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Makes sure that the log, whose newest version is `newest`, contains the noted commit.
    ///
    /// # Errors
    /// Corrupt, naming the entry.
    pub fn check(&self, newest: Option<&Snapshot>) -> Result<(), ArchiveError> {
        let ends_at = newest.map(Snapshot::version);
        if ends_at < Some(self.version) {
            return Err(self.lost(ends_at));
        }
        let head =
            newest.filter(|newest| newest.version() == self.version).and_then(Snapshot::head);
        if head.is_some_and(|head| head.to_string() != self.entry) {
            let reason = "it is not the entry that was committed";
            return Err(ArchiveError::corrupt(paths::log_entry(self.version), reason));
        }
        Ok(())
    }

    fn lost(&self, ends_at: Option<u64>) -> ArchiveError {
        let noted = self.version;
        let Some(last) = ends_at else {
            let reason = format!("it is empty, and version {noted} was committed");
            return ArchiveError::corrupt(paths::in_archive(paths::LOG), reason);
        };
        let reason = format!(
            "it does not exist, and version {noted} was committed (to go on without what came after \
             version {last}: tokenlake repair --accept)"
        );
        ArchiveError::corrupt(paths::log_entry(last + 1), reason)
    }
}

/// Notes the commits of a process.
#[derive(Debug)]
pub(in crate::archive) struct HeadNotes(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    store: Arc<dyn ObjectStore>,
    state: Mutex<NoteState>,
    /// Held while a note is written, so that no older note replaces a newer one.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct NoteState {
    /// The commit that is still to be noted.
    newest: Option<HeadNote>,
    /// Whether a task is writing notes.
    is_watched: bool,
}

impl HeadNotes {
    /// The notes in the archive at the root of `store`.
    pub fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self(Arc::new(Shared {
            store,
            state: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        }))
    }

    /// Records that this process has just committed; `current` is the newest version that it knows.
    /// The note is written in the background.
    pub fn committed(&self, current: &Snapshot) {
        let Some(link) = current.head() else { return };
        let mut state = self.0.state.lock();
        state.newest = Some(HeadNote::new(current.version(), link));
        if !std::mem::replace(&mut state.is_watched, true) {
            tokio::spawn(watch(Arc::downgrade(&self.0)));
        }
    }

    /// Writes the note that is still to be written, if any.
    pub async fn write(&self) {
        self.0.write().await;
    }
}

/// Writes notes until there are no new ones or the archive is dropped.
async fn watch(shared: Weak<Shared>) {
    while let Some(shared) = shared.upgrade().filter(|shared| shared.has_more()) {
        shared.write().await;
        drop(shared);
        tokio::time::sleep(EVERY).await;
    }
}

impl Shared {
    fn has_more(&self) -> bool {
        let mut state = self.state.lock();
        state.is_watched = state.newest.is_some();
        state.is_watched
    }

    async fn write(&self) {
        let _turn = self.turn.lock().await;
        let Some(note) = self.state.lock().newest.take() else { return };
        if let Err(error) = note.write(self.store.clone()).await {
            if error.kind() == Kind::Unavailable {
                self.state.lock().newest.get_or_insert(note);
            }
            tracing::warn!(%error, "could not note the newest commit");
        }
    }
}
