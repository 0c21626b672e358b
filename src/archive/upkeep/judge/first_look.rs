//! The first look at files of other programs, as soon as they come: their checksums are noted, and their
//! organisations claimed, also if nobody asks for them.

use std::collections::HashSet;
use std::sync::Arc;

use super::Judge;
use super::orgs::FileOrgs;
use crate::archive::error::ArchiveError;
use crate::archive::file::data_file::DataFile;
use crate::archive::file::first_sight;
use crate::archive::log::snapshot::Snapshot;

impl Judge {
    /// Notes the checksums of the foreign files of a version that are not among `noted`, and claims their
    /// organisations. `noted` has those afterwards of which nothing is left to do. A file whose rows
    /// another program only moved is read by nobody who counts, but by queries.
    ///
    /// # Errors
    /// Unavailable or Corrupt, naming the first file that cannot be read; the others are noted.
    pub async fn note_all(
        &self,
        snapshot: &Snapshot,
        noted: &mut HashSet<Arc<str>>,
    ) -> Result<(), ArchiveError> {
        let (mut outcome, mut claimed) = (Ok(()), None);
        let before = std::mem::take(noted);
        for file in snapshot.files().filter(|file| !file.is_ours()) {
            let is_noted = before.contains(&file.path) || {
                match self.note(snapshot, file, &mut claimed).await {
                    Ok(is_noted) => is_noted,
                    Err(error) => {
                        outcome = outcome.and(Err(error));
                        false
                    }
                }
            };
            if is_noted {
                noted.insert(file.path.clone());
            }
        }
        outcome
    }

    /// True if nothing is left to do. `claimed` has the names that are claimed, once they were listed.
    async fn note(
        &self,
        snapshot: &Snapshot,
        file: &Arc<DataFile>,
        claimed: &mut Option<HashSet<String>>,
    ) -> Result<bool, ArchiveError> {
        let orgs = {
            let _turn = self.turn().await?;
            if !first_sight::note(&self.store, &self.records, file).await? {
                return Ok(false);
            }
            FileOrgs::read(&self.store, file).await
        };
        let orgs = match orgs {
            Ok(orgs) => orgs,
            // Whoever counts the file is told.
            Err(ArchiveError::Foreign { .. }) => return Ok(true),
            Err(error) => return Err(error),
        };
        let claimed = match claimed {
            Some(claimed) => claimed,
            None => claimed.insert(self.records.orgs().await?.into_iter().collect()),
        };
        if orgs.are_among(claimed) {
            return Ok(true);
        }
        // Only a file that may be counted has organisations: its rows are judged, which claims them.
        let slot = self.slot(&file.path);
        let mut known = slot.lock().await;
        let reason = self.reason_of_rows(&mut known, snapshot, file).await?;
        Ok(reason.is_some() || known.rows.is_some())
    }
}
