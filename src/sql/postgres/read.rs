//! Parses dates and timestamps in ISO 8601 as PostgreSQL reads it.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use datafusion::error::Result;

use super::calendar;
use super::refusal::{quoted, refused};
use super::span::SECOND;

/// The parsed parts of a text.
struct Written {
    clock: NaiveDateTime,
    /// The instant in microseconds, if the text has an offset or a zone.
    instant: Option<i64>,
}

fn wrong(text: &str, kind: &str) -> datafusion::error::DataFusionError {
    refused(&format!("{} is not a {}; write it as 2026-01-31 23:59:59.5+00:00", quoted(text), kind))
}

/// The date; a time and an offset after it are ignored.
pub(super) fn date(text: &str) -> Result<i32> {
    let written = written(text).ok_or_else(|| wrong(text, "date"))?;
    Ok(calendar::days(written.clock.date()))
}

/// A timestamp without a zone, in microseconds; an offset is ignored.
pub(super) fn local(text: &str) -> Result<i64> {
    let written = written(text).ok_or_else(|| wrong(text, "timestamp"))?;
    Ok(calendar::micros(written.clock))
}

/// A timestamp with a zone, in microseconds. It is in UTC unless the text has an offset or a zone.
pub(super) fn instant(text: &str) -> Result<i64> {
    let written = written(text).ok_or_else(|| wrong(text, "timestamp"))?;
    Ok(written.instant.unwrap_or_else(|| calendar::micros(written.clock)))
}

fn written(text: &str) -> Option<Written> {
    let text = text.trim();
    let (day, rest) = match text.split_once(['T', 't', ' ']) {
        Some((day, rest)) => (day, rest.trim_start()),
        None => (text, ""),
    };
    let date = read_date(day)?;
    if rest.is_empty() {
        let clock = date.and_time(NaiveTime::MIN);
        return Some(Written { clock, instant: None });
    }
    let end = rest.find(|char: char| !char.is_ascii_digit() && char != ':' && char != '.');
    let (time, zone) = rest.split_at_checked(end.unwrap_or(rest.len()))?;
    // A day may have an offset without a time.
    let is_day = time.is_empty() && zone.starts_with(['+', '-']);
    let micros = if is_day { 0 } else { read_time(time)? };
    let clock =
        calendar::clock(calendar::midnight(calendar::days(date)).checked_add(micros)?).ok()?;
    let zone = zone.trim();
    let instant = match zone {
        "" => None,
        "Z" | "z" => Some(calendar::micros(clock)),
        zone if zone.starts_with(['+', '-']) => {
            Some(calendar::micros(clock).checked_sub(read_offset(zone)? * SECOND)?)
        }
        zone => Some(calendar::instant(calendar::micros(clock), calendar::zone(zone).ok()?).ok()?),
    };
    Some(Written { clock, instant })
}

fn number(text: &str, digits: std::ops::RangeInclusive<usize>) -> Option<u32> {
    let digits = digits.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

fn read_date(text: &str) -> Option<NaiveDate> {
    let (year, month, day) = if text.contains('-') {
        let mut parts = text.split('-');
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        (number(year, 4..=6)?, number(month, 1..=2)?, number(day, 1..=2)?)
    } else if text.len() == 8 {
        (
            number(text.get(..4)?, 4..=4)?,
            number(text.get(4..6)?, 2..=2)?,
            number(text.get(6..)?, 2..=2)?,
        )
    } else {
        return None;
    };
    NaiveDate::from_ymd_opt(i32::try_from(year).ok().filter(|year| *year > 0)?, month, day)
}

/// Microseconds since midnight; 24:00 is the next midnight.
fn read_time(text: &str) -> Option<i64> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = clock.split(':');
    let hour = number(parts.next()?, 1..=2)?;
    let minute = number(parts.next()?, 1..=2)?;
    let second = parts.next().map_or(Some(0), |second| number(second, 1..=2))?;
    if parts.next().is_some() || minute > 59 || second > 60 {
        return None;
    }
    let micros = if fraction.is_empty() { 0 } else { read_fraction(fraction)? };
    let all = i64::from(hour * 3_600 + minute * 60 + second) * SECOND + micros;
    (all <= 86_400 * SECOND && hour <= 24).then_some(all)
}

/// A fraction of a second, rounded to microseconds.
fn read_fraction(text: &str) -> Option<i64> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let padded = format!("{text:0<7}");
    let (micros, rest) = padded.split_at_checked(6)?;
    let micros: i64 = micros.parse().ok()?;
    let above_half = rest > "5" && rest.trim_end_matches('0') != "5";
    let half = rest.trim_end_matches('0') == "5";
    Some(micros + i64::from(above_half || (half && micros % 2 == 1)))
}

/// Seconds east of UTC: `+05`, `+0530`, `+05:30`.
fn read_offset(text: &str) -> Option<i64> {
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let digits = text.get(1..)?;
    let (hours, minutes) = match digits.split_once(':') {
        Some(parts) => parts,
        None if digits.len() == 4 => digits.split_at_checked(2)?,
        None => (digits, "00"),
    };
    let (hours, minutes) = (number(hours, 1..=2)?, number(minutes, 2..=2)?);
    (hours < 16 && minutes < 60).then(|| sign * i64::from(hours * 3_600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use super::{date, instant, local};

    #[test]
    fn offsets_count_where_a_zone_does() {
        let ten = local("2026-11-01 10:00").unwrap();
        for text in
            ["2026-11-01T10:00:00+05:30", "2026-11-01 10:00:00 Asia/Kolkata", "20261101 10:00Z"]
        {
            assert_eq!(local(text).unwrap(), ten, "{text}");
        }
        let half_past_four = local("2026-11-01 04:30").unwrap();
        for text in [
            "2026-11-01T10:00:00+05:30",
            "2026-11-01 10:00 Asia/Kolkata",
            "2026-11-01 04:30+00",
            "2026-11-01 04:30",
        ] {
            assert_eq!(instant(text).unwrap(), half_past_four, "{text}");
        }
        assert_eq!(date("2026-11-01 23:00:00-05").unwrap(), date("2026-11-1").unwrap());
        assert_eq!(local("2026-10-31 24:00").unwrap(), local("2026-11-01").unwrap());
        assert_eq!(local("2026-01-01 00:00:00.0000015").unwrap() - local("2026-01-01").unwrap(), 2);
        for text in [
            "",
            "now",
            "2026",
            "2026-13-01",
            "2026-02-30",
            "2026-01-01 25:00",
            "2026-01-01T10:00:00+99",
            "infinity",
        ] {
            assert!(instant(text).is_err(), "{text}");
        }
    }
}
