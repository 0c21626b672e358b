//! Makes sure that log entries that were read are those of the right archive.
//!
//! Another archive may be in the place of the right one while entries are read, and the right one
//! may be back before anybody looks. That the newest entry is right says nothing about the entries
//! of other programs before it: they do not name the entry before them, as ours do.

use std::time::Duration;

use super::anchored::{Slow, TRIES};
use super::entry::{self, Entry};
use super::trail::Trail;
use super::{Followed, Log};
use crate::archive::chain::EntryLink;
use crate::archive::error::ArchiveError;
use crate::archive::paths;

/// Entries that are read side by side.
const SIDE_BY_SIDE: usize = 32;

impl Log {
    /// Reads one entry of the right archive; `None` if there is none.
    pub(super) async fn read_surely(&self, version: u64) -> Result<Option<Entry>, ArchiveError> {
        let right_at = self.anchor.checked();
        let Some(found) = self.read(version).await? else { return Ok(None) };
        self.check_anchor().await?;
        let mut trail = Trail::default();
        trail.add(version, &found);
        self.confirm_trail(&trail, right_at).await?;
        Ok(Some(found))
    }

    /// Makes sure that followed entries belong to the right archive, which was last found at
    /// `right_at`. Another archive may have been in its place while they were read. That no entry
    /// comes after them was already checked.
    ///
    /// # Errors
    /// OtherLog if one of them is not in it; Unavailable.
    pub(in crate::archive) async fn confirm(
        &self,
        followed: &Followed,
        right_at: Option<Duration>,
    ) -> Result<(), ArchiveError> {
        if !followed.at_head {
            self.check_anchor().await?;
        }
        self.confirm_trail(&followed.trail, right_at).await
    }

    /// Makes sure that the entries of a trail belong to the right archive, which was last found at
    /// `right_at`, before they were read.
    ///
    /// # Errors
    /// OtherLog, naming an entry that is not in it; Unavailable.
    async fn confirm_trail(
        &self,
        trail: &Trail,
        right_at: Option<Duration>,
    ) -> Result<(), ArchiveError> {
        if self.anchor.is_since(right_at) {
            return Ok(());
        }
        for _ in 0..TRIES {
            let right_at = self.anchor.checked();
            let mut links = Vec::new();
            for step in trail.entries().chunks(SIDE_BY_SIDE) {
                let step = step.iter().map(|(version, _)| self.link_of(*version));
                links.extend(futures::future::try_join_all(step).await?);
            }
            self.check_anchor().await?;
            if !self.anchor.is_since(right_at) {
                continue;
            }
            let mut compared = trail.entries().iter().zip(links);
            let other = compared.find(|((_, read), link)| read != link);
            return other.map_or(Ok(()), |((version, _), _)| {
                Err(ArchiveError::OtherLog { path: paths::log_entry(*version) })
            });
        }
        Err(ArchiveError::unavailable("comparing log entries", Slow))
    }

    /// The link of the entry of a version; `None` if there is none.
    ///
    /// # Errors
    /// Corrupt or Unavailable.
    pub(in crate::archive) async fn link_of(
        &self,
        version: u64,
    ) -> Result<Option<EntryLink>, ArchiveError> {
        let Some(bytes) = self.read_bytes(version).await? else { return Ok(None) };
        Ok(entry::read(version, &bytes)?.link)
    }
}
