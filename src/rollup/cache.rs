//! Partials by file: an LRU bounded in bytes. A file never changes, so nothing is invalidated.
//!
//! A partial comes from the cheapest source: from memory, from the file itself if its writer stored
//! it there, otherwise from the file's rows.

use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::RecordBatch;
use async_trait::async_trait;
use futures::TryStreamExt as _;
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use super::of_rows::OfRows;
use super::partial::{Partial, PartialCell};
use super::scope::{Bounds, UsageScope};
use crate::archive::{CellsError, DataFile, FurtherKind, MadeCells, PartialMaker};
use crate::byte_lru::ByteLru;
use crate::error::Kind;
use crate::event::Dimension;
use crate::sql::{
    CarriedCells, CellKind, Engine, PartialRow, SqlError, part_cells, part_columns, partial_rows,
    sql_version,
};
use crate::telemetry::Telemetry;

/// Why an organisation's cells in a file are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// To add up many files; other organisations may never need this one.
    Cold,
    /// To follow the table; all other organisations will need this file too.
    Fresh,
}

impl Ask {
    /// From a larger stored partial, only the cells of one organisation are read.
    fn whole_bytes_max(self) -> u64 {
        match self {
            Self::Cold => 128 * 1024,
            Self::Fresh => 1024 * 1024,
        }
    }

    /// Of a file with more rows, only the cells of one organisation are made of them.
    fn whole_rows_max(self) -> u64 {
        match self {
            Self::Cold => 8 * 1024,
            Self::Fresh => 64 * 1024,
        }
    }
}

/// A partial that is in memory, or that one of the tasks that want it is making.
type PartialSlot = Arc<OnceCell<Arc<Partial>>>;

/// A new partial that takes more than the memory divided by this is not kept.
const KEPT_SHARE: usize = 4;

/// Makes partials and keeps them.
#[derive(Debug)]
pub struct PartialCache {
    slots: Mutex<ByteLru<Arc<str>, PartialSlot>>,
    bytes_max: usize,
    engine: Arc<Engine>,
    of_rows: OfRows,
    /// True once somebody has asked when series began: until then nothing is kept for that.
    pub starts_asked: AtomicBool,
    /// The same of the parts of dimensions.
    pub parts_asked: AtomicBool,
    telemetry: Telemetry,
}

impl PartialCache {
    /// An empty cache that may hold `bytes_max`; with 0 it makes each partial anew.
    pub fn new(bytes_max: usize, engine: Arc<Engine>, telemetry: Telemetry) -> Self {
        let slots = Mutex::new(ByteLru::new(bytes_max));
        let of_rows = OfRows::new(engine.clone(), telemetry.clone());
        let [starts_asked, parts_asked] = [false; 2].map(AtomicBool::new);
        Self { slots, bytes_max, engine, of_rows, starts_asked, parts_asked, telemetry }
    }

    /// The cells of a scope in a file, by the names that they bear.
    ///
    /// # Errors
    /// As [`PartialCache::get`].
    pub async fn of_scope(
        &self,
        file: &Arc<DataFile>,
        scope: &UsageScope,
        ask: Ask,
    ) -> Result<Vec<(Arc<str>, Vec<PartialCell>)>, SqlError> {
        if self.has_none(&scope.kind, file) {
            return Ok(Vec::new());
        }
        if self.is_long(&scope.kind, file, ask) {
            self.telemetry.rollup.partial_cache_misses.inc();
            let mut cells = Vec::new();
            let add = |partial: &Partial| cells.extend(partial.between(scope.bounds()).to_vec());
            self.of_rows.pieces(&scope.kind, file, scope.bounds(), add).await?;
            return Ok(cells);
        }
        let stored = self.stored(&scope.kind, file);
        let large = stored.filter(|stored| stored.object.part_bytes() > ask.whole_bytes_max());
        if let Some(stored) = large.filter(|_| !self.holds(&scope.kind, file)) {
            self.telemetry.rollup.partial_cache_misses.inc();
            let rows = self.engine.stored_partial(stored, scope.bounds()).await?;
            return Ok(Partial::new(rows).between(scope.bounds()).to_vec());
        }
        Ok(self.get(&scope.kind, file).await?.between(scope.bounds()).to_vec())
    }

    /// True if the cells of a file are to be made of its rows, and these are too many to do so for all
    /// organisations at once.
    pub fn is_long(&self, kind: &CellKind, file: &DataFile, ask: Ask) -> bool {
        kind.dimension().is_some()
            && file.rows.is_none_or(|rows| rows > ask.whole_rows_max())
            && !self.has(kind, file)
    }

