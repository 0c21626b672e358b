//! Checksums of data files that other programs wrote, noted when a server first learns of them.
//!
//! The log has checksums of our files only, and a flipped bit in another program's file can decode
//! to other numbers without an error. So a server notes the CRC-32 of every block of such a file in
//! a sealed record: as soon as it learns of the file, and at the latest before it counts it. Each
//! reader verifies what it reads from then on. Damage from before that cannot be told from what the
//! other program wrote.

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path;
use serde::{Deserialize, Serialize};

use super::data_file::DataFile;
use crate::archive::error::ArchiveError;
use crate::archive::parquet::checked_read::{CheckedObject, CheckedReader};
use crate::archive::parquet::checksums::Checksums;
use crate::archive::paths;
use crate::archive::store::records::Records;
use crate::archive::store::sealed::Record;

/// What a file was when a server first read it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FirstSight {
    /// Its path, relative to the table.
    path: String,
    size_bytes: u64,
    /// [`Checksums`] in their text form.
    crc32: String,
}

impl Record for FirstSight {}

/// The stored object of a data file, with the checksums that the log or a record has for it.
///
/// # Errors
/// Unavailable; Corrupt or NewerRecord, naming the record or the file.
pub(in crate::archive) async fn known_object(
    store: &Arc<dyn ObjectStore>,
    file: &DataFile,
) -> Result<CheckedObject, ArchiveError> {
    if file.is_ours() {
        return Ok(CheckedObject::of(file));
    }
    let noted = noted(&Records::new(store.clone()), file).await?;
    Ok(CheckedObject::new(Path::from(file.path_in_archive()), file.size_bytes, noted))
}

/// Reads a file of another program and notes its checksums, unless they are noted. A store that
/// refuses the record leaves the file without one, because scrapes go on while a disk is full; gives
/// whether it has one.
///
/// # Errors
/// Unavailable or Corrupt, naming the file; of the record as [`known_object`].
pub(in crate::archive) async fn note(
    store: &Arc<dyn ObjectStore>,
    records: &Records,
    file: &DataFile,
) -> Result<bool, ArchiveError> {
    if noted(records, file).await?.is_some() {
        return Ok(true);
    }
    let read = CheckedReader::new(store.clone(), CheckedObject::of(file)).checksums().await;
    let crc32 = read.map_err(|error| ArchiveError::of_read(&file.path_in_archive(), &error))?;
    let sight = FirstSight {
        path: file.path.to_string(),
        size_bytes: file.size_bytes,
        crc32: crc32.to_text(),
    };
    if let Err(error) = records.put_new(&paths::first_sight(&file.path), &sight).await {
        let path = file.path_in_archive();
        tracing::warn!(%error, path, "the checksums of another program's file could not be noted");
        return Ok(false);
    }
    Ok(true)
}

async fn noted(records: &Records, file: &DataFile) -> Result<Option<Checksums>, ArchiveError> {
    let place = paths::first_sight(&file.path);
    let Some(stored) = records.get::<FirstSight>(&place).await? else { return Ok(None) };
    let FirstSight { path, size_bytes, crc32 } = stored.record;
    let broken = |reason| ArchiveError::corrupt(place.as_ref(), reason);
    if path != *file.path {
        return Err(broken("it is of another file"));
    }
    if size_bytes != file.size_bytes {
        return Err(broken("the file has another size in the log"));
    }
    Checksums::from_text(&crc32).map(Some).ok_or_else(|| broken("it has no checksums"))
}
