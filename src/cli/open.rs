//! Opening the archive for a command.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use object_store::ObjectStore;

use super::args::ServeArgs;
use crate::app::Settings;
use crate::archive::{
    Archive, ArchiveLocation, Creation, FollowSettings, ORGS, Records, TotalsStore, WriterSettings,
};
use crate::clock::{Clock, ShiftedClock, SystemClock};
use crate::maintain::compact;
use crate::new_file::lies_within;
use crate::sql::sql_version;
use crate::telemetry::Telemetry;
use crate::worker::WorkerSettings;

/// How often the log is followed in the background.
pub(super) const FOLLOW_INTERVAL: Duration = Duration::from_secs(1);
/// So many files are added up in some tens of milliseconds.
pub(super) const CHECKPOINT_WORK_MAX: u64 = 128;
/// The defaults of `tokenlake compact`.
pub(super) const TARGET_BYTES: u64 = 128 << 20;
const GRACE: Duration = Duration::from_secs(24 * 3_600);
/// On object storage each commit is paid for, and every replica follows it.
const REMOTE_COMMIT_INTERVAL: Duration = Duration::from_secs(1);

/// Names the file that moves the clock, in tests of the whole program.
const TEST_CLOCK: &str = "TOKENLAKE_TEST_CLOCK";

/// Whether an archive is made where none is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Create {
    /// Only an archive that is there is opened.
    Never,
    /// A new one is made.
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

/// The machine's clock.
pub(super) fn clock() -> Arc<dyn Clock> {
    match std::env::var_os(TEST_CLOCK) {
        None => Arc::new(SystemClock),
        Some(file) => {
            tracing::warn!("{TEST_CLOCK} is set: this process does not go by the machine's clock");
            Arc::new(ShiftedClock::by(file.into()))
        }
    }
}

/// The store of an archive.
///
/// # Errors
/// If its settings are wrong or its folder cannot be made.
pub(super) fn store(location: &ArchiveLocation) -> anyhow::Result<Arc<dyn ObjectStore>> {
    location.open().map_err(anyhow::Error::msg)
}

/// The store of an archive whose folder must be there already. Opening a folder makes it, which a
/// command that only reads must not do.
///
/// # Errors
/// If it is not there, or its settings are wrong.
pub(super) fn existing_store(location: &ArchiveLocation) -> anyhow::Result<Arc<dyn ObjectStore>> {
    match location {
        ArchiveLocation::Local(folder) if !folder.exists() => Err(nothing_at(location)),
        _ => store(location),
    }
}

/// The store of an archive that must be there already.
///
/// # Errors
/// If it is not there, or does not answer.
pub(super) async fn existing_archive(
    location: &ArchiveLocation,
) -> anyhow::Result<Arc<dyn ObjectStore>> {
    let store = existing_store(location)?;
    // Where keys have been made, the table may not have been yet.
    let claimed = Records::new(store.clone()).list(ORGS).await?;
    if claimed.is_empty() && !Archive::exists(store.clone(), clock()).await? {
        return Err(nothing_at(location));
    }
    Ok(store)
}

/// An archive that must be there already.
///
/// # Errors
/// If it is not there, or cannot be opened.
pub(super) async fn existing(location: &ArchiveLocation) -> anyhow::Result<Archive> {
    let store = existing_archive(location).await?;
    let settings = WriterSettings::default();
    Ok(Archive::open(store, clock(), Telemetry::new(), settings, FollowSettings::default()).await?)
}

/// The archive's checkpoints of totals.
pub(super) fn totals(archive: &Archive) -> anyhow::Result<TotalsStore> {
    Ok(TotalsStore::new(archive.store(), clock(), sql_version())?)
}

/// Makes sure that a file which a command is to write does not lie among an archive's objects, all of
/// which are in folders of the archive's own.
///
/// # Errors
/// If it does.
pub(super) fn refuse_in_archive(
    location: &ArchiveLocation,
    file: &Path,
    flag: &str,
) -> anyhow::Result<()> {
    match location {
        ArchiveLocation::Local(folder) if lies_within(file, folder) => Err(anyhow::anyhow!(
            "cannot write {}: it lies among the objects of the archive at {location}; choose another {flag}",
            file.display()
        )),
        _ => Ok(()),
    }
}

fn nothing_at(location: &ArchiveLocation) -> anyhow::Error {
    anyhow::anyhow!(
        "there is no archive at {location}; choose another --archive, or start one with: tokenlake serve"
    )
}

/// A server's settings.
pub(super) fn settings(location: &ArchiveLocation, args: &ServeArgs) -> Settings {
    let bytes = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    let by_place = if location.is_local() { Duration::ZERO } else { REMOTE_COMMIT_INTERVAL };
    Settings {
        writer: WriterSettings {
            commit_interval: args.commit_interval.unwrap_or(by_place),
            dedupe_bytes_max: bytes(args.dedupe_memory),
            creation: args.create.into(),
            ..WriterSettings::default()
        },
        follow: FollowSettings {
            interval: Some(FOLLOW_INTERVAL),
            probe: location.log_probe(),
            waits_for_repair: true,
        },
        staleness_max: args.max_staleness,
        stale_on_error_max: args.max_stale_on_error,
        cache_bytes_max: bytes(args.cache_memory),
        checkpoint_work_max: Some(CHECKPOINT_WORK_MAX),
        compact: compaction(args),
        series_max: Some(args.max_series),
        body_bytes_max: bytes(args.max_body),
        answer_bytes_max: bytes(args.answer_memory),
        requests_per_org_max: args.max_requests_per_org,
        worker: workers(location, args),
        jwt: args.jwt.settings(),
    }
}

/// What is merged in the background, and how often.
fn compaction(args: &ServeArgs) -> Option<(compact::Settings, Duration)> {
    let settings = compact::Settings { target_bytes: TARGET_BYTES, grace: GRACE };
    (!args.compact_interval.is_zero()).then_some((settings, args.compact_interval))
}

/// How queries are run; `None` where no other process can read the archive.
fn workers(location: &ArchiveLocation, args: &ServeArgs) -> Option<WorkerSettings> {
    // On Linux this is the program that runs, also after its file was replaced.
    let running = PathBuf::from("/proc/self/exe");
    let program = if running.exists() { running } else { std::env::current_exe().ok()? };
    let settings = WorkerSettings {
        program,
        archive: location.to_string(),
        memory_bytes: args.sql_memory,
        timeout: args.sql_timeout,
        running_max: args.sql_concurrency.into(),
    };
    (*location != ArchiveLocation::Memory).then_some(settings)
}
