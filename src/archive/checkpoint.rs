//! Checkpoints of the log and its cleanup, by the Delta library, in the background.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deltalake_core::checkpoints;
use deltalake_core::table::config::TablePropertiesExt as _;
use deltalake_core::{DeltaTable, DeltaTableError};
use object_store::ObjectStoreExt as _;
use object_store::path::Path;
use parking_lot::Mutex;

use super::ArchiveError;
use super::log::Log;
use super::paths;
use crate::clock::Clock;
use crate::telemetry::Telemetry;

/// Cleanup lists the whole log, so it is not done at every checkpoint.
const CLEANUP_EVERY: Duration = Duration::from_secs(3_600);
/// A retention below this would pull the log away under followers that are hours late.
const RETENTION_MIN: Duration = Duration::from_secs(24 * 3_600);

/// Makes a checkpoint now and then.
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

    /// Tells that this process has just committed `version`: whoever commits a version makes its
    /// checkpoint, so that no two write the same object.
    pub fn committed(&self, version: u64) {
        if !version.is_multiple_of(self.every) || self.shared.busy.swap(true, Ordering::SeqCst) {
            return;
        }
        let idle = IdleWhenDropped(self.shared.clone());
        tokio::spawn(async move {
            let shared = &idle.0;
            match shared.write(version).await {
                Ok(()) => shared.telemetry.archive.checkpoints.inc(),
                Err(error) => {
                    tracing::warn!(%error, "no checkpoint this time; the next one will serve");
                    shared.telemetry.archive.checkpoint_failures.inc();
                }
            }
        });
    }
}

/// Ends the work also where the library panics: the next checkpoint must not wait for ever.
struct IdleWhenDropped(Arc<Shared>);

impl Drop for IdleWhenDropped {
    fn drop(&mut self) {
        self.0.busy.store(false, Ordering::SeqCst);
    }
}

impl Shared {
    /// Writes the checkpoint of `version`, all of which this process has checked. A later version
    /// might hold a commit that it must not count.
    async fn write(&self, version: u64) -> Result<(), ArchiveError> {
        let failed =
            |error: DeltaTableError| ArchiveError::unavailable("writing a checkpoint", error);
        let mut table = DeltaTable::new(self.log.delta());
        table.load_version(version).await.map_err(failed)?;
        checkpoints::create_checkpoint(&table, None).await.map_err(failed)?;
        let retention = table.snapshot().map_err(failed)?.table_config().log_retention_duration();
        if retention >= RETENTION_MIN && self.is_time_to_clean() {
            self.clean(version, retention).await?;
        }
        Ok(())
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

    /// Removes entries past the retention that a checkpoint covers. Their age is told by the
    /// store's own clock: one of ours that runs fast must not remove what others still read.
    async fn clean(&self, version: u64, retention: Duration) -> Result<(), ArchiveError> {
        let failed = |error: DeltaTableError| ArchiveError::unavailable("cleaning the log", error);
        let log = self.log.delta();
        let newest = Path::from(paths::log_entry_in_table(version));
        let newest = log.object_store(None).head(&newest).await;
        let newest =
            newest.map_err(|error| ArchiveError::unavailable("cleaning the log", error))?;
        let retention = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
        let cutoff = newest.last_modified.timestamp_millis().saturating_sub(retention);
        checkpoints::cleanup_expired_logs_for(version, log.as_ref(), cutoff, None)
            .await
            .map(drop)
            .map_err(failed)
    }
}
