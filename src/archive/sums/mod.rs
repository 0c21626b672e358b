//! Sums in place of events: the ledger of expired events, and the totals snapshots of versions.

pub(super) mod ledger;
mod read_back;
pub(super) mod totals;
