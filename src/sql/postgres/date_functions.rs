//! `extract`, `date_trunc`, `date_bin`, `age`: parts of times, and the starts of their units.

use std::sync::Arc;

use arrow::array::{AsArray as _, Decimal128Array, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, IntervalMonthDayNanoType, TimestampMicrosecondType};
use chrono::{Datelike as _, Timelike as _};
use datafusion::error::Result;
use datafusion::logical_expr::ScalarUDF;

use super::calendar;
use super::columns::{INTERVAL, NativeValue, TIME, cell, map_two, micros, two};
use super::decimal::Scale;
use super::function::{Given, PlannedTypes, function};
use super::refusal::{quoted, refused};
use super::span::{DAY, SECOND, Span};
use super::types::timestamp;

/// Parts with a fraction of a second, and their decimal places.
const FRACTIONS: [(&str, u8); 5] =
    [("second", 6), ("seconds", 6), ("epoch", 6), ("millisecond", 3), ("milliseconds", 3)];

/// `extract(part FROM time)`: a decimal, as in PostgreSQL.
pub(super) fn date_part() -> ScalarUDF {
    let plan = |given: &Given<'_>| {
        let of = match given.types.get(1) {
            Some(DataType::Date32 | DataType::Date64) => DataType::Date32,
            Some(DataType::Interval(_) | DataType::Duration(_)) => INTERVAL,
            Some(DataType::Time32(_) | DataType::Time64(_)) => TIME,
            Some(DataType::Timestamp(_, zone)) => timestamp(zone.is_some()),
            Some(DataType::Null) => timestamp(true),
            _ => {
                return Err(refused(
                    "extract takes a date, a time, a timestamp or an interval; cast texts",
                ));
            }
        };
        let part = given.text(0).unwrap_or("epoch").to_lowercase();
        let places =
            FRACTIONS.iter().find(|(name, _)| *name == part).map_or(0, |(_, places)| *places);
        let of_date = of == DataType::Date32;
        let places = if of_date { 0 } else { places };
        let gives = Scale { digits: 19 + places, places }.kind();
        Ok(PlannedTypes { takes: vec![DataType::Utf8, of], gives })
    };
    function("date_part", plan, |args, of| {
        let (parts, times) = two(args)?;
        let parts = parts.as_string::<i32>().iter().enumerate();
        let values = parts.map(|(row, part)| {
            let (Some(part), Some(time)) = (part, cell(times, row)) else { return Ok(None) };
            part_of(&part.to_lowercase(), &time).map(Some)
        });
        let values = values.collect::<Result<Decimal128Array>>()?;
        Ok(Arc::new(values.with_data_type(of.clone())))
    })
}

fn unknown(part: &str) -> datafusion::error::DataFusionError {
    refused(&format!("extract does not support {} for this type", quoted(part)))
}

/// The part as a decimal, in units of its last place.
fn part_of(part: &str, time: &NativeValue) -> Result<i128> {
    match time {
        NativeValue::Date(days) => of_date(part, *days),
        NativeValue::Timestamp { micros, .. } => match of_clock(part, micros.rem_euclid(DAY)) {
            Some(value) => Ok(value),
            None if part == "epoch" => Ok((*micros).into()),
            None => {
                let days = i32::try_from(micros.div_euclid(DAY)).map_err(|_| unknown(part))?;
                of_date(part, days)
            }
        },
        NativeValue::Time(nanos) => match of_clock(part, nanos / 1_000) {
            Some(value) => Ok(value),
            None if part == "epoch" => Ok((nanos / 1_000).into()),
            None => Err(unknown(part)),
        },
        NativeValue::Interval(span) => of_span(part, *span),
        _ => Err(unknown(part)),
    }
}

fn of_clock(part: &str, micros: i64) -> Option<i128> {
    Some(i128::from(match part {
        "hour" | "hours" => micros / (3_600 * SECOND),
        "minute" | "minutes" => micros / (60 * SECOND) % 60,
        "second" | "seconds" | "millisecond" | "milliseconds" | "microsecond" | "microseconds" => {
            micros % (60 * SECOND)
        }
        _ => return None,
    }))
}

