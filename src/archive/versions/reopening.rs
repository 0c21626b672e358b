//! Opening a table anew when its log has been cleaned past our version, or may have been in a long
//! pause.

use std::collections::HashSet;

use arrow::array::RecordBatch;

use super::opening::OpenedTable;
use crate::archive::error::ArchiveError;
use crate::archive::log::Log;
use crate::archive::log::checkpoint::{LogRetention, described};
use crate::archive::log::head_note::HeadNote;
use crate::archive::log::snapshot::Snapshot;
use crate::archive::paths;

/// How many times the check is tried if the archive answers too slowly.
const TRIES: usize = 4;

impl Log {
    /// Opens anew, after a long pause, the table that `known` is a version of.
    ///
    /// # Errors
    /// As [`Log::open`]; OtherLog also if it is another table, or an older copy.
    pub(in crate::archive) async fn reopen(
        &self,
        known: &Snapshot,
    ) -> Result<OpenedTable, ArchiveError> {
        let other = || ArchiveError::OtherLog { path: paths::log_entry(known.version()) };
        let noted = HeadNote::read(self.root()).await?;
        let listing = self.list().await?;
        if listing.is_empty() || listing.newest < known.version() {
            return Err(other());
        }
        let opened = self.open_listed(listing).await?;
        opened.has(noted.as_ref())?;
        let snapshot = &opened.snapshot;
        if snapshot.version() < known.version() || snapshot.table().id != known.table().id {
            return Err(opened.refused.unwrap_or_else(other));
        }
        if self.has_both(known, snapshot).await? { Ok(opened) } else { Err(other()) }
    }

    /// Opens anew the table that `known` is a version of, when its log was cleaned past that version.
    /// Nothing of the log is left then that shows that both are the same table. But each file has a name
    /// of its own, and a checkpoint remembers those that were removed: another copy lacks some.
    ///
    /// # Errors
    /// As [`Log::reopen`].
    pub(in crate::archive) async fn reopen_cleaned(
        &self,
        known: &Snapshot,
    ) -> Result<OpenedTable, ArchiveError> {
        let opened = self.reopen(known).await?;
        match self.has_had_all(known, &opened.snapshot).await? {
            true => Ok(opened),
            false => Err(ArchiveError::OtherLog { path: paths::log_entry(known.version()) }),
        }
    }

    /// True if every file of a version is part of a newer one, or was removed since.
    async fn has_had_all(&self, known: &Snapshot, newer: &Snapshot) -> Result<bool, ArchiveError> {
        let gone = known.files().filter(|file| !newer.is_live(file));
        let gone: HashSet<&str> = gone.map(|file| &*file.path).collect();
        if gone.is_empty() {
            return Ok(true);
        }
        let each = |removed: &mut HashSet<String>, rows: &RecordBatch| {
            let paths = described::removes(rows)?.into_iter().map(|(path, _)| path);
            removed.extend(paths.filter(|path| gone.contains(path.as_str())));
            Ok(())
        };
        let version = newer.version();
        let removed = self.for_each_action(version, LogRetention::FOREVER, HashSet::new, each);
        Ok(removed.await?.len() == gone.len())
    }

    /// True if both versions are of the same archive: another one may have been in its place while
    /// part of the newer version was read.
    async fn has_both(&self, known: &Snapshot, newer: &Snapshot) -> Result<bool, ArchiveError> {
        for _ in 0..TRIES {
            let began = self.clock.elapsed();
            let known_link = self.link_of(known.version()).await?;
            let was_cleaned = known_link.is_none() && self.has_cleaned_away(known).await?;
            let link = self.link_of(newer.version()).await?;
            let known_is_there = match known_link {
                Some(link) => known.head().is_none_or(|head| head == link),
                // No cleaning removes the newest entry. A checkpoint alone may have come late to an
                // older copy.
                None => was_cleaned && link.is_some(),
            };
            if !known_is_there || newer.head().is_some_and(|head| Some(head) != link) {
                return Ok(false);
            }
            if self.anchor.is_since(Some(began)) {
                return Ok(true);
            }
        }
        let slow = std::io::Error::other("it answers too slowly to verify that it is the same");
        Err(ArchiveError::unavailable("opening the archive anew", slow))
    }

    /// True if the log has been cleaned past a version: its entry is gone, and a checkpoint covers it. An
    /// older copy has no such checkpoint, and a place where the archive is not has none at all.
    ///
    /// # Errors
    /// Corrupt or Unavailable.
    pub(in crate::archive) async fn is_cleaned_past(
        &self,
        known: &Snapshot,
    ) -> Result<bool, ArchiveError> {
        let is_there = self.read_bytes(known.version()).await?.is_some();
        Ok(!is_there && self.has_cleaned_away(known).await?)
    }

    /// True if the entry of a version may have been cleaned away: a checkpoint covers it.
    async fn has_cleaned_away(&self, known: &Snapshot) -> Result<bool, ArchiveError> {
        let listing = self.list().await?;
        Ok(listing.checkpoints.range(known.version()..).next().is_some())
    }
}
