//! The sums of versions after which another program may delete files: it rewrites some, or a commit of
//! it is refused. Once the files are gone, a totals snapshot alone tells what was in them: without it
//! nobody could accept a refused commit and keep counters from falling.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::sources::{Due, ledger_kinds};
use super::{PAUSE_AFTER_ERROR, Rollup};
use crate::archive::Snapshot;
use crate::clock::Clock;
use crate::error::Kind;
use crate::sql::CellKind;

/// Minimum pause between two totals snapshots of a table that another program rewrites: what comes in
/// between is in memory.
const PAUSE_OF_REWRITES: Duration = Duration::from_secs(10);

impl Rollup {
    /// Makes totals snapshots of the known version as soon as commits after it are refused, from what
    /// is in memory, or from files as long as they are there.
    pub async fn keep_totals_of_refused(
        &self,
        versions: watch::Receiver<Arc<Snapshot>>,
        mut refused: watch::Receiver<bool>,
        clock: Arc<dyn Clock>,
    ) {
        while refused.wait_for(|refused| *refused).await.is_ok() {
            let snapshot = versions.borrow().clone();
            let is_done = self.snapshot_what_is_known(&snapshot, clock.as_ref()).await;
            let repaired = refused.wait_for(|refused| !*refused);
            if is_done {
                drop(repaired.await);
            } else {
                drop(tokio::time::timeout(PAUSE_AFTER_ERROR, repaired).await);
            }
        }
    }

    /// Makes totals snapshots of versions in which another program moved events between files: it
    /// may delete those that it took out of the table at once.
    pub async fn keep_totals_of_rewritten(
        &self,
        mut versions: watch::Receiver<Arc<Snapshot>>,
        clock: Arc<dyn Clock>,
    ) {
        let mut seen = versions.borrow_and_update().version();
        while versions.changed().await.is_ok() {
            let snapshot = versions.borrow_and_update().clone();
            let is_rewritten = snapshot.arrivals_since(seen).is_none_or(|mut arrivals| {
                arrivals.any(|came| !came.data_change && !came.file.is_ours())
            });
            seen = snapshot.version();
            if is_rewritten {
                self.snapshot_what_is_known(&snapshot, clock.as_ref()).await;
                tokio::time::sleep(PAUSE_OF_REWRITES).await;
            }
        }
    }

    /// Makes the totals snapshots of all kinds of cells that can be made; false if it is worth another
    /// try.
    async fn snapshot_what_is_known(&self, snapshot: &Arc<Snapshot>, clock: &dyn Clock) -> bool {
        let mut is_done = true;
        for kind in [CellKind::Core].into_iter().chain(ledger_kinds(snapshot)) {
            let (now, due) = (clock.now(), Due::over(0));
            if let Err(error) = self.sources.snapshot_totals(&kind, snapshot, now, due).await {
                tracing::warn!(%error, "the sums before another program's commit are not all known");
                self.telemetry.rollup.totals_snapshot_failures.inc();
                is_done &= error.kind() != Kind::Unavailable;
            }
        }
        is_done
    }
}
