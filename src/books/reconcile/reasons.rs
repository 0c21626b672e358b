//! Why the sides of a comparison differ, where that can be told.

use std::sync::Arc;

use super::comparison::{Comparison, Figure};
use super::figures::{ALL_HOURS, COST, DayHours, EventSums};
use super::reported::DayReports;

/// What tells why the sides of a day differ.
pub(super) struct Why<'a> {
    /// What reports say of the day.
    pub(super) reported: &'a DayReports,
    /// What all events of the day say.
    pub(super) all_events: EventSums,
}

/// What is known of a row's model besides its sums.
#[derive(Debug, Default)]
pub(super) struct NamesOf {
    /// The hours in which the report has it.
    pub(super) reported_hours: DayHours,
    /// Its name in events, if the report has another with or without a date.
    pub(super) in_events_alone: Option<Arc<str>>,
}

impl Why<'_> {
    /// The row with its reasons; none if nothing of it is compared.
    pub(super) fn explained(&self, mut row: Comparison, names: &NamesOf) -> Option<Comparison> {
        if row.reported.iter().all(|figure| *figure == Figure::Untold) {
            return None;
        }
        let is_reported = row.reported.iter().any(|figure| figure.told().is_some());
        let has_events = row.events.hours != 0;
        if !has_events && !row.differs() {
            return None;
        }
        let mut reasons = Vec::new();
        if !is_reported {
            reasons.push("only in events".to_owned());
        }
        if !has_events {
            reasons.push("only in the report".to_owned());
        }
        if row.events.unpriced > 0 {
            reasons.push("unpriced".to_owned());
        }
        if row.differs() {
            reasons.extend(self.hours(&row, names.reported_hours));
            let both = [&self.reported.usage, &self.reported.costs];
            if both.iter().any(|one| one.is_told_twice) {
                reasons.push("reported in buckets of several lengths".to_owned());
            }
            if both.iter().any(|one| one.is_over_midnight) {
                reasons.push("reported in buckets over midnight".to_owned());
            }
        }
        if let Some(name) = &names.in_events_alone {
            reasons.push(format!("{name} in events"));
        }
        row.reasons = reasons;
        Some(row)
    }

    /// The hours that one side lacks.
    fn hours(&self, row: &Comparison, reported: DayHours) -> Vec<String> {
        let mut lacks = Vec::new();
        let is_of_cost = row.difference(COST).is_some_and(|by| by != 0);
        let is_of_usage = (0..COST).any(|metric| row.difference(metric).is_some_and(|by| by != 0));
        let covered = [(&self.reported.usage, is_of_usage), (&self.reported.costs, is_of_cost)];
        let covered = covered.into_iter().filter(|(one, differs)| *differs && one.covered != 0);
        let uncovered = covered.fold(0, |hours, (one, _)| hours | ALL_HOURS & !one.covered);
        if uncovered & row.events.hours != 0 {
            lacks.push(format!("the report lacks {}", spans(uncovered)));
        }
        // Other models have events there, or nothing was sent at all.
        let missing = reported & !row.events.hours;
        if missing != 0 && row.events.hours != 0 {
            lacks.push(format!("events lack {}", spans(missing)));
        } else if missing & !self.all_events.hours != 0 && self.all_events.hours != 0 {
            lacks.push(format!("events lack {}", spans(missing & !self.all_events.hours)));
        }
        if !lacks.is_empty() {
            lacks.insert(0, "missing hours".to_owned());
        }
        lacks
    }
}

/// Hours for people: `00:00-03:00, 07:00-08:00`.
fn spans(hours: DayHours) -> String {
    let (mut spans, mut start) = (Vec::new(), None);
    for hour in 0..=24 {
        let is_in = hour < 24 && hours >> hour & 1 == 1;
        match (start, is_in) {
            (None, true) => start = Some(hour),
            (Some(from), false) => {
                spans.push(format!("{from:02}:00-{hour:02}:00"));
                start = None;
            }
            _ => {}
        }
    }
    spans.join(", ")
}
