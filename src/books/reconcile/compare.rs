//! Compares what events say with what reports say: the rows of a day, and why they differ.
//!
//! A row is of a model where the report tells models apart. What the report tells of no model (it is not
//! grouped by models, or a line of its invoice is of none) is in a row of the whole day, which has the day's
//! sums of both sides.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use chrono::NaiveDate;

use super::comparison::{Comparison, Figure};
use super::events::ProviderEvents;
use super::figures::{COST, EventSums, METRICS, ReportSums};
use super::line_item::model_of;
use super::models::SameModels;
use super::reasons::{NamesOf, Why};
use super::reported::{DayReports, OneReport, ProviderReports};

/// The rows of a provider.
pub(super) fn compare(
    provider: &str,
    events: &ProviderEvents,
    reports: &ProviderReports,
) -> Vec<Comparison> {
    let month = MonthOf::new(provider, events, reports);
    let days: BTreeSet<NaiveDate> = events.keys().chain(reports.days.keys()).copied().collect();
    let (no_events, no_reports) = (BTreeMap::new(), DayReports::default());
    let mut rows = Vec::new();
    for day in days {
        let of_day = events.get(&day).unwrap_or(&no_events);
        let reported = reports.days.get(&day).unwrap_or(&no_reports);
        month.compare_day(day, of_day, reported, &mut rows);
    }
    rows
}

/// What holds for a provider's whole month.
struct MonthOf {
    provider: Arc<str>,
    same: SameModels,
    /// Names that a line of an invoice may begin with.
    known: BTreeSet<String>,
    /// Which metrics are told by model, and which of the whole day, on any day.
    by_model: [bool; METRICS.len()],
    by_day: [bool; METRICS.len()],
}

/// The models of a day under one name each.
#[derive(Default)]
struct DayModel {
    /// As events name it, and as the report does.
    in_events: Option<Arc<str>>,
    in_report: Option<Arc<str>>,
    is_dated: bool,
    events: EventSums,
    reported: ReportSums,
}

/// What both sides say of a day.
#[derive(Default)]
struct DaySides {
    models: BTreeMap<String, DayModel>,
    all_events: EventSums,
    /// Of events that name no model.
    unnamed: Option<EventSums>,
    all_reported: ReportSums,
    /// Which metrics are compared by model, and which for the whole day.
    by_model: [bool; METRICS.len()],
    by_day: [bool; METRICS.len()],
}

impl DayModel {
    fn names(&self) -> NamesOf {
        let is_other = self.is_dated && self.in_report.is_some();
        let in_events_alone = self.in_events.clone().filter(|_| is_other);
        NamesOf { reported_hours: self.reported.hours, in_events_alone }
    }
}

impl MonthOf {
    fn new(provider: &str, events: &ProviderEvents, reports: &ProviderReports) -> Self {
        let in_events = || events.values().flat_map(BTreeMap::keys).flatten();
        let days = || reports.days.values().flat_map(|day| [&day.usage, &day.costs]);
        let in_reports = || days().flat_map(|one| one.models.keys());
        let names = in_events().chain(in_reports());
        let known = names.map(|name| name.to_lowercase()).collect::<BTreeSet<_>>();
        let items = days().flat_map(|one| one.items.keys());
        let of_items: BTreeSet<_> =
            items.filter_map(|item| model_of(item, known.iter().map(String::as_str))).collect();
        let same = SameModels::of(
            provider,
            in_events().map(|name| &**name),
            in_reports().map(|name| &**name).chain(of_items.iter().map(String::as_str)),
        );
        let mut month = Self {
            provider: provider.into(),
            same,
            known,
            by_model: [false; METRICS.len()],
            by_day: [false; METRICS.len()],
        };
        for one in days() {
            let (models, rest) = month.told(one);
            for sums in models.iter().map(|(_, sums)| sums) {
                mark(&mut month.by_model, sums);
            }
            mark(&mut month.by_day, &rest);
        }
        month
    }

    /// What a report tells by model, and what of none.
    fn told(&self, one: &OneReport) -> (Vec<(Arc<str>, ReportSums)>, ReportSums) {
        let mut models: Vec<_> =
            one.models.iter().map(|(name, sums)| (name.clone(), *sums)).collect();
        let mut rest = one.rest.unwrap_or_default();
        for (item, sums) in &one.items {
            match model_of(item, self.known.iter().map(String::as_str)) {
                Some(model) => models.push((model.into(), *sums)),
                None => rest += sums,
            }
        }
        // A line of nothing tells nothing of the day.
        if rest.is_zero() && !(models.is_empty() && one.rest.is_some()) {
            rest = ReportSums::default();
        }
        (models, rest)
    }

