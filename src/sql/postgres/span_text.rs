//! Intervals as text: PostgreSQL's units and ISO 8601.

use std::fmt;

use datafusion::error::Result;

use super::refusal::{quoted, refused};
use super::span::{DAY, MONTH_DAYS, SECOND, Span};

/// Months of a year.
const MONTHS: i64 = 12;

impl Span {
    /// Parses `1 year 2 mons -3 days 04:05:06.7`, `5` with a separate unit, ISO 8601, and `ago`.
    ///
    /// # Errors
    /// Texts that PostgreSQL rejects, and styles that are not supported here.
    pub(super) fn parse(text: &str, unit: Option<&str>) -> Result<Self> {
        let wrong = || {
            refused(&format!(
                "the interval {} is not understood; write it as INTERVAL '1 month 2 days 03:04:05'",
                quoted(text)
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

/// Splits `3days` and `3 days` in the same way.
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

/// A signed time of day, in microseconds: `hh:mm`, `hh:mm:ss`, `hh:mm:ss.ffffff`.
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

    /// This many units, rounded half to even.
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
        // A fraction of a year is rounded to months; a fraction of a month becomes days.
        if each > 1 {
            let whole = Self { negative: false, ..*self }.times(each)?;
            return Some(Span { months: i32::try_from(sign * whole).ok()?, ..Span::default() });
        }
        let rest = Self { negative: self.negative, whole: 0, nanos: self.nanos };
        let days = rest.in_days(MONTH_DAYS)?;
        Some(Span { months: i32::try_from(sign * self.whole).ok()?, ..days })
    }
}

/// Parses the text after the `P` of ISO 8601: `1y2m3dt4h5m6.7s`.
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
