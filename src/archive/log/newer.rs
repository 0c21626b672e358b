//! Whether a newer version explains a failure at an older one: files of the older version may be
//! gone because others have rewritten them since, and that is no damage.

use super::snapshot::Snapshot;
use crate::archive::error::ArchiveError;

/// An error that may concern one object.
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
    /// True if a failure at an older version may not recur at this one. Either the object is not
    /// part of this version, or it is a foreign file that was compared with one that is not.
    pub fn explains(&self, error: &impl OfObject, older: &Self) -> bool {
        let Some(path) = error.object().filter(|_| older.version() < self.version()) else {
            return false;
        };
        self.is_without(path)
            || self.is_foreign(path) && older.files().any(|file| !self.is_live(file))
    }
}
