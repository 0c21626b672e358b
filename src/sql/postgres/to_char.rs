//! `to_char`: times and numbers as text, by a format.

use std::sync::Arc;

use arrow::array::{Array as _, AsArray as _, StringArray};
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::ScalarUDF;

use super::calendar;
use super::columns::{NativeValue, cell, two};
use super::decimal::{DIGITS_MAX, Scale, power_of_ten};
use super::function::{Given, PlannedTypes, function};
use super::number_patterns::NumberFormat;
use super::patterns;
use super::refusal::refused;
use super::types::timestamp;

/// Digits that PostgreSQL shows of a float.
const FLOAT_DIGITS: usize = 15;

/// `to_char(x, format)`.
pub(super) fn to_char() -> ScalarUDF {
    let plan = |given: &Given<'_>| {
        let [kind, _] = given.types else {
            return Err(refused("to_char takes a time or a number, and a format"));
        };
        let takes = match kind {
            DataType::Timestamp(_, None) => timestamp(false),
            DataType::Timestamp(..) | DataType::Date32 | DataType::Null => timestamp(true),
            DataType::Float32 | DataType::Float64 => DataType::Float64,
            kind if kind.is_integer() && *kind != DataType::UInt64 => DataType::Int64,
            kind => Scale::of(kind)
                .ok_or_else(|| {
                    refused("to_char takes a date, a timestamp or a number, and a format")
                })?
                .kind(),
        };
        Ok(PlannedTypes { takes: vec![takes, DataType::Utf8], gives: DataType::Utf8 })
    };
    function("to_char", plan, |args, _| {
        let (values, formats) = two(args)?;
        let formats = formats.as_string::<i32>();
        let mut read: Option<(&str, NumberFormat)> = None;
        let shown = (0..values.len()).map(|row| {
            let Some(value) = cell(values, row).filter(|_| !formats.is_null(row)) else {
                return Ok(None);
            };
            let format = formats.value(row);
            if let NativeValue::Timestamp { micros, with_zone } = value {
                return patterns::shown(calendar::clock(micros)?, with_zone, format).map(Some);
            }
            // Mostly all rows have the same format.
            if read.as_ref().is_none_or(|(known, _)| *known != format) {
                read = Some((format, NumberFormat::read(format)?));
            }
            let Some((_, format)) = &read else { return Ok(None) };
            shown(&value, format).map(Some)
        });
        Ok(Arc::new(shown.collect::<Result<StringArray>>()?))
    })
}

fn shown(value: &NativeValue, format: &NumberFormat) -> Result<String> {
    match *value {
        NativeValue::Int(value) => Ok(of_decimal(value.into(), 0, format)?),
        NativeValue::Decimal(value, places) => {
            of_decimal(value, u8::try_from(places).unwrap_or(0), format)
        }
        NativeValue::Float(value) if value.is_finite() => Ok(of_float(value, format)),
        NativeValue::Float(_) => Err(refused("to_char shows no infinite number, and not NaN")),
        _ => Err(refused("to_char takes a date, a timestamp or a number, and a format")),
    }
}

/// A decimal, rounded half away from zero to the places of the format.
fn of_decimal(value: i128, places: u8, format: &NumberFormat) -> Result<String> {
    let wanted = format.places();
    let kept = usize::from(places).min(wanted);
    let unit = power_of_ten(places - u8::try_from(kept).unwrap_or(DIGITS_MAX))?;
    let (whole, rest) = (value / unit, value % unit);
    let is_up = rest != 0 && rest.unsigned_abs() >= unit.unsigned_abs() - rest.unsigned_abs();
    let rounded = whole.unsigned_abs() + u128::from(is_up);
    let mut digits = format!("{rounded:0>width$}", width = kept + 1);
    digits.push_str(&"0".repeat(wanted - kept));
    if wanted > 0 {
        digits.insert(digits.len() - wanted, '.');
    }
    Ok(format.shown(value < 0 && rounded != 0, &digits))
}

/// A float, with as many digits as it holds for certain.
fn of_float(value: f64, format: &NumberFormat) -> String {
    let whole = format!("{:.0}", value.abs()).len();
    let format = format.with_places_max(FLOAT_DIGITS.saturating_sub(whole));
    let digits = format!("{:.*}", format.places(), value.abs());
    format.shown(value.is_sign_negative(), &digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(value: i128, places: u8, format: &str) -> String {
        of_decimal(value, places, &NumberFormat::read(format).unwrap()).unwrap()
    }

    // The texts are what PostgreSQL 15 answers.
    #[test]
    fn numbers_are_shown_as_postgresql_does() {
        for (value, places, format, text) in [
            (1_234_567_891, 3, "FM999,999,990.00", "1,234,567.89"),
            (5, 1, "990.00", "   0.50"),
            (-4858, 1, "S999.9", "-485.8"),
            (-123, 1, "999.9PR", " <12.3>"),
            (12, 0, "FM99.90", "12.00"),
            (1, 1, "FM9.9", ".1"),
            (1, 0, "FM9.9", "1."),
            (1_234, 0, "99", " ##"),
            (0, 0, "99.99", "   .00"),
            (7, 0, "0000", " 0007"),
            (-7, 0, "9MI", "7-"),
            (25, 1, "9", " 3"),
        ] {
            assert_eq!(number(value, places, format), text, "{value} {places} {format}");
        }
    }
}
