//! Converts columns of other programs to the columns of events, if no value changes.
//!
//! A number keeps its value or the column is refused; text must be UTF-8. Times finer than a
//! microsecond are cut to it, as on every other way in. `stored_rules.rs` judges whether an event
//! may have a value.

use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, BooleanArray, Decimal128Array, GenericByteArray,
    Int64Array, MapArray, OffsetSizeTrait, StringArray, StructArray, new_null_array,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{cast, filter};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Decimal128Type, Decimal256Type, Field, Float64Type,
    GenericBinaryType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};
use arrow::error::ArrowError;

use super::money::{DIGITS, PLACES};
use super::types::{attribute_entries, cost_type, timestamp_type};

/// Digits that always fit 128 bits.
const DIGITS_MAX: u8 = 38;

/// The values of a column in the type of `field`, which is one of [`super::schema()`].
///
/// # Errors
/// Why the values cannot be converted unchanged, as the end of a sentence whose subject is the
/// file.
pub fn exact_column(field: &Field, found: &ArrayRef) -> Result<ArrayRef, String> {
    let cast = match (found.data_type(), field.data_type()) {
        (found_type, wanted) if found_type == wanted => Ok(found.clone()),
        (DataType::Null, wanted) => Ok(new_null_array(wanted, found.len())),
        (DataType::Dictionary(_, values), _) => {
            let plain = cast(found, values).map_err(|error| error.to_string());
            return plain.and_then(|plain| exact_column(field, &plain));
        }
        (_, DataType::Utf8) => text(found),
        (_, DataType::Int64) => count(found),
        (_, DataType::Decimal128(..)) => cost(found),
        (_, DataType::Timestamp(..)) => instant(found),
        (_, DataType::Map(..)) => attributes(found),
        _ => Err(format!("is {}, which cannot be converted", found.data_type())),
    };
    cast.map_err(|reason| format!("its column {} {reason}", field.name()))
}

fn text(found: &ArrayRef) -> Result<ArrayRef, String> {
    match found.data_type() {
        DataType::Binary => utf8(found.as_binary::<i32>()),
        DataType::LargeBinary => utf8(found.as_binary::<i64>()),
        DataType::BinaryView => text(&plain(found, &DataType::Binary)?),
        DataType::Utf8 => Ok(found.clone()),
        DataType::LargeUtf8 | DataType::Utf8View => plain(found, &DataType::Utf8),
        // A number becomes its text, as on every other way in.
        other if other.is_integer() => plain(found, &DataType::Utf8),
        other => Err(format!("is {other}, which is not text")),
    }
}

fn utf8<O: OffsetSizeTrait>(
    found: &GenericByteArray<GenericBinaryType<O>>,
) -> Result<ArrayRef, String> {
    let texts = found.iter().map(|bytes| bytes.map(std::str::from_utf8).transpose());
    let texts = texts.collect::<Result<StringArray, _>>();
    texts.map(|texts| Arc::new(texts) as ArrayRef).map_err(|_| "holds invalid UTF-8".to_owned())
}

fn plain(found: &ArrayRef, to: &DataType) -> Result<ArrayRef, String> {
    cast(found, to).map_err(|error| format!("cannot be read: {error}"))
}

fn count(found: &ArrayRef) -> Result<ArrayRef, String> {
    let counts = units(found, 0)?.into_iter().map(|count| count.map(i64::try_from).transpose());
    let counts = counts.collect::<Result<Int64Array, _>>();
    counts.map(|counts| Arc::new(counts) as ArrayRef).map_err(|_| too_large())
}

fn cost(found: &ArrayRef) -> Result<ArrayRef, String> {
    let costs = units(found, PLACES)?;
    // A longer one does not fit the column.
    let limit = 10_i128.pow(DIGITS.into());
    if costs.iter().flatten().any(|cost| *cost <= -limit || *cost >= limit) {
        return Err(too_large());
    }
    let costs = Decimal128Array::from(costs).with_data_type(cost_type());
    Ok(Arc::new(costs))
}

/// The numbers in units of 10^-`places`.
fn units(found: &ArrayRef, places: i8) -> Result<Vec<Option<i128>>, String> {
    let whole = match found.data_type() {
        DataType::Float64 => {
            let floats = found.as_primitive::<Float64Type>().iter();
            let exact = floats.map(|float| float.map(|float| of_float(float, places)).transpose());
            return exact.collect();
        }
        DataType::Float16 | DataType::Float32 => {
            return units(&plain(found, &DataType::Float64)?, places);
        }
        DataType::Decimal256(_, scale) => {
            let wide = found.as_primitive::<Decimal256Type>().iter();
            let narrow = wide.map(|wide| {
                let narrow = |wide: arrow::datatypes::i256| wide.to_i128().ok_or_else(too_large);
                wide.map(|wide| rescaled(narrow(wide)?, *scale, places)).transpose()
            });
            return narrow.collect();
        }
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale) => DataType::Decimal128(DIGITS_MAX, *scale),
        other if other.is_integer() => DataType::Decimal128(DIGITS_MAX, 0),
        other => return Err(format!("is {other}, which is not a number")),
    };
    let DataType::Decimal128(_, scale) = whole else { return Err(too_large()) };
    let decimals = plain(found, &whole)?;
    let decimals = decimals.as_primitive::<Decimal128Type>().iter();
    decimals.map(|value| value.map(|value| rescaled(value, scale, places)).transpose()).collect()
}

