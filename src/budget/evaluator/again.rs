//! Receivers that forget what they are not told again are told again, and none keeps another waiting.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;

use super::{Evaluator, Looked};
use crate::archive::ArchiveError;
use crate::budget::crossing::CrossingKey;
use crate::budget::stored::{Budget, BudgetRecord};
use crate::event::OrgId;

/// Organisations whose receivers are told at a time.
const ORGS: usize = 32;
/// Hosts of an organisation that are told at a time.
const HOSTS_OF_ORG: usize = 4;
/// How long it may take to tell those of an organisation; what is left is told at the next time.
const ORG_WAIT: Duration = Duration::from_secs(45);

/// Budgets by their receivers' hosts.
type ByHost = BTreeMap<String, Vec<Arc<BudgetRecord>>>;

impl Evaluator {
    /// Tells receivers that forget what they are not told again about the crossings of current periods.
    /// What fails is told at the next time.
    pub async fn tell_again(&self) {
        let mut orgs: BTreeMap<Arc<str>, ByHost> = BTreeMap::new();
        for ((org, _), record) in self.editions.lock().iter() {
            if let Some(budget) = record.budget.as_ref().filter(|budget| budget.is_told_again()) {
                let hosts = orgs.entry(org.clone()).or_default();
                let host = budget.definition.webhook.place();
                hosts.entry(host).or_default().push(record.clone());
            }
        }
        let tells = futures::stream::iter(orgs.into_values());
        tells
            .for_each_concurrent(ORGS, |hosts| async move {
                let hosts = futures::stream::iter(hosts.into_values());
                let tells = hosts.for_each_concurrent(HOSTS_OF_ORG, |records| async move {
                    self.tell_host(&records).await;
                });
                if tokio::time::timeout(ORG_WAIT, tells).await.is_err() {
                    tracing::debug!("some receivers of an organisation are told again later");
                }
            })
            .await;
    }

    /// Tells one host about some budgets, until it does not take one.
    async fn tell_host(&self, records: &[Arc<BudgetRecord>]) {
        for record in records {
            match self.tell_again_about(record).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    let (org_id, budget) = (&record.org_id, &record.name);
                    tracing::debug!(%error, %org_id, %budget, "a receiver is told again later");
                }
            }
        }
    }

    /// Tells the receiver of a budget about its thresholds; false if it did not take one.
    async fn tell_again_about(&self, record: &BudgetRecord) -> Result<bool, ArchiveError> {
        let (Some(budget), Some(status)) = (&record.budget, self.status(record).await) else {
            return Ok(true);
        };
        let fired = status.fired_at.into_iter().filter(|(_, fired_at)| fired_at.is_some());
        for (threshold, _) in fired {
            let Some(key) = self.key_of(record, budget, threshold).await else { continue };
            let whose = (record.org_id.as_str(), &record.name, budget.revision);
            let Some(crossing) = self.crossings.get_of(whose, &key).await? else { continue };
            if !self.courier.tell_again(budget, &crossing).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn key_of(
        &self,
        record: &BudgetRecord,
        budget: &Budget,
        threshold: u32,
    ) -> Option<CrossingKey> {
        let org_id = OrgId::parse(&record.org_id).ok()?;
        let slot = self.slot(Looked { org_id: &org_id, name: &record.name, budget });
        let slot = slot.lock().await;
        let watch = slot.as_ref()?;
        watch.key(budget, watch.current.as_ref()?.span, threshold)
    }
}
