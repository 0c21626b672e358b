//! A value of a result as text or as JSON. Decimals are written in full and never go through a
//! float; times are in RFC 3339.

use std::fmt::Write as _;

use arrow::array::{Array, AsArray as _, StructArray};
use arrow::datatypes::{
    DataType, Float32Type, Float64Type, IntervalMonthDayNanoType, IntervalUnit,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::{DateTime, NaiveDateTime, SecondsFormat};

use super::postgres::{interval_text, without_zeros};

/// Writes the value as text; null is written as nothing.
pub fn write_text(out: &mut String, array: &dyn Array, row: usize) {
    if array.is_null(row) {
        return;
    }
    match array.data_type() {
        DataType::Utf8 => out.push_str(array.as_string::<i32>().value(row)),
        DataType::Utf8View => out.push_str(array.as_string_view().value(row)),
        DataType::LargeUtf8 => out.push_str(array.as_string::<i64>().value(row)),
        DataType::Map(..) | DataType::Struct(_) | DataType::List(_) | DataType::LargeList(_) => {
            write_json(out, array, row);
        }
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            let value = array.as_primitive::<IntervalMonthDayNanoType>().value(row);
            out.push_str(&interval_text(value));
        }
        _ => out.push_str(&plain(array, row)),
    }
}

/// Writes the value as JSON. Integers are numbers; decimals with places are text.
pub(super) fn write_json(out: &mut String, array: &dyn Array, row: usize) {
    if array.is_null(row) {
        out.push_str("null");
        return;
    }
    match array.data_type() {
        DataType::Null => out.push_str("null"),
        DataType::Boolean => out.push_str(&plain(array, row)),
        kind if kind.is_integer() || is_whole(kind) => out.push_str(&plain(array, row)),
        // JSON has no infinity and no NaN, so that these are texts, as PostgreSQL writes them.
        DataType::Float32 if !array.as_primitive::<Float32Type>().value(row).is_finite() => {
            write_json_text(out, &plain(array, row));
        }
        DataType::Float64 if !array.as_primitive::<Float64Type>().value(row).is_finite() => {
            write_json_text(out, &plain(array, row));
        }
        DataType::Float32 => {
            let _ = write!(out, "{}", array.as_primitive::<Float32Type>().value(row));
        }
        DataType::Float64 => {
            let _ = write!(out, "{}", array.as_primitive::<Float64Type>().value(row));
        }
        DataType::Map(..) => write_map(out, &array.as_map().value(row)),
        DataType::Struct(_) => write_struct(out, array.as_struct(), row),
        DataType::List(_) => write_list(out, &array.as_list::<i32>().value(row)),
        DataType::LargeList(_) => write_list(out, &array.as_list::<i64>().value(row)),
        _ => {
            let mut text = String::new();
            write_text(&mut text, array, row);
            write_json_text(out, &text);
        }
    }
}

/// Writes text as a JSON string.
pub(super) fn write_json_text(out: &mut String, text: &str) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

/// A decimal without places, as a sum of integers is.
fn is_whole(kind: &DataType) -> bool {
    matches!(kind, DataType::Decimal128(_, 0) | DataType::Decimal256(_, 0))
}

fn write_list(out: &mut String, items: &dyn Array) {
    out.push('[');
    for item in 0..items.len() {
        if item > 0 {
            out.push(',');
        }
        write_json(out, items, item);
    }
    out.push(']');
}

fn write_struct(out: &mut String, fields: &StructArray, row: usize) {
    out.push('{');
    for (at, (name, column)) in fields.column_names().iter().zip(fields.columns()).enumerate() {
        if at > 0 {
            out.push(',');
        }
        write_json_text(out, name);
        out.push(':');
        write_json(out, column, row);
    }
    out.push('}');
}

fn write_map(out: &mut String, entries: &StructArray) {
    let [keys, values] = entries.columns() else { return };
    out.push('{');
    for entry in 0..entries.len() {
        if entry > 0 {
            out.push(',');
        }
        let mut key = String::new();
        write_text(&mut key, keys, entry);
        write_json_text(out, &key);
        out.push(':');
        write_json(out, values, entry);
    }
    out.push('}');
}

/// Numbers, dates, times and everything else that Arrow can show.
fn plain(array: &dyn Array, row: usize) -> String {
    let shown = ArrayFormatter::try_new(array, &FormatOptions::new());
    let shown = match shown.map(|shown| shown.value(row).try_to_string()) {
        Ok(Ok(shown)) => shown,
        Ok(Err(error)) | Err(error) => return error.to_string(),
    };
    match array.data_type() {
        DataType::Decimal128(..) | DataType::Decimal256(..) => without_zeros(&shown).to_owned(),
        DataType::Timestamp(_, Some(_)) => DateTime::parse_from_rfc3339(&shown)
            .map_or(shown, |at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
        DataType::Timestamp(_, None) => {
            let at = shown.parse::<NaiveDateTime>();
            at.map_or(shown, |at| at.format("%Y-%m-%dT%H:%M:%S%.f").to_string())
        }
        kind if kind.is_floating() => match shown.as_str() {
            "inf" => "Infinity".to_owned(),
            "-inf" => "-Infinity".to_owned(),
            _ => shown,
        },
        // A fraction has the digits that it needs, as PostgreSQL's has.
        DataType::Time32(_) | DataType::Time64(_) => without_zeros(&shown).to_owned(),
        _ => shown,
    }
}
