//! Where a cold organisation starts: the newest checkpoint of totals, and what came since.

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
use super::partial::{Partial, PartialCell};
use crate::archive::{ArchiveError, DataFile, Snapshot, Totals, TotalsStore};
use crate::clock::Micros;
use crate::error::Kind;
use crate::sql::{SqlError, partial_rows};

/// The store is not asked for a newer checkpoint more often.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Work to add up that makes a newer checkpoint worth a look.
const WORK_MAX: u64 = 512;
/// Rows that count as another file.
const ROWS_OF_WORK: u64 = 4 * 1024;

/// A checkpoint, joined with what this process knows of the log.
#[derive(Debug)]
pub struct Base {
    totals: Totals,
    /// What came with new events between the checkpoint and the snapshot.
    since: Vec<Arc<DataFile>>,
    snapshot: Arc<Snapshot>,
}

impl Base {
    /// The checkpoint.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Hours from this one on are known apart to whoever starts here at `now`.
    pub fn hours_from(&self, now: Micros) -> Micros {
        self.totals.hours_from.max(OrgUsage::hours_around(now))
    }

    /// True if the window that ends at `now` begins after what is told apart.
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

    /// The files that came with new events after the checkpoint, up to and with a snapshot that is
    /// not older than this; `None` if the log between is forgotten.
    pub fn arrivals(&self, snapshot: &Snapshot) -> Option<Vec<Arc<DataFile>>> {
        let later = snapshot.arrivals_since(self.snapshot.version())?;
        let later = later.filter(|came| came.data_change).map(|came| came.file.clone());
        Some(self.since.iter().cloned().chain(later).collect())
    }

    /// The cells of one organisation at the checkpoint.
    ///
    /// # Errors
    /// Corrupt or Unavailable.
    pub async fn of_org(&self, org_id: &str) -> Result<Vec<PartialCell>, SqlError> {
        let orgs = (Bound::Included(org_id), Bound::Included(org_id));
        let cells: Vec<_> = self.totals.cells().of_orgs(orgs)?.try_collect().await?;
        Ok(Partial::new(partial_rows(&cells)?).of_org(org_id).to_vec())
    }
}

/// The work of adding up files, in files of a usual commit.
pub fn work_of<'a>(files: impl Iterator<Item = &'a Arc<DataFile>>) -> u64 {
    files.map(|file| 1 + file.rows.unwrap_or_default() / ROWS_OF_WORK).sum()
}

/// Knows the newest checkpoint.
#[derive(Debug)]
pub struct Bases {
    store: TotalsStore,
    known: Mutex<Option<Arc<Base>>>,
    /// Versions whose checkpoints turned out to be damaged.
    damaged: Mutex<BTreeSet<u64>>,
    /// When the store was last asked. Held while it is, so that of many one asks.
    looked_at: AsyncMutex<Option<Instant>>,
}

impl Bases {
    /// Knows nothing yet.
    pub fn new(store: TotalsStore) -> Self {
        let (known, damaged) = Default::default();
        Self { store, known, damaged, looked_at: AsyncMutex::default() }
    }

    /// The checkpoint to start from.
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

    /// The newest checkpoint in the store, which from here on is the one to start from.
    pub async fn look(&self, snapshot: &Arc<Snapshot>) -> Option<Arc<Base>> {
        let is_damaged = |version| self.damaged.lock().contains(&version);
        let found = match self.store.newest(snapshot, is_damaged).await {
            Ok(found) => found?,
            Err(error) => {
                tracing::warn!(%error, "no telling which checkpoints of totals there are");
                return None;
            }
        };
        self.join(found, snapshot).await
    }

    /// Takes a checkpoint as the one to start from.
    async fn join(&self, totals: Totals, snapshot: &Arc<Snapshot>) -> Option<Arc<Base>> {
        let since = match self.store.arrivals(snapshot, &totals).await {
            Ok(since) => since?,
            Err(error) => {
                tracing::warn!(%error, "a checkpoint of totals cannot be joined with the log");
                return None;
            }
        };
        let base = Arc::new(Base { totals, since, snapshot: snapshot.clone() });
        *self.known.lock() = Some(base.clone());
        Some(base)
    }

    /// Stores a checkpoint, which from here on is the one to start from.
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

    /// No longer starts from a checkpoint that is damaged or gone, nor takes it again.
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
