//! Adds up the rows of files by the parts of a dimension, as `dimension_cells.sql` does, in a fraction of
//! its time: each text is looked up once and is a number from there on. A test holds it to the query.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use foldhash::fast::RandomState;

use super::SqlError;
use super::partial_row::{PartialRow, part_of};
use super::row_columns::{RowColumns, text};
use super::sums::{Earliest, FurtherSums, SeriesTotals, Summed as _};
use crate::clock::{HOUR, Micros};
use crate::event::{API_CALL, COST_CORRECTION, WAS_UNPRICED, attribute_of, dimension_value};

/// The name that counters treat as missing.
const UNKNOWN: &str = "unknown";
/// The place of no name.
const NONE: u32 = 0;

/// Sums by part, provider, model and hour.
#[derive(Debug)]
pub(super) struct RowsByPart {
    attribute: Arc<str>,
    orgs: TextRanks,
    values: TextRanks,
    names: TextRanks,
    places: HashMap<CellKey, usize, RandomState>,
    cells: Vec<(CellKey, Cell)>,
}

/// What the events of a cell have in common: the places of names, and the hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct CellKey {
    org: u32,
    value: u32,
    provider: u32,
    model: u32,
    hour: Micros,
}

#[derive(Debug, Default)]
struct Cell {
    totals: SeriesTotals,
    further: FurtherSums,
    last_ts: Micros,
}

impl RowsByPart {
    /// Without a row.
    pub(super) fn of(attribute: &Arc<str>) -> Self {
        let (orgs, values, names) = Default::default();
        let (places, cells) = Default::default();
        Self { attribute: attribute.clone(), orgs, values, names, places, cells }
    }

    /// How many cells there are.
    pub(super) fn cells(&self) -> usize {
        self.cells.len()
    }

    /// Adds rows. It ends once there are more than `cells_max` cells, which then are of no use.
    ///
    /// # Errors
    /// [`SqlError::Query`], if they are no rows of events.
    pub(super) fn add(&mut self, rows: &RecordBatch, cells_max: usize) -> Result<(), SqlError> {
        let columns = RowColumns::of(rows)?;
        for row in 0..rows.num_rows() {
            let is_call = match columns.types.value(row) {
                API_CALL => true,
                COST_CORRECTION => false,
                _ => continue,
            };
            let Some(key) = self.key(&columns, row) else { continue };
            let next = self.cells.len();
            let place = *self.places.entry(key).or_insert(next);
            if place == next {
                self.cells.push((key, Cell::default()));
                if self.cells.len() > cells_max {
                    return Ok(());
                }
            }
            if let Some((_, cell)) = self.cells.get_mut(place) {
                cell.add(&columns, row, is_call);
            }
        }
        Ok(())
    }

    /// The cell of a row; `None` if it has no value of the dimension.
    fn key(&mut self, columns: &RowColumns<'_>, row: usize) -> Option<CellKey> {
        let value = attribute_of(columns.attributes, row, &self.attribute)?;
        let value = self.values.place(value, |value| dimension_value(value).map(Into::into));
        if value == NONE {
            return None;
        }
        let org = self.orgs.place(columns.orgs.value(row), |org| Some(org.into()));
        let mut name =
            |name: Option<&str>| name.map_or(NONE, |name| self.names.place(name, spelled));
        let provider = name(text(columns.providers, row));
        let model = name(text(columns.models, row));
        let hour = columns.times.value(row).div_euclid(HOUR) * HOUR;
        Some(CellKey { org, value, provider, model, hour })
    }

