//! The cells of expired events, read from the ledger as rows of partials.

use std::ops::Bound;
use std::sync::Arc;

use futures::TryStreamExt as _;

use super::carried::SumsBase;
use super::cell_kind::CellKind;
use super::partial_row::PartialRow;
use super::partials::partial_rows;
use super::sums::START_UNKNOWN;
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

    /// The cells of a kind that the ledger of a version has; `None` where it has none.
    ///
    /// # Errors
    /// As [`Engine::ledger`].
    pub async fn ledger_cells(
        &self,
        kind: &CellKind,
        snapshot: &Snapshot,
    ) -> Result<Option<SumsBase>, SqlError> {
        let Some(ledger) = self.ledger(snapshot).await? else { return Ok(None) };
        if *kind == CellKind::Core {
            return Ok(Some(ledger.cells().clone().into()));
        }
        let further = ledger.further_cells(&kind.totals_version()).await?.map(SumsBase::from);
        if *kind == CellKind::Days && further.is_none() {
            // Nobody knows any longer when its series began.
            let cells = ledger.cells().clone();
            return Ok(Some(SumsBase { cells, start: Some(START_UNKNOWN) }));
        }
        Ok(further)
    }

    /// The sums of expired events at a version, of the organisations in a range of names, or of parts of
    /// them.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the object.
    pub async fn expired(
        &self,
        kind: &CellKind,
        snapshot: &Snapshot,
        orgs: (Bound<&str>, Bound<&str>),
    ) -> Result<Vec<PartialRow>, SqlError> {
        match self.ledger_cells(kind, snapshot).await? {
            Some(base) => base.of_orgs(orgs).await,
            None => Ok(Vec::new()),
        }
    }
}

/// The sums of every organisation in a ledger.
///
/// # Errors
/// Corrupt or Unavailable, naming the object.
pub async fn all_expired(ledger: &Ledger) -> Result<Vec<PartialRow>, SqlError> {
    let all = (Bound::Unbounded, Bound::Unbounded);
    let corrections = ledger.further_cells(&CellKind::Corrections.totals_version()).await?;
    let mut rows = Vec::new();
    for reader in std::iter::once(ledger.cells()).chain(&corrections) {
        let cells: Vec<_> = reader.of_orgs(all)?.try_collect().await?;
        rows.extend(partial_rows(&cells)?);
    }
    Ok(rows)
}
