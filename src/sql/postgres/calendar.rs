//! Dates and times of day of timestamps in microseconds, and the local times of time zones.

use arrow::array::timezone::Tz;
use chrono::{
    DateTime, Datelike as _, LocalResult, NaiveDate, NaiveDateTime, Offset as _, TimeDelta,
    TimeZone as _,
};
use datafusion::error::Result;

use super::refusal::{quoted, refused};
use super::span::{DAY, SECOND};

/// Zone names without a place that mean the same in PostgreSQL.
const PLAIN_ZONES: [&str; 6] = ["UTC", "GMT", "Zulu", "EST", "MST", "HST"];

fn out_of_range() -> datafusion::error::DataFusionError {
    refused("a timestamp is out of range")
}

/// A time zone by its name.
///
/// # Errors
/// Offsets (PostgreSQL counts them in the other direction) and abbreviations.
pub(super) fn zone(name: &str) -> Result<Tz> {
    let known = name.contains('/') || PLAIN_ZONES.contains(&name);
    let zone = if known { name.parse().ok() } else { None };
    zone.ok_or_else(|| {
        refused(&format!(
            "the time zone {} is not known; use a name such as Europe/Berlin or UTC",
            quoted(name)
        ))
    })
}

/// The date and time of day of microseconds.
pub(super) fn clock(micros: i64) -> Result<NaiveDateTime> {
    DateTime::from_timestamp_micros(micros).map(|at| at.naive_utc()).ok_or_else(out_of_range)
}

/// Microseconds of a date and time of day.
pub(super) fn micros(clock: NaiveDateTime) -> i64 {
    clock.and_utc().timestamp_micros()
}

/// The local time of the zone at an instant.
pub(super) fn local(instant: i64, zone: Tz) -> Result<i64> {
    let at = clock(instant)?;
    let offset = zone.offset_from_utc_datetime(&at).fix().local_minus_utc();
    instant.checked_add(i64::from(offset) * SECOND).ok_or_else(out_of_range)
}

/// The instant of a local time of the zone. If the time occurs twice, the later one. If the clocks
/// skip it, the instant by the offset from before.
pub(super) fn instant(local: i64, zone: Tz) -> Result<i64> {
    let shown = clock(local)?;
    let offset = match zone.offset_from_local_datetime(&shown) {
        LocalResult::Single(offset) | LocalResult::Ambiguous(_, offset) => offset,
        LocalResult::None => {
            let before = shown.checked_sub_signed(TimeDelta::days(1)).ok_or_else(out_of_range)?;
            match zone.offset_from_local_datetime(&before) {
                LocalResult::Single(offset) | LocalResult::Ambiguous(_, offset) => offset,
                LocalResult::None => return Err(out_of_range()),
            }
        }
    };
    local.checked_sub(i64::from(offset.fix().local_minus_utc()) * SECOND).ok_or_else(out_of_range)
}

/// A date by its days since 1970.
pub(super) fn date(days: i32) -> Result<NaiveDate> {
    NaiveDate::from_epoch_days(days).ok_or_else(out_of_range)
}

/// The days since 1970 of a date.
pub(super) fn days(date: NaiveDate) -> i32 {
    date.to_epoch_days()
}

/// The number of days in a date's month.
pub(super) fn month_days(date: NaiveDate) -> Result<i64> {
    let first = date.with_day(1);
    let next = first.and_then(|first| first.checked_add_months(chrono::Months::new(1)));
    first.zip(next).map(|(first, next)| (next - first).num_days()).ok_or_else(out_of_range)
}

/// Midnight of a date, in microseconds.
pub(super) fn midnight(days: i32) -> i64 {
    i64::from(days) * DAY
}

/// The start of the unit of `date_trunc`, in microseconds.
///
/// # Errors
/// Units that PostgreSQL does not support.
pub(super) fn cut(unit: &str, micros: i64) -> Result<i64> {
    let to = |size: i64| Ok(micros - micros.rem_euclid(size));
    match unit {
        "microsecond" | "microseconds" | "us" => return Ok(micros),
        "millisecond" | "milliseconds" | "ms" => return to(1_000),
        "second" | "seconds" | "sec" => return to(SECOND),
        "minute" | "minutes" | "min" => return to(60 * SECOND),
        "hour" | "hours" => return to(3_600 * SECOND),
        "day" | "days" => return to(DAY),
        _ => {}
    }
    let date = clock(micros)?.date();
    let (year, month) = (date.year(), date.month());
    let first = |year, month| NaiveDate::from_ymd_opt(year, month, 1);
    // Decades begin with a year that ends in 0, centuries and millennia with one that ends in 1.
    let of_years = |size: i32, first: i32| (year - first).div_euclid(size) * size + first;
    let start = match unit {
        "week" | "weeks" => {
            date.checked_sub_signed(TimeDelta::days(date.weekday().num_days_from_monday().into()))
        }
        "month" | "months" => first(year, month),
        "quarter" | "quarters" => first(year, (month - 1) / 3 * 3 + 1),
        "year" | "years" => first(year, 1),
        "decade" | "decades" => first(of_years(10, 0), 1),
        "century" | "centuries" => first(of_years(100, 1), 1),
        "millennium" | "millennia" => first(of_years(1_000, 1), 1),
        _ => {
            return Err(refused(&format!(
                "date_trunc does not support {}; it supports microseconds … second, minute, hour, day, week, month, quarter, year, decade, century, millennium",
                quoted(unit)
            )));
        }
    };
    start.map(|date| midnight(days(date))).ok_or_else(out_of_range)
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDateTime;

    use super::{clock, cut, instant, local, micros, zone};

    fn at(text: &str) -> i64 {
        micros(text.parse::<NaiveDateTime>().unwrap())
    }

    #[test]
    fn clocks_that_are_changed_are_read_as_postgresql_reads_them() {
        let berlin = zone("Europe/Berlin").unwrap();
        // 02:30 is first skipped, and then occurs twice.
        assert_eq!(instant(at("2026-03-29T02:30:00"), berlin).unwrap(), at("2026-03-29T01:30:00"));
        assert_eq!(instant(at("2026-10-25T02:30:00"), berlin).unwrap(), at("2026-10-25T01:30:00"));
        assert_eq!(
            local(at("2026-10-31T19:00:00"), zone("Asia/Kolkata").unwrap()).unwrap(),
            at("2026-11-01T00:30:00")
        );
        for name in ["+05:30", "CET", "Nowhere/Town", "", "utc+5"] {
            assert!(zone(name).is_err(), "{name}");
        }
    }

    #[test]
    fn times_are_cut_before_1970_too() {
        for (unit, time, start) in [
            ("day", "1969-12-31T23:00:00", "1969-12-31T00:00:00"),
            ("hour", "1969-12-31T23:59:59.5", "1969-12-31T23:00:00"),
            ("week", "2026-11-01T10:00:00", "2026-10-26T00:00:00"),
            ("quarter", "2026-11-01T10:00:00", "2026-10-01T00:00:00"),
            ("decade", "2026-11-01T10:00:00", "2020-01-01T00:00:00"),
            ("century", "2000-11-01T10:00:00", "1901-01-01T00:00:00"),
            ("millennium", "2001-11-01T10:00:00", "2001-01-01T00:00:00"),
        ] {
            assert_eq!(
                clock(cut(unit, at(time)).unwrap()).unwrap(),
                start.parse().unwrap(),
                "{unit}"
            );
        }
        assert!(cut("fortnight", 0).is_err());
    }
}
