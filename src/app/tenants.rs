//! Tenants: the organisations that an operator is told of.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use super::{App, AppError};
use crate::archive::Snapshot;
use crate::event::OrgId;

impl App {
    /// The organisations that have a valid key or an event, in order.
    ///
    /// # Errors
    /// Unavailable or Corrupt.
    pub async fn tenants(&self) -> Result<BTreeSet<OrgId>, AppError> {
        let mut tenants = self.keys.orgs().await?;
        let with_key: HashSet<_> = tenants.iter().map(OrgId::lowercase).collect();
        let snapshot = self.archive.fresh(self.settings.staleness_max).await?;
        let mut others = self.archive.records().orgs().await?;
        others.retain(|name| !with_key.contains(name));
        let mut without_call = Vec::new();
        for name in others {
            if let Some(known) = self.event_search.had_events.get(&name) {
                tenants.insert(known);
                continue;
            }
            let Some(org_id) = self.claimed(&name).await? else { continue };
            if self.has_call(&org_id, &snapshot).await? {
                self.event_search.had_events.put(&org_id);
                tenants.insert(org_id);
            } else {
                without_call.push(org_id);
            }
        }
        tenants.extend(self.event_search.with_rows(without_call, snapshot).await?);
        Ok(tenants)
    }

    /// The organisation with a name in lower case.
    async fn claimed(&self, lowercase: &str) -> Result<Option<OrgId>, AppError> {
        let name = self.archive.records().spelling(lowercase).await?;
        Ok(name.and_then(|name| OrgId::parse(&name).ok()))
    }

    /// Whether it has had a call, also one that has expired.
    async fn has_call(&self, org_id: &OrgId, snapshot: &Arc<Snapshot>) -> Result<bool, AppError> {
        let has_call = |snapshot: Arc<Snapshot>| async move {
            let now = self.now();
            let known =
                self.rollup.show_known(org_id, &snapshot, now, |view| view.last_event.is_some());
            if let Some(known) = known {
                return Ok(known);
            }
            let turn = self.rollup.turn(org_id.as_str()).await;
            let shown =
                self.rollup.show(turn, org_id, &snapshot, now, |view| view.last_event.is_some());
            // It is large.
            Ok(Box::pin(shown).await?)
        };
        self.archive.at_newest(snapshot.clone(), has_call).await
    }
}
