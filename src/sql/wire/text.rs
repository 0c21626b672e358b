//! A value in PostgreSQL's text format.

use std::fmt::Write as _;

use arrow::array::{Array, AsArray as _};
use arrow::datatypes::{
    DataType, Float32Type, Float64Type, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use chrono::DateTime;

use super::super::result_value::write_text as write_plain;

/// From this power of ten on, and below the other one, floats are written with an exponent.
const EXPONENT_FROM: i32 = 15;
const EXPONENT_BELOW: i32 = -4;

/// Writes a value that is not null.
pub(super) fn write_text(out: &mut String, array: &dyn Array, row: usize) {
    match array.data_type() {
        DataType::Boolean => out.push(if array.as_boolean().value(row) { 't' } else { 'f' }),
        DataType::Float32 => {
            let value = array.as_primitive::<Float32Type>().value(row);
            // Its own shortest digits, which are fewer than those of the same number as a double.
            write_float(out, f64::from(value), &format!("{value:e}"), &value.to_string());
        }
        DataType::Float64 => {
            let value = array.as_primitive::<Float64Type>().value(row);
            write_float(out, value, &format!("{value:e}"), &value.to_string());
        }
        DataType::Timestamp(_, zone) => write_time(out, array, row, zone.is_some()),
        DataType::Binary => {
            out.push_str("\\x");
            out.push_str(&hex::encode(array.as_binary::<i32>().value(row)));
        }
        DataType::List(_) => write_list(out, &array.as_list::<i32>().value(row)),
        DataType::LargeList(_) => write_list(out, &array.as_list::<i64>().value(row)),
        _ => write_plain(out, array, row),
    }
}

fn write_float(out: &mut String, value: f64, scientific: &str, plain: &str) {
    if value.is_nan() {
        out.push_str("NaN");
        return;
    }
    if value.is_infinite() {
        out.push_str(if value.is_sign_negative() { "-Infinity" } else { "Infinity" });
        return;
    }
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (EXPONENT_BELOW..EXPONENT_FROM).contains(&exponent) {
        out.push_str(plain);
        return;
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    let _ = write!(out, "{mantissa}e{sign}{:02}", exponent.abs());
}

/// Microseconds since 1970, cut.
pub(super) fn micros(array: &dyn Array, row: usize) -> i64 {
    match array.data_type() {
        DataType::Timestamp(TimeUnit::Second, _) => {
            array.as_primitive::<TimestampSecondType>().value(row).saturating_mul(1_000_000)
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            array.as_primitive::<TimestampMillisecondType>().value(row).saturating_mul(1_000)
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            array.as_primitive::<TimestampNanosecondType>().value(row).div_euclid(1_000)
        }
        _ => array.as_primitive::<TimestampMicrosecondType>().value(row),
    }
}

fn write_time(out: &mut String, array: &dyn Array, row: usize, has_zone: bool) {
    let Some(at) = DateTime::from_timestamp_micros(micros(array, row)) else {
        return write_plain(out, array, row);
    };
    let _ = write!(out, "{}", at.format("%Y-%m-%d %H:%M:%S"));
    let fraction = at.timestamp_subsec_micros();
    if fraction > 0 {
        let digits = format!("{fraction:06}");
        let _ = write!(out, ".{}", digits.trim_end_matches('0'));
    }
    if has_zone {
        out.push_str("+00");
    }
}

fn write_list(out: &mut String, items: &dyn Array) {
    out.push('{');
    for item in 0..items.len() {
        if item > 0 {
            out.push(',');
        }
        if items.is_null(item) || *items.data_type() == DataType::Null {
            out.push_str("NULL");
            continue;
        }
        let mut text = String::new();
        write_text(&mut text, items, item);
        let is_list = matches!(items.data_type(), DataType::List(_) | DataType::LargeList(_));
        if is_list || !needs_quotes(&text) {
            out.push_str(&text);
            continue;
        }
        out.push('"');
        for char in text.chars() {
            if matches!(char, '"' | '\\') {
                out.push('\\');
            }
            out.push(char);
        }
        out.push('"');
    }
    out.push('}');
}

fn needs_quotes(item: &str) -> bool {
    item.is_empty()
        || item.eq_ignore_ascii_case("null")
        || item.contains(|char: char| {
            matches!(char, '{' | '}' | ',' | '"' | '\\') || char.is_ascii_whitespace()
        })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        ArrayRef, BinaryArray, BooleanArray, Decimal128Array, Float32Array, Float64Array,
        ListArray, StringArray, TimestampMicrosecondArray, TimestampNanosecondArray,
    };
    use arrow::buffer::OffsetBuffer;
    use arrow::datatypes::Field;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "so that each case is a line")]
    fn of(array: ArrayRef) -> String {
        let mut out = String::new();
        write_text(&mut out, &array, 0);
        out
    }

    #[test]
    fn values_are_written_as_postgresql_writes_them() {
        let time = |micros: i64| TimestampMicrosecondArray::from(vec![micros]);
        let float = |value: f64| of(Arc::new(Float64Array::from(vec![value])));
        assert_eq!(
            of(Arc::new(time(1_800_000_000_500_000).with_timezone("UTC"))),
            "2027-01-15 08:00:00.5+00"
        );
        assert_eq!(of(Arc::new(time(-1))), "1969-12-31 23:59:59.999999");
        assert_eq!(
            of(Arc::new(TimestampNanosecondArray::from(vec![1_999]))),
            "1970-01-01 00:00:00.000001"
        );
        assert_eq!(of(Arc::new(BooleanArray::from(vec![true]))), "t");
        let money = Decimal128Array::from(vec![100_000_000_000]).with_precision_and_scale(18, 12);
        assert_eq!(of(Arc::new(money.unwrap())), "0.1");
        assert_eq!(of(Arc::new(BinaryArray::from(vec![&b"\x00\xff"[..]]))), "\\x00ff");
        assert_eq!(of(Arc::new(Float32Array::from(vec![0.1]))), "0.1");
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (0.1, "0.1"),
            (1e14, "100000000000000"),
            (1e15, "1e+15"),
            (0.0001, "0.0001"),
            (0.000_012_3, "1.23e-05"),
            (f64::NEG_INFINITY, "-Infinity"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(float(value), text);
        }
    }

    #[test]
    fn items_of_lists_are_quoted_where_they_must_be() {
        let texts = StringArray::from(vec![
            Some("a"),
            None,
            Some(""),
            Some("b c"),
            Some("\"\\"),
            Some("null"),
        ]);
        let field = Arc::new(Field::new("item", DataType::Utf8, true));
        let list = ListArray::new(field, OffsetBuffer::from_lengths([6]), Arc::new(texts), None);
        assert_eq!(of(Arc::new(list)), r#"{a,NULL,"","b c","\"\\","null"}"#);
    }
}
