//! A look at a log on a local disk that costs one system call.
//!
//! Asking the store for an entry that is not there takes a hop to a thread for blocking work and
//! back, many times what the disk's answer takes. Scrapes ask that far more than anything else.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::paths;

/// Tells whether log entries of an archive on a local disk are absent.
#[derive(Debug, Clone)]
pub struct LogProbe {
    archive: PathBuf,
    log: PathBuf,
}

impl LogProbe {
    /// A probe of the archive in a folder.
    pub(super) fn new(archive: &Path) -> Self {
        Self { archive: archive.to_owned(), log: archive.join(paths::in_archive(paths::LOG)) }
    }

    /// True only if the log has no such entry. Blocks for as long as the disk takes to say so.
    pub(super) fn is_absent(&self, version: u64) -> bool {
        let entry = std::fs::symlink_metadata(self.archive.join(paths::log_entry(version)));
        // Where the whole log is gone, the absence of an entry says nothing.
        matches!(entry, Err(error) if error.kind() == ErrorKind::NotFound) && self.log.is_dir()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_log_that_is_there_can_lack_an_entry() {
        let archive = tempfile::tempdir().unwrap();
        let probe = LogProbe::new(archive.path());
        assert!(!probe.is_absent(0));
        let entry = archive.path().join(paths::log_entry(0));
        std::fs::create_dir_all(entry.parent().unwrap()).unwrap();
        assert!(probe.is_absent(0));
        std::fs::write(entry, "").unwrap();
        assert!(!probe.is_absent(0) && probe.is_absent(1));
    }
}