fn of_date(part: &str, days: i32) -> Result<i128> {
    let date = calendar::date(days)?;
    let year = date.year();
    // There is no year 0: year -1 precedes year 1.
    let shown = if year > 0 { year } else { year - 1 };
    Ok(i128::from(match part {
        "epoch" => return Ok(i128::from(days) * 86_400),
        "day" | "days" => i64::from(date.day()),
        "month" | "months" => date.month().into(),
        "quarter" => ((date.month() - 1) / 3 + 1).into(),
        "year" | "years" => shown.into(),
        "decade" | "decades" => year.div_euclid(10).into(),
        "century" | "centuries" if year > 0 => ((year - 1) / 100 + 1).into(),
        "millennium" | "millennia" if year > 0 => ((year - 1) / 1_000 + 1).into(),
        "dow" => date.weekday().num_days_from_sunday().into(),
        "isodow" => date.weekday().number_from_monday().into(),
        "doy" => date.ordinal().into(),
        "week" | "weeks" => date.iso_week().week().into(),
        "isoyear" => date.iso_week().year().into(),
        _ => return Err(unknown(part)),
    }))
}

fn of_span(part: &str, span: Span) -> Result<i128> {
    let years = span.months / 12;
    Ok(match part {
        "epoch" => span.epoch_micros(),
        "day" | "days" => span.days.into(),
        "month" | "months" => (span.months % 12).into(),
        "quarter" => (span.months % 12 / 3 + 1).into(),
        "year" | "years" => years.into(),
        "decade" | "decades" => (years / 10).into(),
        "century" | "centuries" => (years / 100).into(),
        "millennium" | "millennia" => (years / 1_000).into(),
        part => return of_clock(part, span.micros).ok_or_else(|| unknown(part)),
    })
}

/// The timestamp type that `date_trunc` and `date_bin` accept for an argument.
fn cut_of(given: &Given<'_>, place: usize) -> Result<DataType> {
    match given.types.get(place) {
        Some(DataType::Timestamp(_, None)) => Ok(timestamp(false)),
        Some(DataType::Interval(_)) => {
            Err(refused("intervals cannot be truncated here; use extract(epoch FROM interval)"))
        }
        _ => Ok(timestamp(true)),
    }
}

/// `date_trunc(unit, time)` and `date_trunc(unit, time, zone)`.
pub(super) fn date_trunc() -> ScalarUDF {
    let plan = |given: &Given<'_>| {
        let at = cut_of(given, 1)?;
        if given.types.len() == 3 {
            let at = timestamp(true);
            return Ok(PlannedTypes {
                takes: vec![DataType::Utf8, at.clone(), DataType::Utf8],
                gives: at,
            });
        }
        Ok(PlannedTypes { takes: vec![DataType::Utf8, at.clone()], gives: at })
    };
    function("date_trunc", plan, |args, of| {
        let (units, times) = two(args)?;
        let times = micros(times)?;
        let zones: Vec<Option<&str>> =
            args.get(2).map(|zones| zones.as_string::<i32>().iter().collect()).unwrap_or_default();
        let zones = (0..times.len())
            .map(|row| zones.get(row).copied().map_or(Some(None), |zone| zone.map(Some)));
        let mut last = Unit::default();
        let rows = units.as_string::<i32>().iter().zip(times.iter()).zip(zones);
        let cut = rows.map(|((unit, time), zone)| {
            let (Some(unit), Some(time), Some(zone)) = (unit, time, zone) else { return Ok(None) };
            let unit = last.lower(unit);
            let Some(zone) = zone else { return calendar::cut(unit, time).map(Some) };
            let zone = calendar::zone(zone)?;
            let start = calendar::cut(unit, calendar::local(time, zone)?)?;
            calendar::instant(start, zone).map(Some)
        });
        let cut = cut.collect::<Result<Vec<_>>>()?;
        Ok(Arc::new(TimestampMicrosecondArray::from(cut).with_data_type(of.clone())))
    })
}

/// The previous row's unit, which is usually the unit of all rows.
#[derive(Default)]
struct Unit {
    asked: String,
    lower: String,
}

