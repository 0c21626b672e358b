//! One name in cells, an organisation or a part of one: its usage, and the edges of its rolling window.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::edge::Edge;
use super::org_usage::{HourCost, OrgUsage};
use super::partial::PartialCell;
use super::usage::PartView;
use super::window_costs::CostUntil;
use crate::archive::DataFile;
use crate::clock::{DAY, HOUR, Micros};
use crate::sql::org_and_value;

/// One name of a scope: its usage, and the edges of its window.
#[derive(Debug)]
pub struct Owner {
    /// The usage.
    pub usage: OrgUsage,
    /// By the hour.
    pub edges: BTreeMap<Micros, Edge>,
}

impl Owner {
    /// Without an event.
    pub fn new(hours_from: Micros) -> Self {
        Self { usage: OrgUsage::from_hour(hours_from), edges: BTreeMap::new() }
    }

    /// Adds what a file brings.
    pub fn add(&mut self, file: &Arc<DataFile>, cells: &[PartialCell]) {
        self.usage.add(cells);
        for (hour, edge) in &mut self.edges {
            let cells = cells.iter().filter(|cell| cell.hour == *hour);
            cells.for_each(|cell| edge.add(file, HourCost::of(cell)));
        }
    }

    /// The cost of the window that ends at `now`; `None` if a file must be read.
    pub fn known_rolling_cost(&self, now: Micros) -> Option<CostUntil> {
        let (first, last) = (floor(now - DAY), floor(now));
        let before = self.known_cost_until(first, now - DAY)?;
        let in_last = self.known_cost_until(last, now)?;
        let cost = self.usage.hours_cost(first, last) - before.cost + in_last.cost;
        let changes = before.changes.saturating_add(DAY).min(in_last.changes).min(last + HOUR);
        Some(CostUntil { cost, changes })
    }

    /// The cost of the events of `hour` up to and including `until`, which lies in it.
    pub fn known_cost_until(&self, hour: Micros, until: Micros) -> Option<CostUntil> {
        match self.usage.hour(hour) {
            None => Some(CostUntil::for_ever(0)),
            Some(all) if all.last_ts <= until => Some(CostUntil::for_ever(all.cost)),
            Some(_) => self.edges.get(&hour)?.cost_until(until),
        }
    }

    /// Memory held, about.
    pub fn bytes(&self) -> usize {
        self.usage.bytes() + self.edges.values().map(Edge::bytes).sum::<usize>()
    }

    /// What a scrape shows of it, as the part with this name in cells.
    pub fn part(&self, name: &str) -> PartView {
        let value = org_and_value(name).map_or(name, |(_, value)| value).into();
        let series = self.usage.series();
        let is_counted = !series.is_empty();
        let created = None;
        let none =
            PartView { value, is_counted, requests: 0, tokens: 0, spent: 0, credits: 0, created };
        series.values().fold(none, |sum, totals| PartView {
            requests: sum.requests + totals.requests,
            tokens: sum.tokens + totals.input_tokens + totals.output_tokens,
            spent: sum.spent + totals.spent(),
            credits: sum.credits + totals.credits(),
            created: sum.created.into_iter().chain(totals.created()).min(),
            ..sum
        })
    }
}

/// The start of the hour of an instant.
pub fn floor(ts: Micros) -> Micros {
    ts.div_euclid(HOUR) * HOUR
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::window_costs::WindowCosts;
    use super::*;
    use crate::sql::SeriesTotals;

    const NOW: Micros = 1_770_000_000 * 1_000_000;

    /// An owner of events in two files, whose hours at the window's edges are read by rows.
    fn owner(events: &[(Micros, i128, bool)]) -> Owner {
        let mut owner = Owner::new(OrgUsage::hours_around(NOW));
        let hours = events.iter().map(|(ts, ..)| floor(*ts));
        owner.edges = hours.map(|hour| (hour, Edge::default())).collect();
        for in_first in [true, false] {
            let path = if in_first { "first" } else { "second" };
            let file = DataFile::for_tests(path, 1, chrono::NaiveDate::MIN, None);
            let file = Arc::new(file);
            let mut rows = BTreeMap::<Micros, Vec<(Micros, i128)>>::new();
            for (ts, cost, first) in events {
                if *first == in_first {
                    rows.entry(floor(*ts)).or_default().push((*ts, *cost));
                }
            }
            for (hour, mut rows) in rows {
                rows.sort_unstable();
                let cells = rows.iter().map(|(ts, cost)| PartialCell {
                    provider: None,
                    model: None,
                    hour,
                    totals: SeriesTotals { cost: *cost, ..SeriesTotals::default() },
                    last_ts: *ts,
                });
                owner.add(&file, &cells.collect::<Vec<_>>());
                owner.edges.get_mut(&hour).unwrap().give(&file, rows);
            }
        }
        owner
    }

    proptest! {
        #[test]
        fn a_known_cost_is_right_until_it_is_said_to_change(
            events in prop::collection::vec(
                (prop_oneof![-DAY - HOUR..-DAY + HOUR, -HOUR..2 * HOUR], 1..1_000_i128, any::<bool>()),
                0..12,
            ),
            steps in prop::collection::vec((0..HOUR / 4, 0..100_i64), 1..12),
        ) {
            let events: Vec<_> =
                events.into_iter().map(|(ago, cost, first)| (NOW + ago, cost, first)).collect();
            let owner = owner(&events);
            let mut now = NOW;
            let mut last: Option<WindowCosts> = None;
            for (step, share) in steps {
                now += step;
                let known = owner.known_rolling_cost(now).unwrap();
                prop_assert!(known.changes > now);
                let later = now + (known.changes.min(now + HOUR) - 1 - now) * share / 100;
                let of = |at: Micros| -> i128 {
                    let within = events.iter().filter(|(ts, ..)| at - DAY < *ts && *ts <= at);
                    within.map(|(_, cost, _)| cost).sum()
                };
                prop_assert_eq!(known.cost, of(now));
                prop_assert_eq!(known.cost, of(later));
                let made = WindowCosts::of([Some(known)].into_iter(), now, last.as_ref()).unwrap();
                prop_assert_eq!(&**made.at(later).unwrap(), &[known.cost][..]);
                if let Some(before) = last.as_ref().and_then(|last| last.at(now)) {
                    prop_assert!(Arc::ptr_eq(before, made.at(now).unwrap()));
                }
                last = Some(made);
            }
        }
    }
}
