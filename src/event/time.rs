//! The one reader of event times, for all formats: from text or a number to a microsecond.

use chrono::{NaiveDate, NaiveTime};
use thiserror::Error;

use super::decimal::{Decimal, plain_digits};
use crate::clock::{Micros, SECOND};

/// The earliest accepted time: 2015-01-01T00:00:00Z.
pub const EARLIEST: Micros = 1_420_070_400 * SECOND;

/// How far an event may be ahead of the clock, for senders whose clocks run fast.
pub const AHEAD_MAX: Micros = 300 * SECOND;

/// The meaning of a time without an offset from UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Naive {
    /// None: it could be in any zone.
    #[default]
    Refused,
    /// UTC, which most historical files use.
    Utc,
}

/// Why a value is not a valid time of an event.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum InvalidTime {
    /// Text in no known form.
    #[error("is neither an RFC 3339 time with an offset nor a number since 1970")]
    NotTime,
    /// Text without an offset, if [`Naive::Refused`] applies.
    #[error("has no offset from UTC; end it with Z or +00:00")]
    Naive,
    /// Not decimal text, although a number is expected.
    #[error("is not a decimal number")]
    NotDecimal,
    /// Before [`EARLIEST`].
    #[error("is before 2015-01-01")]
    TooEarly,
    /// More than [`AHEAD_MAX`] after the clock's time.
    #[error("is more than 5 minutes ahead")]
    TooLate,
}

/// As [`read`]; the text must have an offset.
///
/// # Errors
/// As [`read`].
pub fn from_text(text: &str) -> Result<Micros, InvalidTime> {
    read(text, Naive::Refused)
}

/// Reads an RFC 3339 time, in the spellings that programs use, or a number as [`from_number`] does.
/// Digits past the microsecond are cut. Any year is accepted.
///
/// # Errors
/// [`InvalidTime`], but never because of the range that [`check`] tests.
pub fn read(text: &str, naive: Naive) -> Result<Micros, InvalidTime> {
    if let Some(time) = plain(text) {
        return Ok(time);
    }
    let text = text.trim();
    match Spelled::of(text) {
        Some(spelled) => spelled.micros(naive),
        None => from_number(text).map_err(|error| match error {
            InvalidTime::NotDecimal => InvalidTime::NotTime,
            error => error,
        }),
    }
}

/// Reads the usual form, `2026-01-02T03:04:05.678Z`, with a fraction of any length or none; `None`
/// for all other text, valid or not.
fn plain(text: &str) -> Option<Micros> {
    let (date, rest) = text.as_bytes().split_first_chunk::<10>()?;
    let (clock, rest) = rest.split_first_chunk::<9>()?;
    let [y1, y2, y3, y4, b'-', mo1, mo2, b'-', d1, d2] = *date else { return None };
    let [b'T', h1, h2, b':', m1, m2, b':', s1, s2] = *clock else { return None };
    let (century, of_century) = (pair(y1, y2)?, pair(y3, y4)?);
    let (month, day) = (pair(mo1, mo2)?, pair(d1, d2)?);
    let (hour, minute, second) = (pair(h1, h2)?, pair(m1, m2)?, pair(s1, s2)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = days(century * 100 + of_century, month, day)?;
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    Some(seconds * SECOND + fraction(rest)?)
}

/// The number of two digits.
fn pair(tens: u8, ones: u8) -> Option<i64> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| i64::from(tens * 10 + ones))
}

/// Days since 1970 of a date not before 1970 (Hinnant's `days_from_civil`).
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if year < 1970 || day < 1 || day > last {
        return None;
    }
    let year = year - i64::from(month <= 2);
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    Some(era * 146_097 + of_era - 719_468)
}

/// Microseconds of the text after the seconds: `Z`, or a point and digits before it.
fn fraction(rest: &[u8]) -> Option<Micros> {
    match rest {
        b"Z" => Some(0),
        [b'.', digits @ .., b'Z'] if !digits.is_empty() => micros(digits),
        _ => None,
    }
}

/// Microseconds of the digits after the seconds' decimal point.
fn micros(digits: &[u8]) -> Option<Micros> {
    let mut scale = SECOND;
    digits.iter().try_fold(0, |sum, byte| {
        let digit = byte.wrapping_sub(b'0');
        scale /= 10;
        (digit < 10).then(|| sum + i64::from(digit) * scale)
    })
}

/// Text that begins with a date, such as `2026-01-02`, split after it.
struct Spelled<'t> {
    date: NaiveDate,
    /// The text after the date.
    rest: &'t str,
}

impl<'t> Spelled<'t> {
    /// Splits text that begins with a date; `None` for numbers and all other text.
    fn of(text: &'t str) -> Option<Self> {
        let (date, rest) = text.split_at_checked(10)?;
        let [y1, y2, y3, y4, b'-', mo1, mo2, b'-', d1, d2] = *date.as_bytes() else { return None };
        let year = i32::try_from(pair(y1, y2)? * 100 + pair(y3, y4)?).ok()?;
        let (month, day) =
            (u32::try_from(pair(mo1, mo2)?).ok()?, u32::try_from(pair(d1, d2)?).ok()?);
        Some(Self { date: NaiveDate::from_ymd_opt(year, month, day)?, rest })
    }