    /// Reads a large partial piece by piece, at least its organisations in a range of names.
    ///
    /// # Errors
    /// As [`PartialCache::get`].
    pub async fn read_orgs(
        &self,
        kind: &CellKind,
        file: &Arc<DataFile>,
        orgs: Bounds<'_>,
        mut each: impl FnMut(&Partial),
    ) -> Result<(), SqlError> {
        if self.is_long(kind, file, Ask::Cold) {
            if orgs.0 == Bound::Included("") {
                self.of_rows.count(kind);
            }
            return self.of_rows.pieces(kind, file, orgs, each).await;
        }
        let Some(stored) = self.stored(kind, file) else {
            each(&*self.get(kind, file).await?);
            return Ok(());
        };
        let mut pieces = std::pin::pin!(self.engine.stored_pieces(stored, orgs).await?);
        while let Some(rows) = pieces.try_next().await? {
            each(&Partial::new(rows));
        }
        Ok(())
    }

    /// The cells of a file. If several tasks ask at once, one of them reads the file.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the file; the next call tries again.
    pub async fn get(
        &self,
        kind: &CellKind,
        file: &Arc<DataFile>,
    ) -> Result<Arc<Partial>, SqlError> {
        let key = key_of(kind, &file.path);
        let slot = self.slot(&key);
        if let Some(partial) = slot.get() {
            self.telemetry.rollup.partial_cache_hits.inc();
            return Ok(partial.clone());
        }
        let made = slot.get_or_try_init(|| async {
            self.telemetry.rollup.partial_cache_misses.inc();
            self.read(kind, file).await
        });
        let made = made.await.cloned();
        self.settle(&key, &slot, made.as_ref().ok());
        made
    }

    async fn read(&self, kind: &CellKind, file: &Arc<DataFile>) -> Result<Arc<Partial>, SqlError> {
        let stored = match self.stored(kind, file) {
            Some(stored) => {
                let held = stored
                    .start
                    .and_then(|start| self.held(&CellKind::Core, file).zip(Some(start)));
                if let Some((core, start)) = held {
                    return Ok(Arc::new(core.started(start)));
                }
                self.engine.stored_partial(stored, (Bound::Unbounded, Bound::Unbounded)).await
            }
            None => return self.of_rows.all(kind, file).await,
        };
        match stored {
            // The rows may be sound even if the stored partial is not.
            Err(error) if error.kind() == Kind::Corrupt => self.of_rows.all(kind, file).await,
            rows => Ok(Arc::new(Partial::new(rows?))),
        }
    }

    /// The cells of a file; `None` if they are large. Cells that are read from the file are not kept.
    ///
    /// # Errors
    /// As [`PartialCache::get`].
    pub async fn small(
        &self,
        kind: &CellKind,
        file: &Arc<DataFile>,
    ) -> Result<Option<Arc<Partial>>, SqlError> {
        if self.has_none(kind, file) {
            return Ok(Some(Arc::default()));
        }
        match self.stored(kind, file).filter(|_| !self.holds(kind, file)) {
            None if self.is_long(kind, file, Ask::Cold) => Ok(None),
            None => self.get(kind, file).await.map(Some),
            Some(stored) if stored.object.part_bytes() > Ask::Cold.whole_bytes_max() => Ok(None),
            Some(_) => self.read(kind, file).await.map(Some),
        }
    }

    /// Where the file's own cells are, if a query of this version made them.
    pub fn stored(&self, kind: &CellKind, file: &DataFile) -> Option<CarriedCells> {
        CarriedCells::of(kind, file)
    }

    /// True if the cells of a file are there without reading its rows.
    pub fn has(&self, kind: &CellKind, file: &DataFile) -> bool {
        self.has_none(kind, file) || self.stored(kind, file).is_some() || self.holds(kind, file)
    }

    /// True of a file whose writer would have stored cells if there were any.
    pub fn has_none(&self, kind: &CellKind, file: &DataFile) -> bool {
        *kind == CellKind::Corrections && file.is_ours() && self.stored(kind, file).is_none()
    }

    fn holds(&self, kind: &CellKind, file: &DataFile) -> bool {
        self.held(kind, file).is_some()
    }

    /// The cells of a file that are in memory.
    fn held(&self, kind: &CellKind, file: &DataFile) -> Option<Arc<Partial>> {
        let key = key_of(kind, &file.path);
        self.slots.lock().peek(&key)?.get().cloned()
    }

