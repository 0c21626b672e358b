//! The anchor of a process in the archive that it opened: the newest log entry that it knows.
//!
//! A volume may be unmounted, a bucket's prefix emptied, or an older backup put in place. Such a
//! place looks like an archive with nothing new in it, or without a certain record. So an absence
//! counts, and objects are written or deleted, only while the newest entry that the process knows
//! is in its place and unchanged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt as _;
use object_store::path::Path;
use object_store::{Error, GetOptions, ObjectMeta, ObjectStore};
use parking_lot::Mutex;

use super::entry;
use super::snapshot::Snapshot;
use crate::archive::chain::EntryLink;
use crate::archive::paths;
use crate::clock::Clock;

/// An archive that was taken away is assumed not to be back within this time.
const AWAY_MIN: Duration = Duration::from_secs(2);

/// The archive is not the one that was opened.
#[derive(Debug, thiserror::Error)]
#[error(
    "the archive is not the one that was opened: {path} is {what}. Is its volume mounted, or was \
     another copy put in its place? Nothing is written until it is back"
)]
struct Lost {
    path: Path,
    what: &'static str,
}

impl From<Lost> for Error {
    fn from(lost: Lost) -> Self {
        Self::Generic { store: "archive", source: lost.into() }
    }
}

/// The entry by which the archive is recognised.
#[derive(Debug, Clone)]
pub(in crate::archive) struct Head {
    version: u64,
    link: EntryLink,
    /// The entry known before this one. It is checked if the newest does not name its predecessor.
    before: Option<(u64, EntryLink)>,
    /// The metadata of the object when it was last found to be the same.
    seen: Option<ObjectStamp>,
}

/// The metadata that change if the object does.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ObjectStamp {
    size: u64,
    modified: i64,
    e_tag: Option<String>,
}

impl ObjectStamp {
    fn of(object: &ObjectMeta) -> Self {
        let modified = object.last_modified.timestamp_micros();
        Self { size: object.size, modified, e_tag: object.e_tag.clone() }
    }
}

/// The newest log entry that a process knows. Clones share it.
#[derive(Debug, Clone)]
pub(in crate::archive) struct Anchor {
    head: Arc<Mutex<Option<Head>>>,
    /// When the last successful check began, by the clock that counts sleep.
    checked: Arc<Mutex<Option<Duration>>>,
    /// True if the last check found no such entry.
    missing: Arc<AtomicBool>,
    clock: Arc<dyn Clock>,
}

impl Anchor {
    /// The anchor of a process that knows no entry yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let (head, checked, missing) = Default::default();
        Self { head, checked, missing, clock }
    }

    /// Moves to a newer version. A version whose entry is unknown leaves the anchor where it is.
    pub fn move_to(&self, snapshot: &Snapshot) {
        let Some(link) = snapshot.head() else { return };
        let version = snapshot.version();
        let mut head = self.head.lock();
        if head.as_ref().is_none_or(|head| head.version < version) {
            let before = head.as_ref().map(|head| (head.version, head.link));
            *head = Some(Head { version, link, before, seen: None });
        }
    }

    /// Time by the clock that counts sleep.
    pub fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }

    /// True if the archive, which was the right one at `then`, cannot have been replaced since.
    pub fn is_since(&self, then: Option<Duration>) -> bool {
        then.is_some_and(|then| self.elapsed().saturating_sub(then) <= AWAY_MIN)
    }

    /// When the store was last found to be the right archive; `None` if it never was.
    pub fn checked(&self) -> Option<Duration> {
        *self.checked.lock()
    }

    /// True if the last check did not find the entry by which the archive is recognised.
    pub fn is_missing(&self) -> bool {
        self.missing.load(Ordering::SeqCst)
    }

    /// Makes sure that `store` is the archive that was opened, if one was.
    ///
    /// # Errors
    /// The store is another archive, or did not answer.
    pub async fn check(&self, store: &dyn ObjectStore) -> Result<(), Error> {
        let began = self.elapsed();
        let head = self.head.lock().clone();
        if let Some(head) = head {
            let looked = self.look_at_head(store, head).await;
            let is_missing = matches!(looked, Err(Error::NotFound { .. }));
            self.missing.store(is_missing, Ordering::SeqCst);
            looked.map_err(gone)?;
        }
        let mut checked = self.checked.lock();
        *checked = (*checked).max(Some(began));
        Ok(())
    }

    /// The check itself; NotFound means that the archive is gone, or its log was cleaned.
    async fn look_at_head(&self, store: &dyn ObjectStore, head: Head) -> Result<(), Error> {
        let Head { version, link, before, seen } = head;
        if let Some(seen) = &seen {
            let path = Path::from(paths::log_entry(version));
            let options = GetOptions { head: true, ..GetOptions::default() };
            let found = store.get_opts(&path, options).await.map_err(|error| at(error, &path))?;
            if ObjectStamp::of(&found.meta) == *seen {
                return Ok(());
            }
        }
        let known_before = async {
            let (version, link) = before?;
            Some(entry_seen(store, version, link).await)
        };
        // Side by side, because this is on the way of a request.
        let (newest, known_before) = tokio::join!(entry_seen(store, version, link), known_before);
        let (now_seen, bytes) = newest?;
        // A retried put of this entry may have arrived late, in a store that has taken the
        // archive's place, even within the time since the last check. So the entry that it names
        // is checked too. One further back may also be in an older copy.
        let named = entry::read(version, &bytes).ok().and_then(|entry| entry.before);
        let named = version.checked_sub(1).zip(named);
        let found = match named {
            Some(named) if Some(named) != before => Some(entry_seen(store, named.0, named.1).await),
            _ => known_before,
        };
        match found {
            Some(Err(Error::NotFound { .. })) if was_cleaned(store, version).await? => {}
            Some(found) => drop(found?),
            None => {}
        }
        let mut now = self.head.lock();
        if let Some(now) = now.as_mut().filter(|now| now.version == version) {
            now.seen = Some(now_seen);
        }
        Ok(())
    }
}

/// The metadata and bytes of the entry of a version, which must have this link.
async fn entry_seen(
    store: &dyn ObjectStore,
    version: u64,
    link: EntryLink,
) -> Result<(ObjectStamp, Bytes), Error> {
    let path = Path::from(paths::log_entry(version));
    let found = store.get_opts(&path, GetOptions::default()).await;
    let found = found.map_err(|error| at(error, &path))?;
    let seen = ObjectStamp::of(&found.meta);
    let bytes = found.bytes().await?;
    if crc32fast::hash(&bytes) != link.crc32() {
        return Err(Lost { path, what: "a different entry" }.into());
    }
    Ok((seen, bytes))
}

/// True if the entries before a version may have been cleaned away: a checkpoint of the log covers
/// them. An older copy has no such checkpoint.
async fn was_cleaned(store: &dyn ObjectStore, version: u64) -> Result<bool, Error> {
    let folder = Path::from(paths::in_archive(paths::LOG));
    // Every name of this version is longer than its digits, and so sorts after them.
    let before = folder.clone().join(format!("{version:020}"));
    let mut names = store.list_with_offset(Some(&folder), &before);
    while let Some(object) = names.try_next().await? {
        if object.location.filename().is_some_and(|name| name.contains(".checkpoint.")) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The same error; a missing object is named by its path in the archive.
fn at(error: Error, path: &Path) -> Error {
    match error {
        Error::NotFound { source, .. } => Error::NotFound { path: path.to_string(), source },
        other => other,
    }
}

fn gone(error: Error) -> Error {
    match error {
        Error::NotFound { path, .. } => Lost { path: path.into(), what: "missing" }.into(),
        other => other,
    }
}
