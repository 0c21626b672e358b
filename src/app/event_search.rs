//! Which organisations have had an event of any type: usage tells of calls, and rows of the others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::Mutex;

use super::AppError;
use super::had_events::HadEvents;
use crate::archive::{Archive, Arrival, DataFile, Snapshot, orgs_among};
use crate::event::OrgId;

/// Searches the rows of live files.
#[derive(Debug)]
pub(super) struct EventSearch {
    archive: Arc<Archive>,
    pub(super) had_events: HadEvents,
    /// One search at a time: the next one has what it found.
    turn: Mutex<()>,
}

impl EventSearch {
    /// Nothing is known yet.
    pub(super) fn new(archive: Arc<Archive>) -> Self {
        Self { archive, had_events: HadEvents::new(), turn: Mutex::default() }
    }

    /// Those of `orgs` that have a row. Files that an earlier search has read are not read again, and one
    /// that nobody waits for any longer goes on, so that who asks again need not wait for as long.
    ///
    /// # Errors
    /// Unavailable or Corrupt.
    pub(super) async fn with_rows(
        self: &Arc<Self>,
        orgs: Vec<OrgId>,
        snapshot: Arc<Snapshot>,
    ) -> Result<BTreeSet<OrgId>, AppError> {
        if orgs.is_empty() {
            return Ok(BTreeSet::new());
        }
        let this = self.clone();
        let search = tokio::spawn(async move {
            let _turn = this.turn.lock().await;
            let search = |snapshot| this.search(&orgs, snapshot);
            this.archive.at_newest(snapshot, search).await
        });
        search.await.map_err(|error| AppError::Internal(error.to_string()))?
    }

    async fn search(
        &self,
        orgs: &[OrgId],
        snapshot: Arc<Snapshot>,
    ) -> Result<BTreeSet<OrgId>, AppError> {
        let known = |org: &OrgId| self.had_events.get(&org.lowercase());
        let mut found: BTreeSet<OrgId> = orgs.iter().filter_map(known).collect();
        let mut left: BTreeMap<&str, &OrgId> = orgs.iter().map(|org| (org.as_str(), org)).collect();
        left.retain(|_, org| !found.contains(*org));
        let mut wanted: BTreeSet<String> = left.keys().map(|org| (*org).to_owned()).collect();
        for file in self.files(left.values().copied(), &snapshot) {
            for org in orgs_among(self.archive.store(), &file, &wanted).await? {
                wanted.remove(&org);
                if let Some(org_id) = left.remove(org.as_str()) {
                    self.had_events.put(org_id);
                    found.insert(org_id.clone());
                }
            }
        }
        left.into_values().for_each(|org| self.had_events.put_searched(org, snapshot.version()));
        Ok(found)
    }

    /// The files that are to be read for some organisations.
    fn files<'o>(
        &self,
        orgs: impl Iterator<Item = &'o OrgId>,
        snapshot: &Snapshot,
    ) -> Vec<Arc<DataFile>> {
        // One of which nothing is known comes first.
        let since = orgs.map(|org| self.had_events.searched(org)).min().flatten();
        let arrivals = since.and_then(|version| snapshot.arrivals_since(version));
        let came = arrivals.map(|arrivals| {
            let new = arrivals.filter(|Arrival { data_change, .. }| *data_change);
            new.map(|arrival| arrival.file.clone()).collect::<Vec<_>>()
        });
        // The rows of one that is not live are in another one, which brought nothing new.
        let came = came.filter(|came| came.iter().all(|file| snapshot.is_live(file)));
        came.unwrap_or_else(|| snapshot.files().cloned().collect())
    }
}
