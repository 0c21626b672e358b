//! Sums of one side of a comparison.

use std::ops::AddAssign;

use crate::archive::ReportFigures;

/// The hours of a day, a bit for each.
pub(super) type DayHours = u32;
/// All hours of a day.
pub(super) const ALL_HOURS: DayHours = (1 << 24) - 1;

/// The metrics that are compared, in the order of columns.
pub(super) const METRICS: [&str; 4] = ["requests", "input_tokens", "output_tokens", "cost_usd"];
/// Which of [`METRICS`] is the cost.
pub(super) const COST: usize = 3;

/// Sums by [`METRICS`]; the cost is in units of 10⁻¹² dollars.
pub(super) type MetricSums = [i128; METRICS.len()];

/// What events say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct EventSums {
    pub(super) sums: MetricSums,
    /// Calls without a price.
    pub(super) unpriced: i128,
    /// The hours that have an event.
    pub(super) hours: DayHours,
}

impl EventSums {
    /// Calls.
    pub(super) fn requests(&self) -> i128 {
        let [requests, ..] = self.sums;
        requests
    }
}

impl AddAssign<&Self> for EventSums {
    fn add_assign(&mut self, other: &Self) {
        for (sum, more) in self.sums.iter_mut().zip(other.sums) {
            *sum += more;
        }
        self.unpriced += other.unpriced;
        self.hours |= other.hours;
    }
}

/// What a report says; `None` of what it does not say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ReportSums {
    pub(super) sums: [Option<i128>; METRICS.len()],
    /// The hours that have a row, of rows that are no longer than an hour.
    pub(super) hours: DayHours,
}

impl ReportSums {
    /// The sums of one row.
    pub(super) fn of(figures: &ReportFigures, hours: DayHours) -> Self {
        let count = |count: Option<i64>| count.map(i128::from);
        let sums = [
            count(figures.requests),
            count(figures.input_tokens),
            count(figures.output_tokens),
            figures.cost_usd.map(|cost| cost.0),
        ];
        Self { sums, hours }
    }

    /// True if it says nothing but zeros.
    pub(super) fn is_zero(&self) -> bool {
        self.sums.iter().all(|sum| sum.unwrap_or_default() == 0)
    }
}

impl AddAssign<&Self> for ReportSums {
    fn add_assign(&mut self, other: &Self) {
        for (sum, more) in self.sums.iter_mut().zip(other.sums) {
            *sum = match (*sum, more) {
                (Some(sum), Some(more)) => Some(sum + more),
                (sum, more) => sum.or(more),
            };
        }
        self.hours |= other.hours;
    }
}
