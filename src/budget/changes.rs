//! Changes of budgets: each is a further edition, put only if it is absent, so that of two changes at the
//! same time one sees the other.

use super::definition::Definition;
use super::error::BudgetError;
use super::name::BudgetName;
use super::store::{BUDGETS_MAX, BudgetStore, Newest, folder_of};
use super::stored::BudgetRecord;
use crate::access::BoundTo;
use crate::archive::{ArchiveError, RecordMark, budget_edition, budget_of};
use crate::clock::Micros;
use crate::event::OrgId;

/// Attempts to put an edition while others put theirs.
const CHANGE_TRIES: usize = 20;
/// Editions before the newest that are kept. Who puts an edition knows by the one before it that nobody
/// has put and deleted it already.
const KEPT: u64 = 8;

/// A budget that was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetBudget {
    /// The edition.
    pub record: BudgetRecord,
    /// Whether there was none of the name, so that its secret is a new one.
    pub is_new: bool,
}

impl BudgetStore {
    /// Sets a budget of an organisation, also over one that nobody can read any more. Returns it if
    /// that changes it. Who is bound to a part sets budgets of this part alone.
    ///
    /// # Errors
    /// [`BudgetError::OtherPart`], [`BudgetError::Taken`], [`BudgetError::TooMany`],
    /// [`BudgetError::Contended`]; Unavailable or Corrupt.
    pub async fn set(
        &self,
        (org_id, bound): (&OrgId, Option<&BoundTo>),
        name: &BudgetName,
        definition: &Definition,
        now: Micros,
    ) -> Result<Option<SetBudget>, BudgetError> {
        if let Some(bound) = bound.filter(|_| !is_of(bound, definition)) {
            return Err(BudgetError::OtherPart(bound.clone()));
        }
        let org = org_id.as_str();
        let Newest { record, damage } = self.newest_edition(org, name).await?;
        if record.budget.is_none() && damage.is_none() && self.count(org_id).await? >= BUDGETS_MAX {
            return Err(BudgetError::TooMany(BUDGETS_MAX));
        }
        let set = |known: &Newest| {
            if let (Some(error), Some(_)) = (&known.damage, bound) {
                return Err(error.clone().into());
            }
            match &known.record.budget {
                Some(budget) if !is_of(bound, &budget.definition) => {
                    Err(BudgetError::Taken(name.to_string()))
                }
                _ => Ok(known.record.set(definition, now)),
            }
        };
        let Some((known, record)) = self.change_newest(org, name, set).await? else {
            return Ok(None);
        };
        let is_new = known.record.budget.is_none();
        // Others may have set theirs at the same time.
        if is_new && known.damage.is_none() && self.count(org_id).await? > BUDGETS_MAX {
            let edition = record.edition;
            let back = |known: &BudgetRecord| {
                Ok(Some(known)
                    .filter(|known| known.edition == edition)
                    .and_then(BudgetRecord::removed))
            };
            self.change(org, name, back).await?;
            return Err(BudgetError::TooMany(BUDGETS_MAX));
        }
        Ok(Some(SetBudget { record, is_new }))
    }

    /// Removes a budget of an organisation, also one that nobody can read any more. Who is bound to a
    /// part knows of no others.
    ///
    /// # Errors
    /// [`BudgetError::Unknown`], [`BudgetError::Contended`]; Unavailable or Corrupt.
    pub async fn remove(
        &self,
        (org_id, bound): (&OrgId, Option<&BoundTo>),
        name: &BudgetName,
    ) -> Result<(), BudgetError> {
        let removed = |Newest { record, damage }: &Newest| match (damage, &record.budget) {
            (Some(error), _) if bound.is_some() => Err(error.clone().into()),
            (Some(_), _) => Ok(Some(record.next(None))),
            (None, Some(budget)) if is_of(bound, &budget.definition) => Ok(record.removed()),
            _ => Err(BudgetError::Unknown(name.to_string())),
        };
        self.change_newest(org_id.as_str(), name, removed).await.map(drop)
    }

    /// Puts the edition that `change` makes of the newest one, unless it makes none.
    ///
    /// # Errors
    /// That of `change`; [`BudgetError::Contended`]; Unavailable or Corrupt.
    pub async fn change(
        &self,
        org: &str,
        name: &BudgetName,
        change: impl Fn(&BudgetRecord) -> Result<Option<BudgetRecord>, BudgetError>,
    ) -> Result<Option<BudgetRecord>, BudgetError> {
        let changed = |newest: &Newest| match &newest.damage {
            Some(error) => Err(error.clone().into()),
            None => change(&newest.record),
        };
        let done = self.change_newest(org, name, changed).await?;
        Ok(done.map(|(_, next)| next))
    }

    /// The same also of a damaged edition. Returns what was the newest one, and what is.
    async fn change_newest(
        &self,
        org: &str,
        name: &BudgetName,
        change: impl Fn(&Newest) -> Result<Option<BudgetRecord>, BudgetError>,
    ) -> Result<Option<(Newest, BudgetRecord)>, BudgetError> {
        for _ in 0..CHANGE_TRIES {
            let newest = self.newest_edition(org, name).await?;
            let Some(next) = change(&newest)? else { return Ok(None) };
            let path = budget_edition(&org.to_ascii_lowercase(), name.as_str(), next.edition);
            if self.records.put_new(&path, &next).await?
                && self.is_in_order(org, name, next.edition).await?
            {
                return Ok(Some((newest, next)));
            }
        }
        Err(BudgetError::Contended(name.to_string()))
    }

    /// Whether an edition that was put follows one that was the newest; it does not if others have
    /// put it, and deleted it, since then. Deletes editions that nobody needs any more.
    async fn is_in_order(
        &self,
        org: &str,
        name: &BudgetName,
        put: u64,
    ) -> Result<bool, ArchiveError> {
        let listed = self.records.list(&folder_of(org, name)).await?;
        let edition = |mark: RecordMark| Some((budget_of(&mark.path)?.2, mark.path));
        let mut editions: Vec<_> = listed.into_iter().filter_map(edition).collect();
        editions.sort_unstable();
        let newest = editions.last().map_or(put, |(newest, _)| *newest);
        let is_in_order = match put {
            1 => newest <= 1 + KEPT,
            _ => editions.iter().any(|(known, _)| known + 1 == put),
        };
        // The oldest first, so that what is there tells what was never deleted.
        for (_, path) in editions.iter().filter(|(known, _)| known + KEPT < newest) {
            if let Err(error) = self.records.remove(path).await {
                tracing::debug!(%error, "an old edition of a budget is deleted later");
                break;
            }
        }
        Ok(is_in_order)
    }
}

/// Whether a budget is of the part that somebody is bound to.
fn is_of(bound: Option<&BoundTo>, definition: &Definition) -> bool {
    bound.is_none_or(|bound| definition.dimension.as_ref() == Some(bound))
}
