//! Reads catalogues and tables of an archive.

use std::sync::Arc;

use super::catalogue::{Catalogue, ListedTable, NewestNote, StoredTable};
use crate::archive::{ArchiveError, Records, prices};
use crate::pricing::{Table, TableError};

const GONE: &str =
    "it is gone (without a copy, delete the folder prices, and import the tables again)";

/// The newest catalogue; none if nothing was imported.
///
/// # Errors
/// Unavailable; Corrupt, if it is damaged or gone.
pub(super) async fn newest(records: &Records) -> Result<Option<Catalogue>, ArchiveError> {
    let listed = records.list(prices::VERSIONS).await?;
    let newest = listed.iter().filter_map(|found| prices::version_of(&found.path)).max();
    let noted = records.get::<NewestNote>(&prices::newest()).await?;
    let noted = noted.map(|noted| noted.record.version);
    let Some(version) = newest.max(noted) else { return Ok(None) };
    match catalogue(records, version).await? {
        Some(catalogue) => Ok(Some(catalogue)),
        None => Err(ArchiveError::corrupt(prices::version(version).as_ref(), GONE)),
    }
}

/// The newest catalogue, from one that is known on; none if there is no newer one.
///
/// # Errors
/// As [`newest`].
pub(super) async fn after(
    records: &Records,
    mut version: u64,
) -> Result<Option<Catalogue>, ArchiveError> {
    let mut newest = None;
    while let Some(next) = catalogue(records, version + 1).await? {
        version = next.version;
        newest = Some(next);
    }
    Ok(newest)
}

/// The catalogue of a version; none if there is none.
///
/// # Errors
/// Unavailable; Corrupt, if it is damaged.
pub(super) async fn catalogue(
    records: &Records,
    version: u64,
) -> Result<Option<Catalogue>, ArchiveError> {
    let path = prices::version(version);
    let Some(stored) = records.get::<Catalogue>(&path).await? else { return Ok(None) };
    if stored.record.version != version {
        return Err(ArchiveError::corrupt(path.as_ref(), "it is not of this version"));
    }
    Ok(Some(stored.record))
}

/// The text of a table.
///
/// # Errors
/// Unavailable; Corrupt, if it is damaged or gone.
pub(super) async fn text(records: &Records, listed: &ListedTable) -> Result<String, ArchiveError> {
    let path = prices::table(&listed.object);
    match records.get::<StoredTable>(&path).await? {
        Some(stored) => Ok(stored.record.json),
        None => {
            let reason = "it is gone; import the table again";
            Err(ArchiveError::corrupt(path.as_ref(), reason))
        }
    }
}

/// A table.
///
/// # Errors
/// As [`text`]; NewerRecord, if it needs a newer program.
pub(super) async fn table(
    records: &Records,
    listed: &ListedTable,
) -> Result<Arc<Table>, ArchiveError> {
    let text = text(records, listed).await?;
    let (path, name, org) =
        (prices::table(&listed.object), listed.name.clone(), listed.org.clone());
    let parse = move || {
        let table = Table::parse(text.as_bytes(), &name)?;
        match org {
            Some(org) => table.of_org(&org),
            None => Ok(table),
        }
    };
    // Many rules take a while, and a runtime's thread has others to serve.
    let parsed = tokio::task::spawn_blocking(parse).await;
    match parsed.map_err(|_| ArchiveError::internal("reading a table of prices", "it panicked"))? {
        Ok(table) => Ok(Arc::new(table)),
        // It was checked when it was imported, so another program knows more.
        Err(TableError::Version(_) | TableError::Json(_)) => {
            Err(ArchiveError::NewerRecord { path: path.as_ref().to_owned() })
        }
        Err(error) => Err(ArchiveError::corrupt(path.as_ref(), error)),
    }
}
