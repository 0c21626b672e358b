//! The partial of a data file: what it adds to the usage of each organisation.

use std::collections::HashSet;
use std::ops::Bound;
use std::sync::Arc;

use super::scope::Bounds;
use crate::clock::{DAY, Micros};
use crate::sql::{FurtherSums, PartialRow, SeriesTotals};

/// One (provider, model, hour) of one organisation in one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartialCell {
    /// Lower case; `None` if unknown.
    pub provider: Option<Arc<str>>,
    /// Lower case; `None` if unknown.
    pub model: Option<Arc<str>>,
    /// The start of the hour.
    pub hour: Micros,
    /// Sums of the events.
    pub totals: SeriesTotals,
    /// The time of the latest event.
    pub last_ts: Micros,
}

impl PartialCell {
    /// The series; `None` if provider or model is unknown: such events are in no counter.
    pub fn series(&self) -> Option<(Arc<str>, Arc<str>)> {
        self.provider.clone().zip(self.model.clone())
    }

    /// True if both are of the same provider and model.
    pub fn is_alike(&self, other: &Self) -> bool {
        self.provider == other.provider && self.model == other.model
    }
}

/// The usage in one data file, sorted by organisation. Immutable, as the file is.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Partial {
    orgs: Vec<(Arc<str>, Vec<PartialCell>)>,
    bytes: usize,
}

impl Partial {
    /// Gathers the rows of `partial.sql`.
    pub fn new(mut rows: Vec<PartialRow>) -> Self {
        rows.sort_by(|a, b| a.org_id.cmp(&b.org_id));
        let mut names = LabelNames::default();
        let mut partial = Self::default();
        for row in rows {
            let org_id = row.org_id.clone();
            let cell = cell(row, &mut names);
            match partial.orgs.last_mut() {
                Some((last, cells)) if *last == org_id => cells.push(cell),
                _ => partial.orgs.push((org_id, vec![cell])),
            }
        }
        partial.reckon(&names.known);
        partial
    }

    /// The same without hours, where all events were ingested at `start`.
    pub fn started(&self, start: Micros) -> Self {
        let orgs = self.orgs.iter().map(|(org, cells)| (org.clone(), days(cells, start)));
        let mut started = Self { orgs: orgs.collect(), bytes: 0 };
        // The names are those of this one.
        started.reckon(&HashSet::new());
        started
    }

    fn reckon(&mut self, names: &HashSet<Arc<str>>) {
        let cells: usize = self.orgs.iter().map(|(_, cells)| cells.capacity()).sum();
        let texts: usize = self.orgs.iter().map(|(org, _)| org.len() + 64).sum();
        let names: usize = names.iter().map(|name| name.len() + 32).sum();
        let all = self.orgs.iter().flat_map(|(_, cells)| cells);
        let further = all.filter(|cell| cell.totals.further.is_some()).count();
        let further = further * size_of::<FurtherSums>();
        self.bytes = size_of::<Self>() + cells * size_of::<PartialCell>() + further + texts + names;
    }

    /// The cells of one organisation.
    pub fn of_org(&self, org_id: &str) -> &[PartialCell] {
        let found = self.orgs.binary_search_by(|(org, _)| (**org).cmp(org_id));
        found.ok().and_then(|at| self.orgs.get(at)).map_or(&[], |(_, cells)| cells)
    }

    /// Those in a range of names, each with its cells.
    pub fn between(&self, (from, to): Bounds<'_>) -> &[(Arc<str>, Vec<PartialCell>)] {
        let start = self.orgs.partition_point(|(org, _)| match from {
            Bound::Included(from) => &**org < from,
            Bound::Excluded(from) => &**org <= from,
            Bound::Unbounded => false,
        });
        let end = self.orgs.partition_point(|(org, _)| match to {
            Bound::Included(to) => &**org <= to,
            Bound::Excluded(to) => &**org < to,
            Bound::Unbounded => true,
        });
        self.orgs.get(start..end).unwrap_or_default()
    }

    /// Every organisation and its cells, in order.
    pub fn orgs(&self) -> impl Iterator<Item = (&Arc<str>, &[PartialCell])> {
        self.orgs.iter().map(|(org_id, cells)| (org_id, cells.as_slice()))
    }

    /// Memory held, about.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// A name as a label can show it: the exposition formats end at a NUL. It is replaced before names
/// are summed up, so that an answer never has the same series twice.
pub(super) fn printable(name: &str) -> String {
    name.replace('\0', "\u{FFFD}")
}

/// Names in the spelling of labels, each once.
#[derive(Default)]
struct LabelNames {
    known: HashSet<Arc<str>>,
    /// The last name and its spelling: cells of one series follow each other.
    last: [Option<(Arc<str>, Arc<str>)>; 2],
}

impl LabelNames {
    /// `kind` distinguishes providers and models, which alternate.
    fn spelled(&mut self, kind: usize, name: Arc<str>) -> Arc<str> {
        let last = self.last.get(kind).and_then(Option::as_ref);
        if let Some((_, spelled)) = last.filter(|(asked, _)| Arc::ptr_eq(asked, &name)) {
            return spelled.clone();
        }
        let spelled = if name.contains('\0') { printable(&name).into() } else { name.clone() };
        let spelled = match self.known.get(&spelled) {
            Some(known) => known.clone(),
            None => {
                self.known.insert(spelled.clone());
                spelled
            }
        };
        if let Some(last) = self.last.get_mut(kind) {
            *last = Some((name, spelled.clone()));
        }
        spelled
    }
}

/// Cells without hours, all of which began at `start`. Those of a series follow each other.
fn days(cells: &[PartialCell], start: Micros) -> Vec<PartialCell> {
    let date = |cell: &PartialCell| cell.hour.div_euclid(DAY) * DAY;
    let runs = cells.chunk_by(|one, next| one.is_alike(next) && date(one) == date(next));
    let day = |run: &[PartialCell]| {
        let mut day = run.first()?.clone();
        for cell in run.iter().skip(1) {
            day.totals += &cell.totals;
            day.last_ts = day.last_ts.max(cell.last_ts);
        }
        day.hour = date(&day);
        day.totals.further.get_or_insert_default().first_ingested = Some(start);
        Some(day)
    };
    runs.filter_map(day).collect()
}

fn cell(row: PartialRow, names: &mut LabelNames) -> PartialCell {
    PartialCell {
        provider: row.provider.map(|provider| names.spelled(0, provider)),
        model: row.model.map(|model| names.spelled(1, model)),
        hour: row.hour,
        totals: row.totals,
        last_ts: row.last_ts,
    }
}
