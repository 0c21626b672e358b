//! The sources of an organisation's usage, and the making of totals snapshots from them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::sync::{Mutex as AsyncMutex, Notify, Semaphore};

use super::cache::PartialCache;
use super::merge::{MergeInputs, merge};
use super::org_usage::OrgUsage;
use super::shown_totals::{Base, Bases, work_of};
use crate::archive::{DataFile, Snapshot, TotalsStore};
use crate::clock::Micros;
use crate::error::Kind;
use crate::event::DIMENSIONS_MAX;
use crate::sql::{CellKind, Engine, SqlError};
use crate::telemetry::Telemetry;

/// Organisations that are added up from all live files at a time.
pub const FULL_SUMS_MAX: usize = 4;
/// Dates that are added up for questions of usage at a time.
pub const DATE_SUMS_MAX: usize = 8;

/// Rows of which cells may be made while somebody waits, by SQL.
const ROWS_AT_ONCE_MAX: u64 = 64 * 1024;
/// The same of dimensions, whose rows are read for one organisation, and added up in less time.
const PART_ROWS_AT_ONCE_MAX: u64 = 1024 * 1024;

/// Rows of which a job makes cells for a totals snapshot; more are left to servers.
const JOB_ROWS_MAX: u64 = 8 * 1024;

/// When a totals snapshot is made.
#[derive(Debug, Clone, Copy)]
pub struct Due {
    /// If the files that are in none yet are more than this to add up, in files of a usual commit.
    work_max: u64,
    /// Unless more rows than this would have to be read.
    rows_max: u64,
}

impl Due {
    /// In a job that nobody is to wait for, from so much work on.
    pub fn in_job(work_max: u64) -> Self {
        Self { work_max, rows_max: JOB_ROWS_MAX }
    }

    /// In a server, from so much work on.
    pub fn over(work_max: u64) -> Self {
        Self { work_max, rows_max: u64::MAX }
    }
}

/// The kinds of cells that a version has besides the core's.
pub fn kinds(snapshot: &Snapshot) -> Vec<CellKind> {
    let corrections = snapshot.table().may_hold_corrections().then_some(CellKind::Corrections);
    snapshot.table().dimensions.iter().map(CellKind::of).chain(corrections).collect()
}

/// Those of which a ledger has sums: start times as well, which nothing else knows once events expire.
pub fn ledger_kinds(snapshot: &Snapshot) -> Vec<CellKind> {
    kinds(snapshot).into_iter().chain([CellKind::Days]).collect()
}