    /// The cells, sorted as the query sorts them. After that there are none.
    pub(super) fn take(&mut self) -> Vec<PartialRow> {
        let Self { orgs, values, names, mut cells, .. } =
            std::mem::replace(self, Self::of(&self.attribute));
        let [by_org, by_value, by_name] = [&orgs, &values, &names].map(TextRanks::ranks);
        let rank = |ranks: &[usize], place| ranks.get(usize_of(place)).copied();
        cells.sort_unstable_by_key(|(key, _)| {
            let part = (rank(&by_org, key.org), rank(&by_value, key.value));
            (part, rank(&by_name, key.provider), rank(&by_name, key.model), key.hour)
        });
        let mut last = None;
        let rows = cells.into_iter().map(|(key, cell)| {
            let known =
                last.take().filter(|(org, value, _)| (*org, *value) == (key.org, key.value));
            let (.., part) = known.unwrap_or_else(|| {
                let [org, value] = [orgs.name(key.org), values.name(key.value)];
                let part = part_of(org.as_deref().unwrap_or(""), value.as_deref().unwrap_or(""));
                (key.org, key.value, Arc::<str>::from(part))
            });
            last = Some((key.org, key.value, part.clone()));
            cell.row(part, (names.name(key.provider), names.name(key.model)), key.hour)
        });
        rows.collect()
    }
}

impl Cell {
    fn add(&mut self, columns: &RowColumns<'_>, row: usize, is_call: bool) {
        let Self { totals, further, last_ts } = self;
        columns.add_tokens(row, totals);
        match (is_call, columns.cost(row)) {
            (true, Some(cost)) => totals.cost += cost,
            (true, None) => totals.unpriced += 1,
            (false, Some(cost)) if cost > 0 => further.corrected += cost,
            (false, cost) => further.credits -= cost.unwrap_or_default(),
        }
        if is_call {
            totals.requests += 1;
        } else {
            let was_unpriced = attribute_of(columns.attributes, row, WAS_UNPRICED);
            let was_unpriced = was_unpriced.and_then(dimension_value);
            further.priced_later += u64::from(was_unpriced.as_deref() == Some("true"));
        }
        *last_ts = (*last_ts).max(columns.times.value(row));
        Earliest::add(&mut further.first_ingested, &columns.ingested_at(row));
    }

    fn row(
        self,
        part: Arc<str>,
        (provider, model): (Option<Arc<str>>, Option<Arc<str>>),
        hour: Micros,
    ) -> PartialRow {
        let Self { mut totals, further, last_ts } = self;
        totals.further = (further != FurtherSums::default()).then(|| Box::new(further));
        PartialRow { org_id: part, provider, model, hour, totals, last_ts }
    }
}

/// Texts, each with its place; the first is that of none.
#[derive(Debug)]
struct TextRanks {
    /// As rows have them.
    places: HashMap<Box<str>, u32, RandomState>,
    /// As cells have them.
    spelled: HashMap<Arc<str>, u32, RandomState>,
    list: Vec<Option<Arc<str>>>,
}

impl Default for TextRanks {
    fn default() -> Self {
        let (places, spelled) = Default::default();
        Self { places, spelled, list: vec![None] }
    }
}

impl TextRanks {
    /// The place of a name as cells spell it.
    fn place(&mut self, name: &str, spelled: impl Fn(&str) -> Option<Arc<str>>) -> u32 {
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        let place = match spelled(name) {
            None => NONE,
            Some(name) => {
                let next = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
                let place = *self.spelled.entry(name.clone()).or_insert(next);
                if place == next {
                    self.list.push(Some(name));
                }
                place
            }
        };
        self.places.insert(name.into(), place);
        place
    }

    fn name(&self, place: u32) -> Option<Arc<str>> {
        self.list.get(usize_of(place)).cloned().flatten()
    }

    /// Which in order each is, by its place; none is the last.
    fn ranks(&self) -> Vec<usize> {
        let mut order: Vec<_> = self.list.iter().enumerate().collect();
        order.sort_unstable_by(|(_, one), (_, other)| {
            (one.is_none(), one.as_deref()).cmp(&(other.is_none(), other.as_deref()))
        });
        let mut ranks = vec![0; order.len()];
        for (rank, (place, _)) in order.into_iter().enumerate() {
            if let Some(of) = ranks.get_mut(place) {
                *of = rank;
            }
        }
        ranks
    }
}

fn usize_of(place: u32) -> usize {
    usize::try_from(place).unwrap_or(usize::MAX)
}

/// A provider or model as cells have it.
fn spelled(name: &str) -> Option<Arc<str>> {
    let name = name.trim_matches(' ').to_lowercase();
    (!name.is_empty() && name != UNKNOWN).then(|| name.into())
}

#[cfg(test)]
#[path = "part_sums_tests.rs"]
mod tests;
