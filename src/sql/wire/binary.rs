//! A value in PostgreSQL's binary format.

use arrow::array::{Array, AsArray as _};
use arrow::datatypes::{
    DataType, Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    IntervalMonthDayNanoType, IntervalUnit, Time64MicrosecondType, Time64NanosecondType, TimeUnit,
    UInt8Type, UInt16Type, UInt32Type,
};

use super::numeric::write_numeric;
use super::oids::{WireType, number, oid};
use super::text::{micros, write_text};

/// From 1970 to 2000, from which PostgreSQL counts.
const DAYS_TO_2000: i32 = 10_957;
const MICROS_TO_2000: i64 = 946_684_800_000_000;
/// The version of the format of `jsonb`.
const JSONB_VERSION: u8 = 1;

/// Writes a value that is not null.
pub(super) fn write_binary(out: &mut Vec<u8>, array: &dyn Array, row: usize) {
    match array.data_type() {
        DataType::Boolean => out.push(array.as_boolean().value(row).into()),
        DataType::Int8 => {
            let value = array.as_primitive::<Int8Type>().value(row);
            out.extend(i16::from(value).to_be_bytes());
        }
        DataType::UInt8 => {
            let value = array.as_primitive::<UInt8Type>().value(row);
            out.extend(i16::from(value).to_be_bytes());
        }
        DataType::Int16 => out.extend(array.as_primitive::<Int16Type>().value(row).to_be_bytes()),
        DataType::UInt16 => {
            let value = array.as_primitive::<UInt16Type>().value(row);
            out.extend(i32::from(value).to_be_bytes());
        }
        DataType::Int32 => out.extend(array.as_primitive::<Int32Type>().value(row).to_be_bytes()),
        DataType::UInt32 => {
            let value = array.as_primitive::<UInt32Type>().value(row);
            out.extend(i64::from(value).to_be_bytes());
        }
        DataType::Int64 => out.extend(array.as_primitive::<Int64Type>().value(row).to_be_bytes()),
        DataType::Float32 => {
            out.extend(array.as_primitive::<Float32Type>().value(row).to_be_bytes());
        }
        DataType::Float64 => {
            out.extend(array.as_primitive::<Float64Type>().value(row).to_be_bytes());
        }
        DataType::UInt64 | DataType::Decimal128(..) | DataType::Decimal256(..) => {
            let mut text = String::new();
            write_text(&mut text, array, row);
            write_numeric(out, &text);
        }
        kind if kind.is_temporal() => write_temporal(out, array, row),
        DataType::Binary => out.extend(array.as_binary::<i32>().value(row)),
        DataType::List(_) => write_list(out, &array.as_list::<i32>().value(row)),
        DataType::LargeList(_) => write_list(out, &array.as_list::<i64>().value(row)),
        kind => {
            if number(kind) == oid::JSONB {
                out.push(JSONB_VERSION);
            }
            let mut text = String::new();
            write_text(&mut text, array, row);
            out.extend(text.as_bytes());
        }
    }
}

fn write_temporal(out: &mut Vec<u8>, array: &dyn Array, row: usize) {
    match array.data_type() {
        DataType::Date32 => {
            let days = array.as_primitive::<Date32Type>().value(row);
            out.extend(days.saturating_sub(DAYS_TO_2000).to_be_bytes());
        }
        DataType::Timestamp(..) => {
            out.extend(micros(array, row).saturating_sub(MICROS_TO_2000).to_be_bytes());
        }
        DataType::Time64(TimeUnit::Microsecond) => {
            out.extend(array.as_primitive::<Time64MicrosecondType>().value(row).to_be_bytes());
        }
        DataType::Time64(_) => {
            let nanos = array.as_primitive::<Time64NanosecondType>().value(row);
            out.extend((nanos / 1_000).to_be_bytes());
        }
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            let value = array.as_primitive::<IntervalMonthDayNanoType>().value(row);
            out.extend((value.nanoseconds / 1_000).to_be_bytes());
            out.extend(value.days.to_be_bytes());
            out.extend(value.months.to_be_bytes());
        }
        _ => {
            let mut text = String::new();
            write_text(&mut text, array, row);
            out.extend(text.as_bytes());
        }
    }
}

