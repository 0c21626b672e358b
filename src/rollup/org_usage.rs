//! The usage of one organisation, merged from partials: its series, and its cost by hour.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::partial::PartialCell;
use super::usage::SeriesMap;
use crate::clock::{DAY, HOUR, Micros};
use crate::sql::{FurtherSums, PartialRow, SeriesTotals};

/// Hours before the rolling window that are kept, for a clock that is set back.
const SPARE: Micros = DAY;
/// Memory of a map entry in addition to its value: key, share of the node, allocations.
const MAP_ENTRY_BYTES: usize = 96;

/// One hour's cost and its latest event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HourCost {
    /// In units of 10⁻¹² dollars.
    pub cost: i128,
    /// The time of the latest event.
    pub last_ts: Micros,
}

impl HourCost {
    /// The cost of a cell, less credits.
    pub fn of(cell: &PartialCell) -> Self {
        Self { cost: cell.totals.net_cost(), last_ts: cell.last_ts }
    }

    /// Combines both.
    pub fn merge(&mut self, other: Self) {
        self.cost += other.cost;
        self.last_ts = self.last_ts.max(other.last_ts);
    }
}

/// The hour of sums of all hours that are not kept apart. It is before any event, and in no window,
/// also if the clock has not been set yet and shows 1970.
pub const EARLIER: Micros = 0;

/// Sums over any set of partials. Adding is associative and commutative, and the default is its
/// identity, so files may come in any order and be split or merged at will.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrgUsage {
    series: SeriesMap,
    hours: BTreeMap<Micros, HourCost>,
    last_event: Option<Micros>,
    /// Hours before this one have been dropped.
    hours_from: Micros,
}

impl OrgUsage {
    /// Usage that keeps hours apart from this one on.
    pub fn from_hour(hours_from: Micros) -> Self {
        Self { hours_from, ..Self::default() }
    }

    /// The first hour to keep apart for windows around `now`.
    pub fn hours_around(now: Micros) -> Micros {
        (now - DAY - SPARE).div_euclid(HOUR) * HOUR
    }

    /// True if the window that ends at `now` begins after the hours that were dropped.
    pub fn covers(&self, now: Micros) -> bool {
        (now - DAY).div_euclid(HOUR) * HOUR >= self.hours_from
    }

    /// Adds cells of a file.
    pub fn add(&mut self, cells: &[PartialCell]) {
        // Cells of one series follow each other.
        for run in cells.chunk_by(PartialCell::is_alike) {
            if let Some(series) = run.first().and_then(PartialCell::series) {
                let totals = self.series.entry(series).or_default();
                run.iter().for_each(|cell| *totals += &cell.totals);
            }
        }
        for cell in cells {
            if cell.hour >= self.hours_from && cell.hour != EARLIER {
                let cost = HourCost::of(cell);
                self.hours.entry(cell.hour).and_modify(|hour| hour.merge(cost)).or_insert(cost);
            }
            self.last_event = self.last_event.max(Some(cell.last_ts));
        }
    }

    /// Drops hours that no window from `now` on can need.
    pub fn forget_before(&mut self, now: Micros) {
        let from = Self::hours_around(now);
        if from > self.hours_from {
            self.hours = self.hours.split_off(&from);
            self.hours_from = from;
        }
    }

    /// The usage as cells: the series at one hour that lies before those kept apart, and those
    /// hours without a series. Added to empty usage of the same hours, they make this usage again.
    pub fn rows(&self, org_id: &Arc<str>, earlier: Micros) -> impl Iterator<Item = PartialRow> {
        let last_ts = self.last_event.unwrap_or_default();
        let blank =
            PartialRow { org_id: org_id.clone(), hour: earlier, last_ts, ..PartialRow::default() };
        let of_hour = blank.clone();
        // If all events were without a series and long ago, only the time of the last one is left.
        let alone = self.series.is_empty() && self.hours.is_empty();
        let last = (alone && self.last_event.is_some()).then(|| blank.clone());
        let series = self.series.iter().map(move |((provider, model), totals)| PartialRow {
            provider: Some(provider.clone()),
            model: Some(model.clone()),
            totals: totals.clone(),
            ..blank.clone()
        });
        let hours = self.hours.iter().map(move |(hour, cost)| PartialRow {
            hour: *hour,
            totals: SeriesTotals { cost: cost.cost, ..SeriesTotals::default() },
            last_ts: cost.last_ts,
            ..of_hour.clone()
        });
        series.chain(hours).chain(last)
    }

    /// The counters.
    pub fn series(&self) -> &SeriesMap {
        &self.series
    }

    /// One hour's cost.
    pub fn hour(&self, hour: Micros) -> Option<&HourCost> {
        self.hours.get(&hour)
    }

