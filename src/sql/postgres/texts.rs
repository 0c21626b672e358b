//! Values as text, and text as values, in PostgreSQL's formats.

use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, Decimal128Array, Float64Array, StringArray,
};
use arrow::datatypes::{DataType, Float32Type};
use datafusion::error::Result;
use datafusion::logical_expr::ScalarUDF;

use super::calendar;
use super::columns::{INTERVAL, NativeValue, TIME, cell, column, texts};
use super::decimal::{self, Scale};
use super::function::{Given, PlannedTypes, function};
use super::refusal::{quoted, refused};
use super::span::Span;
use super::types::timestamp;

/// Digits of a float that PostgreSQL uses for a decimal.
const FLOAT_DIGITS: i32 = 15;
/// The scale of a decimal without a declared one, if its values do not determine it.
const OPEN: Scale = Scale { digits: 38, places: 20 };

/// `version()`: the version of this program, not of its libraries.
pub(super) fn version() -> ScalarUDF {
    let plan = |_: &Given<'_>| Ok(PlannedTypes { takes: Vec::new(), gives: DataType::Utf8 });
    function("version", plan, |_, _| {
        let version = concat!("tokenlake ", env!("CARGO_PKG_VERSION"));
        Ok(Arc::new(StringArray::from(vec![version])))
    })
}

/// `x::text`.
pub(super) fn text() -> ScalarUDF {
    let plan = |given: &Given<'_>| {
        let of = match given.types.first() {
            Some(DataType::Timestamp(_, zone)) => timestamp(zone.is_some()),
            Some(DataType::Interval(_)) => INTERVAL,
            Some(DataType::Time32(_) | DataType::Time64(_)) => TIME,
            Some(kind) => kind.clone(),
            None => return Err(refused("it takes one value")),
        };
        Ok(PlannedTypes { takes: vec![of], gives: DataType::Utf8 })
    };
    function("text", plan, |args, _| Ok(Arc::new(shown_values(column(args, 0)?)?)))
}

/// Values as PostgreSQL shows them.
pub(super) fn shown_values(values: &ArrayRef) -> Result<StringArray> {
    let plain = texts(values).ok();
    let shown = (0..values.len()).map(|row| {
        if values.is_null(row) {
            return Ok(None);
        }
        if let DataType::Float32 = values.data_type() {
            let value = values.as_primitive::<Float32Type>().value(row);
            return Ok(Some(float(&format!("{value:e}"), 6)));
        }
        Ok(match cell(values, row) {
            Some(NativeValue::Timestamp { micros, with_zone }) => Some(shown(micros, with_zone)?),
            Some(NativeValue::Interval(span)) => Some(span.to_string()),
            Some(NativeValue::Float(value)) => Some(float(&format!("{value:e}"), FLOAT_DIGITS)),
            _ => {
                plain.as_ref().map(|plain| of_time(values.data_type(), plain.value(row)).to_owned())
            }
        })
    });
    shown.collect()
}

/// A time of day without zeros at the end of its fraction; other texts stay.
fn of_time<'a>(kind: &DataType, text: &'a str) -> &'a str {
    if matches!(kind, DataType::Time32(_) | DataType::Time64(_)) {
        without_zeros(text)
    } else {
        text
    }
}

/// A number or a time without zeros at the end of its fraction.
pub(in crate::sql) fn without_zeros(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

/// A timestamp as PostgreSQL shows it.
fn shown(micros: i64, with_zone: bool) -> Result<String> {
    let text = calendar::clock(micros)?.format("%Y-%m-%d %H:%M:%S%.6f").to_string();
    let text = text.trim_end_matches('0').trim_end_matches('.');
    Ok(if with_zone { format!("{text}+00") } else { text.to_owned() })
}

/// A float from Rust's `1.5e3`. It has an exponent only if it is very small or has more digits than
/// a float holds.
fn float(scientific: &str, digits_max: i32) -> String {
    let (digits, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    match digits {
        "NaN" => return digits.to_owned(),
        "inf" => return "Infinity".to_owned(),
        "-inf" => return "-Infinity".to_owned(),
        _ => {}
    }
    if exponent < -4 || exponent >= digits_max {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.unsigned_abs());
    }
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |digits| ("-", digits));
    let all: String = digits.chars().filter(|char| *char != '.').collect();
    let Ok(point) = usize::try_from(exponent + 1) else {
        return format!("{sign}0.{}{all}", "0".repeat(usize::try_from(-exponent - 1).unwrap_or(0)));
    };
    if point == 0 {
        return format!("{sign}0.{all}");
    }
    match all.split_at_checked(point) {
        Some((whole, "")) => format!("{sign}{whole}"),
        Some((whole, places)) => format!("{sign}{whole}.{places}"),
        None => format!("{sign}{all}{}", "0".repeat(point - all.len())),
    }
}

