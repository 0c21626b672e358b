//! The ends of a range, as they are sent: dates and times.

use chrono::NaiveDate;

use super::error::UsageError;
use super::zone::Zone;
use crate::clock::Micros;
use crate::event::excerpt;
use crate::event::time::{Naive, read};

/// Digits of a second's fraction that an event's time has.
const PLACES: usize = 6;
/// Characters of a year, and of a date.
const YEAR: usize = "2026".len();
const DATE: usize = "2026-01-02".len();

/// Reads an end of a range. A date is its first instant in the zone. Of a time with more digits than
/// events have, the next instant that an event may have is taken, since no event lies between.
///
/// # Errors
/// [`UsageError::Time`].
pub fn read_instant(name: &'static str, text: &str, zone: Zone) -> Result<Micros, UsageError> {
    let wrong = || UsageError::Time { name, text: excerpt(text) };
    let text = text.trim();
    // A number since 1970 is no RFC 3339 time.
    let year = text.split_once('-').map_or("", |(year, _)| year);
    if year.len() != YEAR || !year.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(wrong());
    }
    if text.len() == DATE && !text.contains(' ') {
        let date = text.parse::<NaiveDate>().map_err(|_| wrong())?;
        return Ok(zone.start_of(date));
    }
    let text = &with_plus(text);
    let at = read(text, Naive::Refused).map_err(|_| wrong())?;
    Ok(at + Micros::from(has_more_digits(text)))
}

/// Checks an end of a range, whatever the zone.
///
/// # Errors
/// [`UsageError::Time`].
pub fn check_instant(name: &'static str, text: &str) -> Result<(), UsageError> {
    read_instant(name, text, Zone::default()).map(drop)
}

/// In a URL, a `+` that is not escaped is a blank: `10:00:00 05:30` can only mean `10:00:00+05:30`.
fn with_plus(text: &str) -> String {
    let is_offset = |end: &str| matches!(end.as_bytes(), [_, _, b':', _, _]);
    match text.rsplit_once(' ') {
        Some((time, end)) if time.contains(':') && is_offset(end) => format!("{time}+{end}"),
        _ => text.to_owned(),
    }
}

/// True if something is left after the microseconds.
fn has_more_digits(text: &str) -> bool {
    let fraction = text.split_once(['.', ',']).map_or("", |(_, rest)| rest);
    let digits = fraction.bytes().take_while(u8::is_ascii_digit);
    digits.skip(PLACES).any(|digit| digit != b'0')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{HOUR, SECOND};

    /// 2026-03-01T00:00:00Z.
    const MARCH: Micros = 1_772_323_200 * SECOND;

    fn of(text: &str) -> Option<Micros> {
        read_instant("from", text, "Asia/Kolkata".parse().unwrap()).ok()
    }

    #[test]
    fn a_date_is_its_midnight_there_and_a_time_has_an_offset() {
        assert_eq!(of("2026-03-01"), Some(MARCH - 5 * HOUR - HOUR / 2));
        for same in [
            "2026-03-01T00:00:00Z",
            "2026-03-01T05:30:00+05:30",
            "2026-03-01T05:30:00 05:30",
            "2026-03-01 05:30:00 05:30",
            "2026-03-01T00:00Z",
            "2026-02-28T19:00:00-05:00",
            "2026-02-28T23:59:59.9999991Z",
            "2026-03-01T00:00:00.0000000Z",
        ] {
            assert_eq!(of(same), Some(MARCH), "{same}");
        }
        assert_eq!(of("2026-03-01T00:00:00.000001Z"), Some(MARCH + 1));
        for wrong in [
            "",
            "2026-03-01T00:00:00",
            "2026-03-01 05:30",
            "2026-02-30",
            "2026-3-1",
            "2026-03",
            "1772323200",
            "yesterday",
            "2026-03-01T25:00:00Z",
            "+026-03-01",
            "2026- 3- 1",
        ] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
        assert!(of("0001-01-01").is_some() && of("9999-12-31").is_some());
    }
}