/// A number in units of 10^-`scale`, in units of 10^-`places`.
fn rescaled(value: i128, scale: i8, places: i8) -> Result<i128, String> {
    let more = i32::from(places) - i32::from(scale);
    let factor = 10_i128.checked_pow(more.unsigned_abs());
    match factor {
        _ if value == 0 => Ok(0),
        Some(factor) if more >= 0 => value.checked_mul(factor).ok_or_else(too_large),
        Some(factor) if value % factor == 0 => Ok(value / factor),
        None if more >= 0 => Err(too_large()),
        _ => Err(too_fine(places)),
    }
}

/// A float in units of 10^-`places`, if that is its exact value. Its bits are taken apart, so that
/// nothing is rounded on the way.
fn of_float(float: f64, places: i8) -> Result<i128, String> {
    const FRACTION_BITS: u32 = 52;
    let bits = float.to_bits();
    let fraction = i128::from(bits & ((1 << FRACTION_BITS) - 1));
    let exponent = (bits >> FRACTION_BITS) & 0x7ff;
    if exponent == 0x7ff {
        return Err("holds a value that is not a number".to_owned());
    }
    let hidden = i128::from(exponent != 0) << FRACTION_BITS;
    let scaled = (fraction + hidden) * 10_i128.pow(u32::from(places.unsigned_abs()));
    // The value is `scaled` times two to this power.
    let power =
        i64::try_from(exponent.max(1)).unwrap_or(i64::MAX) - 1_023 - i64::from(FRACTION_BITS);
    let bits_moved = u32::try_from(power.unsigned_abs()).unwrap_or(u32::MAX);
    let value = match power {
        _ if scaled == 0 => 0,
        0.. if bits_moved < scaled.leading_zeros() => scaled << bits_moved,
        0.. => return Err(too_large()),
        _ if bits_moved <= scaled.trailing_zeros() => scaled >> bits_moved,
        _ => return Err(too_fine(places)),
    };
    Ok(if float.is_sign_negative() { -value } else { value })
}

fn too_large() -> String {
    "holds a number that is too large".to_owned()
}

fn too_fine(places: i8) -> String {
    match places {
        0 => "holds a number that is not whole".to_owned(),
        _ => format!("holds a number that {places} decimal places do not hold exactly"),
    }
}

fn instant(found: &ArrayRef) -> Result<ArrayRef, String> {
    let DataType::Timestamp(unit, _) = found.data_type() else {
        return Err(format!("is {}, which is not a timestamp", found.data_type()));
    };
    let micros = match unit {
        TimeUnit::Second => scaled_up::<TimestampSecondType>(found, 1_000_000)?,
        TimeUnit::Millisecond => scaled_up::<TimestampMillisecondType>(found, 1_000)?,
        TimeUnit::Microsecond => found.as_primitive::<TimestampMicrosecondType>().clone(),
        TimeUnit::Nanosecond => {
            found
                .as_primitive::<TimestampNanosecondType>()
                .unary::<_, TimestampMicrosecondType>(|nanos| nanos.div_euclid(1_000))
        }
    };
    // A timestamp without a zone is UTC: a table without features has no other timestamps.
    Ok(Arc::new(micros.with_data_type(timestamp_type())))
}

fn scaled_up<T: ArrowPrimitiveType<Native = i64>>(
    found: &ArrayRef,
    factor: i64,
) -> Result<arrow::array::TimestampMicrosecondArray, String> {
    let scaled = |value: i64| {
        value.checked_mul(factor).ok_or_else(|| ArrowError::ComputeError(String::new()))
    };
    let micros = found.as_primitive::<T>().try_unary::<_, TimestampMicrosecondType, _>(scaled);
    micros.map_err(|_| "holds a time outside the calendar".to_owned())
}

/// A map of texts, however its fields are named. An entry without a key is left out.
fn attributes(found: &ArrayRef) -> Result<ArrayRef, String> {
    let no_map = || format!("is {}, which is not a map of texts", found.data_type());
    let map = found.as_map_opt().ok_or_else(no_map)?;
    let entries = map.entries();
    let [keys, values] = entries.columns() else { return Err(no_map()) };
    let texts = |column: &ArrayRef| match column.data_type() {
        DataType::Null => Ok(new_null_array(&DataType::Utf8, column.len())),
        DataType::Dictionary(_, of) => text(&plain(column, of)?),
        _ => text(column),
    };
    let (mut keys, mut values) = (texts(keys)?, texts(values)?);
    let there: BooleanArray =
        (0..keys.len()).map(|at| Some(keys.is_valid(at) && entries.is_valid(at))).collect();
    let start = map.offsets().first().map_or(0, |first| usize::try_from(*first).unwrap_or(0));
    let (mut lengths, mut end) = (Vec::with_capacity(found.len()), start);
    for length in map.offsets().lengths() {
        lengths.push((end..end + length).filter(|entry| there.value(*entry)).count());
        end += length;
    }
    if there.has_false() || (start..end) != (0..keys.len()) {
        // Entries outside these rows are left out too.
        let used = |entry| Some((start..end).contains(&entry) && there.value(entry));
        let used: BooleanArray = (0..keys.len()).map(used).collect();
        let kept = |column: &ArrayRef| filter(column, &used).map_err(|error| error.to_string());
        (keys, values) = (kept(&keys)?, kept(&values)?);
    }
    let field = attribute_entries();
    let DataType::Struct(parts) = field.data_type() else { return Err(no_map()) };
    let entries = StructArray::try_new(parts.clone(), vec![keys, values], None);
    let map = entries.and_then(|entries| {
        let offsets = OffsetBuffer::from_lengths(lengths);
        MapArray::try_new(field.clone(), offsets, entries, map.nulls().cloned(), false)
    });
    map.map(|map| Arc::new(map) as ArrayRef).map_err(|error| error.to_string())
}

#[cfg(test)]
#[path = "exact_tests.rs"]
mod tests;
