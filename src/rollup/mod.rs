//! Usage by organisation: a function of a version of the table.
//!
//! `usage(version) = ledger(expired events) + Σ partial(live file)`. A scrape moves its
//! organisation from the version it knows to the newest by adding the partials of the new files.
//! Commits that only move events between files, or into the ledger, leave the sums alone. So
//! counters cannot go down, replicas cannot disagree, and a restart forgets nothing.

mod cache;
mod cells_of_files;
mod day_cells;
mod days;
mod edge;
mod foreign_files;
mod lost;
mod merge;
mod of_rows;
mod org_state;
mod org_usage;
mod owner;
mod partial;
mod refused;
mod scope;
mod series_cap;
mod show_days;
mod show_parts;
mod shown_totals;
mod sources;
mod usage;
mod window_costs;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, Semaphore, SemaphorePermit, watch};
use tokio::time::Instant;

pub use self::day_cells::{CellName, DayCells, HOURS, HourOfDay, UsageSums};
pub use self::days::HourSet;
pub use self::partial::{Partial, PartialCell};
pub use self::scope::UsageScope;
pub use self::series_cap::{
    CappedSeries, NAMES_BYTES_MAX, OTHER, SERIES_MAX, SeriesCap, VALUES_BYTES_MAX, VALUES_MAX,
};
pub use self::show_parts::{Asked, Starts};
pub use self::usage::{DimensionView, PartView, PriceTableView, SeriesMap, UsageView};
pub use crate::sql::SeriesTotals;

pub use self::merge::BYTES_MAX as TOTALS_BYTES_MAX;
pub use self::sources::{DATE_SUMS_MAX, FULL_SUMS_MAX};

use self::days::Days;
use self::merge::{MergeInputs, NO_HOURS, merge};
use self::org_state::OrgState;
use self::sources::{Due, Sources, ledger_kinds};
use crate::archive::{ArchiveError, DataFile, LedgerCells, PartialMaker, Snapshot, TotalsStore};
use crate::byte_lru::ByteLru;
use crate::clock::{Clock, Micros};
use crate::event::OrgId;
use crate::processors;
use crate::sql::{CellKind, Engine, SqlError};
use crate::telemetry::Telemetry;

/// Minimum pause between two checks whether a totals snapshot is due.
const PAUSE: Duration = Duration::from_secs(1);
/// Maximum pause, so that the work of adding up does not grow without bound.
const PAUSE_MAX: Duration = Duration::from_secs(300);
/// After a totals snapshot that took T, the pause is this many times T, within these bounds.
const PAUSES_OF_WORK: u32 = 20;
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(30);

/// Series of large organisations that are shown at a time; an organisation with more is shown
/// alone. Each series takes memory for its text.
pub const SHOWN_SERIES_MAX: usize = 16 * 1024;

/// One organisation. One task at a time takes its state out to move it on, so that showing it never
/// waits in a queue.
#[derive(Debug, Default)]
struct OrgSlot {
    turn: Arc<AsyncMutex<()>>,
    state: Mutex<Option<OrgState>>,
}

/// The turn to move one organisation to another version.
#[derive(Debug)]
pub struct MergeTurn {
    slot: Arc<OrgSlot>,
    _turn: OwnedMutexGuard<()>,
}

/// Usage for scrapes.
#[derive(Debug)]
pub struct Rollup {
    sources: Sources,
    /// By the keys of scopes.
    orgs: Mutex<ByteLru<Arc<str>, Arc<OrgSlot>>>,
    /// Usage by date.
    days: Days,
    /// A permit for each series of large organisations that are shown at a time.
    large_turns: Semaphore,
    /// How many permits an organisation takes at least, so that no more organisations are shown at
    /// a time than there are processors.
    large_turn_min: usize,
    telemetry: Telemetry,
}

impl Rollup {
    /// A rollup that may keep `cache_bytes_max` in memory: half of it partials, a third of it the
    /// usage of organisations for scrapes, a sixth of it their usage by date. With `totals`, organisations start from totals snapshots.
    pub fn new(
        engine: Arc<Engine>,
        totals: Option<TotalsStore>,
        cache_bytes_max: usize,
        telemetry: Telemetry,
    ) -> Self {
        let (half, sixth) = (cache_bytes_max / 2, cache_bytes_max / 6);
        let sources = Sources::new(engine, totals, half, telemetry.clone());
        let processors = processors::count();
        let (large_turns, large_turn_min) =
            (Semaphore::new(SHOWN_SERIES_MAX), SHOWN_SERIES_MAX / processors.min(SHOWN_SERIES_MAX));
        let orgs = Mutex::new(ByteLru::new(half - sixth));
        let days = Days::new(sixth);
        Self { sources, orgs, days, large_turns, large_turn_min, telemetry }
    }

