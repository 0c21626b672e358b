//! What a scope used on one UTC date, by hour and names: the partials of the date's files, merged.

use std::collections::{BTreeMap, HashMap};
use std::ops::{AddAssign, SubAssign};
use std::sync::Arc;

use super::partial::PartialCell;
use crate::clock::{HOUR, Micros};
use crate::sql::{SeriesTotals, org_and_value};

/// Hours of a date.
pub const HOURS: usize = 24;
/// Memory of a text in addition to its bytes, and of an allocation.
const TEXT_BYTES: usize = 32;

/// Sums that may be subtracted, too: what is left of an hour is the hour less its head.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UsageSums {
    /// Calls.
    pub requests: i64,
    /// Calls without a price, less those that a correction gave their first one.
    pub unpriced: i64,
    /// LLM tokens.
    pub input_tokens: i128,
    /// LLM tokens.
    pub output_tokens: i128,
    /// LLM tokens, of the input.
    pub cached_input_tokens: i128,
    /// LLM tokens, of the input.
    pub cache_write_tokens: i128,
    /// LLM tokens, of the output.
    pub reasoning_tokens: i128,
    /// Less credits, in units of 10⁻¹² dollars.
    pub cost: i128,
}

impl From<&SeriesTotals> for UsageSums {
    fn from(totals: &SeriesTotals) -> Self {
        let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        Self {
            requests: count(totals.requests),
            unpriced: count(totals.unpriced) - count(totals.priced_later()),
            input_tokens: totals.input_tokens,
            output_tokens: totals.output_tokens,
            cached_input_tokens: totals.cached_input_tokens,
            cache_write_tokens: totals.cache_write_tokens,
            reasoning_tokens: totals.reasoning_tokens,
            cost: totals.net_cost(),
        }
    }
}

impl AddAssign<&Self> for UsageSums {
    fn add_assign(&mut self, other: &Self) {
        self.requests += other.requests;
        self.unpriced += other.unpriced;
        self.input_tokens += other.input_tokens;
        self.output_tokens += other.output_tokens;
        self.cached_input_tokens += other.cached_input_tokens;
        self.cache_write_tokens += other.cache_write_tokens;
        self.reasoning_tokens += other.reasoning_tokens;
        self.cost += other.cost;
    }
}

impl SubAssign<&Self> for UsageSums {
    fn sub_assign(&mut self, other: &Self) {
        self.requests -= other.requests;
        self.unpriced -= other.unpriced;
        self.input_tokens -= other.input_tokens;
        self.output_tokens -= other.output_tokens;
        self.cached_input_tokens -= other.cached_input_tokens;
        self.cache_write_tokens -= other.cache_write_tokens;
        self.reasoning_tokens -= other.reasoning_tokens;
        self.cost -= other.cost;
    }
}

/// What the events of a cell have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CellName {
    /// The value of the dimension, in cells of one.
    pub value: Option<Arc<str>>,
    /// Lower case; `None` if unknown.
    pub provider: Option<Arc<str>>,
    /// Lower case; `None` if unknown.
    pub model: Option<Arc<str>>,
}

/// One hour of a date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HourOfDay {
    /// 0 to 23.
    pub hour: usize,
    /// The time of the latest event.
    pub last_ts: Micros,
    /// Sums, each with the place of its name in [`DayCells::names`].
    pub cells: Vec<(usize, UsageSums)>,
}

/// The usage of one date. Immutable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DayCells {
    /// Each once.
    pub names: Vec<CellName>,
    /// The sums of the whole date, by the places of their names.
    pub totals: Vec<UsageSums>,
    /// Those that have an event, in order.
    pub hours: Vec<HourOfDay>,
}

impl DayCells {
    /// One hour, if it has an event.
    pub fn hour(&self, hour: usize) -> Option<&HourOfDay> {
        let found = self.hours.binary_search_by_key(&hour, |of| of.hour);
        found.ok().and_then(|at| self.hours.get(at))
    }

    /// Memory held, about.
    pub fn bytes(&self) -> usize {
        let text =
            |text: &Option<Arc<str>>| text.as_ref().map_or(0, |text| text.len() + TEXT_BYTES);
        let names = self.names.iter().map(|name| {
            size_of::<CellName>() + text(&name.value) + text(&name.provider) + text(&name.model)
        });
        let hours = self.hours.iter().map(|hour| {
            size_of::<HourOfDay>() + hour.cells.len() * size_of::<(usize, UsageSums)>()
        });
        let totals = self.totals.len() * size_of::<UsageSums>();
        size_of::<Self>() + names.sum::<usize>() + hours.sum::<usize>() + totals
    }
}