impl Unit {
    fn lower(&mut self, asked: &str) -> &str {
        if self.asked != asked {
            *self = Self { asked: asked.to_owned(), lower: asked.to_lowercase() };
        }
        &self.lower
    }
}

/// `date_bin(width, time)` and `date_bin(width, time, origin)`.
pub(super) fn date_bin() -> ScalarUDF {
    let plan = |given: &Given<'_>| {
        let at = cut_of(given, 1)?;
        let mut takes = vec![INTERVAL, at.clone()];
        takes.extend((given.types.len() > 2).then(|| at.clone()));
        Ok(PlannedTypes { takes, gives: at })
    };
    function("date_bin", plan, |args, of| {
        type Time = TimestampMicrosecondType;
        type Spans = IntervalMonthDayNanoType;
        let bins = map_two::<Spans, Time, Time>(args, of, |width, time| {
            Ok(time - time.rem_euclid(wide(width)?))
        });
        let Some(origin) = args.get(2) else { return bins };
        let (widths, times) = two(args)?;
        let rows = widths.as_primitive::<Spans>().iter().zip(times.as_primitive::<Time>().iter());
        let rows = rows.zip(origin.as_primitive::<Time>().iter()).map(|((width, time), origin)| {
            let (Some(width), Some(time), Some(origin)) = (width, time, origin) else {
                return Ok(None);
            };
            let since =
                time.checked_sub(origin).ok_or_else(|| refused("a timestamp is out of range"))?;
            Ok(Some(time - since.rem_euclid(wide(width)?)))
        });
        let bins = rows.collect::<Result<Vec<_>>>()?;
        Ok(Arc::new(TimestampMicrosecondArray::from(bins).with_data_type(of.clone())))
    })
}

/// The width of bins in microseconds.
fn wide(width: arrow::datatypes::IntervalMonthDayNano) -> Result<i64> {
    let span = Span::of(width);
    let size = i64::try_from(span.size()).unwrap_or_default();
    if span.months == 0 && size > 0 {
        Ok(size)
    } else {
        Err(refused(
            "date_bin takes a width of days and hours that is above zero; for months use date_trunc",
        ))
    }
}

/// `age(later, earlier)`: years, months, days and a time, by the calendar.
pub(super) fn age() -> ScalarUDF {
    let plan = |given: &Given<'_>| {
        if given.types.len() != 2 {
            return Err(refused("age takes two timestamps: age(later, earlier)"));
        }
        let zone = |place| matches!(given.types.get(place), Some(DataType::Timestamp(_, None)));
        let at = timestamp(!(zone(0) && zone(1)));
        Ok(PlannedTypes { takes: vec![at.clone(), at], gives: INTERVAL })
    };
    function("age", plan, |args, of| {
        type Time = TimestampMicrosecondType;
        map_two::<Time, Time, IntervalMonthDayNanoType>(args, of, |to, from| {
            if to < from { age_of(from, to)?.negated()?.value() } else { age_of(to, from)?.value() }
        })
    })
}

fn age_of(to: i64, from: i64) -> Result<Span> {
    let (later, earlier) = (calendar::clock(to)?, calendar::clock(from)?);
    let time = |at: &chrono::NaiveDateTime| {
        i64::from(at.num_seconds_from_midnight()) * SECOND + i64::from(at.nanosecond()) / 1_000
    };
    let mut micros = time(&later) - time(&earlier);
    let mut days = i64::from(later.day()) - i64::from(earlier.day());
    let mut months = i64::from(later.year() - earlier.year()) * 12 + i64::from(later.month())
        - i64::from(earlier.month());
    if micros < 0 {
        micros += DAY;
        days -= 1;
    }
    if days < 0 {
        // Days are borrowed from the month in which the age begins.
        days += calendar::month_days(earlier.date())?;
        months -= 1;
    }
    let too_long = |_| refused("an interval is out of range");
    Ok(Span {
        months: i32::try_from(months).map_err(too_long)?,
        days: i32::try_from(days).map_err(too_long)?,
        micros,
    })
}
