//! A row of `partial.sql` or of `dimension_cells.sql`, typed.

use std::sync::Arc;

use super::sums::{FurtherSums, SeriesTotals};
use crate::clock::{DAY, Micros};

/// A cell. Money is in units of 10⁻¹² dollars.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartialRow {
    /// Whose it is: an organisation as stored, or a part of one, as [`part_of`] names it.
    pub org_id: Arc<str>,
    /// Lower case; `None` if unknown.
    pub provider: Option<Arc<str>>,
    /// Lower case; `None` if unknown.
    pub model: Option<Arc<str>>,
    /// The start of the hour.
    pub hour: Micros,
    /// The sums.
    pub totals: SeriesTotals,
    /// The time of the latest event.
    pub last_ts: Micros,
}

/// Cells of the core as those of days, all of which began at `start`; others as they are. Those of a
/// series follow each other.
pub fn started(rows: Vec<PartialRow>, start: Option<Micros>) -> Vec<PartialRow> {
    let Some(start) = start else { return rows };
    let mut days: Vec<PartialRow> = Vec::new();
    for mut row in rows {
        row.hour = row.hour.div_euclid(DAY) * DAY;
        let same = |last: &&mut PartialRow| {
            last.hour == row.hour
                && last.org_id == row.org_id
                && last.provider == row.provider
                && last.model == row.model
        };
        if let Some(last) = days.last_mut().filter(same) {
            last.totals += &row.totals;
            last.last_ts = last.last_ts.max(row.last_ts);
            continue;
        }
        let further = FurtherSums { first_ingested: Some(start), ..FurtherSums::default() };
        row.totals.further = Some(Box::new(further));
        days.push(row);
    }
    days
}

/// What parts an organisation's name from the value of a dimension, in the name of the part of it that
/// has this value. It sorts before all that names hold, so that parts follow their organisation.
pub(super) const BETWEEN: char = '\0';

/// The name of the part of an organisation whose events have a value of a dimension.
pub fn part_of(org_id: &str, value: &str) -> String {
    format!("{org_id}{BETWEEN}{value}")
}

/// What [`part_of`] was made of.
pub fn org_and_value(part: &str) -> Option<(&str, &str)> {
    part.split_once(BETWEEN)
}

/// The names that all parts of an organisation lie between: at least the first, and below the second.
pub fn parts_bounds(org_id: &str) -> [String; 2] {
    [part_of(org_id, ""), format!("{org_id}\u{1}")]
}
