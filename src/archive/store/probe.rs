//! A look at a log on a local disk that costs two system calls.
//!
//! Asking the store for a missing entry goes through a thread for blocking work and back, which
//! takes many times as long as the disk does. Scrapes ask for it far more often than for anything
//! else.

use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::archive::chain::EntryLink;
use crate::archive::paths;

/// Checks whether a log on a local disk has nothing new.
#[derive(Debug, Clone)]
pub struct LogProbe {
    archive: PathBuf,
    /// The entry that was read last, and the metadata of its file.
    seen: Arc<Mutex<Option<(EntryLink, FileIdentity)>>>,
}

/// The metadata that changes when a file is replaced or rewritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileIdentity {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileIdentity {
    fn of(file: &Metadata) -> Self {
        Self {
            device: file.dev(),
            inode: file.ino(),
            size: file.len(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        }
    }
}

impl LogProbe {
    /// A probe of the archive in the folder `archive`.
    pub(in crate::archive) fn new(archive: &Path) -> Self {
        Self { archive: archive.to_owned(), seen: Arc::default() }
    }

    /// True only if the log has no entry after `version`, and the entry of `version` is the one
    /// that `head` describes. Without that entry, the absence of the next one proves nothing.
    /// Blocks for as long as the disk takes.
    pub(in crate::archive) fn is_newest(&self, version: u64, head: EntryLink) -> bool {
        let next = std::fs::symlink_metadata(self.archive.join(paths::log_entry(version + 1)));
        let absent = matches!(next, Err(error) if error.kind() == ErrorKind::NotFound);
        absent && self.is_there(version, head)
    }

    fn is_there(&self, version: u64, head: EntryLink) -> bool {
        let path = self.archive.join(paths::log_entry(version));
        let Ok(file) = std::fs::symlink_metadata(&path) else { return false };
        let look = FileIdentity::of(&file);
        if *self.seen.lock() == Some((head, look)) {
            return true;
        }
        let same = std::fs::read(&path).is_ok_and(|bytes| crc32fast::hash(&bytes) == head.crc32());
        if same {
            *self.seen.lock() = Some((head, look));
        }
        same
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_new_only_beside_the_entry_that_is_known() {
        let archive = tempfile::tempdir().unwrap();
        let probe = LogProbe::new(archive.path());
        let head = EntryLink::new(None, b"0");
        assert!(!probe.is_newest(0, head));
        let entry = archive.path().join(paths::log_entry(0));
        std::fs::create_dir_all(entry.parent().unwrap()).unwrap();
        assert!(!probe.is_newest(0, head));
        std::fs::write(&entry, "0").unwrap();
        assert!(probe.is_newest(0, head) && probe.is_newest(0, head));
        // Another entry in its place.
        std::fs::write(&entry, "1").unwrap();
        assert!(!probe.is_newest(0, head));
        std::fs::write(&entry, "0").unwrap();
        assert!(probe.is_newest(0, head));
        // Something new.
        std::fs::write(archive.path().join(paths::log_entry(1)), "").unwrap();
        assert!(!probe.is_newest(0, head));
        // All is gone.
        std::fs::remove_dir_all(archive.path()).unwrap();
        assert!(!probe.is_newest(0, head));
    }
}