    fn compare_day(
        &self,
        day: NaiveDate,
        events: &BTreeMap<Option<Arc<str>>, EventSums>,
        reported: &DayReports,
        rows: &mut Vec<Comparison>,
    ) {
        let sides = self.sides(events, reported);
        let why = Why { reported, all_events: sides.all_events };
        for model in sides.models.into_values() {
            let figures = figures(&model.reported, &sides.by_model);
            let name = model.in_report.clone().or(model.in_events.clone());
            let row = self.row(day, name, model.events, figures);
            rows.extend(why.explained(row, &model.names()));
        }
        let whole = if sides.by_day.contains(&true) {
            let reported = only(&sides.all_reported, &sides.by_day);
            Some((sides.all_events, figures(&reported, &sides.by_day)))
        } else {
            let figures = figures(&ReportSums::default(), &sides.by_model);
            sides.unnamed.map(|unnamed| (unnamed, figures))
        };
        let whole = whole.map(|(events, figures)| self.row(day, None, events, figures));
        rows.extend(whole.and_then(|row| why.explained(row, &NamesOf::default())));
    }

    /// What both sides say of a day.
    fn sides(
        &self,
        events: &BTreeMap<Option<Arc<str>>, EventSums>,
        reported: &DayReports,
    ) -> DaySides {
        let mut sides = DaySides::default();
        for (name, sums) in events {
            sides.all_events += sums;
            let Some(name) = name else {
                *sides.unnamed.get_or_insert_default() += sums;
                continue;
            };
            let (key, is_dated) = self.same.of_event(name);
            let model = sides.models.entry(key).or_default();
            model.in_events.get_or_insert_with(|| name.clone());
            model.is_dated |= is_dated;
            model.events += sums;
        }
        let is_none = reported.usage.is_empty() && reported.costs.is_empty();
        for (one, metrics) in [(&reported.usage, 0..COST), (&reported.costs, COST..METRICS.len())] {
            let (told, rest) = self.told(one);
            mark(&mut sides.by_day, &rest);
            sides.all_reported += &rest;
            for (name, sums) in told {
                mark(&mut sides.by_model, &sums);
                sides.all_reported += &sums;
                let model = sides.models.entry(self.same.clean(&name)).or_default();
                model.in_report.get_or_insert_with(|| name.to_lowercase().into());
                model.reported += &sums;
            }
            // A day that is told to have nothing is compared as other days of the month are, and so is one
            // of which nothing is told at all.
            if one.is_empty() && (is_none || one.covered != 0) {
                self.as_in_the_month(&mut sides, metrics);
            }
        }
        sides
    }

    fn as_in_the_month(&self, sides: &mut DaySides, metrics: Range<usize>) {
        let of = |told: &[bool; METRICS.len()]| {
            let told = told.get(metrics.clone()).unwrap_or_default();
            told.to_vec()
        };
        let (by_model, by_day) = (of(&self.by_model), of(&self.by_day));
        let (from, into) = match by_model.contains(&true) {
            true => (by_model, &mut sides.by_model),
            false => (by_day, &mut sides.by_day),
        };
        for (told, is_told) in into.iter_mut().skip(metrics.start).zip(from) {
            *told = is_told;
        }
    }

    fn row(
        &self,
        day: NaiveDate,
        model: Option<Arc<str>>,
        events: EventSums,
        reported: [Figure; METRICS.len()],
    ) -> Comparison {
        let provider = self.provider.clone();
        Comparison { day, provider, model, events, reported, reasons: Vec::new() }
    }
}

/// Marks the metrics that sums have.
fn mark(metrics: &mut [bool; METRICS.len()], sums: &ReportSums) {
    for (metric, sum) in metrics.iter_mut().zip(sums.sums) {
        *metric |= sum.is_some();
    }
}

/// The sums of some metrics alone.
fn only(sums: &ReportSums, metrics: &[bool; METRICS.len()]) -> ReportSums {
    let mut only = *sums;
    for (sum, is_told) in only.sums.iter_mut().zip(metrics) {
        *sum = sum.filter(|_| *is_told);
    }
    only
}

fn figures(sums: &ReportSums, compared: &[bool; METRICS.len()]) -> [Figure; METRICS.len()] {
    let mut figures = [Figure::default(); METRICS.len()];
    for ((figure, sum), is_compared) in figures.iter_mut().zip(sums.sums).zip(compared) {
        *figure = Figure::of(sum, *is_compared);
    }
    figures
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
