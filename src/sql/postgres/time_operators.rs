//! `+ - * /` of dates, times, timestamps and intervals.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _};
use arrow::compute::kernels::numeric;
use arrow::datatypes::{
    DataType, Date32Type, Float64Type, Int32Type, Int64Type, IntervalMonthDayNano,
    IntervalMonthDayNanoType, Time64NanosecondType, TimestampMicrosecondType,
};
use datafusion::error::Result;
use datafusion::logical_expr::ScalarUDF;

use super::calendar;
use super::columns::{INTERVAL, TIME, column, map, map_two, micros, two};
use super::decimal::divided_by_zero;
use super::function::{Given, PlannedTypes, operator};
use super::refusal::refused;
use super::span::{DAY, Span};
use super::types::timestamp;

/// Nanoseconds of a day.
const DAY_NANOS: i64 = DAY * 1_000;

fn out_of_range() -> datafusion::error::DataFusionError {
    refused("a date or time is out of range")
}

fn plan(takes: [DataType; 2], gives: DataType) -> Result<PlannedTypes> {
    Ok(PlannedTypes { takes: Vec::from(takes), gives })
}

/// The timestamp type for a date or a timestamp, with a zone or without.
fn as_timestamp(given: &Given<'_>, place: usize) -> DataType {
    let zone = matches!(given.types.get(place), Some(DataType::Timestamp(_, Some(_))));
    timestamp(zone)
}

/// A timestamp, or the midnight of a date, plus an interval.
pub(super) fn later() -> ScalarUDF {
    operator(
        "later",
        "+",
        |given| shifted(given, 0),
        |args, _| {
            let (at, span) = two(args)?;
            numeric::add(at, span).map_err(|_| out_of_range())
        },
    )
}

/// An interval plus a timestamp.
pub(super) fn later_by() -> ScalarUDF {
    let plan = |given: &Given<'_>| {
        let at = as_timestamp(given, 1);
        plan([INTERVAL, at.clone()], at)
    };
    operator("later_by", "+", plan, |args, _| {
        let (span, at) = two(args)?;
        numeric::add(at, span).map_err(|_| out_of_range())
    })
}

/// A timestamp, or the midnight of a date, minus an interval.
pub(super) fn earlier() -> ScalarUDF {
    operator(
        "earlier",
        "-",
        |given| shifted(given, 0),
        |args, _| {
            let (at, span) = two(args)?;
            numeric::sub(at, span).map_err(|_| out_of_range())
        },
    )
}

fn shifted(given: &Given<'_>, place: usize) -> Result<PlannedTypes> {
    let at = as_timestamp(given, place);
    plan([at.clone(), INTERVAL], at)
}

/// The interval between two timestamps: days and a time.
pub(super) fn between() -> ScalarUDF {
    let plan = |given: &Given<'_>| {
        let zone = |place| matches!(given.types.get(place), Some(DataType::Timestamp(_, Some(_))));
        let at = timestamp(zone(0) || zone(1));
        plan([at.clone(), at], INTERVAL)
    };
    operator("between", "-", plan, |args, of| {
        type Time = TimestampMicrosecondType;
        map_two::<Time, Time, IntervalMonthDayNanoType>(args, of, |to, from| {
            Span::of_micros(to.checked_sub(from).ok_or_else(out_of_range)?)?.value()
        })
    })
}

/// A date plus a number of days.
pub(super) fn days_later() -> ScalarUDF {
    let plan = |_: &Given<'_>| plan([DataType::Date32, DataType::Int64], DataType::Date32);
    operator("days_later", "+", plan, |args, of| {
        map_two::<Date32Type, Int64Type, Date32Type>(args, of, shift)
    })
}

/// A number of days plus a date.
pub(super) fn days_later_by() -> ScalarUDF {
    let plan = |_: &Given<'_>| plan([DataType::Int64, DataType::Date32], DataType::Date32);
    operator("days_later_by", "+", plan, |args, of| {
        map_two::<Int64Type, Date32Type, Date32Type>(args, of, |days, date| shift(date, days))
    })
}

/// A date minus a number of days.
pub(super) fn days_earlier() -> ScalarUDF {
    let plan = |_: &Given<'_>| plan([DataType::Date32, DataType::Int64], DataType::Date32);
    operator("days_earlier", "-", plan, |args, of| {
        map_two::<Date32Type, Int64Type, Date32Type>(args, of, |date, days| {
            shift(date, days.checked_neg().ok_or_else(out_of_range)?)
        })
    })
}

fn shift(date: i32, days: i64) -> Result<i32> {
    let moved = i64::from(date).checked_add(days).ok_or_else(out_of_range)?;
    let moved = i32::try_from(moved).map_err(|_| out_of_range())?;
    // What no calendar here shows has no text either.
    calendar::date(moved).map(|_| moved)
}

/// The number of days between two dates.
pub(super) fn days_between() -> ScalarUDF {
    let plan = |_: &Given<'_>| plan([DataType::Date32, DataType::Date32], DataType::Int32);
    operator("days_between", "-", plan, |args, of| {
        map_two::<Date32Type, Date32Type, Int32Type>(args, of, |to, from| {
            to.checked_sub(from).ok_or_else(out_of_range)
        })
    })
}

/// A date plus a time of day.
pub(super) fn date_and_time() -> ScalarUDF {
    let plan = |_: &Given<'_>| plan([DataType::Date32, TIME], timestamp(false));
    operator("date_and_time", "+", plan, |args, of| {
        type Time = TimestampMicrosecondType;
        map_two::<Date32Type, Time64NanosecondType, Time>(args, of, |date, time| {
            Ok(calendar::midnight(date) + time / 1_000)
        })
    })
}

