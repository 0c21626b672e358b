//! Checkpoints of the log and its cleanup, in the background.
//!
//! A checkpoint is made from the one before it and the entries since, in steps. So a large table
//! takes as little memory as a small one. The Delta library would take a gigabyte.

mod columns;
pub(in crate::archive) mod described;
mod older;
mod replay;
mod sink;
pub(in crate::archive) mod state;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arrow::array::RecordBatch;
use deltalake_core::{DeltaTableError, checkpoints};
use object_store::ObjectStoreExt as _;
use object_store::path::Path;
use parking_lot::Mutex;

pub(in crate::archive) use self::replay::LogRetention;
use self::sink::Sink;
use self::state::LogState;
use super::Log;
use super::snapshot::Snapshot;
use super::table::{FILE_RETENTION_KEY, LOG_RETENTION_KEY};
use crate::archive::error::ArchiveError;
use crate::archive::file::data_file::DataFile;
use crate::archive::paths;
use crate::clock::Clock;
use crate::error::Kind;
use crate::telemetry::Telemetry;

/// Cleanup lists the whole log, so it is not done at every checkpoint.
const CLEANUP_EVERY: Duration = Duration::from_secs(3_600);
/// A retention below this would pull the log away from under followers that are hours late.
const RETENTION_MIN: Duration = Duration::from_secs(24 * 3_600);
/// The defaults of the Delta protocol for tables that do not say how long removed files are
/// remembered, and how long entries of the log stay.
const FILE_RETENTION: Duration = Duration::from_secs(7 * 24 * 3_600);
const LOG_RETENTION: Duration = Duration::from_secs(30 * 24 * 3_600);
/// The table's setting for how long an application is remembered after its last `txn` action.
const APP_RETENTION_KEY: &str = "delta.setTransactionRetentionDuration";

/// Makes checkpoints in the background.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    shared: Arc<Shared>,
    every: u64,
}

#[derive(Debug)]
struct Shared {
    log: Log,
    clock: Arc<dyn Clock>,
    telemetry: Telemetry,
    busy: AtomicBool,
    cleaned_at: Mutex<Option<Duration>>,
}

impl Checkpoints {
    /// Checkpoints of versions that are a multiple of `every`.
    pub fn new(log: Log, clock: Arc<dyn Clock>, telemetry: Telemetry, every: u64) -> Self {
        let busy = AtomicBool::new(false);
        let cleaned_at = Mutex::new(None);
        Self { shared: Arc::new(Shared { log, clock, telemetry, busy, cleaned_at }), every }
    }

    /// Records that this process has just committed `version`. The process that commits a version
    /// makes its checkpoint, so that no two write the same object. `current` is the newest version
    /// that this process knows.
    pub fn committed(&self, version: u64, current: &Arc<Snapshot>) {
        if !version.is_multiple_of(self.every) || self.shared.busy.swap(true, Ordering::SeqCst) {
            return;
        }
        let (idle, current) = (IdleWhenDropped(self.shared.clone()), current.clone());
        tokio::spawn(async move {
            let shared = &idle.0;
            match shared.write(version, &current).await {
                Ok(()) => shared.telemetry.archive.checkpoints.inc(),
                Err(error) => {
                    tracing::warn!(%error, "checkpoint failed; will retry at the next one");
                    shared.telemetry.archive.checkpoint_failures.inc();
                }
            }
        });
    }
}

/// Ends the work even if a library panics: the next checkpoint must not wait forever.
struct IdleWhenDropped(Arc<Shared>);

impl Drop for IdleWhenDropped {
    fn drop(&mut self) {
        self.0.busy.store(false, Ordering::SeqCst);
    }
}

