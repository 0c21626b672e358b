//! A listing of the log's folder: how far the log goes, and which checkpoints are whole.

use std::collections::BTreeMap;

use futures::TryStreamExt as _;
use object_store::ObjectStoreExt as _;
use object_store::path::Path;

use super::Log;
use crate::archive::error::ArchiveError;
use crate::archive::paths::{self, LOG};

/// An object of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::archive) struct ListedObject {
    /// Relative to the archive.
    pub path: String,
    /// Bytes.
    pub size_bytes: u64,
}

/// A whole checkpoint.
#[derive(Debug, Clone)]
pub(in crate::archive) struct ListedCheckpoint {
    /// The version that it is a checkpoint of.
    pub version: u64,
    /// Its parts.
    pub objects: Vec<ListedObject>,
}

/// The entries and checkpoints of a log, by their names.
#[derive(Debug, Default)]
pub(in crate::archive) struct Listing {
    /// True if there is an entry.
    pub entries: bool,
    /// The newest version that has an entry or a checkpoint.
    pub newest: u64,
    /// The objects of whole checkpoints, by version.
    pub checkpoints: BTreeMap<u64, Vec<ListedObject>>,
    /// The existing parts of multi-part checkpoints, by version and number of parts.
    parts: BTreeMap<(u64, u64), Vec<ListedObject>>,
    /// True if there may be older checkpoints that are not listed.
    pub is_part: bool,
}

impl Listing {
    /// True if there is no table.
    pub fn is_empty(&self) -> bool {
        !self.entries && self.checkpoints.is_empty()
    }

    /// The newest checkpoint of a version before `version`.
    pub fn checkpoint_before(&self, version: u64) -> Option<ListedCheckpoint> {
        let (version, objects) = self.checkpoints.range(..version).next_back()?;
        Some(ListedCheckpoint { version: *version, objects: objects.clone() })
    }

    fn take(&mut self, name: &str, size_bytes: u64) {
        let Some((digits, ending)) = name.split_once('.') else { return };
        let Some(version) = (digits.len() == 20).then(|| digits.parse::<u64>().ok()).flatten()
        else {
            return;
        };
        if ending == "json" {
            self.entries = true;
            self.newest = self.newest.max(version);
            return;
        }
        let object = ListedObject { path: paths::in_archive(&format!("{LOG}/{name}")), size_bytes };
        match ending.split('.').collect::<Vec<_>>()[..] {
            ["checkpoint", "parquet"] => drop(self.checkpoints.insert(version, vec![object])),
            ["checkpoint", _, "parquet"] => {
                self.checkpoints.entry(version).or_insert_with(|| vec![object]);
            }
            ["checkpoint", _, of, "parquet"] => {
                let Ok(of) = of.parse() else { return };
                let there = self.parts.entry((version, of)).or_default();
                there.push(object);
                if there.len() as u64 != of {
                    return;
                }
                let objects = there.clone();
                self.checkpoints.entry(version).or_insert(objects);
            }
            _ => return,
        }
        self.newest = self.newest.max(version);
    }
}

impl Log {
    /// Lists the log from the last noted checkpoint, or all of it if that one is missing.
    ///
    /// # Errors
    /// Unavailable.
    pub(in crate::archive) async fn list(&self) -> Result<Listing, ArchiveError> {
        if let Some(version) = self.noted_checkpoint().await {
            let listing = self.list_from(Some(version)).await?;
            if !listing.checkpoints.is_empty() {
                return Ok(Listing { is_part: true, ..listing });
            }
            // The note names a checkpoint that is missing, so both are hidden.
            self.passed_over.add(version);
        }
        self.list_from(None).await
    }

    /// Lists all of the log.
    ///
    /// # Errors
    /// Unavailable.
    pub(in crate::archive) async fn list_all(&self) -> Result<Listing, ArchiveError> {
        self.list_from(None).await
    }

    /// The newest whole checkpoint of a version before `version`.
    ///
    /// # Errors
    /// Unavailable.
    pub(in crate::archive) async fn checkpoint_before(
        &self,
        version: u64,
    ) -> Result<Option<ListedCheckpoint>, ArchiveError> {
        let listing = self.list().await?;
        match listing.checkpoint_before(version) {
            None if listing.is_part => Ok(self.list_all().await?.checkpoint_before(version)),
            found => Ok(found),
        }
    }

    /// The version of the last noted checkpoint.
    pub(in crate::archive) async fn noted_checkpoint(&self) -> Option<u64> {
        let note = Path::from(paths::log_note_in_table());
        let note = self.store.object_store(None).get(&note).await.ok()?.bytes().await.ok()?;
        serde_json::from_slice::<serde_json::Value>(&note).ok()?.get("version")?.as_u64()
    }

    async fn list_from(&self, version: Option<u64>) -> Result<Listing, ArchiveError> {
        let folder = Path::from(LOG);
        let store = self.store.object_store(None);
        let failed =
            |error| ArchiveError::unavailable(format!("listing {}/{LOG}", paths::TABLE), error);
        let mut names = match version {
            // Every name of the version is longer than its digits, and so sorts after them.
            Some(version) => {
                let before = Path::from(format!("{LOG}/{version:020}"));
                store.list_with_offset(Some(&folder), &before)
            }
            None => store.list(Some(&folder)),
        };
        let mut listing = Listing::default();
        while let Some(object) = names.try_next().await.map_err(failed)? {
            listing.take(object.location.filename().unwrap_or_default(), object.size);
        }
        Ok(listing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint(names: &[&str]) -> Option<u64> {
        let mut listing = Listing::default();
        for name in names {
            listing.take(&format!("{:020}.{}", 7, name), 1);
        }
        listing.checkpoint_before(u64::MAX).map(|found| found.version)
    }

    #[test]
    fn only_a_whole_checkpoint_is_one() {
        let parts = ["1", "2"].map(|part| format!("checkpoint.000000000{part}.0000000002.parquet"));
        let [first, second] = parts.each_ref().map(String::as_str);
        assert_eq!(checkpoint(&["checkpoint.parquet"]), Some(7));
        assert_eq!(checkpoint(&[first]), None);
        assert_eq!(checkpoint(&[first, second]), Some(7));
        assert_eq!(checkpoint(&[first, "checkpoint.0000000002.0000000003.parquet"]), None);
        assert_eq!(checkpoint(&["checkpoint.parquet.tmp", "crc"]), None);
    }
}
