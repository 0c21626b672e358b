//! One column of any type, and the writer of its values.

use std::fmt::Write as _;

use arrow::array::{
    Array, ArrayRef, AsArray as _, BinaryViewArray, BooleanArray, FixedSizeBinaryArray,
    LargeBinaryArray, LargeStringArray, ListArray, MapArray, StringArray, StringBuilder,
    StringViewArray, StructArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use uuid::Uuid;

use super::leaf::Leaf;

/// Levels of nesting that are written; no sensible row has more.
const DEPTH_MAX: usize = 64;

/// The remaining leaves of a schema, in order.
pub(super) struct Leaves<'a> {
    left: std::slice::Iter<'a, Leaf>,
    depth: usize,
}

impl<'a> Leaves<'a> {
    pub(super) fn new(leaves: &'a [Leaf]) -> Self {
        Self { left: leaves.iter(), depth: 0 }
    }

    fn next(&mut self) -> Leaf {
        self.left.next().copied().unwrap_or_default()
    }
}

/// The error for bytes that are not text, which are not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotText {
    #[error("not UTF-8: {0}")]
    NotUtf8(#[from] std::str::Utf8Error),
    /// For example numbers of 128 bits, which Parquet does not know.
    #[error("bytes with zeros among them are not text")]
    Zeros,
}

/// The bytes as text.
fn as_text(bytes: &[u8]) -> Result<&str, NotText> {
    let text = std::str::from_utf8(bytes)?;
    if text.contains('\0') { Err(NotText::Zeros) } else { Ok(text) }
}

/// A column. Types that are written in the same way share a variant.
pub(super) enum ColumnValues {
    Null,
    Bool(BooleanArray),
    /// As decimal text.
    Number(StringArray),
    /// As decimal text; values that are not finite are quoted.
    Float(StringArray, BooleanArray),
    Text(StringArray),
    LargeText(LargeStringArray),
    TextView(StringViewArray),
    Bytes(LargeBinaryArray),
    BytesView(BinaryViewArray),
    Fixed(FixedSizeBinaryArray),
    List(ListArray, Box<ColumnValues>),
    /// The names of members as JSON has them, with their cells.
    Struct(StructArray, Vec<(Vec<u8>, ColumnValues)>),
    Map(MapArray, Box<ColumnValues>, Box<ColumnValues>),
}

/// A name as JSON has it before a value in an object.
pub(super) fn member(name: &str) -> Vec<u8> {
    let mut member = Vec::new();
    quote(name, &mut member);
    member.push(b':');
    member
}

fn quote(text: &str, out: &mut Vec<u8>) {
    // Writing into memory does not fail.
    serde_json::to_writer(out, text).unwrap_or_default();
}

impl ColumnValues {
    /// The cell for an array.
    pub(super) fn of(array: &ArrayRef, leaves: &mut Leaves<'_>) -> Result<Self, ArrowError> {
        if let DataType::Dictionary(_, value) = array.data_type() {
            return Self::of(&cast(array, value)?, leaves);
        }
        if !array.data_type().is_nested() {
            return Self::leaf(array, leaves.next());
        }
        if leaves.depth == DEPTH_MAX {
            let reason = format!("values are nested deeper than {DEPTH_MAX} levels");
            return Err(ArrowError::SchemaError(reason));
        }
        leaves.depth += 1;
        let cell = Self::nested(array, leaves);
        leaves.depth -= 1;
        cell
    }

    fn leaf(array: &ArrayRef, leaf: Leaf) -> Result<Self, ArrowError> {
        use DataType as T;
        Ok(match array.data_type() {
            T::Null => Self::Null,
            T::Boolean => Self::Bool(array.as_boolean().clone()),
            T::Float16 => Self::float(&cast(array, &T::Float32)?)?,
            T::Float32 | T::Float64 => Self::float(array)?,
            T::Utf8 => Self::Text(array.as_string().clone()),
            T::LargeUtf8 => Self::LargeText(array.as_string().clone()),
            T::Utf8View => Self::TextView(array.as_string_view().clone()),
            T::BinaryView => Self::BytesView(array.as_binary_view().clone()),
            T::Binary | T::LargeBinary => {
                Self::Bytes(cast(array, &T::LargeBinary)?.as_binary().clone())
            }
            T::FixedSizeBinary(16) if leaf == Leaf::Uuid => Self::Text(uuids(array)),
            T::FixedSizeBinary(_) => Self::Fixed(array.as_fixed_size_binary().clone()),
            T::Timestamp(unit, Some(_)) => {
                Self::Text(shown(&cast(array, &T::Timestamp(*unit, Some("UTC".into())))?)?)
            }
            kind if kind.is_integer() || kind.is_decimal() => Self::Number(shown(array)?),
            kind if kind.is_temporal() => Self::Text(shown(array)?),
            other => return Err(ArrowError::NotYetImplemented(format!("values of {other}"))),
        })
    }

