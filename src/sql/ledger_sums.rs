//! The cells of expired events, read from the ledger as rows of partials.

use std::ops::Bound;
use std::sync::Arc;

use futures::TryStreamExt as _;

use super::partial_row::PartialRow;
use super::partials::partial_rows;
use super::{Engine, SqlError};
use crate::archive::{Ledger, Snapshot};

impl Engine {
    /// The ledger of a version; `None` if nothing has expired.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the object.
    pub async fn ledger(&self, snapshot: &Snapshot) -> Result<Option<Arc<Ledger>>, SqlError> {
        Ok(self.ledgers.of(snapshot).await?)
    }

    /// The sums of an organisation's expired events at a version.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the object.
    pub async fn expired(
        &self,
        snapshot: &Snapshot,
        org_id: &str,
    ) -> Result<Vec<PartialRow>, SqlError> {
        let Some(ledger) = self.ledger(snapshot).await? else { return Ok(Vec::new()) };
        let org = (Bound::Included(org_id), Bound::Included(org_id));
        let cells: Vec<_> = ledger.cells().of_orgs(org)?.try_collect().await?;
        partial_rows(&cells)
    }
}

/// The sums of every organisation in a ledger.
///
/// # Errors
/// Corrupt or Unavailable, naming the object.
pub async fn all_expired(ledger: &Ledger) -> Result<Vec<PartialRow>, SqlError> {
    let all = (Bound::Unbounded, Bound::Unbounded);
    let cells: Vec<_> = ledger.cells().of_orgs(all)?.try_collect().await?;
    partial_rows(&cells)
}
