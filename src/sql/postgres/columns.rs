//! Columns of a function's arguments, by their types.

use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, ArrowPrimitiveType, AsArray as _, BooleanArray, PrimitiveArray,
    StringArray,
};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int64Type, IntervalMonthDayNanoType,
    IntervalUnit, Time64NanosecondType, TimeUnit, TimestampMicrosecondType,
};
use datafusion::error::Result;

use super::refusal::refused;
use super::span::Span;
use super::types::timestamp;

/// The type of intervals.
pub(super) const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);
/// The type of times of day.
pub(super) const TIME: DataType = DataType::Time64(TimeUnit::Nanosecond);

/// The column at a position.
pub(super) fn column(args: &[ArrayRef], place: usize) -> Result<&ArrayRef> {
    args.get(place).ok_or_else(|| refused("an argument is missing"))
}

/// Whether the filter of an aggregate lets a row count.
pub(super) fn passes(filter: Option<&BooleanArray>, row: usize) -> bool {
    filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row))
}

/// Two columns.
pub(super) fn two(args: &[ArrayRef]) -> Result<(&ArrayRef, &ArrayRef)> {
    Ok((column(args, 0)?, column(args, 1)?))
}

/// Computes a column of one type from a column of another.
pub(super) fn map<A, B>(
    from: &ArrayRef,
    of: &DataType,
    one: impl Fn(A::Native) -> Result<B::Native>,
) -> Result<ArrayRef>
where
    A: ArrowPrimitiveType,
    B: ArrowPrimitiveType,
{
    let from = from.as_primitive::<A>().iter();
    let made: Result<PrimitiveArray<B>> = from.map(|value| value.map(&one).transpose()).collect();
    Ok(Arc::new(made?.with_data_type(of.clone())))
}

/// Computes a column from two columns.
pub(super) fn map_two<A, B, C>(
    args: &[ArrayRef],
    of: &DataType,
    one: impl Fn(A::Native, B::Native) -> Result<C::Native>,
) -> Result<ArrayRef>
where
    A: ArrowPrimitiveType,
    B: ArrowPrimitiveType,
    C: ArrowPrimitiveType,
{
    let (left, right) = two(args)?;
    let pairs = left.as_primitive::<A>().iter().zip(right.as_primitive::<B>().iter());
    let made: Result<PrimitiveArray<C>> = pairs
        .map(|(left, right)| left.zip(right).map(|(left, right)| one(left, right)).transpose())
        .collect();
    Ok(Arc::new(made?.with_data_type(of.clone())))
}

/// The texts of a column.
pub(super) fn texts(column: &ArrayRef) -> Result<StringArray> {
    let texts = cast(column, &DataType::Utf8)?;
    Ok(texts.as_string::<i32>().clone())
}

/// Microseconds of timestamps in any unit.
pub(super) fn micros(column: &ArrayRef) -> Result<PrimitiveArray<TimestampMicrosecondType>> {
    let with_zone = matches!(column.data_type(), DataType::Timestamp(_, Some(_)));
    let micros = cast(column, &timestamp(with_zone))?;
    Ok(micros.as_primitive::<TimestampMicrosecondType>().clone())
}

/// A value of a column as a Rust value.
pub(super) enum NativeValue {
    Int(i64),
    Decimal(i128, i8),
    Float(f64),
    Date(i32),
    Time(i64),
    Timestamp { micros: i64, with_zone: bool },
    Interval(Span),
    Other,
}

/// The value in a row; `None` for null.
pub(super) fn cell(column: &ArrayRef, row: usize) -> Option<NativeValue> {
    if column.is_null(row) {
        return None;
    }
    Some(match column.data_type() {
        DataType::Int64 => NativeValue::Int(column.as_primitive::<Int64Type>().value(row)),
        DataType::Decimal128(_, places) => {
            NativeValue::Decimal(column.as_primitive::<Decimal128Type>().value(row), *places)
        }
        DataType::Float64 => NativeValue::Float(column.as_primitive::<Float64Type>().value(row)),
        DataType::Date32 => NativeValue::Date(column.as_primitive::<Date32Type>().value(row)),
        DataType::Time64(TimeUnit::Nanosecond) => {
            NativeValue::Time(column.as_primitive::<Time64NanosecondType>().value(row))
        }
        DataType::Timestamp(TimeUnit::Microsecond, zone) => NativeValue::Timestamp {
            micros: column.as_primitive::<TimestampMicrosecondType>().value(row),
            with_zone: zone.is_some(),
        },
        DataType::Interval(IntervalUnit::MonthDayNano) => NativeValue::Interval(Span::of(
            column.as_primitive::<IntervalMonthDayNanoType>().value(row),
        )),
        _ => NativeValue::Other,
    })
}
