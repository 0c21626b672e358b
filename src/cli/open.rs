//! The ways in which commands open the archive.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use object_store::ObjectStore;

use crate::archive::{
    Archive, ArchiveLocation, Creation, FollowSettings, HEAD_NOTE, Records, TotalsStore,
    WriterSettings,
};
use crate::clock::{Clock, ShiftedClock, SystemClock};
use crate::new_file::{is_file_of, lies_within};
use crate::sql::sql_version;
use crate::telemetry::Telemetry;

/// How often the background task looks at the log.
pub(super) const FOLLOW_INTERVAL: Duration = Duration::from_secs(1);
/// Files that may be added up before a totals snapshot is due: this many take some tens of
/// milliseconds.
pub(super) const TOTALS_WORK_MAX: u64 = 128;

/// The variable that names a file which shifts the clock, in tests of the whole program.
const TEST_CLOCK: &str = "TOKENLAKE_TEST_CLOCK";

/// Whether an archive is created if there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Create {
    /// Only open an existing archive.
    Never,
    /// Create a new archive.
    IfMissing,
}

impl From<Create> for Creation {
    fn from(create: Create) -> Self {
        match create {
            Create::Never => Self::Never,
            Create::IfMissing => Self::IfMissing,
        }
    }
}

/// The machine's clock, or in tests the shifted one.
pub(super) fn clock() -> Arc<dyn Clock> {
    match std::env::var_os(TEST_CLOCK) {
        None => Arc::new(SystemClock),
        Some(file) => {
            tracing::warn!("{TEST_CLOCK} is set: this process does not use the machine's clock");
            Arc::new(ShiftedClock::by(file.into()))
        }
    }
}

/// The store of an archive, whose folder is created if it is missing.
///
/// # Errors
/// If its settings are wrong or its folder cannot be created.
pub(super) fn store(location: &ArchiveLocation) -> anyhow::Result<Arc<dyn ObjectStore>> {
    location.create().map_err(anyhow::Error::msg)
}

/// The store of an archive whose folder must already exist.
///
/// # Errors
/// If the folder does not exist, or the settings are wrong.
pub(super) fn existing_store(location: &ArchiveLocation) -> anyhow::Result<Arc<dyn ObjectStore>> {
    match location {
        ArchiveLocation::Local(folder) if !folder.exists() => Err(nothing_at(location)),
        _ => location.open().map_err(anyhow::Error::msg),
    }
}

/// The store of an archive that must already exist.
///
/// # Errors
/// If the archive does not exist, or the store does not answer.
pub(super) async fn existing_archive(
    location: &ArchiveLocation,
) -> anyhow::Result<Arc<dyn ObjectStore>> {
    let store = existing_store(location)?;
    if !Archive::exists(store.clone(), clock()).await? {
        // Keys may have been created before the table. Their names are listed only then: an archive may
        // have a hundred thousand of them.
        let claimed = Records::new(store.clone()).orgs().await?;
        if claimed.is_empty() {
            return Err(nothing_at(location));
        }
    }
    Ok(store)
}

/// An archive that must already exist.
///
/// # Errors
/// If it does not exist or cannot be opened.
pub(super) async fn existing(location: &ArchiveLocation) -> anyhow::Result<Archive> {
    let store = existing_archive(location).await?;
    let settings = WriterSettings::default();
    Ok(Archive::open(store, clock(), Telemetry::new(), settings, FollowSettings::default()).await?)
}

/// The archive's totals snapshots.
pub(super) fn totals(archive: &Archive) -> anyhow::Result<TotalsStore> {
    Ok(TotalsStore::new(archive.store(), clock(), sql_version())?)
}

/// Checks that a file which a command is to write does not lie among the archive's objects. All of
/// them are in subfolders of the archive, but for the note of the newest commit.
///
/// # Errors
/// If it does.
pub(super) fn refuse_in_archive(
    location: &ArchiveLocation,
    file: &Path,
    flag: &str,
) -> anyhow::Result<()> {
    match location {
        ArchiveLocation::Local(folder)
            if lies_within(file, folder) || is_file_of(file, folder, HEAD_NOTE) =>
        {
            Err(anyhow::anyhow!(
                "cannot write {}: it lies among the objects of the archive at {location}; choose another {flag}",
                file.display()
            ))
        }
        _ => Ok(()),
    }
}

fn nothing_at(location: &ArchiveLocation) -> anyhow::Error {
    anyhow::anyhow!(
        "there is no archive at {location}; choose another --archive, or start one with: tokenlake serve"
    )
}
