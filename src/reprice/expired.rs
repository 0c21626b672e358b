//! How many calls have expired that would be due otherwise. No row is left of them, so they are told by
//! the sums of the ledger, which know no times.

use futures::TryStreamExt as _;

use super::RepriceError;
use super::scope::RepriceScope;
use crate::archive::{CellReader, Snapshot};
use crate::sql::{CellKind, Engine, PartialRow, partial_rows};

/// The calls of a scope that have expired: those that had no price by then; or, of all, all.
///
/// # Errors
/// Corrupt or Unavailable, naming the object.
pub(super) async fn expired(
    engine: &Engine,
    scope: &RepriceScope,
    snapshot: &Snapshot,
) -> Result<u64, RepriceError> {
    let start = snapshot.floor().and_then(|floor| floor.and_hms_opt(0, 0, 0));
    let start = start.map(|start| start.and_utc().timestamp_micros());
    if start.is_none_or(|start| scope.from.is_some_and(|from| from >= start)) {
        return Ok(0);
    }
    let Some(ledger) = engine.ledger(snapshot).await? else { return Ok(0) };
    let all = |row: &PartialRow| row.totals.requests;
    let unpriced = |row: &PartialRow| row.totals.unpriced;
    let calls = match scope.all {
        true => sum(scope, ledger.cells(), all).await?,
        false => sum(scope, ledger.cells(), unpriced).await?,
    };
    let corrections = ledger.further_cells(&CellKind::Corrections.totals_version()).await?;
    let priced = match corrections.filter(|_| !scope.all) {
        Some(cells) => sum(scope, &cells, |row| row.totals.priced_later()).await?,
        None => 0,
    };
    Ok(calls.saturating_sub(priced))
}

/// Adds up the cells of a scope, piece by piece.
async fn sum(
    scope: &RepriceScope,
    cells: &CellReader,
    count: impl Fn(&PartialRow) -> u64,
) -> Result<u64, RepriceError> {
    let mut pieces = cells.of_orgs(scope.orgs())?;
    let mut sum = 0_u64;
    while let Some(piece) = pieces.try_next().await? {
        let rows = partial_rows(&[piece])?;
        let named = rows.iter().filter(|row| scope.is_of_series(row));
        sum = named.map(&count).fold(sum, u64::saturating_add);
    }
    Ok(sum)
}
