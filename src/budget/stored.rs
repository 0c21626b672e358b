//! The stored form of budgets: sealed records that are put once. Each change is a further *edition* of the
//! budget, put only if it is absent, so that of two changes at the same time one sees the other.

use serde::{Deserialize, Serialize};

use super::definition::Definition;
use super::kind::WebhookKind;
use super::name::BudgetName;
use super::secret::WebhookSecret;
use crate::archive::Record;
use crate::clock::{DAY, Micros};

/// How long a secret signs after another took its place.
const ROTATION: Micros = DAY;

/// A budget as it is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// What it is.
    pub definition: Definition,
    /// The edition since which it counts as it does. What fired before is of another revision.
    pub revision: u64,
    /// The edition in which it was set first. What fired before is of a budget that was removed.
    pub since: u64,
    /// When its revision began: it counts from the period that holds this instant.
    pub set_at_us: Micros,
    /// The same of each of its thresholds, in their order.
    pub thresholds_set_at_us: Vec<Micros>,
    /// The secret that signs.
    pub secret: WebhookSecret,
    /// The secret before it, and until when it signs as well.
    pub former: Option<FormerSecret>,
    /// Since when nothing is sent because the receiver said that it is gone.
    pub gone_at_us: Option<Micros>,
}

/// A secret that another took the place of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormerSecret {
    /// The secret.
    pub secret: WebhookSecret,
    /// Until when it signs.
    pub until_us: Micros,
}

/// An edition of a budget.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BudgetRecord {
    /// Whose it is.
    pub org_id: String,
    /// Its name.
    pub name: BudgetName,
    /// The first one is 1.
    pub edition: u64,
    /// `None` if it was removed. The record stays, so that a later budget of the name has another
    /// revision.
    pub budget: Option<Budget>,
}

impl Record for BudgetRecord {}

impl BudgetRecord {
    /// The first edition of a name, before any.
    pub fn none(org_id: &str, name: &BudgetName) -> Self {
        Self { org_id: org_id.to_owned(), name: name.clone(), edition: 0, budget: None }
    }

    /// The edition after this one, with another budget.
    #[must_use]
    pub fn next(&self, budget: Option<Budget>) -> Self {
        let (org_id, name, edition) = (self.org_id.clone(), self.name.clone(), self.edition + 1);
        Self { org_id, name, edition, budget }
    }

    /// The edition that has `definition`, set at `now`; `None` if this one has it. The secret is new if
    /// there was no budget.
    pub fn set(&self, definition: &Definition, now: Micros) -> Option<Self> {
        let fresh = || Budget {
            definition: definition.clone(),
            revision: self.edition + 1,
            since: self.edition + 1,
            set_at_us: now,
            thresholds_set_at_us: vec![now; definition.thresholds.len()],
            secret: WebhookSecret::generate(),
            former: None,
            gone_at_us: None,
        };
        let next = match &self.budget {
            None => fresh(),
            Some(known) if known.definition == *definition && known.gone_at_us.is_none() => {
                return None;
            }
            Some(known) => {
                let is_same = known.definition.counts_as(definition);
                let (revision, set_at_us) = if is_same {
                    (known.revision, known.set_at_us)
                } else {
                    (self.edition + 1, now)
                };
                let set_at = |threshold: &u32| {
                    known.threshold_set_at(*threshold).filter(|_| is_same).unwrap_or(now)
                };
                let thresholds_set_at_us = definition.thresholds.iter().map(set_at).collect();
                let definition = definition.clone();
                Budget {
                    definition,
                    revision,
                    set_at_us,
                    thresholds_set_at_us,
                    gone_at_us: None,
                    ..known.clone()
                }
            }
        };
        Some(self.next(Some(next)))
    }

    /// The edition with a further secret; `None` if there is no budget. The one before signs for a day;
    /// one that is still older no longer does.
    pub fn rotated(&self, now: Micros) -> Option<Self> {
        let known = self.budget.clone()?;
        let former = FormerSecret { secret: known.secret.clone(), until_us: now + ROTATION };
        let (secret, former) = (WebhookSecret::generate(), Some(former));
        Some(self.next(Some(Budget { secret, former, ..known })))
    }

    /// The edition that sends nothing until the budget is set again, because the receiver of `tried` is
    /// gone; `None` if this one does not, or has another receiver.
    pub fn gone(&self, tried: &Definition, now: Micros) -> Option<Self> {
        let is_of_it =
            |known: &Budget| known.gone_at_us.is_none() && known.definition.has_receiver_of(tried);
        let known = self.budget.clone().filter(is_of_it)?;
        Some(self.next(Some(Budget { gone_at_us: Some(now), ..known })))
    }