impl Shared {
    /// Writes the checkpoint of `version`, all of which this process has checked. A later version
    /// might hold a commit that must not be counted. `current` is that version, or a later one.
    async fn write(&self, version: u64, current: &Snapshot) -> Result<(), ArchiveError> {
        let log = self.log.delta();
        let entry = Path::from(paths::log_entry_in_table(version));
        let entry = log.object_store(None).head(&entry).await;
        let entry =
            entry.map_err(|error| ArchiveError::unavailable("writing a checkpoint", error))?;
        // The store's clock is used: if ours runs fast, it must not forget what others rely on.
        let now = entry.last_modified.timestamp_millis();
        let ago = |time: Duration| now.saturating_sub(millis(time));
        let table = current.table();
        let retention = LogRetention {
            removed_until: ago(table.time_set(FILE_RETENTION_KEY).unwrap_or(FILE_RETENTION)),
            heard_until: table.time_set(APP_RETENTION_KEY).map(ago),
        };
        let mut before = version.saturating_add(1);
        loop {
            let older = self.log.checkpoint_before(before).await?;
            let at = older.as_ref().map(|older| older.version);
            if at == Some(version) {
                // Another program was faster.
                return Ok(());
            }
            let state = LogState::new(&self.log, version, older, retention);
            match (self.write_state(version, current, state).await, at) {
                (Ok(()), _) => break,
                (Err(error), Some(at)) if error.kind() == Kind::Corrupt => {
                    tracing::warn!(%error, "an older checkpoint of the log is passed over");
                    before = at;
                }
                (Err(error), _) => return Err(error),
            }
        }
        let kept = table.time_set(LOG_RETENTION_KEY).unwrap_or(LOG_RETENTION);
        if kept >= RETENTION_MIN && self.is_time_to_clean() {
            self.clean(version, ago(kept)).await?;
        }
        Ok(())
    }

    /// Writes all actions in force at `version`, in steps, and notes the checkpoint.
    async fn write_state(
        &self,
        version: u64,
        current: &Snapshot,
        mut state: LogState,
    ) -> Result<(), ArchiveError> {
        let store = self.log.delta().object_store(None);
        let place = Path::from(paths::log_checkpoint_in_table(version));
        let mut sink = Sink::new(store, place)?;
        // A later version is not comparable.
        let known = (current.version() == version).then_some(current);
        loop {
            let step = async {
                let rows = state.next().await?;
                if let Some(known) = known {
                    rows.iter().flatten().try_for_each(|rows| check_live(rows, known))?;
                }
                Ok(rows)
            };
            match step.await {
                Ok(Some(rows)) => sink = sink.add(rows).await?,
                Ok(None) => break,
                Err(error) => {
                    sink.abort().await;
                    return Err(error);
                }
            }
        }
        let (actions, adds) = state.counts();
        if let Some(known) = known.filter(|known| known.file_count() as u64 != adds) {
            sink.abort().await;
            let reason = format!("it leads to {adds} files, but there are {}", known.file_count());
            return Err(ArchiveError::corrupt(paths::in_archive(paths::LOG), reason));
        }
        let size_bytes = sink.finish().await?;
        self.note(version, actions, adds, size_bytes).await
    }

    /// Notes the checkpoint where readers look for the newest one first.
    async fn note(
        &self,
        version: u64,
        actions: u64,
        adds: u64,
        size_bytes: u64,
    ) -> Result<(), ArchiveError> {
        if self.log.noted_checkpoint().await.is_some_and(|noted| noted > version) {
            return Ok(());
        }
        let note = serde_json::json!({
            "version": version, "size": actions, "sizeInBytes": size_bytes, "numOfAddFiles": adds,
        });
        let place = Path::from(paths::log_note_in_table());
        let put = self.log.delta().object_store(None).put(&place, note.to_string().into()).await;
        put.map(drop).map_err(|error| ArchiveError::unavailable("noting a checkpoint", error))
    }

    fn is_time_to_clean(&self) -> bool {
        let mut cleaned_at = self.cleaned_at.lock();
        let now = self.clock.elapsed();
        let due = cleaned_at.is_none_or(|at| now.saturating_sub(at) >= CLEANUP_EVERY);
        if due {
            *cleaned_at = Some(now);
        }
        due
    }

    /// Removes entries that a checkpoint covers and that were last written before `until`, in
    /// milliseconds since 1970.
    async fn clean(&self, version: u64, until: i64) -> Result<(), ArchiveError> {
        let failed = |error: DeltaTableError| ArchiveError::unavailable("cleaning the log", error);
        let log = self.log.delta();
        checkpoints::cleanup_expired_logs_for(version, log.as_ref(), until, None)
            .await
            .map(drop)
            .map_err(failed)
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// Makes sure that each file that actions add is one of the live files: the next checkpoint must
/// not be based on one that was damaged meanwhile.
fn check_live(rows: &RecordBatch, known: &Snapshot) -> Result<(), ArchiveError> {
    for add in described::adds(rows)? {
        let file = DataFile::from_add(&add)?;
        if !known.live(&add.path).is_some_and(|live| live.is_described_by(&file)) {
            let reason = "the log now describes it differently than when it was followed";
            return Err(ArchiveError::corrupt(paths::in_archive(&add.path), reason));
        }
    }
    Ok(())
}
