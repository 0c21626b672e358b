//! The sources of an organisation's usage, and the making of totals snapshots from them.

use std::sync::Arc;

use tokio::sync::{Mutex, Semaphore};

use super::cache::PartialCache;
use super::merge::{MergeInputs, merge};
use super::org_usage::OrgUsage;
use super::shown_totals::{Base, Bases, work_of};
use crate::archive::{Snapshot, TotalsStore};
use crate::clock::Micros;
use crate::error::Kind;
use crate::sql::{Engine, SqlError};
use crate::telemetry::Telemetry;

/// Organisations that are added up from all live files at a time.
pub const FULL_SUMS_MAX: usize = 4;

/// Partials, totals snapshots, and rows.
#[derive(Debug)]
pub struct Sources {
    /// The partials of files.
    pub partials: Arc<PartialCache>,
    /// The rows of files.
    pub engine: Arc<Engine>,
    /// Totals snapshots; `None` to do without.
    pub bases: Option<Bases>,
    /// A permit is taken to add up all live files.
    pub full_sums: Semaphore,
    /// Held while a totals snapshot is made: the next one starts from it.
    snapshot_turn: Mutex<()>,
    telemetry: Telemetry,
}

impl Sources {
    /// Sources without anything in memory yet.
    pub fn new(
        engine: Arc<Engine>,
        totals: Option<TotalsStore>,
        partials_bytes_max: usize,
        telemetry: Telemetry,
    ) -> Self {
        let partials = PartialCache::new(partials_bytes_max, engine.clone(), telemetry.clone());
        Self {
            partials: Arc::new(partials),
            engine,
            bases: totals.map(Bases::new),
            full_sums: Semaphore::new(FULL_SUMS_MAX),
            snapshot_turn: Mutex::new(()),
            telemetry,
        }
    }

    /// Makes a totals snapshot of `snapshot` if the files that are in none yet are more than
    /// `work_max` to add up, in files of a usual commit. True if one was due.
    ///
    /// # Errors
    /// Corrupt or Unavailable.
    pub async fn snapshot_totals(
        &self,
        snapshot: &Arc<Snapshot>,
        now: Micros,
        work_max: u64,
    ) -> Result<bool, SqlError> {
        let Some(bases) = &self.bases else { return Ok(false) };
        let _turn = self.snapshot_turn.lock().await;
        let serves = |base: &Arc<Base>| base.serves(now);
        let known = bases.get(snapshot).await.filter(serves);
        if !is_due(known.as_ref(), snapshot, work_max) {
            return Ok(false);
        }
        // Another replica may have made one just now.
        let base = bases.look(snapshot).await.filter(serves).or(known);
        if !is_due(base.as_ref(), snapshot, work_max) {
            return Ok(true);
        }
        let (cells, hours_from) = self.add_up(bases, base, snapshot, now).await?;
        bases.put(snapshot, hours_from, cells).await?;
        self.telemetry.rollup.totals_snapshots.inc();
        Ok(true)
    }

    async fn add_up(
        &self,
        bases: &Bases,
        base: Option<Arc<Base>>,
        snapshot: &Arc<Snapshot>,
        now: Micros,
    ) -> Result<(bytes::Bytes, Micros), SqlError> {
        let arrivals = base.as_ref().and_then(|base| base.arrivals(snapshot));
        if let Some((base, files)) = base.zip(arrivals) {
            let hours_from = base.hours_from(now);
            self.engine.judge().check_all(snapshot, &files, None).await?;
            let older =
                MergeInputs { base: Some(base.totals().cells().clone()), files, hours_from };
            match merge(&older, &self.partials).await {
                Ok(cells) => return Ok((cells, hours_from)),
                // The base may be damaged, or a later file may have been rewritten and removed.
                Err(error) if error.kind() == Kind::Corrupt => {
                    tracing::warn!(%error, "adding up the totals from all files");
                    if !base.is_sound().await? {
                        bases.give_up(&base);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        let hours_from = OrgUsage::hours_around(now);
        let files: Vec<_> = snapshot.files().cloned().collect();
        self.engine.judge().check_all(snapshot, &files, None).await?;
        let ledger = self.engine.ledger(snapshot).await?.map(|ledger| ledger.cells().clone());
        let all = MergeInputs { base: ledger, files, hours_from };
        Ok((merge(&all, &self.partials).await?, hours_from))
    }
}

fn is_due(base: Option<&Arc<Base>>, snapshot: &Snapshot, work_max: u64) -> bool {
    let arrivals = base.and_then(|base| base.arrivals(snapshot));
    let work = match &arrivals {
        Some(arrivals) => work_of(arrivals.iter()),
        None => work_of(snapshot.files()),
    };
    work > work_max
}