/// A time of day plus an interval, whose days are ignored.
pub(super) fn time_later() -> ScalarUDF {
    operator("time_later", "+", |_| plan([TIME, INTERVAL], TIME), |args, of| turned(args, of, 1))
}

/// A time of day minus an interval.
pub(super) fn time_earlier() -> ScalarUDF {
    operator("time_earlier", "-", |_| plan([TIME, INTERVAL], TIME), |args, of| turned(args, of, -1))
}

fn turned(args: &[ArrayRef], of: &DataType, sign: i64) -> Result<ArrayRef> {
    type Time = Time64NanosecondType;
    map_two::<Time, IntervalMonthDayNanoType, Time>(args, of, |time, span| {
        let nanos = span.nanoseconds % DAY_NANOS;
        Ok((time + sign * nanos).rem_euclid(DAY_NANOS))
    })
}

/// The interval between two times of day.
pub(super) fn time_between() -> ScalarUDF {
    operator(
        "time_between",
        "-",
        |_| plan([TIME, TIME], INTERVAL),
        |args, of| {
            type Time = Time64NanosecondType;
            map_two::<Time, Time, IntervalMonthDayNanoType>(args, of, |to, from| {
                Ok(IntervalMonthDayNano::new(0, 0, to - from))
            })
        },
    )
}

type Spans = IntervalMonthDayNanoType;

/// The sum of two intervals.
pub(super) fn span_plus() -> ScalarUDF {
    operator(
        "span_plus",
        "+",
        |_| plan([INTERVAL, INTERVAL], INTERVAL),
        |args, of| {
            map_two::<Spans, Spans, Spans>(args, of, |left, right| {
                Span::of(left).plus(Span::of(right))?.value()
            })
        },
    )
}

/// The difference of two intervals.
pub(super) fn span_minus() -> ScalarUDF {
    operator(
        "span_minus",
        "-",
        |_| plan([INTERVAL, INTERVAL], INTERVAL),
        |args, of| {
            map_two::<Spans, Spans, Spans>(args, of, |left, right| {
                Span::of(left).minus(Span::of(right))?.value()
            })
        },
    )
}

/// An interval times a number.
pub(super) fn span_times() -> ScalarUDF {
    let plan = |_: &Given<'_>| plan([INTERVAL, DataType::Float64], INTERVAL);
    operator("span_times", "*", plan, |args, of| {
        map_two::<Spans, Float64Type, Spans>(args, of, times)
    })
}

/// A number times an interval.
pub(super) fn times_span() -> ScalarUDF {
    let plan = |_: &Given<'_>| plan([DataType::Float64, INTERVAL], INTERVAL);
    operator("times_span", "*", plan, |args, of| {
        map_two::<Float64Type, Spans, Spans>(args, of, |by, span| times(span, by))
    })
}

#[expect(clippy::float_arithmetic, reason = "PostgreSQL multiplies intervals by floats")]
fn times(span: IntervalMonthDayNano, by: f64) -> Result<IntervalMonthDayNano> {
    Span::of(span).scaled(|part| part * by)?.value()
}

/// An interval divided by a number.
#[expect(clippy::float_arithmetic, reason = "PostgreSQL divides intervals by floats")]
pub(super) fn span_divided() -> ScalarUDF {
    let plan = |_: &Given<'_>| plan([INTERVAL, DataType::Float64], INTERVAL);
    operator("span_divided", "/", plan, |args, of| {
        map_two::<Spans, Float64Type, Spans>(args, of, |span, by| {
            if by == 0.0 {
                return Err(divided_by_zero());
            }
            Span::of(span).scaled(|part| part / by)?.value()
        })
    })
}

/// The negative of an interval.
pub(super) fn span_negative() -> ScalarUDF {
    let plan = |_: &Given<'_>| Ok(PlannedTypes { takes: vec![INTERVAL], gives: INTERVAL });
    super::function::function("span_negative", plan, |args, of| {
        map::<Spans, Spans>(column(args, 0)?, of, |span| Span::of(span).negated()?.value())
    })
}

/// The size by which intervals are compared, in microseconds.
pub(super) fn span_size() -> ScalarUDF {
    let plan = |_: &Given<'_>| {
        Ok(PlannedTypes { takes: vec![INTERVAL], gives: DataType::Decimal128(38, 0) })
    };
    super::function::function("span_size", plan, |args, of| {
        type Size = arrow::datatypes::Decimal128Type;
        map::<Spans, Size>(column(args, 0)?, of, |span| Ok(Span::of(span).size()))
    })
}

/// `timezone(zone, timestamp)`, the function of `AT TIME ZONE`.
pub(super) fn timezone() -> ScalarUDF {
    let plan = |given: &Given<'_>| {
        let without = matches!(given.types.get(1), Some(DataType::Timestamp(_, None)));
        Ok(PlannedTypes {
            takes: vec![DataType::Utf8, timestamp(!without)],
            gives: timestamp(without),
        })
    };
    super::function::function("timezone", plan, |args, of| {
        let (zones, times) = two(args)?;
        let zones = zones.as_string::<i32>();
        let without = of == &timestamp(true);
        let mut known: Option<(&str, arrow::array::timezone::Tz)> = None;
        let mut moved = Vec::with_capacity(zones.len());
        for (name, time) in zones.iter().zip(micros(times)?.iter()) {
            let (Some(name), Some(time)) = (name, time) else {
                moved.push(None);
                continue;
            };
            let zone = match known {
                Some((last, zone)) if last == name => zone,
                _ => calendar::zone(name)?,
            };
            known = Some((name, zone));
            let time =
                if without { calendar::instant(time, zone)? } else { calendar::local(time, zone)? };
            moved.push(Some(time));
        }
        let moved = arrow::array::TimestampMicrosecondArray::from(moved);
        Ok(Arc::new(moved.with_data_type(of.clone())))
    })
}
