//! Tests of comparisons: each way in which the sides can differ.

use super::super::figures::{ALL_HOURS, DayHours};
use super::*;
use crate::archive::ReportFigures;

const DOLLAR: i128 = 1_000_000_000_000;

fn day(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, day).unwrap()
}

fn events(all: &[(u32, Option<&str>, [i128; 4], DayHours)]) -> ProviderEvents {
    let mut events = ProviderEvents::new();
    for (at, model, sums, hours) in all {
        let models = events.entry(day(*at)).or_default();
        let sums = EventSums { sums: *sums, unpriced: 0, hours: *hours };
        *models.entry(model.map(Arc::from)).or_default() += &sums;
    }
    events
}

fn usage(requests: i64, input: i64, output: i64, hours: DayHours) -> ReportSums {
    let figures = ReportFigures {
        requests: Some(requests),
        input_tokens: Some(input),
        output_tokens: Some(output),
        ..ReportFigures::default()
    };
    ReportSums::of(&figures, hours)
}

fn cost(units: i128) -> ReportSums {
    let cost_usd = Some(crate::archive::Dollars(units));
    ReportSums::of(&ReportFigures { cost_usd, ..ReportFigures::default() }, 0)
}

fn by_model(all: &[(&str, ReportSums)]) -> OneReport {
    let models = all.iter().map(|(name, sums)| (Arc::from(*name), *sums)).collect();
    OneReport { models, covered: ALL_HOURS, ..OneReport::default() }
}

fn reports(days: Vec<(u32, DayReports)>) -> ProviderReports {
    ProviderReports { days: days.into_iter().map(|(at, of_day)| (day(at), of_day)).collect() }
}

/// A row as text: model, differences, reasons.
fn shown(events: &ProviderEvents, reports: &ProviderReports) -> Vec<String> {
    let rows = compare("openai", events, reports);
    let shown = rows.iter().map(|row| {
        let differences = (0..4).map(|metric| match row.difference(metric) {
            Some(difference) if metric == COST => (difference / DOLLAR).to_string(),
            Some(difference) => difference.to_string(),
            None => "-".to_owned(),
        });
        let differences: Vec<_> = differences.collect();
        let model = row.model.as_deref().unwrap_or("*");
        format!("{} {model} {} {:?}", row.day.format("%d"), differences.join(" "), row.reasons)
    });
    shown.collect()
}

#[test]
fn models_are_compared_where_the_report_has_them() {
    let events = events(&[
        (1, Some("gpt-4o"), [2, 20, 4, DOLLAR], 1),
        (1, Some("ours"), [1, 5, 5, 0], 1),
        (1, None, [1, 1, 1, 0], 1),
        (2, Some("gpt-4o"), [1, 1, 1, 0], 1),
    ]);
    let usage = by_model(&[("gpt-4o", usage(2, 20, 5, 0)), ("theirs", usage(3, 3, 3, 0))]);
    let reported = reports(vec![(1, DayReports { usage, costs: OneReport::default() })]);
    assert_eq!(
        shown(&events, &reported),
        [
            "01 gpt-4o 0 0 -1 - []",
            "01 ours 1 5 5 - [\"only in events\"]",
            "01 theirs -3 -3 -3 - [\"only in the report\"]",
            "01 * 1 1 1 - [\"only in events\"]",
            "02 gpt-4o 1 1 1 - [\"only in events\"]",
        ]
    );
}

#[test]
fn what_is_of_no_model_is_compared_for_the_day() {
    let events = events(&[
        (1, Some("gpt-4o"), [2, 20, 4, 3 * DOLLAR], 1),
        (1, Some("o3"), [2, 20, 4, 4 * DOLLAR], 1),
    ]);
    let whole = |sums: ReportSums| {
        let rest = Some(sums);
        OneReport { rest, covered: ALL_HOURS, ..OneReport::default() }
    };
    let costs = whole(cost(7 * DOLLAR));
    let reported = reports(vec![(1, DayReports { usage: OneReport::default(), costs })]);
    assert_eq!(shown(&events, &reported), ["01 * - - - 0 []"]);
    // Lines of an invoice are of models, or of none.
    let items = [
        ("gpt-4o, input", 2 * DOLLAR),
        ("gpt-4o, output", DOLLAR),
        ("o3, input", 3 * DOLLAR),
        ("web search tool calls", DOLLAR),
    ];
    let items = items.into_iter().map(|(item, units)| (Arc::from(item), cost(units))).collect();
    let costs = OneReport { items, covered: ALL_HOURS, ..OneReport::default() };
    let reported = reports(vec![(1, DayReports { usage: OneReport::default(), costs })]);
    assert_eq!(
        shown(&events, &reported),
        ["01 gpt-4o - - - 0 []", "01 o3 - - - 1 []", "01 * - - - 0 []"]
    );
}

#[test]
fn reasons_tell_of_prices_hours_and_names() {
    let mut of = events(&[
        (1, Some("gpt-4o"), [2, 2, 2, 0], 0b0011),
        (2, Some("gpt-4o"), [3, 3, 3, 0], 0b1_0000),
    ]);
    for sums in of.values_mut().flat_map(BTreeMap::values_mut) {
        sums.unpriced = 1;
    }
    let mut first = by_model(&[("gpt-4o-2024-08-06", usage(3, 3, 3, 0b0111))]);
    first.is_told_twice = true;
    let mut second = by_model(&[("gpt-4o-2024-08-06", usage(1, 1, 1, 0b1))]);
    second.covered = 0b1111;
    let day = |usage| DayReports { usage, costs: OneReport::default() };
    let reported = reports(vec![(1, day(first)), (2, day(second))]);
    let found = shown(&of, &reported);
    assert_eq!(
        found,
        [
            "01 gpt-4o-2024-08-06 -1 -1 -1 - [\"unpriced\", \"missing hours\", \"events lack 02:00-03:00\", \
             \"reported in buckets of several lengths\", \"gpt-4o in events\"]",
            "02 gpt-4o-2024-08-06 2 2 2 - [\"unpriced\", \"missing hours\", \"the report lacks 04:00-24:00\", \
             \"events lack 00:00-01:00\", \"gpt-4o in events\"]",
        ]
    );
}

#[test]
fn a_day_that_is_told_to_have_nothing_is_compared() {
    let events = events(&[(2, Some("gpt-4o"), [1, 1, 1, DOLLAR], 1)]);
    let first = DayReports {
        usage: by_model(&[("gpt-4o", usage(0, 0, 0, 0))]),
        costs: OneReport::default(),
    };
    let usage = OneReport { covered: ALL_HOURS, ..OneReport::default() };
    let costs = OneReport { rest: Some(cost(DOLLAR)), ..OneReport::default() };
    let reported = reports(vec![(1, first), (2, DayReports { usage, costs })]);
    let found = shown(&events, &reported);
    assert_eq!(found, ["02 gpt-4o 1 1 1 - [\"only in events\"]", "02 * - - - 0 []"]);
}

#[test]
fn a_tolerance_is_of_the_reports_figure() {
    let events = events(&[(1, Some("gpt-4o"), [100, 1_000, 100, 0], 1)]);
    let usage = by_model(&[("gpt-4o", usage(100, 1_010, 100, 0))]);
    let reported = reports(vec![(1, DayReports { usage, costs: OneReport::default() })]);
    let rows = compare("openai", &events, &reported);
    let exceeds = |text: &str| rows[0].exceeds(text.parse().unwrap());
    assert!(exceeds("0") && exceeds("0.99%") && !exceeds("1%"));
}
