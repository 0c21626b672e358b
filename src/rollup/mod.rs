//! Usage by organisation: a function of a version of the table.
//!
//! `usage(version) = Σ partial(live file)`. A scrape moves its organisation from the version it
//! knows to the newest by adding the partials of the files that came; commits that only move
//! events between files leave the sums alone. So counters cannot go down, replicas cannot
//! disagree, and a restart forgets nothing.

mod cache;
mod edge;
mod org_state;
mod org_usage;
mod partial;
mod usage;

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Mutex as AsyncMutex;

pub use self::partial::{Partial, PartialCell};
pub use self::usage::{SeriesMap, SeriesTotals, UsageView};

use self::cache::PartialCache;
use self::org_state::OrgState;
use crate::archive::Snapshot;
use crate::byte_lru::ByteLru;
use crate::clock::Micros;
use crate::sql::{Engine, SqlError};
use crate::telemetry::Telemetry;

/// Empty until the organisation's first scrape has been summed up.
type Slot = Arc<AsyncMutex<Option<OrgState>>>;

/// Usage for scrapes.
#[derive(Debug)]
pub struct Rollup {
    engine: Arc<Engine>,
    partials: PartialCache,
    orgs: Mutex<ByteLru<Arc<str>, Slot>>,
    telemetry: Telemetry,
}

impl Rollup {
    /// A rollup that may keep `cache_bytes_max` in memory: half of it partials, half of it the
    /// usage of organisations.
    pub fn new(engine: Arc<Engine>, cache_bytes_max: usize, telemetry: Telemetry) -> Self {
        let half = cache_bytes_max / 2;
        Self {
            partials: PartialCache::new(half, engine.clone(), telemetry.clone()),
            engine,
            orgs: Mutex::new(ByteLru::new(half)),
            telemetry,
        }
    }

    /// Shows the usage of an organisation at `snapshot` or later, with the window that ends at
    /// `now`.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the file: never a smaller number.
    pub async fn show<T>(
        &self,
        org_id: &str,
        snapshot: &Arc<Snapshot>,
        now: Micros,
        show: impl FnOnce(&UsageView<'_>) -> T,
    ) -> Result<T, SqlError> {
        let slot = self.slot(org_id);
        let mut state = slot.lock().await;
        let state = match &mut *state {
            Some(state) => {
                state.advance(snapshot, now, &self.partials).await?;
                state
            }
            none => {
                let built = OrgState::build(org_id.into(), snapshot.clone(), now, &self.partials);
                none.insert(built.await?)
            }
        };
        let rolling_cost = state.rolling_cost(now, &self.partials, &self.engine).await?;
        if let Some(bytes) = state.grown() {
            self.lock().resize(org_id, bytes);
        }
        Ok(show(&state.view(rolling_cost)))
    }

    /// As [`Rollup::show`], if that takes no waiting: nothing has come since the organisation was
    /// last shown, and no file must be read.
    pub fn show_now<T>(
        &self,
        org_id: &str,
        snapshot: &Snapshot,
        now: Micros,
        show: impl FnOnce(&UsageView<'_>) -> T,
    ) -> Option<T> {
        let slot = self.lock().get_mut(org_id).cloned()?;
        let state = slot.try_lock().ok()?;
        let state = state.as_ref().filter(|state| state.is_current(snapshot, now))?;
        let rolling_cost = state.known_rolling_cost(now)?;
        Some(show(&state.view(rolling_cost)))
    }

    fn slot(&self, org_id: &str) -> Slot {
        let mut orgs = self.lock();
        if let Some(slot) = orgs.get_mut(org_id) {
            return slot.clone();
        }
        let slot = Slot::default();
        orgs.put(org_id.into(), slot.clone(), 0);
        self.telemetry.rollup.org_usage_entries.set(orgs.len());
        slot
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, ByteLru<Arc<str>, Slot>> {
        self.orgs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
