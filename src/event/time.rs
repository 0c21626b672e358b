//! The time of an event, from text or a number, to the microsecond.

use chrono::DateTime;
use thiserror::Error;

use super::decimal::{Decimal, plain_digits};
use crate::clock::{Micros, SECOND};

/// The earliest time taken: 2015-01-01T00:00:00Z.
pub const EARLIEST: Micros = 1_420_070_400 * SECOND;

/// How far ahead of the clock an event may lie, for senders whose clocks run fast.
pub const AHEAD_MAX: Micros = 300 * SECOND;

/// Why a value is no time of an event.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum InvalidTime {
    /// Text of another form, or without an offset from UTC.
    #[error("is not an RFC 3339 time with an offset")]
    NotRfc3339,
    /// Not decimal text where a number is expected.
    #[error("is not a decimal number")]
    NotDecimal,
    /// Before [`EARLIEST`].
    #[error("is before 2015-01-01")]
    TooEarly,
    /// More than [`AHEAD_MAX`] after the clock's time.
    #[error("is more than 5 minutes ahead")]
    TooLate,
}

/// Reads RFC 3339 text with an offset; digits past the microsecond are cut. Any year is taken.
pub fn from_text(text: &str) -> Result<Micros, InvalidTime> {
    if let Some(time) = plain(text) {
        return Ok(time);
    }
    let time = DateTime::parse_from_rfc3339(text).map_err(|_| InvalidTime::NotRfc3339)?;
    Ok(time.timestamp_micros())
}

/// Reads the usual form, `2026-01-02T03:04:05.678Z` with any fraction or none; `None` for all other
/// text, good or bad.
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

/// Days since 1970 of a date from then on (Hinnant's `days_from_civil`).
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

/// Microseconds of what stands after the seconds: `Z`, or a point and digits before it.
fn fraction(rest: &[u8]) -> Option<Micros> {
    let digits = match rest {
        b"Z" => return Some(0),
        [b'.', digits @ .., b'Z'] if !digits.is_empty() => digits,
        _ => return None,
    };
    let mut scale = SECOND;
    digits.iter().try_fold(0, |sum, byte| {
        let digit = byte.wrapping_sub(b'0');
        scale /= 10;
        (digit < 10).then(|| sum + i64::from(digit) * scale)
    })
}

/// Reads a number of seconds since 1970 (below 1e11), milliseconds (below 1e14), microseconds
/// (below 1e17) or nanoseconds, given as decimal text; what is finer than a microsecond is cut.
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

/// Whether an event may have this time: from [`EARLIEST`] to [`AHEAD_MAX`] after `now`.
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_needs_an_offset() {
        let at = 1_704_164_645 * SECOND;
        let cases = [
            ("2024-01-02T03:04:05Z", Ok(at)),
            ("2024-01-02t03:04:05z", Ok(at)),
            ("2024-01-02T05:04:05+02:00", Ok(at)),
            ("2024-01-01T22:34:05.5-04:30", Ok(at + SECOND / 2)),
            ("2024-01-02T03:04:05.123456999999999999Z", Ok(at + 123_456)),
            ("1969-12-31T23:59:59Z", Ok(-SECOND)),
            ("2016-12-31T23:59:60Z", Ok(1_483_228_800 * SECOND)),
            ("2024-01-02T03:04:05", Err(InvalidTime::NotRfc3339)),
            ("2024-01-02", Err(InvalidTime::NotRfc3339)),
            ("2024-02-30T00:00:00Z", Err(InvalidTime::NotRfc3339)),
            ("2024-01-02T03:04:05Z ", Err(InvalidTime::NotRfc3339)),
            ("1704164645", Err(InvalidTime::NotRfc3339)),
            ("", Err(InvalidTime::NotRfc3339)),
        ];
        for (text, time) in cases {
            assert_eq!(from_text(text), time, "{text}");
        }
    }

    #[test]
    fn the_size_of_a_number_tells_its_unit() {
        let at = 1_704_164_645 * SECOND;
        let cases = [
            ("1704164645", Ok(at)),
            ("1704164645.1234569", Ok(at + 123_456)),
            ("1.704164645e9", Ok(at)),
            ("1704164645000", Ok(at)),
            ("1704164645000.9999", Ok(at + 999)),
            ("1704164645000000", Ok(at)),
            ("1704164645000000.9", Ok(at)),
            ("1704164645000000999", Ok(at)),
            ("99999999999.999999", Ok(99_999_999_999_999_999)),
            ("1e11", Ok(100_000_000 * SECOND)),
            ("99999999999999.999", Ok(99_999_999_999_999_999)),
            ("1e14", Ok(100_000_000 * SECOND)),
            ("99999999999999999", Ok(99_999_999_999_999_999)),
            ("1e17", Ok(100_000_000 * SECOND)),
            ("0", Ok(0)),
            ("-0", Ok(0)),
            ("1e-400", Ok(0)),
            ("-1", Err(InvalidTime::TooEarly)),
            ("-1e400", Err(InvalidTime::TooEarly)),
            ("1e400", Err(InvalidTime::TooLate)),
            ("1e23", Err(InvalidTime::TooLate)),
            ("now", Err(InvalidTime::NotDecimal)),
        ];
        for (text, time) in cases {
            assert_eq!(from_number(text), time, "{text}");
        }
    }

    #[test]
    fn the_range_includes_both_ends() {
        let now = 1_704_164_645 * SECOND;
        assert_eq!(check(EARLIEST, now), Ok(EARLIEST));
        assert_eq!(check(EARLIEST - 1, now), Err(InvalidTime::TooEarly));
        assert_eq!(check(now + AHEAD_MAX, now), Ok(now + AHEAD_MAX));
        assert_eq!(check(now + AHEAD_MAX + 1, now), Err(InvalidTime::TooLate));
        assert_eq!(from_text("2015-01-01T00:00:00Z"), Ok(EARLIEST));
    }

    proptest! {
        #[test]
        fn all_forms_of_a_time_agree(micros in EARLIEST..4_000_000_000_000_000) {
            let (seconds, fraction) = (micros / SECOND, micros % SECOND);
            let text = DateTime::from_timestamp_micros(micros).unwrap().to_rfc3339();
            prop_assert_eq!(from_text(&text), Ok(micros));
            prop_assert_eq!(from_number(&format!("{seconds}.{fraction:06}")), Ok(micros));
            prop_assert_eq!(from_number(&format!("{}.{:03}", micros / 1000, micros % 1000)), Ok(micros));
            prop_assert_eq!(from_number(&micros.to_string()), Ok(micros));
            prop_assert_eq!(from_number(&format!("{micros}789")), Ok(micros));
        }

        #[test]
        fn the_usual_form_is_read_as_any_other(
            year in 1900..2200_i32, month in 0..14_u32, day in 0..33_u32, clock in "[0-2][0-9]:[0-6][0-9]:[0-6][0-9]",
            fraction in "|\\.[0-9]{0,12}", zone in "Z|Z|z|",
        ) {
            let text = format!("{year}-{month:02}-{day:02}T{clock}{fraction}{zone}");
            let chronos = DateTime::parse_from_rfc3339(&text).map(|time| time.timestamp_micros());
            prop_assert_eq!(from_text(&text).ok(), chronos.ok(), "{}", text);
        }

        #[test]
        fn any_text_is_answered(text in ".*") {
            let _ = (from_text(&text), from_number(&text));
        }
    }
}