    /// The edition without a budget; `None` if this one has none.
    pub fn removed(&self) -> Option<Self> {
        self.budget.as_ref()?;
        Some(self.next(None))
    }
}

impl Budget {
    /// When a threshold was set: it counts from the period that holds this instant.
    pub fn threshold_set_at(&self, threshold: u32) -> Option<Micros> {
        let times = self.definition.thresholds.iter().zip(&self.thresholds_set_at_us);
        times.into_iter().find(|(known, _)| **known == threshold).map(|(_, at)| *at)
    }

    /// Whether its receiver forgets what it is not told again.
    pub fn is_told_again(&self) -> bool {
        self.definition.kind == WebhookKind::Alertmanager && self.gone_at_us.is_none()
    }

    /// The secrets that sign at `now`, the newest first.
    pub fn secrets(&self, now: Micros) -> impl Iterator<Item = &WebhookSecret> {
        let former = self.former.as_ref().filter(|former| now < former.until_us);
        std::iter::once(&self.secret).chain(former.map(|former| &former.secret))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::definition::{AskedBudget, DecimalText};
    use crate::budget::target::Target;

    fn definition(amount: &str) -> Definition {
        Definition::read(&AskedBudget {
            amount: DecimalText(amount.to_owned()),
            period: "day".to_owned(),
            thresholds: vec![50, 100],
            webhook: "https://hooks.example.com/x".to_owned(),
            ..AskedBudget::default()
        })
        .unwrap()
    }

    fn first() -> BudgetRecord {
        let none = BudgetRecord::none("acme", &"all".parse().unwrap());
        none.set(&definition("100"), 7).unwrap()
    }

    #[test]
    fn a_change_of_what_counts_is_a_revision_and_others_are_none() {
        let first = first();
        assert_eq!(first.set(&definition("100"), 8), None);
        let budget = |record: &BudgetRecord| record.budget.clone().unwrap();
        let mut told = definition("100");
        told.thresholds = vec![100];
        let told = first.set(&told, 8).unwrap();
        let mut more = definition("100");
        more.thresholds = vec![70, 100];
        let more = told.set(&more, 9).unwrap();
        let set_at = |threshold| budget(&more).threshold_set_at(threshold);
        assert_eq!((set_at(70), set_at(100), set_at(50)), (Some(9), Some(7), None));
        assert_eq!((told.edition, budget(&told).revision, budget(&told).set_at_us), (2, 1, 7));
        let counts = told.set(&definition("101"), 9).unwrap();
        assert_eq!((budget(&counts).revision, budget(&counts).set_at_us), (3, 9));
        assert_eq!(budget(&counts).secret, budget(&first).secret);
        let removed = counts.removed().unwrap();
        assert_eq!((removed.removed(), removed.rotated(9)), (None, None));
        let again = removed.set(&definition("101"), 10).unwrap();
        assert_eq!((again.edition, budget(&again).revision), (5, 5));
        assert_eq!((budget(&counts).since, budget(&again).since), (1, 5));
        assert_ne!(budget(&again).secret, budget(&first).secret);
    }

    #[test]
    fn two_secrets_sign_for_a_day_and_never_three() {
        let first = first();
        let rotated = first.rotated(100).unwrap().budget.unwrap();
        let old = first.budget.as_ref().unwrap().secret.clone();
        let signs = |budget: &Budget, now| budget.secrets(now).cloned().collect::<Vec<_>>();
        assert_eq!(signs(&rotated, 100 + DAY - 1), [rotated.secret.clone(), old.clone()]);
        assert_eq!(signs(&rotated, 100 + DAY), std::slice::from_ref(&rotated.secret));
        let again = first.rotated(100).unwrap().rotated(101).unwrap().budget.unwrap();
        assert_eq!(signs(&again, 102).len(), 2);
        assert!(!signs(&again, 102).contains(&old));
    }

    #[test]
    fn what_is_gone_is_so_until_it_is_set_again() {
        let gone = first().gone(&definition("100"), 5).unwrap();
        assert_eq!(gone.gone(&definition("100"), 6), None);
        let mut moved = definition("100");
        moved.webhook = Target::parse("https://hooks.example.com/y").unwrap();
        assert_eq!(first().set(&moved, 6).unwrap().gone(&definition("100"), 7), None);
        let again = gone.set(&definition("100"), 7).unwrap().budget.unwrap();
        assert_eq!((again.gone_at_us, again.revision), (None, 1));
    }

    #[test]
    fn no_debug_shows_a_secret() {
        let record = first();
        let secret = record.budget.as_ref().unwrap().secret.reveal().to_owned();
        assert!(!format!("{record:?}").contains(&secret));
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<BudgetRecord>(&text).unwrap(), record);
    }
}
