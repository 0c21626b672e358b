//! Partials by file: an LRU bounded in bytes. A file never changes, so nothing is invalidated.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::OnceCell;

use super::partial::Partial;
use crate::archive::DataFile;
use crate::byte_lru::ByteLru;
use crate::sql::{Engine, SqlError};
use crate::telemetry::Telemetry;

/// A partial that is there, or that one of those who want it is making.
type Slot = Arc<OnceCell<Arc<Partial>>>;

/// Makes partials and keeps them.
#[derive(Debug)]
pub struct PartialCache {
    slots: Mutex<ByteLru<Arc<str>, Slot>>,
    engine: Arc<Engine>,
    telemetry: Telemetry,
}

impl PartialCache {
    /// An empty cache that may hold `bytes_max`; with 0 it makes each partial anew.
    pub fn new(bytes_max: usize, engine: Arc<Engine>, telemetry: Telemetry) -> Self {
        Self { slots: Mutex::new(ByteLru::new(bytes_max)), engine, telemetry }
    }

    /// The partial of a file. Of several who ask at once, one reads the file.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the file; the next to ask tries again.
    pub async fn get(&self, file: &Arc<DataFile>) -> Result<Arc<Partial>, SqlError> {
        let slot = self.slot(file);
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

    fn slot(&self, file: &DataFile) -> Slot {
        let mut slots = self.slots.lock();
        if let Some(slot) = slots.get_mut(&file.path) {
            return slot.clone();
        }
        let slot = Slot::default();
        slots.put(file.path.clone(), slot.clone(), 0);
        slot
    }

    /// Counts a slot that was filled, or drops one that could not be.
    fn settle(&self, path: &Arc<str>, slot: &Slot, made: Option<&Arc<Partial>>) {
        let mut slots = self.slots.lock();
        // The slot may have been dropped, and its file asked for again, while it was filled.
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
