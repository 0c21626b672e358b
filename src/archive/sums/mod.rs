//! Sums in place of events: the ledger of expired events, and the totals snapshots of versions.

pub(super) mod ledger;
pub(super) mod totals;