/// Merges cells of files. They may come in any order.
#[derive(Debug, Default)]
pub struct DayBuilder {
    names: Vec<CellName>,
    places: HashMap<CellName, usize>,
    cells: BTreeMap<(usize, usize), UsageSums>,
    last: [Option<Micros>; HOURS],
}

impl DayBuilder {
    /// Goes on from these.
    pub fn from_cells(day: &DayCells) -> Self {
        let mut builder = Self::default();
        for hour in &day.hours {
            builder.seen(hour.hour, hour.last_ts);
            for (place, sums) in &hour.cells {
                let Some(name) = day.names.get(*place) else { continue };
                let place = builder.place(name.clone());
                *builder.cells.entry((hour.hour, place)).or_default() += sums;
            }
        }
        builder
    }

    /// Adds cells of an organisation or of a part of it, which `owner` names.
    pub fn add(&mut self, owner: &str, cells: &[PartialCell]) {
        let value: Option<Arc<str>> = org_and_value(owner).map(|(_, value)| value.into());
        // Cells of one series follow each other.
        for run in cells.chunk_by(PartialCell::is_alike) {
            let Some(first) = run.first() else { continue };
            let (provider, model) = (first.provider.clone(), first.model.clone());
            let place = self.place(CellName { value: value.clone(), provider, model });
            for cell in run {
                let hour = hour_of_day(cell.hour);
                self.seen(hour, cell.last_ts);
                *self.cells.entry((hour, place)).or_default() += &UsageSums::from(&cell.totals);
            }
        }
    }

    /// What was added.
    pub fn build(self) -> DayCells {
        let mut totals = vec![UsageSums::default(); self.names.len()];
        let mut hours: Vec<HourOfDay> = Vec::new();
        for ((hour, place), sums) in self.cells {
            if let Some(total) = totals.get_mut(place) {
                *total += &sums;
            }
            match hours.last_mut() {
                Some(last) if last.hour == hour => last.cells.push((place, sums)),
                _ => {
                    let last_ts = self.last.get(hour).copied().flatten().unwrap_or_default();
                    hours.push(HourOfDay { hour, last_ts, cells: vec![(place, sums)] });
                }
            }
        }
        DayCells { names: self.names, totals, hours }
    }

    fn seen(&mut self, hour: usize, ts: Micros) {
        if let Some(last) = self.last.get_mut(hour) {
            *last = (*last).max(Some(ts));
        }
    }

    fn place(&mut self, name: CellName) -> usize {
        if let Some(place) = self.places.get(&name) {
            return *place;
        }
        let place = self.names.len();
        self.names.push(name.clone());
        self.places.insert(name, place);
        place
    }
}

/// Which hour of its UTC date an instant is in.
fn hour_of_day(at: Micros) -> usize {
    let hours = i64::try_from(HOURS).unwrap_or(i64::MAX);
    usize::try_from(at.div_euclid(HOUR).rem_euclid(hours)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::part_of;

    fn cell(model: Option<&str>, hour: i64, requests: u64) -> PartialCell {
        let totals = SeriesTotals { requests, cost: 5, ..SeriesTotals::default() };
        let (provider, model) = (Some("p".into()), model.map(Arc::from));
        PartialCell { provider, model, hour: hour * HOUR, totals, last_ts: hour * HOUR + 7 }
    }

    #[test]
    fn a_day_goes_on_from_where_it_was() {
        let cells = [cell(Some("a"), 480, 1), cell(Some("a"), 503, 2), cell(None, 480, 4)];
        let mut whole = DayBuilder::default();
        whole.add("acme", &cells);
        whole.add(&part_of("acme", "core"), &cells);
        let whole = whole.build();
        let mut first = DayBuilder::default();
        first.add("acme", &cells);
        let mut rest = DayBuilder::from_cells(&first.build());
        rest.add(&part_of("acme", "core"), &cells);
        assert_eq!(rest.build(), whole);
        assert_eq!(whole.hours.iter().map(|hour| hour.hour).collect::<Vec<_>>(), [0, 23]);
        assert_eq!(whole.hour(23).map(|hour| hour.last_ts), Some(503 * HOUR + 7));
        assert_eq!(whole.hour(1), None);
        let values: Vec<_> = whole.names.iter().map(|name| name.value.as_deref()).collect();
        assert_eq!(values, [None, None, Some("core"), Some("core")]);
        assert_eq!(whole.totals.iter().map(|sums| sums.requests).collect::<Vec<_>>(), [3, 4, 3, 4]);
    }
}
