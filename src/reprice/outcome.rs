//! What came of a reprice.

use chrono::NaiveDate;

use super::RepriceError;
use super::changes::CostChanges;

/// Calls that keep the cost that they have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeftCalls {
    /// Those that have no price by the tables.
    pub without_price: u64,
    /// Those whose cost would change by a million dollars or more, which no correction holds.
    pub too_large: u64,
    /// Those before the floor. Of those that had expired before, which are told as sums of whole
    /// organisations and models: all that had no price then; or, if all are asked for, all.
    pub expired: u64,
}

impl LeftCalls {
    pub(super) fn merge(&mut self, other: Self) {
        self.without_price += other.without_price;
        self.too_large += other.too_large;
        self.expired += other.expired;
    }
}

/// What came of a reprice.
#[derive(Debug, Default)]
pub struct RepriceOutcome {
    /// What was changed, or would be.
    pub changes: CostChanges,
    /// Corrections that were committed.
    pub written: u64,
    /// Corrections of events that another run corrected at the same time. They are among the changes.
    pub already: u64,
    /// Calls that were left as they are.
    pub left: LeftCalls,
    /// The first date whose events have not expired; `None` if none ever has.
    pub floor: Option<NaiveDate>,
    /// Attributes of events that had no room in their corrections.
    pub attributes_dropped: u64,
    /// Whether it was stopped before its end.
    pub stopped: bool,
    /// What ended it early.
    pub error: Option<RepriceError>,
}
