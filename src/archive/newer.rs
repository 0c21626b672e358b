//! What failed at a version that is no longer the newest: files of it may be gone because others have
//! rewritten them since, and that is no damage.

use std::sync::Arc;

use super::{Archive, ArchiveError, Snapshot};

/// An error that may be that of one object.
pub trait OfObject {
    /// The object that is damaged, missing or not to be counted, relative to the archive.
    fn object(&self) -> Option<&str>;
}

impl OfObject for ArchiveError {
    fn object(&self) -> Option<&str> {
        match self {
            Self::Corrupt { path, .. } | Self::Foreign { path, .. } => Some(path),
            _ => None,
        }
    }
}

impl Snapshot {
    /// True if what failed at an older version need not fail at this one: the object is no part of
    /// it, or is another program's file that was compared with one that is no part of it.
    pub fn explains(&self, error: &impl OfObject, older: &Self) -> bool {
        let Some(path) = error.object().filter(|_| older.version() < self.version()) else {
            return false;
        };
        self.is_without(path)
            || self.is_foreign(path) && older.files().any(|file| !self.is_live(file))
    }
}

impl Archive {
    /// The newest version, if what failed at `snapshot` need not fail there: only of what is part of
    /// the newest version it is said that it is damaged or missing.
    ///
    /// # Errors
    /// As [`Archive::newest`].
    pub async fn newer(
        &self,
        snapshot: &Snapshot,
        error: &impl OfObject,
    ) -> Result<Option<Arc<Snapshot>>, ArchiveError> {
        if error.object().is_none() {
            return Ok(None);
        }
        let newest = self.newest().await?;
        Ok(newest.explains(error, snapshot).then_some(newest))
    }

    /// Does `work` at `snapshot`, and again at the newest version for as long as it meets files that
    /// others have rewritten and removed. Each time it is a newer version; the caller's deadline is
    /// its bound.
    ///
    /// # Errors
    /// What the work fails with at a version whose objects it needs are still part of the table, or
    /// as [`Archive::newest`].
    pub async fn at_newest<T, E, W>(
        &self,
        mut snapshot: Arc<Snapshot>,
        mut work: impl FnMut(Arc<Snapshot>) -> W,
    ) -> Result<T, E>
    where
        E: OfObject + From<ArchiveError>,
        W: Future<Output = Result<T, E>>,
    {
        loop {
            let error = match work(snapshot.clone()).await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            match self.newer(&snapshot, &error).await? {
                Some(newest) => snapshot = newest,
                None => return Err(error),
            }
        }
    }
}
