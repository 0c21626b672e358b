//! What stands in for events: the ledger of those that have expired, and the totals at a version.

pub(super) mod ledger;
pub(super) mod totals;
