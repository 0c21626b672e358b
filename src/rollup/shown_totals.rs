//! Where a cold organisation starts: the newest totals snapshot, and the files since then.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt as _;
use parking_lot::Mutex;
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::Instant;

use super::org_usage::OrgUsage;
use super::partial::Partial;
use super::scope::UsageScope;
use crate::archive::{ArchiveError, DataFile, Snapshot, Totals, TotalsStore};
use crate::clock::Micros;
use crate::error::Kind;
use crate::sql::{SqlError, partial_rows};

/// Minimum time between two looks into the store for a newer totals snapshot.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// From this much work on, a newer totals snapshot is worth a look.
const WORK_MAX: u64 = 512;
/// Rows that are as much work as one more file.
const ROWS_OF_WORK: u64 = 4 * 1024;

/// A totals snapshot, joined with this process's view of the log.
#[derive(Debug)]
pub struct Base {
    totals: Totals,
    /// Files that brought new events between the totals snapshot and `snapshot`.
    since: Vec<Arc<DataFile>>,
    snapshot: Arc<Snapshot>,
}

impl Base {
    /// The totals snapshot.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// The first hour that is kept apart for an organisation that starts here at `now`.
    pub fn hours_from(&self, now: Micros) -> Micros {
        self.totals.hours_from.max(OrgUsage::hours_around(now))
    }

    /// True if the window that ends at `now` lies in the hours that are kept apart.
    pub fn serves(&self, now: Micros) -> bool {
        OrgUsage::from_hour(self.hours_from(now)).covers(now)
    }

    /// True unless some of it is damaged or gone.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn is_sound(&self) -> Result<bool, SqlError> {
        let all = self.totals.cells().of_orgs((Bound::Unbounded, Bound::Unbounded))?;
        match all.try_for_each(|_| std::future::ready(Ok(()))).await {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == Kind::Corrupt => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The newer of `snapshot` and the one that this was joined with.
    pub fn newer(&self, snapshot: &Arc<Snapshot>) -> Arc<Snapshot> {
        std::cmp::max_by_key(&self.snapshot, snapshot, |snapshot| snapshot.version()).clone()
    }

    /// The files that brought new events after the totals snapshot, up to and including a snapshot.
    /// `None` if the arrivals between are forgotten, or if that snapshot is older than this one's.
    pub fn arrivals(&self, snapshot: &Snapshot) -> Option<Vec<Arc<DataFile>>> {
        if snapshot.version() < self.snapshot.version() {
            return None;
        }
        let later = snapshot.arrivals_since(self.snapshot.version())?;
        let later = later.filter(|came| came.data_change).map(|came| came.file.clone());
        Some(self.since.iter().cloned().chain(later).collect())
    }

    /// The cells of a scope in the totals snapshot.
    ///
    /// # Errors
    /// Corrupt or Unavailable.
    pub async fn of_scope(&self, scope: &UsageScope) -> Result<Partial, SqlError> {
        let cells: Vec<_> = self.totals.cells().of_orgs(scope.bounds())?.try_collect().await?;
        Ok(Partial::new(partial_rows(&cells)?))
    }
}

/// The work of adding up files, in files of a usual commit.
pub fn work_of<'a>(files: impl Iterator<Item = &'a Arc<DataFile>>) -> u64 {
    files.map(|file| 1 + file.rows.unwrap_or_default() / ROWS_OF_WORK).sum()
}

/// Keeps the newest totals snapshot.
#[derive(Debug)]
pub struct Bases {
    store: TotalsStore,
    known: Mutex<Option<Arc<Base>>>,
    /// Versions whose totals snapshots turned out to be damaged.
    damaged: Mutex<BTreeSet<u64>>,
    /// When the store was last looked at. Held during a look, so that one of many callers looks.
    looked_at: AsyncMutex<Option<Instant>>,
}

impl Bases {
    /// The totals snapshots in `store`, none of which is known yet.
    pub fn new(store: TotalsStore) -> Self {
        let (known, damaged) = Default::default();
        Self { store, known, damaged, looked_at: AsyncMutex::default() }
    }

    /// The totals snapshot to start from.
    pub async fn get(&self, snapshot: &Arc<Snapshot>) -> Option<Arc<Base>> {
        if let Some(base) = self.fitting(snapshot) {
            return Some(base);
        }
        let mut looked_at = self.looked_at.lock().await;
        if let Some(base) = self.fitting(snapshot) {
            return Some(base);
        }
        if looked_at.is_none_or(|at| at.elapsed() >= LOOK_EVERY) {
            self.look(snapshot).await;
            *looked_at = Some(Instant::now());
        }
        self.known.lock().clone()
    }

    /// The newest totals snapshot in the store, which from here on is the one to start from.
    pub async fn look(&self, snapshot: &Arc<Snapshot>) -> Option<Arc<Base>> {
        let is_damaged = |version| self.damaged.lock().contains(&version);
        let found = match self.store.newest(snapshot, is_damaged).await {
            Ok(found) => found?,
            Err(error) => {
                tracing::warn!(%error, "cannot list the totals snapshots");
                return None;
            }
        };
        self.join(found, snapshot).await
    }

    /// Makes a totals snapshot the one to start from.
    async fn join(&self, totals: Totals, snapshot: &Arc<Snapshot>) -> Option<Arc<Base>> {
        let since = match self.store.arrivals(snapshot, &totals).await {
            Ok(since) => since?,
            Err(error) => {
                tracing::warn!(%error, "a totals snapshot cannot be joined with the log");
                return None;
            }
        };
        let base = Arc::new(Base { totals, since, snapshot: snapshot.clone() });
        *self.known.lock() = Some(base.clone());
        Some(base)
    }

    /// Stores a totals snapshot, which from here on is the one to start from.
    ///
    /// # Errors
    /// As [`TotalsStore::put`].
    pub async fn put(
        &self,
        snapshot: &Arc<Snapshot>,
        hours_from: Micros,
        cells: Bytes,
    ) -> Result<Option<Arc<Base>>, ArchiveError> {
        let Some(totals) = self.store.put(snapshot, hours_from, cells).await? else {
            return Ok(None);
        };
        self.damaged.lock().remove(&totals.version);
        Ok(self.join(totals, snapshot).await)
    }

    /// Stops starting from a totals snapshot that is damaged or gone, and never uses it again.
    pub fn give_up(&self, base: &Arc<Base>) {
        self.damaged.lock().insert(base.totals.version);
        let mut known = self.known.lock();
        if known.as_ref().is_some_and(|known| Arc::ptr_eq(known, base)) {
            *known = None;
        }
    }

    fn fitting(&self, snapshot: &Arc<Snapshot>) -> Option<Arc<Base>> {
        let base = self.known.lock().clone()?;
        let arrivals = base.arrivals(&base.newer(snapshot))?;
        (work_of(arrivals.iter()) <= WORK_MAX).then_some(base)
    }
}