    fn float(array: &ArrayRef) -> Result<Self, ArrowError> {
        let wide = cast(array, &DataType::Float64)?;
        let values = wide.as_primitive::<Float64Type>().values();
        let finite = values.iter().map(|value| Some(value.is_finite())).collect();
        Ok(Self::Float(shown(array)?, finite))
    }

    fn nested(array: &ArrayRef, leaves: &mut Leaves<'_>) -> Result<Self, ArrowError> {
        use DataType as T;
        Ok(match array.data_type() {
            T::Struct(fields) => {
                let parts = array.as_struct();
                let cells = fields.iter().zip(parts.columns());
                let cells = cells
                    .map(|(field, column)| Ok((member(field.name()), Self::of(column, leaves)?)));
                Self::Struct(parts.clone(), cells.collect::<Result<_, ArrowError>>()?)
            }
            T::Map(..) => {
                let map = array.as_map().clone();
                let keys = Self::of(map.keys(), leaves)?;
                let values = Self::of(map.values(), leaves)?;
                Self::Map(map, keys.into(), values.into())
            }
            T::List(_) => {
                let list = array.as_list::<i32>().clone();
                let values = Self::of(list.values(), leaves)?;
                Self::List(list, values.into())
            }
            T::LargeList(item)
            | T::FixedSizeList(item, _)
            | T::ListView(item)
            | T::LargeListView(item) => {
                Self::nested(&cast(array, &T::List(item.clone()))?, leaves)?
            }
            other => return Err(ArrowError::NotYetImplemented(format!("values of {other}"))),
        })
    }

    pub(super) fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Null => true,
            Self::Bool(array) => array.is_null(row),
            Self::Number(array) | Self::Float(array, _) | Self::Text(array) => array.is_null(row),
            Self::LargeText(array) => array.is_null(row),
            Self::TextView(array) => array.is_null(row),
            Self::Bytes(array) => array.is_null(row),
            Self::BytesView(array) => array.is_null(row),
            Self::Fixed(array) => array.is_null(row),
            Self::List(array, _) => array.is_null(row),
            Self::Struct(array, _) => array.is_null(row),
            Self::Map(array, ..) => array.is_null(row),
        }
    }

    /// Writes the value of a row.
    pub(super) fn write(&self, row: usize, out: &mut Vec<u8>) -> Result<(), NotText> {
        if self.is_null(row) {
            out.extend_from_slice(b"null");
            return Ok(());
        }
        match self {
            Self::Null => {}
            Self::Bool(array) => {
                out.extend_from_slice(if array.value(row) { b"true" } else { b"false" });
            }
            Self::Number(array) => out.extend_from_slice(array.value(row).as_bytes()),
            Self::Float(array, finite) if finite.value(row) => {
                out.extend_from_slice(array.value(row).as_bytes());
            }
            Self::Float(array, _) | Self::Text(array) => quote(array.value(row), out),
            Self::LargeText(array) => quote(array.value(row), out),
            Self::TextView(array) => quote(array.value(row), out),
            Self::Bytes(array) => quote(as_text(array.value(row))?, out),
            Self::BytesView(array) => quote(as_text(array.value(row))?, out),
            Self::Fixed(array) => quote(as_text(array.value(row))?, out),
            Self::List(array, values) => write_list(array, values, row, out)?,
            Self::Struct(_, cells) => {
                let cells = cells.iter().filter(|(_, cell)| !cell.is_null(row));
                let mut first = true;
                out.push(b'{');
                for (member, cell) in cells {
                    comma(&mut first, out);
                    out.extend_from_slice(member);
                    cell.write(row, out)?;
                }
                out.push(b'}');
            }
            Self::Map(array, keys, values) => write_map(array, keys, values, row, out)?,
        }
        Ok(())
    }
}