    fn micros(&self, naive: Naive) -> Result<Micros, InvalidTime> {
        let (clock, zone) = match self.rest {
            // A date alone means its midnight.
            "" => (0, ""),
            rest => clock(rest).ok_or(InvalidTime::NotTime)?,
        };
        let offset = match (zone.trim(), naive) {
            ("", Naive::Refused) => return Err(InvalidTime::Naive),
            ("", Naive::Utc) => 0,
            (zone, _) => offset_seconds(zone).ok_or(InvalidTime::NotTime)?,
        };
        let midnight = self.date.and_time(NaiveTime::MIN).and_utc().timestamp() * SECOND;
        Ok(midnight + clock - offset * SECOND)
    }
}

/// The time of day in microseconds, and the text after it: ` 10:00`, `T10:00:00`, `t10:00:00.5` or
/// `T10:00:00,5`. A leap second counts as the first second of the next minute.
fn clock(rest: &str) -> Option<(Micros, &str)> {
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (minutes, rest) = rest.split_at_checked(5)?;
    let [h1, h2, b':', m1, m2] = *minutes.as_bytes() else { return None };
    let (hour, minute) = (pair(h1, h2)?, pair(m1, m2)?);
    let (second, rest) = match rest.strip_prefix(':') {
        None => (0, rest),
        Some(rest) => {
            let (seconds, rest) = rest.split_at_checked(2)?;
            let [s1, s2] = *seconds.as_bytes() else { return None };
            let second = pair(s1, s2)? * SECOND;
            match rest.strip_prefix(['.', ',']) {
                None => (second, rest),
                Some(rest) => {
                    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
                    let (digits, rest) = rest.split_at_checked(end)?;
                    let fraction = (!digits.is_empty()).then(|| micros(digits.as_bytes()))??;
                    (second + fraction, rest)
                }
            }
        }
    };
    let valid = hour < 24 && minute < 60 && second < 61 * SECOND;
    valid.then_some(((hour * 60 + minute) * 60 * SECOND + second, rest))
}

/// Seconds east of UTC from `Z`, `UTC`, `+01`, `+0100`, `+01:00`, or `+0000 UTC` as Go prints it.
fn offset_seconds(zone: &str) -> Option<i64> {
    let is_utc = |name: &str| ["Z", "UTC", "GMT"].iter().any(|utc| name.eq_ignore_ascii_case(utc));
    if is_utc(zone) {
        return Some(0);
    }
    let (sign, rest) = match zone.strip_prefix('+') {
        Some(rest) => (1, rest),
        // RFC 3339 uses the ASCII minus, but ISO 8601 also has the minus sign U+2212.
        None => (-1, zone.strip_prefix(['-', '\u{2212}'])?),
    };
    let (digits, name) = rest.split_once(' ').unwrap_or((rest, ""));
    let (hours, minutes) = match *digits.as_bytes() {
        [h1, h2] => (pair(h1, h2)?, 0),
        [h1, h2, m1, m2] | [h1, h2, b':', m1, m2] => (pair(h1, h2)?, pair(m1, m2)?),
        _ => return None,
    };
    let seconds = sign * (hours * 60 + minutes) * 60;
    let named = name.is_empty() || seconds == 0 && is_utc(name);
    (hours < 24 && minutes < 60 && named).then_some(seconds)
}

/// Reads decimal text as seconds since 1970 (below 1e11), milliseconds (below 1e14), microseconds
/// (below 1e17) or nanoseconds. Digits past the microsecond are cut.
///
/// # Errors
/// [`InvalidTime`] if it is not decimal, negative, or too large for a [`Micros`].
pub fn from_number(text: &str) -> Result<Micros, InvalidTime> {
    if let Some(number) = plain_digits(text).and_then(|number| i64::try_from(number).ok()) {
        return Ok(match number {
            0..100_000_000_000 => number * SECOND,
            100_000_000_000..100_000_000_000_000 => number * (SECOND / 1_000),
            100_000_000_000_000..100_000_000_000_000_000 => number,
            _ => number / 1_000,
        });
    }
    let decimal = Decimal::parse(text).ok_or(InvalidTime::NotDecimal)?;
    if decimal.is_negative() {
        return Err(InvalidTime::TooEarly);
    }
    let scale = match decimal.scaled(0).units {
        Some(..100_000_000_000) => 6,
        Some(..100_000_000_000_000) => 3,
        Some(..100_000_000_000_000_000) => 0,
        _ => -3,
    };
    let micros = decimal.scaled(scale).units.and_then(|units| Micros::try_from(units).ok());
    micros.ok_or(InvalidTime::TooLate)
}

/// Checks that an event may have this time: from [`EARLIEST`] to [`AHEAD_MAX`] after `now`.
pub fn check(time: Micros, now: Micros) -> Result<Micros, InvalidTime> {
    if time < EARLIEST {
        Err(InvalidTime::TooEarly)
    } else if time > now.saturating_add(AHEAD_MAX) {
        Err(InvalidTime::TooLate)
    } else {
        Ok(time)
    }
}

#[cfg(test)]
#[path = "time_tests.rs"]
mod tests;
