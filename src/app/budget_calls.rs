//! What callers ask about budgets.

use std::sync::Arc;

use bytes::Bytes;

use super::{App, AppError};
use crate::access::Caller;
use crate::archive::Snapshot;
use crate::budget::{AskedBudget, BudgetName};

impl App {
    /// The budgets that a caller may see and how full they are, as JSON. It sees each event
    /// acknowledged before this call, but for the staleness that is allowed.
    ///
    /// # Errors
    /// Unavailable or Corrupt, never a smaller sum; Forbidden, if the caller is bound to a dimension that
    /// no longer exists.
    pub async fn budgets(&self, caller: &Caller) -> Result<Bytes, AppError> {
        let snapshot = self.snapshot_for(caller).await?;
        let show = |snapshot: Arc<Snapshot>| self.budgets.shown(caller, snapshot);
        self.archive.at_newest(snapshot, show).await
    }

    /// Sets a budget of a caller's organisation. Returns its secret if it is a new one.
    ///
    /// # Errors
    /// Invalid, with the rule that is broken; Forbidden; Unavailable or Corrupt.
    pub async fn set_budget(
        &self,
        caller: &Caller,
        name: &str,
        body: &[u8],
    ) -> Result<Option<String>, AppError> {
        let (name, asked) = (name.parse::<BudgetName>()?, AskedBudget::from_json(body)?);
        let snapshot = self.with_part(caller, self.archive.newest().await?).await?;
        self.archive.claim_org(&caller.org_id).await?;
        let set = self.budgets.set(caller, &name, &asked, &snapshot).await?;
        let new = set.filter(|set| set.is_new).and_then(|set| set.record.budget);
        Ok(new.map(|budget| budget.secret.reveal().to_owned()))
    }

    /// Removes a budget of a caller's organisation.
    ///
    /// # Errors
    /// NotFound; Forbidden; Unavailable or Corrupt.
    pub async fn remove_budget(&self, caller: &Caller, name: &str) -> Result<(), AppError> {
        self.snapshot_for(caller).await?;
        self.budgets.remove(caller, &name.parse::<BudgetName>()?).await
    }
}
