//! What failed at a version that is no longer the newest: files of it may be gone because others have
//! rewritten them since, and that is no damage.

use super::snapshot::Snapshot;
use crate::archive::error::ArchiveError;

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