    /// Makes totals snapshots for as long as new versions come: one whenever the files since the
    /// last one are more than `work_max` to add up, in files of a usual commit.
    pub async fn keep_totals_snapshots(
        &self,
        versions: watch::Receiver<Arc<Snapshot>>,
        clock: Arc<dyn Clock>,
        work_max: u64,
    ) {
        self.sources.are_kept.store(true, Ordering::Relaxed);
        self.keep_totals(versions, clock, Due::over(work_max)).await;
    }

    /// The same in a job, which leaves to servers what many rows would have to be read for.
    pub async fn keep_totals_of_job(
        &self,
        versions: watch::Receiver<Arc<Snapshot>>,
        clock: Arc<dyn Clock>,
        work_max: u64,
    ) {
        self.keep_totals(versions, clock, Due::in_job(work_max)).await;
    }

    async fn keep_totals(
        &self,
        mut versions: watch::Receiver<Arc<Snapshot>>,
        clock: Arc<dyn Clock>,
        due: Due,
    ) {
        // A server that has just started has scrapes to answer first.
        tokio::time::sleep(PAUSE).await;
        loop {
            let snapshot = versions.borrow_and_update().clone();
            let began = Instant::now();
            let mut failed = false;
            let pause = match self.snapshot_all_totals(&snapshot, clock.now(), due).await {
                Ok(false) => PAUSE,
                // So totals snapshots take a small share of all time.
                Ok(true) => (PAUSES_OF_WORK * began.elapsed()).clamp(PAUSE, PAUSE_MAX),
                // Others have rewritten and removed files meanwhile.
                Err(error) if versions.borrow().explains(&error, &snapshot) => PAUSE,
                Err(error) => {
                    tracing::warn!(%error, "totals snapshot failed; will retry");
                    self.telemetry.rollup.totals_snapshot_failures.inc();
                    failed = true;
                    PAUSE_AFTER_ERROR
                }
            };
            tokio::time::sleep(pause).await;
            // A failed one is retried even if no new version comes.
            let changed = match failed {
                true => Ok(()),
                false => tokio::select! {
                    changed = versions.changed() => changed,
                    () = self.sources.asked_more.notified() => Ok(()),
                },
            };
            if changed.is_err() {
                return;
            }
        }
    }

    /// Makes a totals snapshot of the version of `snapshot`, if it has none. Of dimensions it is left to
    /// servers where many rows would have to be read.
    ///
    /// # Errors
    /// Corrupt or Unavailable.
    pub async fn snapshot_totals(
        &self,
        snapshot: &Arc<Snapshot>,
        now: Micros,
    ) -> Result<(), SqlError> {
        // Boxed, so that the compiler need not look through the types of all futures around it.
        let made: BoxFuture<'_, _> =
            Box::pin(self.snapshot_all_totals(snapshot, now, Due::in_job(0)));
        made.await.map(drop)
    }

    /// Makes those of the core and of each further kind of cells. True if one was due.
    async fn snapshot_all_totals(
        &self,
        snapshot: &Arc<Snapshot>,
        now: Micros,
        due: Due,
    ) -> Result<bool, SqlError> {
        let mut made = self.sources.snapshot_totals(&CellKind::Core, snapshot, now, due).await?;
        for kind in self.sources.kept_kinds(snapshot) {
            made |= self.sources.snapshot_totals(&kind, snapshot, now, due).await?;
        }
        Ok(made)
    }

    /// The sums of the ledger of `snapshot` and of expiring `files`, as cells of the next ledger.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the object.
    pub async fn fold(
        &self,
        snapshot: &Snapshot,
        files: Vec<Arc<DataFile>>,
    ) -> Result<LedgerCells, SqlError> {
        self.sources.engine.judge().check_all(snapshot, &files, None).await?;
        let core = self.fold_cells(CellKind::Core, snapshot, files.clone()).await?;
        let mut further = Vec::new();
        for kind in ledger_kinds(snapshot) {
            let version = kind.totals_version();
            further.push((version, self.fold_cells(kind, snapshot, files.clone()).await?));
        }
        Ok(LedgerCells { core, further })
    }

    async fn fold_cells(
        &self,
        kind: CellKind,
        snapshot: &Snapshot,
        files: Vec<Arc<DataFile>>,
    ) -> Result<Bytes, SqlError> {
        let base = self.sources.engine.ledger_cells(&kind, snapshot).await?;
        let inputs = MergeInputs { kind, base, files, hours_from: NO_HOURS };
        // Boxed, so that the compiler need not look through the types of all futures around it.
        let merged: BoxFuture<'_, _> = Box::pin(merge(&inputs, &self.sources.partials));
        merged.await
    }

    /// The maker of partials for new files, for the archive's writer.
    pub fn partial_maker(&self) -> Arc<dyn PartialMaker> {
        self.sources.partials.clone()
    }

