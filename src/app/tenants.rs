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
        for name in others {
            tenants.extend(self.with_event(name, &snapshot).await?);
        }
        Ok(tenants)
    }

    /// The organisation with a name in lower case, if it has had an event.
    async fn with_event(
        &self,
        lowercase: String,
        snapshot: &Arc<Snapshot>,
    ) -> Result<Option<OrgId>, AppError> {
        let known = self.had_events.get(&lowercase);
        if known.is_some() {
            return Ok(known);
        }
        let name = self.archive.records().spelling(&lowercase).await?;
        let Some(org_id) = name.and_then(|name| OrgId::parse(&name).ok()) else { return Ok(None) };
        if !self.has_event(&org_id, snapshot).await? {
            return Ok(None);
        }
        self.had_events.put(lowercase, org_id.clone());
        Ok(Some(org_id))
    }

    async fn has_event(&self, org_id: &OrgId, snapshot: &Arc<Snapshot>) -> Result<bool, AppError> {
        let has_event = |snapshot: Arc<Snapshot>| async move {
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
        self.archive.at_newest(snapshot.clone(), has_event).await
    }
}
