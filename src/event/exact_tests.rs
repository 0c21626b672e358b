use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, BinaryArray, Decimal128Array, Decimal256Array,
    DictionaryArray, Float64Array, Int8Array, Int32Array, Int64Array, LargeStringArray, MapArray,
    NullArray, StringArray, StringViewArray, StructArray, TimestampMicrosecondArray,
    TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray, UInt64Array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Decimal128Type, Field, Fields, Int32Type, Int64Type, i256};
use proptest::prelude::*;

use super::exact_column;
use crate::event::{format_scaled, money, schema};

fn exact(column: &str, found: impl arrow::array::Array + 'static) -> Result<ArrayRef, String> {
    let schema = schema();
    let field = schema.field_with_name(column).unwrap();
    let found: ArrayRef = Arc::new(found);
    let made = exact_column(field, &found)?;
    assert_eq!(made.data_type(), field.data_type());
    assert_eq!(made.len(), found.len());
    Ok(made)
}

#[test]
fn text_in_any_form_is_text() {
    let expected: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("é")]));
    let texts = [Some("a"), None, Some("é")];
    let bytes = texts.map(|text| text.map(str::as_bytes));
    let indexed: DictionaryArray<Int32Type> = texts.into_iter().collect();
    assert_eq!(&exact("model", LargeStringArray::from(texts.to_vec())).unwrap(), &expected);
    assert_eq!(&exact("model", StringViewArray::from(texts.to_vec())).unwrap(), &expected);
    assert_eq!(&exact("model", BinaryArray::from(bytes.to_vec())).unwrap(), &expected);
    assert_eq!(&exact("model", indexed).unwrap(), &expected);
    let numbers = exact("event_id", Int64Array::from(vec![7, -1])).unwrap();
    assert_eq!(numbers.as_string::<i32>(), &StringArray::from(vec!["7", "-1"]));
    let error = exact("model", BinaryArray::from(vec![&b"\xff"[..]])).unwrap_err();
    assert_eq!(error, "its column model holds invalid UTF-8");
    let error = exact("event_id", Float64Array::from(vec![1.0])).unwrap_err();
    assert_eq!(error, "its column event_id is Float64, which is not text");
}

#[test]
fn counts_keep_their_value_or_are_refused() {
    let counts = |found: ArrayRef| exact_column(schema().field(6), &found);
    let of = |made: ArrayRef| made.as_primitive::<Int64Type>().iter().collect::<Vec<_>>();
    assert_eq!(
        of(counts(Arc::new(Int8Array::from(vec![Some(-3), None]))).unwrap()),
        [Some(-3), None]
    );
    assert_eq!(of(counts(Arc::new(Int32Array::from(vec![9]))).unwrap()), [Some(9)]);
    assert_eq!(of(counts(Arc::new(UInt64Array::from(vec![9]))).unwrap()), [Some(9)]);
    assert_eq!(of(counts(Arc::new(Float64Array::from(vec![12.0]))).unwrap()), [Some(12)]);
    let decimals = Decimal128Array::from(vec![1_200]).with_precision_and_scale(10, 2).unwrap();
    assert_eq!(of(counts(Arc::new(decimals)).unwrap()), [Some(12)]);
    assert_eq!(of(counts(Arc::new(NullArray::new(2))).unwrap()), [None, None]);
    for (found, words) in [
        (Arc::new(UInt64Array::from(vec![u64::MAX])) as ArrayRef, "too large"),
        (Arc::new(Float64Array::from(vec![0.5])), "not whole"),
        (Arc::new(Float64Array::from(vec![f64::NAN])), "not a number"),
        (Arc::new(StringArray::from(vec!["1"])), "is Utf8, which is not a number"),
    ] {
        let error = counts(found).unwrap_err();
        assert!(error.contains(words) && error.contains("input_tokens"), "{error}");
    }
}

#[test]
fn costs_are_never_rounded() {
    let units = |made: ArrayRef| made.as_primitive::<Decimal128Type>().value(0);
    let decimal = |value: i128, digits: u8, scale: i8| {
        Decimal128Array::from(vec![value]).with_precision_and_scale(digits, scale).unwrap()
    };
    assert_eq!(units(exact("cost_usd", decimal(15, 10, 1)).unwrap()), 1_500_000_000_000);
    assert_eq!(units(exact("cost_usd", decimal(15_000, 38, 15)).unwrap()), 15);
    assert_eq!(units(exact("cost_usd", decimal(7, 3, 0)).unwrap()), 7 * money::UNITS_PER_DOLLAR);
    assert_eq!(units(exact("cost_usd", decimal(2, 5, -2)).unwrap()), 200 * money::UNITS_PER_DOLLAR);
    let wide = Decimal256Array::from(vec![i256::from_i128(25)]).with_precision_and_scale(50, 2);
    assert_eq!(units(exact("cost_usd", wide.unwrap()).unwrap()), 250_000_000_000);
    assert_eq!(units(exact("cost_usd", Float64Array::from(vec![0.375])).unwrap()), 375_000_000_000);
    assert_eq!(units(exact("cost_usd", Int32Array::from(vec![3])).unwrap()), 3_000_000_000_000);
    let too_fine = "holds a number that 12 decimal places do not hold exactly";
    for (found, words) in [
        (Arc::new(decimal(15_001, 38, 15)) as ArrayRef, too_fine),
        (Arc::new(Float64Array::from(vec![0.1])), too_fine),
        (Arc::new(Float64Array::from(vec![f64::INFINITY])), "not a number"),
        (Arc::new(decimal(10_000_000, 38, 0)), "too large"),
        (Arc::new(decimal(10_i128.pow(37), 38, 0)), "too large"),
        (Arc::new(Float64Array::from(vec![1e300])), "too large"),
    ] {
        let error =
            exact_column(schema().field_with_name("cost_usd").unwrap(), &found).unwrap_err();
        assert!(error.contains(words), "{error}");
    }
}

