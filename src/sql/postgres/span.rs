//! Intervals as in PostgreSQL: months, days and microseconds, parsed, shown, compared and
//! multiplied by its rules.

use arrow::datatypes::IntervalMonthDayNano;
use datafusion::error::Result;

use super::refusal::refused;

/// Microseconds of a second.
pub(super) const SECOND: i64 = 1_000_000;
/// Microseconds of a day.
pub(super) const DAY: i64 = 86_400 * SECOND;
/// Days of a month when months are compared or divided.
pub(super) const MONTH_DAYS: i64 = 30;

/// An interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Span {
    pub months: i32,
    pub days: i32,
    /// Microseconds.
    pub micros: i64,
}

fn too_long() -> datafusion::error::DataFusionError {
    refused("an interval is out of range")
}

impl Span {
    /// From Arrow's value; nanoseconds are rounded down to microseconds.
    pub(super) fn of(value: IntervalMonthDayNano) -> Self {
        let IntervalMonthDayNano { months, days, nanoseconds } = value;
        Self { months, days, micros: nanoseconds.div_euclid(1_000) }
    }

    /// Arrow's value.
    pub(super) fn value(self) -> Result<IntervalMonthDayNano> {
        let nanos = self.micros.checked_mul(1_000).ok_or_else(too_long)?;
        Ok(IntervalMonthDayNano::new(self.months, self.days, nanos))
    }

    /// Microseconds as days and a time of day, as in a difference of timestamps.
    pub(super) fn of_micros(micros: i64) -> Result<Self> {
        let days = i32::try_from(micros / DAY).map_err(|_| too_long())?;
        Ok(Self { months: 0, days, micros: micros % DAY })
    }

    /// The negative interval.
    pub(super) fn negated(self) -> Result<Self> {
        Self::default().minus(self)
    }

    pub(super) fn plus(self, other: Self) -> Result<Self> {
        Ok(Self {
            months: self.months.checked_add(other.months).ok_or_else(too_long)?,
            days: self.days.checked_add(other.days).ok_or_else(too_long)?,
            micros: self.micros.checked_add(other.micros).ok_or_else(too_long)?,
        })
    }

    pub(super) fn minus(self, other: Self) -> Result<Self> {
        Ok(Self {
            months: self.months.checked_sub(other.months).ok_or_else(too_long)?,
            days: self.days.checked_sub(other.days).ok_or_else(too_long)?,
            micros: self.micros.checked_sub(other.micros).ok_or_else(too_long)?,
        })
    }

    /// The size by which intervals are compared: microseconds, with 30 days per month and 24 hours
    /// per day.
    pub(super) fn size(self) -> i128 {
        let days = i128::from(self.months) * i128::from(MONTH_DAYS) + i128::from(self.days);
        days * i128::from(DAY) + i128::from(self.micros)
    }

    /// Microseconds of `extract(epoch …)`, with 365.25 days per 12 months.
    pub(super) fn epoch_micros(self) -> i128 {
        let (years, months) = (i128::from(self.months / 12), i128::from(self.months % 12));
        let days = months * i128::from(MONTH_DAYS) + i128::from(self.days);
        years * i128::from(DAY) * 1_461 / 4 + days * i128::from(DAY) + i128::from(self.micros)
    }

    /// The interval scaled by a factor. Fractions of a month become days, and fractions of a day a
    /// time.
    #[expect(
        clippy::float_arithmetic,
        reason = "PostgreSQL multiplies by a float, rounding as here"
    )]
    pub(super) fn scaled(self, by: impl Fn(f64) -> f64) -> Result<Self> {
        let rounded = |value: f64| (value * 1e6).round_ties_even() / 1e6;
        let (months_all, days_all) = (by(f64::from(self.months)), by(f64::from(self.days)));
        let (months, mut days) = (whole(months_all)?, whole(days_all)?);
        let month_days = rounded((months_all - f64::from(months)) * 30.0);
        let seconds = days_all - f64::from(days) + month_days - month_days.trunc();
        let mut seconds = rounded(seconds * 86_400.0);
        if seconds.abs() >= 86_400.0 {
            days = days.checked_add(whole(seconds / 86_400.0)?).ok_or_else(too_long)?;
            seconds -= (seconds / 86_400.0).trunc() * 86_400.0;
        }
        let days = days.checked_add(whole(month_days)?).ok_or_else(too_long)?;
        let micros = (by(micros_as_float(self.micros)) + seconds * 1e6).round_ties_even();
        Ok(Self { months, days, micros: whole_micros(micros)? })
    }

    /// A text that Arrow's parser reads as exactly this interval.
    pub(super) fn for_arrow(self) -> String {
        let Self { months, days, micros } = self;
        format!("{months} months {days} days {micros} microseconds")
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the bounds are looked at")]
fn whole(value: f64) -> Result<i32> {
    let within = value.abs() < 2_147_483_647.0;
    within.then_some(value.trunc() as i32).ok_or_else(too_long)
}

#[expect(clippy::cast_possible_truncation, reason = "the bounds are looked at")]
fn whole_micros(value: f64) -> Result<i64> {
    let within = value.abs() < 9.2e18;
    within.then_some(value as i64).ok_or_else(too_long)
}

#[expect(clippy::cast_precision_loss, reason = "PostgreSQL multiplies so")]
fn micros_as_float(micros: i64) -> f64 {
    micros as f64
}

#[cfg(test)]
mod tests {
    use super::Span;

    fn shown(text: &str) -> String {
        Span::parse(text, None).unwrap().to_string()
    }

    #[test]
    fn intervals_are_read_and_shown_as_postgresql_does() {
        for (text, expected) in [
            ("1 day", "1 day"),
            ("5 hours 30 minutes", "05:30:00"),
            ("1.5 days", "1 day 12:00:00"),
            ("1.5 months", "1 mon 15 days"),
            ("1.5 years", "1 year 6 mons"),
            ("-1 mons +3 days -04:05:06.7", "-1 mons +3 days -04:05:06.7"),
            ("3days 2h", "3 days 02:00:00"),
            ("1 month ago", "-1 mons"),
            ("P1Y2M3DT4H5M6S", "1 year 2 mons 3 days 04:05:06"),
            ("90", "00:01:30"),
            ("-00:00:00.000001", "-00:00:00.000001"),
            ("0 days", "00:00:00"),
            ("100:00", "100:00:00"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
        assert_eq!(Span::parse("5", Some("DAY")).unwrap().days, 5);
        for text in ["", "x", "1 parsec", "1 day x", "1:2:3:4", "1 2 3", "1e5 days", "00:61"] {
            assert!(Span::parse(text, None).is_err(), "{text}");
        }
    }

    #[test]
    fn a_month_is_compared_as_30_days_and_a_day_as_24_hours() {
        let size = |text| Span::parse(text, None).unwrap().size();
        assert!(size("1 month") > size("29 days"));
        assert_eq!(size("1 month"), size("30 days"));
        assert_eq!(size("24 hours"), size("1 day"));
    }

    #[test]
    fn parts_of_months_become_days_and_parts_of_days_time() {
        let of = |text: &str, by: f64| {
            Span::parse(text, None).unwrap().scaled(|part| part * by).unwrap().to_string()
        };
        assert_eq!(of("1 month", 0.5), "15 days");
        assert_eq!(of("1 day", 1.5), "1 day 12:00:00");
        assert_eq!(of("1 mon 2 days 03:00:00", 2.5), "2 mons 20 days 07:30:00");
    }
}
