//! Intervals as PostgreSQL has them: months, days and microseconds, which are read, shown, compared
//! and multiplied by its rules.

use std::fmt;

use arrow::datatypes::IntervalMonthDayNano;
use datafusion::error::Result;

use super::refused;

/// Microseconds of a second.
pub(super) const SECOND: i64 = 1_000_000;
/// Microseconds of a day.
pub(super) const DAY: i64 = 86_400 * SECOND;
/// Days of a month where months are compared or divided.
const MONTH_DAYS: i64 = 30;
const MONTHS: i64 = 12;

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
    /// Of Arrow's value, whose nanoseconds are cut.
    pub(super) fn of(value: IntervalMonthDayNano) -> Self {
        let IntervalMonthDayNano { months, days, nanoseconds } = value;
        Self { months, days, micros: nanoseconds.div_euclid(1_000) }
    }

    /// Arrow's value.
    pub(super) fn value(self) -> Result<IntervalMonthDayNano> {
        let nanos = self.micros.checked_mul(1_000).ok_or_else(too_long)?;
        Ok(IntervalMonthDayNano::new(self.months, self.days, nanos))
    }

    /// Microseconds as days and a time of day, as a difference of timestamps has them.
    pub(super) fn of_micros(micros: i64) -> Result<Self> {
        let days = i32::try_from(micros / DAY).map_err(|_| too_long())?;
        Ok(Self { months: 0, days, micros: micros % DAY })
    }

    /// The contrary.
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

    /// What intervals are compared by: microseconds, where a month has 30 days and a day 24 hours.
    pub(super) fn size(self) -> i128 {
        let days = i128::from(self.months) * i128::from(MONTH_DAYS) + i128::from(self.days);
        days * i128::from(DAY) + i128::from(self.micros)
    }

    /// Microseconds of `extract(epoch …)`, where 12 months are 365.25 days.
    pub(super) fn epoch_micros(self) -> i128 {
        let (years, months) = (i128::from(self.months / 12), i128::from(self.months % 12));
        let days = months * i128::from(MONTH_DAYS) + i128::from(self.days);
        years * i128::from(DAY) * 1_461 / 4 + days * i128::from(DAY) + i128::from(self.micros)
    }

    /// The interval so many times. What is left of a month becomes days, of a day time.
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

    /// Words that Arrow's reader takes for exactly this.
    pub(super) fn for_arrow(self) -> String {
        let Self { months, days, micros } = self;
        format!("{months} months {days} days {micros} microseconds")
    }

    /// Reads `1 year 2 mons -3 days 04:05:06.7`, `5` with a unit of its own, ISO 8601, and `ago`.
    ///
    /// # Errors
    /// What PostgreSQL does not read, or reads in a style that is not read here.
    pub(super) fn parse(text: &str, unit: Option<&str>) -> Result<Self> {
        let wrong = || {
            refused(&format!(
                "the interval {text:?} is not understood; write it as INTERVAL '1 month 2 days 03:04:05'"
            ))
        };
        let lower = text.trim().to_lowercase();
        if let Some(iso) = lower.strip_prefix('p') {
            return iso_8601(iso).ok_or_else(wrong);
        }
        let words = words(&lower).ok_or_else(wrong)?;
        let mut words = words.as_slice();
        let ago = matches!(words.last(), Some(last) if last == "ago");
        if ago {
            words = words.get(..words.len() - 1).unwrap_or_default();
        }
        let mut span = Self::default();
        if words.is_empty() {
            return Err(wrong());
        }
        while let [first, rest @ ..] = words {
            if first.contains(':') {
                let time = clock(first).ok_or_else(wrong)?;
                span = span.plus(Self { micros: time, ..Self::default() })?;
                words = rest;
                continue;
            }
            let amount = Amount::parse(first).ok_or_else(wrong)?;
            let (name, rest) = match rest {
                [name, rest @ ..] if name.starts_with(|char: char| char.is_alphabetic()) => {
                    (name.as_str(), rest)
                }
                [] => (unit.unwrap_or("second"), rest),
                _ => return Err(wrong()),
            };
            span = span.plus(amount.of(&name.to_lowercase()).ok_or_else(wrong)?)?;
            words = rest;
        }
        if ago { span.negated() } else { Ok(span) }
    }
}

/// Splits `3days` and `3 days` alike.
fn words(text: &str) -> Option<Vec<String>> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let at = word.find(|char: char| char.is_alphabetic()).filter(|at| *at > 0);
        match at.and_then(|at| word.split_at_checked(at)) {
            Some((number, name)) => words.extend([number.to_owned(), name.to_owned()]),
            None => words.push(word.to_owned()),
        }
    }
    let clean = words.iter().all(|word| {
        word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.:".contains(&byte))
    });
    clean.then_some(words)
}

/// A time of day with a sign, in microseconds: `hh:mm`, `hh:mm:ss`, `hh:mm:ss.ffffff`.
fn clock(text: &str) -> Option<i64> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let parts: Vec<&str> = text.split(':').collect();
    let (hours, minutes, seconds) = match parts.as_slice() {
        [hours, minutes] if !minutes.contains('.') => (*hours, *minutes, "0"),
        [hours, minutes, seconds] => (*hours, *minutes, *seconds),
        _ => return None,
    };
    let number = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<i64>().ok())?
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let seconds = Amount::parse(seconds).filter(|seconds| !seconds.negative)?;
    let micros = seconds.times(SECOND)?;
    if minutes >= 60 || micros >= 60 * SECOND {
        return None;
    }
    let micros = hours
        .checked_mul(3_600)?
        .checked_add(minutes * 60)?
        .checked_mul(SECOND)?
        .checked_add(micros)?;
    Some(if negative { -micros } else { micros })
}

