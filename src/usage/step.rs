//! Steps: the spans of time that a row is of, on a zone's clock.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike as _, Days, Months, NaiveDate};

use super::error::UsageError;
use super::zone::Zone;
use crate::clock::{HOUR, Micros};
use crate::event::excerpt;

/// What a row is of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UsageStep {
    /// The whole range.
    #[default]
    Total,
    /// An hour of the zone's clock. Where the clock changes within one, a new one begins.
    Hour,
    /// A date of the zone's clock.
    Day,
    /// A week, from Monday.
    Week,
    /// A month.
    Month,
}

/// From `start` to before `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepSpan {
    /// The first instant.
    pub start: Micros,
    /// The first instant after it.
    pub end: Micros,
}

impl UsageStep {
    /// Every step.
    pub const ALL: [Self; 5] = [Self::Total, Self::Hour, Self::Day, Self::Week, Self::Month];

    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// The step that an instant is in, of a range. It may begin before the range and end after it.
    pub fn span_of(self, zone: Zone, at: Micros, range: StepSpan) -> StepSpan {
        match self {
            Self::Total => range,
            Self::Hour => hour_of(zone, at),
            Self::Day | Self::Week | Self::Month => {
                let mut first = self.first_date(zone.date(at));
                let mut start = zone.start_of(first);
                loop {
                    let Some(next) = self.next_date(first) else {
                        return StepSpan { start, end: range.end.max(at + 1) };
                    };
                    let end = zone.start_of(next);
                    if at < end {
                        return StepSpan { start, end };
                    }
                    // The clock was set back over midnight; a date does not begin twice.
                    (first, start) = (next, end);
                }
            }
        }
    }

    fn first_date(self, date: NaiveDate) -> NaiveDate {
        let first = match self {
            Self::Week => {
                let days = date.weekday().num_days_from_monday();
                date.checked_sub_days(Days::new(days.into()))
            }
            Self::Month => date.with_day(1),
            _ => None,
        };
        first.unwrap_or(date)
    }

    fn next_date(self, date: NaiveDate) -> Option<NaiveDate> {
        match self {
            Self::Week => date.checked_add_days(Days::new(7)),
            Self::Month => date.checked_add_months(Months::new(1)),
            _ => date.succ_opt(),
        }
    }
}

fn hour_of(zone: Zone, at: Micros) -> StepSpan {
    let offset = zone.offset(at);
    let start = (at + offset).div_euclid(HOUR) * HOUR - offset;
    let end = start + HOUR;
    StepSpan {
        // The zone's clock changed in it, or will.
        start: zone.change(start, at).unwrap_or(start),
        end: zone.change(at, end - 1).unwrap_or(end),
    }
}

impl FromStr for UsageStep {
    type Err = UsageError;

    fn from_str(name: &str) -> Result<Self, UsageError> {
        let found = Self::ALL.into_iter().find(|step| step.name() == name);
        found.ok_or_else(|| UsageError::Step(excerpt(name)))
    }
}

impl fmt::Display for UsageStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SECOND;
    use crate::event::time::from_text;
    use proptest::prelude::*;

    const ALWAYS: StepSpan = StepSpan { start: i64::MIN / 4, end: i64::MAX / 4 };

    /// The steps from one instant on.
    fn steps(step: UsageStep, zone: &str, from: &str, count: usize) -> Vec<(String, i64)> {
        let zone: Zone = zone.parse().unwrap();
        let mut at = from_text(from).unwrap();
        let mut found = Vec::new();
        for _ in 0..count {
            let span = step.span_of(zone, at, ALWAYS);
            found.push((zone.text(span.start), (span.end - span.start) / (60 * SECOND)));
            at = span.end;
        }
        found
    }

    #[track_caller]
    fn are(found: &[(String, i64)], expected: &[(&str, i64)]) {
        let found: Vec<_> =
            found.iter().map(|(start, minutes)| (start.as_str(), *minutes)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn days_have_23_24_and_25_hours() {
        are(
            &steps(UsageStep::Day, "America/New_York", "2026-03-08T03:00:00Z", 3),
            &[
                ("2026-03-07T00:00:00-05:00", 24 * 60),
                ("2026-03-08T00:00:00-05:00", 23 * 60),
                ("2026-03-09T00:00:00-04:00", 24 * 60),
            ],
        );
        are(
            &steps(UsageStep::Day, "America/New_York", "2026-11-01T12:00:00Z", 1),
            &[("2026-11-01T00:00:00-04:00", 25 * 60)],
        );
        are(
            &steps(UsageStep::Day, "Australia/Lord_Howe", "2026-04-05T00:00:00Z", 1),
            &[("2026-04-05T00:00:00+11:00", 24 * 60 + 30)],
        );
    }

    #[test]
    fn hours_are_those_of_the_clock_and_begin_anew_where_it_changes() {
        are(
            &steps(UsageStep::Hour, "Asia/Kolkata", "2026-01-01T00:00:00Z", 2),
            &[("2026-01-01T05:00:00+05:30", 60), ("2026-01-01T06:00:00+05:30", 60)],
        );
        are(
            &steps(UsageStep::Hour, "America/New_York", "2026-11-01T05:00:00Z", 2),
            &[("2026-11-01T01:00:00-04:00", 60), ("2026-11-01T01:00:00-05:00", 60)],
        );
        // From 02:00 back to 01:30, and from 02:00 on to 02:30.
        are(
            &steps(UsageStep::Hour, "Australia/Lord_Howe", "2026-04-04T14:00:00Z", 3),
            &[
                ("2026-04-05T01:00:00+11:00", 60),
                ("2026-04-05T01:30:00+10:30", 30),
                ("2026-04-05T02:00:00+10:30", 60),
            ],
        );
        are(
            &steps(UsageStep::Hour, "Australia/Lord_Howe", "2026-10-03T14:30:00Z", 3),
            &[
                ("2026-10-04T01:00:00+10:30", 60),
                ("2026-10-04T02:30:00+11:00", 30),
                ("2026-10-04T03:00:00+11:00", 60),
            ],
        );
    }

    #[test]
    fn weeks_begin_on_monday_and_months_on_their_first() {
        are(
            &steps(UsageStep::Week, "UTC", "2026-03-01T00:00:00Z", 2),
            &[("2026-02-23T00:00:00+00:00", 7 * 1440), ("2026-03-02T00:00:00+00:00", 7 * 1440)],
        );
        are(
            &steps(UsageStep::Month, "Europe/Berlin", "2026-03-31T22:30:00Z", 1),
            &[("2026-04-01T00:00:00+02:00", 30 * 1440)],
        );
    }

    proptest! {
        #[test]
        fn steps_follow_each_other_without_a_gap(
            seconds in 1_420_070_400_i64..1_900_000_000, zone in 0usize..600, step in 1usize..5,
        ) {
            let all = chrono_tz::TZ_VARIANTS;
            let zone: Zone = all[zone % all.len()].name().parse().unwrap();
            let (at, step) = (seconds * SECOND, UsageStep::ALL[step]);
            let span = step.span_of(zone, at, ALWAYS);
            prop_assert!(span.start <= at && at < span.end, "{zone} {step}");
            prop_assert_eq!(step.span_of(zone, span.start, ALWAYS), span);
            prop_assert_eq!(step.span_of(zone, span.end - 1, ALWAYS), span);
            prop_assert_eq!(step.span_of(zone, span.end, ALWAYS).start, span.end);
        }
    }
}
