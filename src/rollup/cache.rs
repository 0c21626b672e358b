//! Partials by file: an LRU bounded in bytes. A file never changes, so nothing is invalidated.

use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use tokio::sync::OnceCell;

use super::partial::Partial;
use crate::archive::DataFile;
use crate::sql::{Engine, SqlError};
use crate::telemetry::Telemetry;

/// A partial that is there, or that one of those who want it is making.
type Slot = Arc<OnceCell<Arc<Partial>>>;

#[derive(Debug)]
struct Slots {
    /// With each slot, the bytes that are counted for it: 0 until it is filled.
    by_path: LruCache<Arc<str>, (Slot, usize)>,
    bytes: usize,
}

/// Makes partials and keeps them.
#[derive(Debug)]
pub struct PartialCache {
    slots: Mutex<Slots>,
    bytes_max: usize,
    engine: Arc<Engine>,
    telemetry: Telemetry,
}

impl PartialCache {
    /// An empty cache that may hold `bytes_max`; with 0 it makes each partial anew.
    pub fn new(bytes_max: usize, engine: Arc<Engine>, telemetry: Telemetry) -> Self {
        let slots = Slots { by_path: LruCache::unbounded(), bytes: 0 };
        Self { slots: Mutex::new(slots), bytes_max, engine, telemetry }
    }

    /// The partial of a file. Of several who ask at once, one reads the file.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the file; the next to ask tries again.
    pub async fn get(&self, file: &Arc<DataFile>) -> Result<Arc<Partial>, SqlError> {
        let slot = self.lock().by_path.get_or_insert(file.path.clone(), Default::default).0.clone();
        if let Some(partial) = slot.get() {
            self.telemetry.rollup.partial_cache_hits.inc();
            return Ok(partial.clone());
        }
        let made = slot.get_or_try_init(|| async {
            self.telemetry.rollup.partial_cache_misses.inc();
            self.engine.partial(file).await.map(|rows| Arc::new(Partial::new(rows)))
        });
        let made = made.await.cloned();
        self.settle(&file.path, &slot, made.as_ref().ok());
        made
    }

    /// Counts a slot that was filled, or drops one that could not be; then drops what was used
    /// longest ago past the budget.
    fn settle(&self, path: &Arc<str>, slot: &Slot, made: Option<&Arc<Partial>>) {
        let mut slots = self.lock();
        // The slot may have been dropped, and its file asked for again, while it was filled.
        if let Some((held, counted)) = slots.by_path.peek_mut(path)
            && Arc::ptr_eq(held, slot)
            && *counted == 0
        {
            *counted = made.map_or(0, |partial| partial.bytes());
            slots.bytes += made.map_or(0, |partial| partial.bytes());
            if made.is_none() {
                slots.by_path.pop(path);
            }
        }
        while slots.bytes > self.bytes_max {
            let Some((_, (_, counted))) = slots.by_path.pop_lru() else { break };
            slots.bytes = slots.bytes.saturating_sub(counted);
            self.telemetry.rollup.partial_cache_evictions.inc();
        }
        self.telemetry.rollup.partial_cache_bytes.set(slots.bytes);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