    /// True unless so many cells would push most others out, which costs more than it saves.
    fn may_keep(&self, cells: usize) -> bool {
        cells * size_of::<PartialCell>() <= self.bytes_max / KEPT_SHARE
    }

    /// Keeps cells that were made just now, if there are not too many.
    async fn keep(
        &self,
        kind: &CellKind,
        path: &str,
        cells: &[RecordBatch],
    ) -> Result<(), SqlError> {
        if !self.may_keep(cells.iter().map(RecordBatch::num_rows).sum()) {
            return Ok(());
        }
        self.keep_rows(kind, path, partial_rows(cells)?).await;
        Ok(())
    }

    async fn keep_rows(&self, kind: &CellKind, path: &str, rows: Vec<PartialRow>) {
        if !self.may_keep(rows.len()) {
            return;
        }
        let key = key_of(kind, &Arc::from(path));
        let slot = self.slot(&key);
        let held = slot.get_or_init(|| async { Arc::new(Partial::new(rows)) }).await;
        self.settle(&key, &slot, Some(held));
    }

    /// The cells of a dimension, if there are at most `cells_max`. Once somebody has asked for such cells
    /// they are kept, however many there are.
    async fn make_parts(
        &self,
        dimension: &Arc<Dimension>,
        path: &str,
        rows: &[RecordBatch],
        cells_max: usize,
    ) -> Result<Option<MadeCells>, SqlError> {
        let is_asked = self.parts_asked.load(Ordering::Relaxed);
        let made = part_cells(dimension, rows, if is_asked { usize::MAX } else { cells_max })?;
        let Some(cells) = made else { return Ok(None) };
        let kind = CellKind::of(dimension);
        let columns =
            (cells.len() <= cells_max).then(|| part_columns(&kind, &cells)).transpose()?;
        if is_asked {
            self.keep_rows(&kind, path, cells).await;
        }
        Ok(columns.map(|columns| (kind.version(), vec![columns])))
    }

    fn slot(&self, path: &Arc<str>) -> PartialSlot {
        let mut slots = self.slots.lock();
        if let Some(slot) = slots.get_mut(path) {
            return slot.clone();
        }
        let slot = PartialSlot::default();
        slots.put(path.clone(), slot.clone(), 0);
        slot
    }

    /// Accounts for a slot that was filled, or drops one that could not be.
    fn settle(&self, path: &Arc<str>, slot: &PartialSlot, made: Option<&Arc<Partial>>) {
        let mut slots = self.slots.lock();
        // The slot may have been dropped, and its file requested again, while it was filled.
        if slots.peek(path).is_some_and(|held| Arc::ptr_eq(held, slot)) {
            match made {
                Some(partial) => {
                    let evicted = slots.resize(path, partial.bytes());
                    self.telemetry.rollup.partial_cache_evictions.add(evicted);
                }
                None => slots.remove(path),
            }
        }
        self.telemetry.rollup.partial_cache_bytes.set(slots.bytes());
    }
}

/// The writer's partials stay in memory too, if there is room: the next scrape needs them.
#[async_trait]
impl PartialMaker for PartialCache {
    fn sql_version(&self) -> Arc<str> {
        sql_version()
    }

    async fn make(
        &self,
        path: &str,
        rows: Vec<RecordBatch>,
    ) -> Result<Vec<RecordBatch>, CellsError> {
        let cells = self.engine.cells_of_rows(&CellKind::Core, &rows).await?;
        self.keep(&CellKind::Core, path, &cells).await?;
        Ok(cells)
    }

    async fn make_cells(
        &self,
        path: &str,
        kind: &FurtherKind,
        rows: Vec<RecordBatch>,
        cells_max: usize,
    ) -> Result<Option<MadeCells>, CellsError> {
        let kind = match kind {
            FurtherKind::Dimension(dimension) => {
                return Ok(self.make_parts(dimension, path, &rows, cells_max).await?);
            }
            FurtherKind::Corrections => CellKind::Corrections,
            FurtherKind::Days => CellKind::Days,
        };
        let cells = self.engine.cells_of_rows(&kind, &rows).await?;
        if kind != CellKind::Days || self.starts_asked.load(Ordering::Relaxed) {
            self.keep(&kind, path, &cells).await?;
        }
        Ok(Some((kind.version(), cells)))
    }
}

/// What cells are kept under.
fn key_of(kind: &CellKind, path: &Arc<str>) -> Arc<str> {
    match kind {
        CellKind::Core => path.clone(),
        _ => format!("{} {path}", kind.version()).into(),
    }
}