/// A list: its dimensions, whether it has nulls, the type of its items, the length and the first index
/// of each dimension, and the items.
fn write_list(out: &mut Vec<u8>, items: &dyn Array) {
    let mut lengths = Vec::new();
    let innermost = if items.is_empty() { 0 } else { dimensions(items, &mut lengths) };
    let mut flat = Vec::new();
    let has_nulls = write_items(&mut flat, items);
    out.extend(word(lengths.len()).to_be_bytes());
    out.extend(i32::from(has_nulls).to_be_bytes());
    let item = if innermost == 0 { item_number(items.data_type()) } else { innermost };
    out.extend(item.to_be_bytes());
    for length in lengths {
        out.extend(word(length).to_be_bytes());
        out.extend(1_i32.to_be_bytes());
    }
    out.extend(flat);
}

fn dimensions(items: &dyn Array, lengths: &mut Vec<usize>) -> u32 {
    lengths.push(items.len());
    match items.data_type() {
        DataType::List(_) if !items.is_empty() => {
            dimensions(&items.as_list::<i32>().value(0), lengths)
        }
        kind => item_number(kind),
    }
}

fn item_number(kind: &DataType) -> u32 {
    let own = number(kind);
    WireType::of_items(own).map_or(own, |item| item.oid)
}

fn write_items(out: &mut Vec<u8>, items: &dyn Array) -> bool {
    let mut has_nulls = false;
    for item in 0..items.len() {
        if items.is_null(item) || *items.data_type() == DataType::Null {
            has_nulls = true;
            out.extend((-1_i32).to_be_bytes());
            continue;
        }
        if let DataType::List(_) = items.data_type() {
            has_nulls |= write_items(out, &items.as_list::<i32>().value(item));
            continue;
        }
        write_counted(out, |out| write_binary(out, items, item));
    }
    has_nulls
}

/// Writes bytes after their number.
pub(super) fn write_counted(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend(0_i32.to_be_bytes());
    write(out);
    let length = word(out.len() - start - size_of::<i32>());
    if let Some(place) = out.get_mut(start..start + size_of::<i32>()) {
        place.copy_from_slice(&length.to_be_bytes());
    }
}

fn word(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        ArrayRef, BooleanArray, Date32Array, Int32Array, Int64Array, ListArray, StringArray,
        TimestampMicrosecondArray,
    };
    use arrow::buffer::OffsetBuffer;
    use arrow::datatypes::Field;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "so that each case is a line")]
    fn of(array: ArrayRef) -> Vec<u8> {
        let mut out = Vec::new();
        write_binary(&mut out, &array, 0);
        out
    }

    #[test]
    fn values_have_the_bytes_that_postgresql_gives_them() {
        assert_eq!(of(Arc::new(BooleanArray::from(vec![true]))), [1]);
        assert_eq!(of(Arc::new(Int64Array::from(vec![-2]))), (-2_i64).to_be_bytes());
        assert_eq!(of(Arc::new(Date32Array::from(vec![10_957]))), [0; 4]);
        let second = TimestampMicrosecondArray::from(vec![946_684_801_000_000]);
        assert_eq!(of(Arc::new(second)), 1_000_000_i64.to_be_bytes());
        assert_eq!(of(Arc::new(StringArray::from(vec!["é"]))), "é".as_bytes());
    }

    #[test]
    fn a_list_tells_its_dimensions() {
        let field = Arc::new(Field::new("item", DataType::Int32, true));
        let of_numbers = |numbers: Vec<Option<i32>>| {
            let lengths = OffsetBuffer::from_lengths([numbers.len()]);
            ListArray::new(field.clone(), lengths, Arc::new(Int32Array::from(numbers)), None)
        };
        let shown = of(Arc::new(of_numbers(vec![Some(7), None])));
        let words: Vec<i32> =
            shown.chunks(4).map(|word| i32::from_be_bytes(word.try_into().unwrap())).collect();
        assert_eq!(words, [1, 1, 23, 2, 1, 4, 7, -1]);
        assert_eq!(of(Arc::new(of_numbers(vec![]))), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 23]);
    }
}