/// `x::numeric`: an exact decimal with the places of the value.
pub(super) fn numeric() -> ScalarUDF {
    let plan = |given: &Given<'_>| {
        let Some(kind) = given.types.first() else { return Err(refused("it takes one value")) };
        if let Some(scale) = Scale::of(kind) {
            return Ok(PlannedTypes { takes: vec![scale.kind()], gives: scale.kind() });
        }
        let takes = match kind {
            DataType::Float32 | DataType::Float64 => DataType::Float64,
            DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 | DataType::Null => {
                DataType::Utf8
            }
            kind => {
                return Err(refused(&format!(
                    "{kind} is not a number and cannot be cast to numeric"
                )));
            }
        };
        let places = given.text(0).map(decimal::places_of);
        let scale = places.map_or(OPEN, |places| Scale { digits: decimal::DIGITS_MAX, places });
        Ok(PlannedTypes { takes: vec![takes], gives: scale.kind() })
    };
    function("numeric", plan, |args, of| {
        let values = column(args, 0)?;
        if values.data_type() == of {
            return Ok(values.clone());
        }
        decimals(values, Scale::of(of).ok_or_else(decimal::too_long)?)
    })
}

/// `decimal_of(x, digits, places)`: a text or a float as a decimal of that type.
pub(super) fn decimal_of() -> ScalarUDF {
    let plan = |given: &Given<'_>| {
        let float = given.types.first().is_some_and(DataType::is_floating);
        let first = if float { DataType::Float64 } else { DataType::Utf8 };
        let part = |place| given.integer(place).and_then(|value| u8::try_from(value).ok());
        let scale = part(1).zip(part(2)).map_or(OPEN, |(digits, places)| Scale { digits, places });
        Ok(PlannedTypes {
            takes: vec![first, DataType::Int64, DataType::Int64],
            gives: scale.kind(),
        })
    };
    function("decimal_of", plan, |args, of| {
        decimals(column(args, 0)?, Scale::of(of).ok_or_else(decimal::too_long)?)
    })
}

fn decimals(values: &ArrayRef, of: Scale) -> Result<ArrayRef> {
    let limit = decimal::power_of_ten(of.digits)?;
    let one = |text: &str| -> Result<i128> {
        let value = decimal::parsed(text, of)?;
        let fits = value > -limit && value < limit;
        fits.then_some(value).ok_or_else(|| {
            refused(&format!(
                "{} has more digits than decimal({}, {}) holds",
                quoted(text),
                of.digits,
                of.places
            ))
        })
    };
    let made: Decimal128Array = match values.data_type() {
        DataType::Float64 => {
            let floats: &Float64Array = values.as_primitive();
            // As in PostgreSQL, a float contributes only the digits that it holds for certain.
            let digits = |value: f64| {
                let text = format!("{value:.*e}", usize::try_from(FLOAT_DIGITS - 1).unwrap_or(14));
                one(&text)
            };
            floats.iter().map(|value| value.map(digits).transpose()).collect::<Result<_>>()?
        }
        _ => texts(values)?.iter().map(|text| text.map(one).transpose()).collect::<Result<_>>()?,
    };
    Ok(Arc::new(made.with_data_type(of.kind())))
}

/// `interval_of(text)`.
pub(super) fn interval_of() -> ScalarUDF {
    let plan = |_: &Given<'_>| Ok(PlannedTypes { takes: vec![DataType::Utf8], gives: INTERVAL });
    function("interval_of", plan, |args, _| {
        let spans = texts(column(args, 0)?)?;
        let spans =
            spans.iter().map(|text| text.map(|text| Span::parse(text, None)?.value()).transpose());
        let spans = spans.collect::<Result<arrow::array::IntervalMonthDayNanoArray>>()?;
        Ok(Arc::new(spans))
    })
}

macro_rules! read {
    ($name:ident, $of:expr, $array:ty, $read:path) => {
        /// A text as a date or a timestamp.
        pub(super) fn $name() -> ScalarUDF {
            let plan = |_: &Given<'_>| Ok(PlannedTypes { takes: vec![DataType::Utf8], gives: $of });
            function(stringify!($name), plan, |args, of| {
                let texts = texts(column(args, 0)?)?;
                let read = texts.iter().map(|text| text.map($read).transpose());
                let read = read.collect::<Result<$array>>()?;
                Ok(Arc::new(read.with_data_type(of.clone())))
            })
        }
    };
}

read!(date_of, DataType::Date32, arrow::array::Date32Array, super::read::date);
read!(local_of, timestamp(false), arrow::array::TimestampMicrosecondArray, super::read::local);
read!(instant_of, timestamp(true), arrow::array::TimestampMicrosecondArray, super::read::instant);

#[cfg(test)]
mod tests {
    use super::{float, shown};

    #[test]
    fn floats_are_shown_as_postgresql_does() {
        for (value, text) in [
            (0.1, "0.1"),
            (-1.5, "-1.5"),
            (1e15, "1e+15"),
            (1e14, "100000000000000"),
            (123_456.789, "123456.789"),
            (1e-5, "1e-05"),
            (0.0001, "0.0001"),
            (0.0, "0"),
            (1e300, "1e+300"),
        ] {
            assert_eq!(float(&format!("{value:e}"), 15), text);
        }
    }

    #[test]
    fn timestamps_are_shown_as_postgresql_does() {
        assert_eq!(shown(0, true).unwrap(), "1970-01-01 00:00:00+00");
        assert_eq!(shown(-1, false).unwrap(), "1969-12-31 23:59:59.999999");
        assert_eq!(shown(10_500_000, false).unwrap(), "1970-01-01 00:00:10.5");
        assert_eq!(shown(600_000_000, false).unwrap(), "1970-01-01 00:10:00");
    }
}