    /// Waits for the turn to move on the scope with this key. An organisation's is its name. A caller that gives up leaves no work behind.
    pub async fn turn(&self, key: &str) -> MergeTurn {
        let slot = self.slot(key);
        let turn = slot.turn.clone().lock_owned().await;
        MergeTurn { slot, _turn: turn }
    }

    /// Shows the usage of an organisation at `snapshot` or later, with the window that ends at
    /// `now`. A large organisation is shown by a thread for blocking work, and at most as many at
    /// once as there are processors.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the file: never a smaller number.
    pub async fn show<T: Send + 'static>(
        &self,
        turn: MergeTurn,
        org_id: &OrgId,
        snapshot: &Arc<Snapshot>,
        now: Micros,
        show: impl FnOnce(&UsageView<'_>) -> T + Send + 'static,
    ) -> Result<T, SqlError> {
        let mut state = self.take_out(&turn, org_id, snapshot, now).await?;
        let shown = match state.move_to(snapshot, now, &self.sources).await {
            Err(error) => Err(error),
            Ok(rolling_cost) if state.view(rolling_cost, &[]).is_large() => {
                let series = state.view(rolling_cost, &[]).series.len();
                let _turn = self.large_turn(series).await;
                let shown = tokio::task::spawn_blocking(move || {
                    let shown = show(&state.view(rolling_cost, &[]));
                    (state, shown)
                });
                let shown = shown.await;
                let (back, shown) =
                    shown.map_err(|error| ArchiveError::internal("showing usage", error))?;
                state = back;
                Ok(shown)
            }
            Ok(rolling_cost) => Ok(show(&state.view(rolling_cost, &[]))),
        };
        self.put_back(&turn, org_id.as_str(), state);
        shown
    }

    /// Waits until this many series may be shown.
    async fn large_turn(&self, series: usize) -> Option<SemaphorePermit<'_>> {
        let permits = series.clamp(self.large_turn_min, SHOWN_SERIES_MAX);
        self.large_turns.acquire_many(u32::try_from(permits).unwrap_or(u32::MAX)).await.ok()
    }

    /// Shows which series an organisation has at `snapshot` or later, and at which version. Data
    /// that only windows need is not read.
    ///
    /// # Errors
    /// As [`Rollup::show`].
    pub async fn show_series<T>(
        &self,
        turn: MergeTurn,
        org_id: &OrgId,
        snapshot: &Arc<Snapshot>,
        now: Micros,
        show: impl FnOnce(u64, &SeriesMap) -> T,
    ) -> Result<T, SqlError> {
        let mut state = self.take_out(&turn, org_id, snapshot, now).await?;
        let moved = state.advance(snapshot, now, &self.sources).await;
        let UsageView { archive_version, series, .. } = state.view(0, &[]);
        let shown = moved.map(|()| show(archive_version, series));
        self.put_back(&turn, org_id.as_str(), state);
        shown
    }

    async fn take_out(
        &self,
        turn: &MergeTurn,
        org_id: &OrgId,
        snapshot: &Arc<Snapshot>,
        now: Micros,
    ) -> Result<OrgState, SqlError> {
        let taken = turn.slot.state.lock().take();
        if let Some(state) = taken {
            return Ok(state);
        }
        OrgState::build(Arc::new(UsageScope::org(org_id)), snapshot.clone(), now, &self.sources)
            .await
    }

    fn put_back(&self, turn: &MergeTurn, key: &str, mut state: OrgState) {
        if let Some(bytes) = state.grown() {
            self.orgs.lock().resize(key, bytes);
        }
        *turn.slot.state.lock() = Some(state);
    }

    /// As [`Rollup::show`], if nothing has come since the organisation was last shown and no file
    /// must be read; otherwise `None`. Does not wait.
    pub fn show_known<T>(
        &self,
        org_id: &OrgId,
        snapshot: &Snapshot,
        now: Micros,
        show: impl FnOnce(&UsageView<'_>) -> T,
    ) -> Option<T> {
        let slot = self.orgs.lock().get_mut(org_id.as_str()).cloned()?;
        let state = slot.state.lock();
        let state = state.as_ref().filter(|state| state.is_current(snapshot, now))?;
        let rolling_cost = state.known_rolling_cost(now)?;
        Some(show(&state.view(rolling_cost, &[])))
    }

    fn slot(&self, key: &str) -> Arc<OrgSlot> {
        let mut orgs = self.orgs.lock();
        if let Some(slot) = orgs.get_mut(key) {
            return slot.clone();
        }
        let slot = Arc::<OrgSlot>::default();
        orgs.put(key.into(), slot.clone(), 0);
        self.telemetry.rollup.org_usage_entries.set(orgs.len());
        slot
    }
}