/// Partials, totals snapshots, and rows.
#[derive(Debug)]
pub struct Sources {
    /// The partials of files.
    pub partials: Arc<PartialCache>,
    /// The rows of files.
    pub engine: Arc<Engine>,
    /// Where totals snapshots are; `None` to do without.
    totals: Option<TotalsStore>,
    /// Those of each kind of cells, by the version of sums over them; the core's first.
    bases: Mutex<Vec<(Arc<str>, Arc<Bases>)>>,
    /// A permit is taken to add up all live files.
    pub full_sums: Semaphore,
    /// For dates of [`DATE_SUMS_MAX`].
    pub date_sums: Semaphore,
    /// True while totals snapshots are made in the background, also those that scrapes wait for.
    pub are_kept: AtomicBool,
    /// Told when somebody asks for what no totals snapshot has.
    pub asked_more: Notify,
    /// Held while a totals snapshot is made: the next one starts from it.
    snapshot_turn: AsyncMutex<()>,
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
            totals,
            bases: Mutex::default(),
            full_sums: Semaphore::new(FULL_SUMS_MAX),
            date_sums: Semaphore::new(DATE_SUMS_MAX),
            are_kept: AtomicBool::new(false),
            asked_more: Notify::new(),
            snapshot_turn: AsyncMutex::new(()),
            telemetry,
        }
    }

    /// The totals snapshots of a kind of cells; `None` to do without.
    pub fn bases(&self, kind: &CellKind) -> Option<Arc<Bases>> {
        let version = kind.totals_version();
        let mut known = self.bases.lock();
        if let Some((_, bases)) = known.iter().find(|(of, _)| *of == version) {
            return Some(bases.clone());
        }
        let bases = Arc::new(Bases::new(self.totals.as_ref()?.of_version(version.clone())));
        // Declarations come and go.
        if known.len() > 2 * DIMENSIONS_MAX {
            known.remove(1);
        }
        known.push((version, bases.clone()));
        Some(bases)
    }

    /// Notes that somebody asks when series began: from now on totals snapshots tell it, too.
    pub fn ask_starts(&self) {
        if !self.partials.starts_asked.swap(true, Ordering::Relaxed) {
            self.asked_more.notify_one();
        }
    }

    /// The kinds of cells of which totals snapshots are made besides the core's.
    pub fn kept_kinds(&self, snapshot: &Snapshot) -> Vec<CellKind> {
        let asked = self.partials.starts_asked.load(Ordering::Relaxed);
        if asked { ledger_kinds(snapshot) } else { kinds(snapshot) }
    }

    /// Makes sure that cells which older files lack are there, but for few rows that can be added up
    /// while somebody waits.
    ///
    /// # Errors
    /// [`SqlError::NotYet`].
    pub fn check_made(&self, kind: &CellKind, files: &[Arc<DataFile>]) -> Result<(), SqlError> {
        if !kind.may_be_missing() || !self.are_kept.load(Ordering::Relaxed) {
            return Ok(());
        }
        let missing = files.iter().filter(|file| !self.partials.has(kind, file));
        if rows_in(missing.clone()) <= rows_at_once_max(kind) {
            return Ok(());
        }
        Err(SqlError::NotYet { what: kind.being_made(), files: missing.count() })
    }

    /// Makes a totals snapshot of `snapshot`, or of a newer version that was seen since, if it is due.
    /// True if so.
    ///
    /// # Errors
    /// Corrupt or Unavailable.
    pub async fn snapshot_totals(
        &self,
        kind: &CellKind,
        snapshot: &Arc<Snapshot>,
        now: Micros,
        due: Due,
    ) -> Result<bool, SqlError> {
        let Some(bases) = self.bases(kind) else { return Ok(false) };
        let _turn = self.snapshot_turn.lock().await;
        let serves = |base: &Arc<Base>| base.serves(now);
        let known = bases.get(snapshot).await.filter(serves);
        let snapshot = &at_or_after(snapshot, known.as_ref());
        let unstored = self.unstored_rows(kind, known.as_ref(), snapshot);
        let is_waited_for = match &known {
            Some(_) => unstored > rows_at_once_max(kind),
            None => unstored > 0,
        };
        let work_max = if is_waited_for { 0 } else { due.work_max };
        if unstored > due.rows_max || !is_due(known.as_ref(), snapshot, work_max) {
            return Ok(false);
        }
        // Another replica may have made one just now.
        let base = bases.look(snapshot).await.filter(serves).or(known);
        let snapshot = &at_or_after(snapshot, base.as_ref());
        if !is_due(base.as_ref(), snapshot, work_max) {
            return Ok(true);
        }
        let (cells, hours_from) = self.add_up(&bases, kind, base, snapshot, now).await?;
        bases.put(snapshot, hours_from, cells).await?;
        self.telemetry.rollup.totals_snapshots.inc();
        Ok(true)
    }

    /// The rows of which cells must be made that no totals snapshot has: at once, or after a restart,
    /// which has nothing in memory. While they are many, scrapes are refused.
    fn unstored_rows(&self, kind: &CellKind, base: Option<&Arc<Base>>, snapshot: &Snapshot) -> u64 {
        if !kind.may_be_missing() {
            return 0;
        }
        let is_unstored = |file: &&Arc<DataFile>| self.partials.stored(kind, file).is_none();
        match base.and_then(|base| base.arrivals(snapshot)) {
            Some(arrivals) => rows_in(arrivals.iter().filter(is_unstored)),
            None => rows_in(snapshot.files().filter(is_unstored)),
        }
    }

    async fn add_up(
        &self,
        bases: &Bases,
        kind: &CellKind,
        base: Option<Arc<Base>>,
        snapshot: &Arc<Snapshot>,
        now: Micros,
    ) -> Result<(bytes::Bytes, Micros), SqlError> {
        let arrivals = base.as_ref().and_then(|base| base.arrivals(snapshot));
        if let Some((base, files)) = base.zip(arrivals) {
            let hours_from = base.hours_from(now);
            self.engine.judge().check_all(snapshot, &files, None).await?;
            let cells = Some(base.totals().cells().clone().into());
            let older = MergeInputs { kind: kind.clone(), base: cells, files, hours_from };
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
        let ledger = self.engine.ledger_cells(kind, snapshot).await?;
        let left = |files: usize| match kind {
            CellKind::Dimension(made) => {
                self.telemetry.dimensions.left(&made.dimension.name, files)
            }
            CellKind::Days => self.telemetry.dimensions.starts_left(files),
            CellKind::Core | CellKind::Corrections => {}
        };
        left(files.iter().filter(|file| !self.partials.has(kind, file)).count());
        let all = MergeInputs { kind: kind.clone(), base: ledger, files, hours_from };
        let cells = merge(&all, &self.partials).await?;
        left(0);
        Ok((cells, hours_from))
    }
}

/// A scrape may have joined the base with a newer version than the caller's, and the base's
/// arrivals are those up to that version.
fn at_or_after(snapshot: &Arc<Snapshot>, base: Option<&Arc<Base>>) -> Arc<Snapshot> {
    base.map_or_else(|| snapshot.clone(), |base| base.newer(snapshot))
}

/// Rows of which cells may be made while somebody waits.
fn rows_at_once_max(kind: &CellKind) -> u64 {
    match kind.dimension() {
        Some(_) => PART_ROWS_AT_ONCE_MAX,
        None => ROWS_AT_ONCE_MAX,
    }
}

/// The rows of files; those that nobody counted are many.
fn rows_in<'a>(files: impl Iterator<Item = &'a Arc<DataFile>>) -> u64 {
    let rows = files.map(|file| file.rows.unwrap_or(PART_ROWS_AT_ONCE_MAX));
    rows.fold(0, u64::saturating_add)
}

fn is_due(base: Option<&Arc<Base>>, snapshot: &Snapshot, work_max: u64) -> bool {
    let arrivals = base.and_then(|base| base.arrivals(snapshot));
    let work = match &arrivals {
        Some(arrivals) => work_of(arrivals.iter()),
        None => work_of(snapshot.files()),
    };
    work > work_max
}
