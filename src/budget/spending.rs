//! What was spent, at a version of the table. The program adds up usage; a simulation has a book.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use super::definition::Definition;
use super::error::BudgetError;
use crate::event::OrgId;
use crate::usage::StepSpan;

/// Shows versions of the table.
#[async_trait]
pub trait Spending: Debug + Send + Sync {
    /// The newest version: it has each event that was acknowledged before.
    ///
    /// # Errors
    /// Unavailable or Corrupt.
    async fn newest(&self) -> Result<Arc<dyn SpendingView>, BudgetError>;
}

/// A version of the table.
#[async_trait]
pub trait SpendingView: Debug + Send + Sync {
    /// The version.
    fn version(&self) -> u64;

    /// The times of which events may have come or changed since an earlier version; `None` if that is
    /// not known.
    fn changed_since(&self, org_id: &OrgId, version: u64) -> Option<Vec<StepSpan>>;

    /// Which declaration of its dimension says what counts for a budget; `None` without one. Another one may
    /// count other events, also if none came.
    fn declaration(&self, definition: &Definition) -> Option<Arc<str>>;

    /// What was spent in each of some periods, in their order, in units of 10^-12 dollars, and the version
    /// at which that was so: this one, or a later one if files of this one are there no longer.
    ///
    /// # Errors
    /// Unavailable or Corrupt, never a smaller sum; [`BudgetError::Undeclared`].
    async fn spent(
        &self,
        org_id: &OrgId,
        definition: &Definition,
        spans: &[StepSpan],
    ) -> Result<(u64, Vec<i128>), BudgetError>;

    /// The query that shows what was spent in a period, for the organisation's key.
    fn query(&self, definition: &Definition, span: StepSpan) -> String;
}
