//! Partials by file: an LRU bounded in bytes. A file never changes, so nothing is invalidated.
//!
//! A partial comes from the cheapest source: from memory, from the file itself if its writer stored
//! it there, otherwise from SQL over the file's rows.

use std::ops::Bound;
use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use futures::TryStreamExt as _;
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use super::partial::{Partial, PartialCell};
use crate::archive::{CheckedObject, DataFile, PartialMaker};
use crate::byte_lru::ByteLru;
use crate::error::Kind;
use crate::sql::{Engine, SqlError, partial_rows, sql_version};
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
    telemetry: Telemetry,
}

impl PartialCache {
    /// An empty cache that may hold `bytes_max`; with 0 it makes each partial anew.
    pub fn new(bytes_max: usize, engine: Arc<Engine>, telemetry: Telemetry) -> Self {
        Self { slots: Mutex::new(ByteLru::new(bytes_max)), bytes_max, engine, telemetry }
    }

    /// The cells of one organisation in a file.
    ///
    /// # Errors
    /// As [`PartialCache::get`].
    pub async fn of_org(
        &self,
        file: &Arc<DataFile>,
        org_id: &str,
        ask: Ask,
    ) -> Result<Vec<PartialCell>, SqlError> {
        let large = self.stored(file).filter(|stored| stored.part_bytes() > ask.whole_bytes_max());
        if let Some(stored) = large.filter(|_| !self.holds(file)) {
            self.telemetry.rollup.partial_cache_misses.inc();
            let rows = self.engine.stored_partial(stored, Some(org_id)).await?;
            return Ok(Partial::new(rows).of_org(org_id).to_vec());
        }
        Ok(self.get(file).await?.of_org(org_id).to_vec())
    }

    /// Reads a large partial piece by piece, at least its organisations in a range of names.
    ///
    /// # Errors
    /// As [`PartialCache::get`].
    pub async fn read_orgs(
        &self,
        file: &Arc<DataFile>,
        orgs: (Bound<&str>, Bound<&str>),
        mut each: impl FnMut(&Partial),
    ) -> Result<(), SqlError> {
        let Some(stored) = self.stored(file) else {
            each(&*self.get(file).await?);
            return Ok(());
        };
        let mut pieces = std::pin::pin!(self.engine.stored_pieces(stored, orgs).await?);
        while let Some(rows) = pieces.try_next().await? {
            each(&Partial::new(rows));
        }
        Ok(())
    }

    /// The partial of a file. If several tasks ask at once, one of them reads the file.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the file; the next call tries again.
    pub async fn get(&self, file: &Arc<DataFile>) -> Result<Arc<Partial>, SqlError> {
        let slot = self.slot(&file.path);
        if let Some(partial) = slot.get() {
            self.telemetry.rollup.partial_cache_hits.inc();
            return Ok(partial.clone());
        }
        let made = slot.get_or_try_init(|| async {
            self.telemetry.rollup.partial_cache_misses.inc();
            self.read(file).await
        });
        let made = made.await.cloned();
        self.settle(&file.path, &slot, made.as_ref().ok());
        made
    }

    async fn read(&self, file: &Arc<DataFile>) -> Result<Arc<Partial>, SqlError> {
        let stored = match self.stored(file) {
            Some(stored) => self.engine.stored_partial(stored, None).await,
            None => return Ok(Arc::new(Partial::new(self.engine.partial(file).await?))),
        };
        let rows = match stored {
            // The rows may be sound even if the stored partial is not.
            Err(error) if error.kind() == Kind::Corrupt => self.engine.partial(file).await?,
            rows => rows?,
        };
        Ok(Arc::new(Partial::new(rows)))
    }

    /// The partial of a file; `None` if it is large. One that is read from the file is not kept.
    ///
    /// # Errors
    /// As [`PartialCache::get`].
    pub async fn small(&self, file: &Arc<DataFile>) -> Result<Option<Arc<Partial>>, SqlError> {
        match self.stored(file).filter(|_| !self.holds(file)) {
            None => self.get(file).await.map(Some),
            Some(stored) if stored.part_bytes() > Ask::Cold.whole_bytes_max() => Ok(None),
            Some(_) => self.read(file).await.map(Some),
        }
    }

    /// Where the file's own partial is, if SQL of this version made it.
    pub fn stored(&self, file: &DataFile) -> Option<CheckedObject> {
        file.stored_partial(&sql_version())
    }

    fn holds(&self, file: &DataFile) -> bool {
        self.slots.lock().peek(&file.path).is_some_and(|slot| slot.initialized())
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
    ) -> Result<Vec<RecordBatch>, Box<dyn std::error::Error + Send + Sync>> {
        let cells = self.engine.partial_of_rows(&rows).await?;
        let count: usize = cells.iter().map(RecordBatch::num_rows).sum();
        // One that would push most others out costs more than it saves.
        if count * size_of::<PartialCell>() > self.bytes_max / KEPT_SHARE {
            return Ok(cells);
        }
        let partial = Arc::new(Partial::new(partial_rows(&cells)?));
        let path = Arc::from(path);
        let slot = self.slot(&path);
        let held = slot.get_or_init(|| std::future::ready(partial)).await;
        self.settle(&path, &slot, Some(held));
        Ok(cells)
    }
}