proptest! {
    #[test]
    #[allow(clippy::float_arithmetic, reason = "floats are what is tested")]
    fn a_float_is_taken_if_it_is_that_many_units(units in -999_999_999_i64..=999_999_999, halvings in 0_u32..3) {
        // A number divided by two a few times has a short decimal text, which is exact.
        let float = (units as f64) / f64::from(1_u32 << halvings);
        let made = exact("cost_usd", Float64Array::from(vec![float / 1_024.0])).unwrap();
        let value = made.as_primitive::<Decimal128Type>().value(0);
        prop_assert_eq!(format_scaled(value, 12).to_string().parse::<f64>().unwrap(), float / 1_024.0);
    }
}

#[test]
fn times_are_instants_of_utc_whatever_their_unit_and_zone() {
    let expected = TimestampMicrosecondArray::from(vec![Some(1_700_000_000_000_000), None])
        .with_timezone("UTC");
    let expected: ArrayRef = Arc::new(expected);
    let seconds = TimestampSecondArray::from(vec![Some(1_700_000_000), None]);
    assert_eq!(&exact("ts", seconds).unwrap(), &expected);
    let millis = TimestampMillisecondArray::from(vec![Some(1_700_000_000_000), None]);
    assert_eq!(&exact("ts", millis.with_timezone("+02:00")).unwrap(), &expected);
    let micros = TimestampMicrosecondArray::from(vec![Some(1_700_000_000_000_000), None]);
    assert_eq!(&exact("ts", micros).unwrap(), &expected);
    let nanos = TimestampNanosecondArray::from(vec![Some(1_700_000_000_000_000_999), None]);
    assert_eq!(&exact("ts", nanos).unwrap(), &expected);
    let far = exact("ts", TimestampSecondArray::from(vec![i64::MAX])).unwrap_err();
    assert!(far.contains("outside the calendar"), "{far}");
    let number = exact("ts", Int64Array::from(vec![1])).unwrap_err();
    assert!(number.contains("is Int64, which is not a timestamp"), "{number}");
}

/// A map whose fields have other names.
fn map(keys: Vec<&str>, lengths: Vec<usize>, nulls: Option<Vec<bool>>) -> MapArray {
    let parts = Fields::from(vec![
        Field::new("keys", DataType::LargeUtf8, false),
        Field::new("values", DataType::Int32, true),
    ]);
    let values: Int32Array = (0..).take(keys.len()).map(Some).collect();
    let columns: Vec<ArrayRef> = vec![Arc::new(LargeStringArray::from(keys)), Arc::new(values)];
    let entries = StructArray::try_new(parts.clone(), columns, None).unwrap();
    let field = Arc::new(Field::new("entries", DataType::Struct(parts), false));
    let offsets = OffsetBuffer::from_lengths(lengths);
    MapArray::try_new(field, offsets, entries, nulls.map(NullBuffer::from), false).unwrap()
}

fn attributes_of(found: &ArrayRef) -> Vec<Option<Vec<(String, String)>>> {
    let made = exact_column(schema().field_with_name("attributes").unwrap(), found).unwrap();
    let made = made.as_map();
    made.iter()
        .map(|entries| {
            let entries = entries?;
            let of = |at: usize| entries.column(at).as_string::<i32>().clone();
            let (keys, values) = (of(0), of(1));
            let pairs = keys.iter().zip(&values);
            let owned = |text: Option<&str>| text.unwrap().to_owned();
            Some(pairs.map(|(key, value)| (owned(key), owned(value))).collect())
        })
        .collect()
}

#[test]
fn maps_of_other_names_are_taken_row_by_row() {
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let whole = map(vec!["a", "b", "c"], vec![2, 0, 1], None);
    let expected =
        vec![Some(vec![pair("a", "0"), pair("b", "1")]), Some(vec![]), Some(vec![pair("c", "2")])];
    assert_eq!(attributes_of(&(Arc::new(whole.clone()) as ArrayRef)), expected);
    assert_eq!(attributes_of(&(Arc::new(whole.slice(1, 2)) as ArrayRef)), expected[1..]);
    let with_null = map(vec!["a"], vec![0, 0, 1], Some(vec![true, false, true]));
    let expected = vec![Some(vec![]), None, Some(vec![pair("a", "0")])];
    assert_eq!(attributes_of(&(Arc::new(with_null) as ArrayRef)), expected);
    let error = exact("attributes", StringArray::from(vec!["{}"])).unwrap_err();
    assert!(error.contains("which is not a map of texts"), "{error}");
}
