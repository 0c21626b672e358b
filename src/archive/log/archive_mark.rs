//! What tells one archive from others: a log entry, by its version and its checksum.
//!
//! A process that works for another one on the same archive looks for the entry that the other one knows
//! as the newest. An archive of other events has another entry there, or none.

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};

use super::snapshot::Snapshot;
use crate::archive::chain::parse_crc32;
use crate::archive::error::ArchiveError;
use crate::archive::paths;

/// A log entry of an archive, as one process tells another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArchiveMark {
    version: u64,
    crc32: u32,
}

impl ArchiveMark {
    /// The mark of the archive at the root of `store`, by the entry of a version.
    ///
    /// # Errors
    /// Corrupt or Unavailable, if the entry has to be read and cannot be.
    pub async fn of(store: &dyn ObjectStore, snapshot: &Snapshot) -> Result<Self, ArchiveError> {
        let version = snapshot.version();
        if let Some(link) = snapshot.head() {
            return Ok(Self { version, crc32: link.crc32() });
        }
        let crc32 = entry_crc32(store, version).await?.ok_or_else(|| {
            ArchiveError::corrupt(paths::log_entry(version), "there is no such object")
        })?;
        Ok(Self { version, crc32 })
    }

    /// Reads what [`ArchiveMark::fmt`](std::fmt::Display) writes; `None` if it is no mark.
    pub fn parse(text: &str) -> Option<Self> {
        let (version, crc32) = text.split_once('-')?;
        Some(Self { version: version.parse().ok()?, crc32: parse_crc32(crc32)? })
    }

    /// Whether the archive at the root of `store` has this entry.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn is_in(&self, store: &dyn ObjectStore) -> Result<bool, ArchiveError> {
        Ok(entry_crc32(store, self.version).await? == Some(self.crc32))
    }
}

impl std::fmt::Display for ArchiveMark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{:08x}", self.version, self.crc32)
    }
}

/// The checksum of an entry; `None` if there is no such entry.
async fn entry_crc32(store: &dyn ObjectStore, version: u64) -> Result<Option<u32>, ArchiveError> {
    let path = paths::log_entry(version);
    let failed = |error| ArchiveError::unavailable(format!("reading {path}"), error);
    match store.get(&Path::from(path.as_str())).await {
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(failed(error)),
        Ok(found) => {
            let bytes = found.bytes().await.map_err(failed)?;
            Ok(Some(crc32fast::hash(&bytes)))
        }
    }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;

    #[tokio::test]
    async fn a_mark_is_in_the_archive_that_has_the_entry_and_in_no_other() {
        let (this, other) = (InMemory::new(), InMemory::new());
        let path = Path::from(paths::log_entry(7));
        this.put(&path, "one".into()).await.unwrap();
        let mark = ArchiveMark { version: 7, crc32: crc32fast::hash(b"one") };
        assert_eq!(ArchiveMark::parse(&mark.to_string()), Some(mark));
        assert!(mark.is_in(&this).await.unwrap());
        assert!(!mark.is_in(&other).await.unwrap());
        other.put(&path, "two".into()).await.unwrap();
        assert!(!mark.is_in(&other).await.unwrap());
    }

    #[test]
    fn other_texts_are_no_marks() {
        for text in ["", "7", "-00000000", "7-0", "x-00000000", "7-0000000G"] {
            assert_eq!(ArchiveMark::parse(text), None, "{text}");
        }
    }
}