/// A decimal number: its whole part, and its fraction in 10⁻⁹.
struct Amount {
    negative: bool,
    whole: i64,
    nanos: i64,
}

impl Amount {
    fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, places) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.len() + places.len() == 0
            || !all_digits(whole)
            || !all_digits(places)
            || places.len() > 9
        {
            return None;
        }
        let whole = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        let nanos = format!("{places:0<9}").parse().ok()?;
        Some(Self { negative, whole, nanos })
    }

    /// So many units, rounded half to even.
    fn times(&self, unit: i64) -> Option<i64> {
        let (all, half) = (i128::from(self.nanos) * i128::from(unit), 500_000_000);
        let (mut more, rest) = (all / 1_000_000_000, all % 1_000_000_000);
        if rest > half || (rest == half && more % 2 == 1) {
            more += 1;
        }
        let value = self.whole.checked_mul(unit)?.checked_add(i64::try_from(more).ok()?)?;
        Some(if self.negative { -value } else { value })
    }

    fn of(&self, unit: &str) -> Option<Span> {
        let (months, days, micros) = match unit {
            "microsecond" | "microseconds" | "us" | "usec" | "usecs" => (0, 0, 1),
            "millisecond" | "milliseconds" | "ms" | "msec" | "msecs" => (0, 0, 1_000),
            "second" | "seconds" | "sec" | "secs" | "s" => (0, 0, SECOND),
            "minute" | "minutes" | "min" | "mins" | "m" => (0, 0, 60 * SECOND),
            "hour" | "hours" | "hr" | "hrs" | "h" => (0, 0, 3_600 * SECOND),
            "day" | "days" | "d" => (0, 1, 0),
            "week" | "weeks" | "w" => (0, 7, 0),
            "month" | "months" | "mon" | "mons" => (1, 0, 0),
            "year" | "years" | "yr" | "yrs" | "y" => (MONTHS, 0, 0),
            "decade" | "decades" => (10 * MONTHS, 0, 0),
            "century" | "centuries" | "c" => (100 * MONTHS, 0, 0),
            "millennium" | "millennia" | "mil" | "mils" => (1_000 * MONTHS, 0, 0),
            _ => return None,
        };
        if micros > 0 {
            return Some(Span { micros: self.times(micros)?, ..Span::default() });
        }
        if days > 0 {
            return self.in_days(days);
        }
        self.in_months(months)
    }

    fn in_days(&self, each: i64) -> Option<Span> {
        let sign = if self.negative { -1 } else { 1 };
        let nanos = self.nanos.checked_mul(each)?;
        let days = self.whole.checked_mul(each)?.checked_add(nanos / 1_000_000_000)?;
        let rest = Self { negative: self.negative, whole: 0, nanos: nanos % 1_000_000_000 };
        Some(Span { months: 0, days: i32::try_from(sign * days).ok()?, micros: rest.times(DAY)? })
    }

    fn in_months(&self, each: i64) -> Option<Span> {
        let sign = if self.negative { -1 } else { 1 };
        // A part of a year is rounded to months, one of a month becomes days.
        if each > 1 {
            let whole = Self { negative: false, ..*self }.times(each)?;
            return Some(Span { months: i32::try_from(sign * whole).ok()?, ..Span::default() });
        }
        let rest = Self { negative: self.negative, whole: 0, nanos: self.nanos };
        let days = rest.in_days(MONTH_DAYS)?;
        Some(Span { months: i32::try_from(sign * self.whole).ok()?, ..days })
    }
}

/// What follows the `P` of ISO 8601: `1y2m3dt4h5m6.7s`.
fn iso_8601(text: &str) -> Option<Span> {
    let (dates, times) = text.split_once('t').unwrap_or((text, ""));
    let mut span = Span::default();
    for (part, units) in [(dates, "ymwd"), (times, "hms")] {
        let mut rest = part;
        while !rest.is_empty() {
            let at = rest.find(|char: char| char.is_ascii_alphabetic())?;
            let (number, tail) = rest.split_at_checked(at)?;
            let unit = tail.get(..1)?;
            let name = match (unit, units) {
                ("m", "ymwd") => "month",
                (unit, units) if units.contains(unit) => unit,
                _ => return None,
            };
            span = span.plus(Amount::parse(number)?.of(name)?).ok()?;
            rest = tail.get(1..)?;
        }
    }
    Some(span)
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

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (years, months) = (self.months / 12, self.months % 12);
        let mut any = false;
        let mut before = false;
        for (amount, unit) in [(years, "year"), (months, "mon"), (self.days, "day")] {
            if amount == 0 {
                continue;
            }
            let space = if any { " " } else { "" };
            let plus = if before && amount > 0 { "+" } else { "" };
            let plural = if amount == 1 { "" } else { "s" };
            write!(f, "{space}{plus}{amount} {unit}{plural}")?;
            (any, before) = (true, amount < 0);
        }
        if any && self.micros == 0 {
            return Ok(());
        }
        let size = self.micros.unsigned_abs();
        let (seconds, fraction) = (size / 1_000_000, size % 1_000_000);
        let sign = match self.micros < 0 {
            true => "-",
            false if before => "+",
            false => "",
        };
        let space = if any { " " } else { "" };
        write!(
            f,
            "{space}{sign}{:02}:{:02}:{:02}",
            seconds / 3_600,
            seconds / 60 % 60,
            seconds % 60
        )?;
        if fraction > 0 {
            write!(f, ".{}", format!("{fraction:06}").trim_end_matches('0'))?;
        }
        Ok(())
    }
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
