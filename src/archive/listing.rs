//! What a log's folder holds.

use std::collections::BTreeSet;

use futures::TryStreamExt as _;
use object_store::ObjectStoreExt as _;
use object_store::path::Path;

use super::ArchiveError;
use super::log::Log;
use super::paths::{self, LOG};

/// The entries and checkpoints of a log, by their names.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// True if there is an entry.
    pub entries: bool,
    /// The newest version that has an entry or a checkpoint.
    pub newest: u64,
    /// The versions that have a checkpoint, or a part of one.
    pub checkpoints: BTreeSet<u64>,
    /// True if older checkpoints may be there than are listed.
    pub is_part: bool,
}

impl Listing {
    /// True if there is no table.
    pub fn is_empty(&self) -> bool {
        !self.entries && self.checkpoints.is_empty()
    }

    fn take(&mut self, name: &str) {
        let Some((digits, ending)) = name.split_once('.') else { return };
        let Some(version) = (digits.len() == 20).then(|| digits.parse::<u64>().ok()).flatten()
        else {
            return;
        };
        if ending == "json" {
            self.entries = true;
            self.newest = self.newest.max(version);
        } else if ending.starts_with("checkpoint") && ending.ends_with("parquet") {
            self.checkpoints.insert(version);
            self.newest = self.newest.max(version);
        }
    }
}

impl Log {
    /// Lists the log from the checkpoint that was noted last, or else all of it.
    ///
    /// # Errors
    /// Unavailable.
    pub(super) async fn list(&self) -> Result<Listing, ArchiveError> {
        if let Some(version) = self.noted_checkpoint().await {
            let listing = self.list_from(Some(version)).await?;
            if !listing.checkpoints.is_empty() {
                return Ok(Listing { is_part: true, ..listing });
            }
        }
        self.list_from(None).await
    }

    /// Lists all of the log.
    ///
    /// # Errors
    /// Unavailable.
    pub(super) async fn list_all(&self) -> Result<Listing, ArchiveError> {
        self.list_from(None).await
    }

    async fn noted_checkpoint(&self) -> Option<u64> {
        let note = Path::from(format!("{LOG}/_last_checkpoint"));
        let note = self.store.object_store(None).get(&note).await.ok()?.bytes().await.ok()?;
        serde_json::from_slice::<serde_json::Value>(&note).ok()?.get("version")?.as_u64()
    }

    async fn list_from(&self, version: Option<u64>) -> Result<Listing, ArchiveError> {
        let folder = Path::from(LOG);
        let store = self.store.object_store(None);
        let failed =
            |error| ArchiveError::unavailable(format!("listing {}/{LOG}", paths::TABLE), error);
        let mut names = match version {
            // Every name of the version is longer than its digits, and so comes after them.
            Some(version) => {
                let before = Path::from(format!("{LOG}/{version:020}"));
                store.list_with_offset(Some(&folder), &before)
            }
            None => store.list(Some(&folder)),
        };
        let mut listing = Listing::default();
        while let Some(object) = names.try_next().await.map_err(failed)? {
            listing.take(object.location.filename().unwrap_or_default());
        }
        Ok(listing)
    }
}
