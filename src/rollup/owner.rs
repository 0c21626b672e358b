//! One name in cells, an organisation or a part of one: its usage, and the edges of its rolling window.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::edge::Edge;
use super::org_usage::{HourCost, OrgUsage};
use super::partial::PartialCell;
use super::usage::PartView;
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
    pub fn known_rolling_cost(&self, now: Micros) -> Option<i128> {
        let (first, last) = (floor(now - DAY), floor(now));
        let before = self.known_cost_until(first, now - DAY)?;
        let in_last = self.known_cost_until(last, now)?;
        Some(self.usage.hours_cost(first, last) - before + in_last)
    }

    /// The cost of the events of `hour` up to and including `until`, which lies in it.
    pub fn known_cost_until(&self, hour: Micros, until: Micros) -> Option<i128> {
        match self.usage.hour(hour) {
            None => Some(0),
            Some(all) if all.last_ts <= until => Some(all.cost),
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