    /// The cost of the whole hours that start in `from..to`.
    pub fn hours_cost(&self, from: Micros, to: Micros) -> i128 {
        self.hours.range(from..to).map(|(_, hour)| hour.cost).sum()
    }

    /// When the latest event was.
    pub fn last_event(&self) -> Option<Micros> {
        self.last_event
    }

    /// Memory held, about.
    pub fn bytes(&self) -> usize {
        let names = |(provider, model): &(Arc<str>, Arc<str>)| provider.len() + model.len();
        let series = size_of::<SeriesTotals>() + MAP_ENTRY_BYTES;
        let further =
            |totals: &SeriesTotals| totals.further.as_ref().map_or(0, |_| size_of::<FurtherSums>());
        let bytes = self.series.iter().map(|(key, totals)| names(key) + series + further(totals));
        let series: usize = bytes.sum();
        size_of::<Self>() + series + self.hours.len() * (size_of::<HourCost>() + MAP_ENTRY_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::super::partial::Partial;
    use super::*;
    use proptest::prelude::*;

    const NOW: Micros = 1_770_000_000 * 1_000_000;

    fn cell() -> impl Strategy<Value = PartialCell> {
        let names = prop_oneof![Just(None), "[ab]".prop_map(Some)];
        (names, 0i64..60, 1u64..5, 0i128..1_000_000_000_000_000_000, 0i64..HOUR).prop_map(
            |(name, hours_ago, requests, cost, offset)| {
                let hour = (NOW - hours_ago * HOUR).div_euclid(HOUR) * HOUR;
                PartialCell {
                    provider: name.map(|name| name.as_str().into()),
                    model: Some("m".into()),
                    hour,
                    totals: SeriesTotals {
                        requests,
                        cost,
                        input_tokens: cost / 7,
                        ..SeriesTotals::default()
                    },
                    last_ts: hour + offset,
                }
            },
        )
    }

    fn sum(files: &[Vec<PartialCell>]) -> OrgUsage {
        let mut usage = OrgUsage::from_hour(OrgUsage::hours_around(NOW));
        files.iter().for_each(|cells| usage.add(cells));
        usage
    }

    proptest! {
        #[test]
        fn partials_merge_in_any_order_and_grouping(
            cells in prop::collection::vec(cell(), 0..40), cut in 0usize..40, seed in any::<u64>(),
        ) {
            let whole = sum(std::slice::from_ref(&cells));
            let (left, right) = cells.split_at(cut.min(cells.len()));
            prop_assert_eq!(&whole, &sum(&[right.to_vec(), Vec::new(), left.to_vec()]));
            let mut shuffled = cells.clone();
            shuffled.sort_by_key(|cell| (cell.totals.cost as u64 ^ seed).wrapping_mul(0x9E37_79B9_7F4A_7C15));
            prop_assert_eq!(&whole, &sum(&shuffled.into_iter().map(|cell| vec![cell]).collect::<Vec<_>>()));
        }

        #[test]
        fn usage_as_rows_makes_the_same_usage(cells in prop::collection::vec(cell(), 0..40)) {
            let usage = sum(std::slice::from_ref(&cells));
            let from = OrgUsage::hours_around(NOW);
            let partial = Partial::new(usage.rows(&"acme".into(), from - HOUR).collect());
            let mut again = OrgUsage::from_hour(from);
            again.add(partial.of_org("acme"));
            prop_assert_eq!(again, usage);
        }

        #[test]
        fn sums_without_hours_are_in_no_window(cells in prop::collection::vec(cell(), 1..40)) {
            let partial = Partial::new(sum(&[cells]).rows(&"acme".into(), EARLIER).collect());
            for now in [0, HOUR, DAY, DAY + HOUR] {
                let mut usage = OrgUsage::from_hour(OrgUsage::hours_around(now));
                usage.add(partial.of_org("acme"));
                prop_assert_eq!(usage.hours_cost(-DAY, 2 * DAY), 0);
            }
        }

        #[test]
        fn forgetting_changes_no_window_that_is_still_covered(
            cells in prop::collection::vec(cell(), 0..40), later in 0i64..30,
        ) {
            let now = NOW + later * HOUR;
            let mut usage = sum(std::slice::from_ref(&cells));
            let from = (now - DAY).div_euclid(HOUR) * HOUR;
            let before = usage.hours_cost(from, now);
            usage.forget_before(now);
            prop_assert!(usage.covers(now));
            prop_assert_eq!(usage.hours_cost(from, now), before);
        }
    }

    #[test]
    fn a_clock_set_far_back_is_noticed() {
        assert!(OrgUsage::from_hour(OrgUsage::hours_around(NOW)).covers(NOW - SPARE));
        assert!(!OrgUsage::from_hour(OrgUsage::hours_around(NOW)).covers(NOW - SPARE - HOUR));
    }
}