/// Writes a comma before every value but the first.
pub(super) fn comma(first: &mut bool, out: &mut Vec<u8>) {
    if !std::mem::take(first) {
        out.push(b',');
    }
}

/// The positions of a row's values, by the offsets of rows.
fn range(offsets: &[i32], row: usize) -> std::ops::Range<usize> {
    let at = |row: usize| offsets.get(row).and_then(|at| usize::try_from(*at).ok());
    at(row).unwrap_or_default()..at(row + 1).unwrap_or_default()
}

fn write_list(
    array: &ListArray,
    values: &ColumnValues,
    row: usize,
    out: &mut Vec<u8>,
) -> Result<(), NotText> {
    let mut first = true;
    out.push(b'[');
    for place in range(array.value_offsets(), row) {
        comma(&mut first, out);
        values.write(place, out)?;
    }
    out.push(b']');
    Ok(())
}

/// Writes a map as an object. Names in an object are text, so keys of other types are written as
/// text.
fn write_map(
    array: &MapArray,
    keys: &ColumnValues,
    values: &ColumnValues,
    row: usize,
    out: &mut Vec<u8>,
) -> Result<(), NotText> {
    let (mut first, mut key) = (true, Vec::new());
    out.push(b'{');
    for place in range(array.value_offsets(), row).filter(|place| !values.is_null(*place)) {
        comma(&mut first, out);
        key.clear();
        keys.write(place, &mut key)?;
        if key.first() == Some(&b'"') {
            out.extend_from_slice(&key);
        } else {
            quote(std::str::from_utf8(&key)?, out);
        }
        out.push(b':');
        values.write(place, out)?;
    }
    out.push(b'}');
    Ok(())
}

fn uuids(array: &ArrayRef) -> StringArray {
    let ids = array.as_fixed_size_binary().iter();
    ids.map(|id| id.and_then(|id| Uuid::from_slice(id).ok()).map(|id| id.to_string())).collect()
}

/// The values as text. A value that cannot be shown, such as a time in the year 300000, becomes its
/// number.
fn shown(array: &ArrayRef) -> Result<StringArray, ArrowError> {
    let options = FormatOptions::new();
    let formatter = ArrayFormatter::try_new(array.as_ref(), &options)?;
    let numbers = numbers(array);
    let (mut texts, mut text) = (StringBuilder::with_capacity(array.len(), 0), String::new());
    for row in 0..array.len() {
        if array.is_null(row) {
            texts.append_null();
            continue;
        }
        text.clear();
        if formatter.value(row).write(&mut text).is_err() {
            text.clear();
            let number =
                numbers.as_ref().map(|numbers| numbers.as_primitive::<Int64Type>().value(row));
            let unit = unit(array.data_type());
            // Writing into memory does not fail.
            write!(text, "{} {unit}, which is not a time", number.unwrap_or_default())
                .unwrap_or_default();
        }
        texts.append_value(&text);
    }
    Ok(texts.finish())
}

/// The numbers that represent dates and times.
fn numbers(array: &ArrayRef) -> Option<ArrayRef> {
    let narrow = matches!(array.data_type(), DataType::Date32 | DataType::Time32(_));
    let numbers = if narrow { cast(array, &DataType::Int32).ok()? } else { array.clone() };
    let numbers = cast(&numbers, &DataType::Int64).ok()?;
    numbers.as_primitive_opt::<Int64Type>().is_some().then_some(numbers)
}

fn unit(kind: &DataType) -> &'static str {
    match kind {
        DataType::Date32 => "days",
        DataType::Timestamp(unit, _)
        | DataType::Time32(unit)
        | DataType::Time64(unit)
        | DataType::Duration(unit) => match unit {
            TimeUnit::Second => "seconds",
            TimeUnit::Millisecond => "milliseconds",
            TimeUnit::Microsecond => "microseconds",
            TimeUnit::Nanosecond => "nanoseconds",
        },
        _ => "milliseconds",
    }
}
