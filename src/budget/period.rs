//! The periods that a budget is for, on a zone's clock.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::error::BudgetError;
use crate::clock::{DAY, Micros};
use crate::event::excerpt;
use crate::usage::{StepSpan, UsageStep, Zone};

/// A range that no period reaches the ends of.
const ALWAYS: StepSpan = StepSpan { start: Micros::MIN / 4, end: Micros::MAX / 4 };

/// How long a budget is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BudgetPeriod {
    /// The 24 hours until now, whatever the zone.
    #[serde(rename = "rolling-24h")]
    Rolling24h,
    /// A date of the zone's clock.
    #[serde(rename = "day")]
    Day,
    /// A week, from Monday.
    #[serde(rename = "week")]
    Week,
    /// A month.
    #[serde(rename = "month")]
    Month,
}

impl BudgetPeriod {
    /// Every period.
    pub const ALL: [Self; 4] = [Self::Rolling24h, Self::Day, Self::Week, Self::Month];

    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rolling24h => "rolling-24h",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// The step of a calendar that it is; `None` for the last 24 hours.
    pub fn step(self) -> Option<UsageStep> {
        match self {
            Self::Rolling24h => None,
            Self::Day => Some(UsageStep::Day),
            Self::Week => Some(UsageStep::Week),
            Self::Month => Some(UsageStep::Month),
        }
    }

    /// The period that holds an instant: from `start` to before `end`. Of the last 24 hours, those
    /// before the instant with it.
    pub fn span_of(self, zone: Zone, at: Micros) -> StepSpan {
        match self.step() {
            None => StepSpan { start: at - DAY + 1, end: at + 1 },
            Some(step) => step.span_of(zone, at, ALWAYS),
        }
    }

    /// The periods from the one that holds `from` to the one that holds `to`, both included. There is
    /// one rolling period, which ends at `to`.
    pub fn spans(self, zone: Zone, from: Micros, to: Micros) -> impl Iterator<Item = StepSpan> {
        let first = match self {
            Self::Rolling24h => self.span_of(zone, to),
            _ => self.span_of(zone, from.min(to)),
        };
        std::iter::successors(Some(first), move |span| {
            let next = span.end;
            (next <= to && self != Self::Rolling24h).then(|| self.span_of(zone, next))
        })
    }
}

impl FromStr for BudgetPeriod {
    type Err = BudgetError;

    fn from_str(name: &str) -> Result<Self, BudgetError> {
        let found = Self::ALL.into_iter().find(|period| period.name() == name);
        found.ok_or_else(|| BudgetError::Period(excerpt(name)))
    }
}

impl fmt::Display for BudgetPeriod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::HOUR;
    use proptest::prelude::*;

    fn at(text: &str) -> Micros {
        chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros()
    }

    fn span(period: BudgetPeriod, zone: &str, text: &str) -> (String, i64) {
        let zone: Zone = zone.parse().unwrap();
        let span = period.span_of(zone, at(text));
        (zone.text(span.start), (span.end - span.start) / HOUR)
    }

    #[test]
    fn weeks_begin_on_monday_and_days_are_as_long_as_the_clock_has_them() {
        let (day, week, month) = (BudgetPeriod::Day, BudgetPeriod::Week, BudgetPeriod::Month);
        for (period, zone, now, start, hours) in [
            (week, "UTC", "2026-03-01T12:00:00Z", "2026-02-23T00:00:00+00:00", 168),
            (week, "UTC", "2026-03-02T00:00:00Z", "2026-03-02T00:00:00+00:00", 168),
            (day, "America/New_York", "2026-03-08T12:00:00Z", "2026-03-08T00:00:00-05:00", 23),
            (day, "America/New_York", "2026-11-01T12:00:00Z", "2026-11-01T00:00:00-04:00", 25),
            (week, "Europe/Berlin", "2026-03-29T12:00:00Z", "2026-03-23T00:00:00+01:00", 167),
            (month, "Europe/Berlin", "2026-10-31T23:30:00Z", "2026-11-01T00:00:00+01:00", 720),
            (month, "Asia/Kolkata", "2026-02-28T18:29:59Z", "2026-02-01T00:00:00+05:30", 672),
            (month, "Asia/Kolkata", "2026-02-28T18:30:00Z", "2026-03-01T00:00:00+05:30", 744),
        ] {
            assert_eq!(span(period, zone, now), (start.to_owned(), hours), "{period} {zone} {now}");
        }
    }

    #[test]
    fn the_last_24_hours_end_with_the_instant_itself() {
        let now = at("2026-03-08T12:00:00Z");
        let span = BudgetPeriod::Rolling24h.span_of(Zone::default(), now);
        assert_eq!((span.end - span.start, span.end), (DAY, now + 1));
        let spans = BudgetPeriod::Rolling24h.spans(Zone::default(), now - 9 * DAY, now);
        assert_eq!(spans.collect::<Vec<_>>(), [span]);
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for period in BudgetPeriod::ALL {
            assert_eq!(period.name().parse::<BudgetPeriod>().unwrap(), period);
            assert_eq!(serde_json::to_value(period).unwrap(), period.name());
        }
        for name in ["", "Day", "daily", "rolling", "24h", "year"] {
            assert!(name.parse::<BudgetPeriod>().is_err(), "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn periods_follow_each_other_without_a_gap(
            from in 1_420_070_400_i64..1_900_000_000, days in 0_i64..100, zone in 0_usize..600, period in 1_usize..4,
        ) {
            let zone: Zone = chrono_tz::TZ_VARIANTS[zone % chrono_tz::TZ_VARIANTS.len()].name().parse().unwrap();
            let (from, to) = (from * 1_000_000, from * 1_000_000 + days * DAY);
            let spans: Vec<_> = BudgetPeriod::ALL[period].spans(zone, from, to).collect();
            prop_assert!(spans[0].start <= from && from < spans[0].end);
            prop_assert!(spans.last().unwrap().end > to && spans.last().unwrap().start <= to);
            for pair in spans.windows(2) {
                prop_assert_eq!(pair[0].end, pair[1].start);
            }
        }
    }
}
