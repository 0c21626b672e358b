//! Reads catalogues and parts of an archive.

use std::collections::BTreeSet;
use std::sync::Arc;

use object_store::ObjectStore;

use super::record::{ListedPart, NewestCatalogue, ReportCatalogue, ReportPart};
use crate::archive::error::ArchiveError;
use crate::archive::paths::reports as paths;
use crate::archive::store::records::Records;

const CATALOGUE_GONE: &str =
    "it is gone (without a copy, delete the folder reports, and import the reports again)";
const PART_GONE: &str = "it is gone; import the report of its date again";

/// What providers report of the organisations of an archive.
#[derive(Debug, Clone)]
pub struct Reports {
    pub(super) records: Records,
}

impl Reports {
    /// The reports of the archive whose root is `store`.
    pub fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self { records: Records::new(store) }
    }

    /// The organisations that have reports, in lower case and in order.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn orgs(&self) -> Result<Vec<String>, ArchiveError> {
        let (catalogues, notes) = futures::try_join!(
            self.records.list(paths::CATALOGUES),
            self.records.list(paths::NEWEST)
        )?;
        let catalogues = catalogues.iter().filter_map(|found| paths::catalogue_of(&found.path));
        let notes = notes.iter().filter_map(|found| paths::newest_of(&found.path));
        let orgs: BTreeSet<&str> = catalogues.map(|(org, _)| org).chain(notes).collect();
        Ok(orgs.into_iter().map(str::to_owned).collect())
    }

    /// The newest catalogue of an organisation, whose name is given in lower case; none if it has no
    /// report.
    ///
    /// # Errors
    /// Unavailable; Corrupt, if it is damaged or gone.
    pub async fn catalogue(
        &self,
        lowercase: &str,
    ) -> Result<Option<ReportCatalogue>, ArchiveError> {
        let folder = paths::catalogues_of(lowercase);
        let listed = self.records.list(folder.as_ref()).await?;
        let found = listed.iter().filter_map(|found| paths::catalogue_of(&found.path));
        let newest = found.map(|(_, version)| version).max();
        let noted = self.records.get::<NewestCatalogue>(&paths::newest(lowercase)).await?;
        let noted = noted.map(|noted| noted.record.version);
        let Some(version) = newest.max(noted) else { return Ok(None) };
        let path = paths::catalogue(lowercase, version);
        let gone = || ArchiveError::corrupt(path.as_ref(), CATALOGUE_GONE);
        let stored = self.records.get::<ReportCatalogue>(&path).await?.ok_or_else(gone)?;
        Ok(Some(stored.record))
    }

    /// The rows of a part of an organisation, whose name is given in lower case.
    ///
    /// # Errors
    /// Unavailable; Corrupt, if it is damaged or gone.
    pub async fn part(
        &self,
        lowercase: &str,
        listed: &ListedPart,
    ) -> Result<ReportPart, ArchiveError> {
        let path = paths::part(lowercase, &listed.object);
        let gone = || ArchiveError::corrupt(path.as_ref(), PART_GONE);
        let stored = self.records.get::<ReportPart>(&path).await?.ok_or_else(gone)?;
        let part = stored.record;
        if part.of != listed.of || part.date != listed.date {
            let other = "it is not the part that the catalogue names";
            return Err(ArchiveError::corrupt(path.as_ref(), other));
        }
        Ok(part)
    }
}
