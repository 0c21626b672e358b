//! Tests of rows of each Arrow type.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryArray, BinaryViewArray, BooleanArray, Date32Array, Date64Array,
    Decimal128Array, Decimal256Array, DictionaryArray, DurationMillisecondArray,
    FixedSizeBinaryArray, Float32Array, Float64Array, Int8Array, Int32Array, Int64Array,
    IntervalMonthDayNanoArray, LargeBinaryArray, LargeListArray, LargeStringArray, ListArray,
    MapArray, NullArray, StringArray, StringViewArray, StructArray, Time32SecondArray,
    Time64MicrosecondArray, TimestampMicrosecondArray, TimestampMillisecondArray,
    TimestampNanosecondArray, TimestampSecondArray, UInt8Array, UInt64Array,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Field, Fields, Float64Type, Int8Type, Int32Type, IntervalMonthDayNano, Schema, i256,
};

use super::*;

const UUID: [u8; 16] =
    [0x11, 0x11, 0x11, 0x11, 0x22, 0x22, 0x33, 0x33, 0x44, 0x44, 5, 5, 5, 5, 5, 5];
const AT: i64 = 1_700_158_546;

fn of(name: &str, array: ArrayRef, leaves: &[Leaf]) -> JsonLines {
    let field = Field::new(name, array.data_type().clone(), true);
    let batch = RecordBatch::try_new(Schema::new(vec![field]).into(), vec![array]).unwrap();
    lines(&batch, leaves, |name| name == "f").unwrap()
}

/// The value of the first row of a column that is a field.
#[track_caller]
fn value(array: impl Array + 'static) -> String {
    array_value(Arc::new(array))
}

#[track_caller]
fn array_value(array: ArrayRef) -> String {
    let lines = of("f", array, &[]);
    assert_eq!((&lines.flaws, lines.left_out), (&vec![], 0));
    let text = String::from_utf8(lines.json).unwrap();
    let line = text.lines().next().unwrap();
    serde_json::from_str::<serde_json::Value>(line).unwrap();
    line.strip_prefix("{\"f\":").and_then(|it| it.strip_suffix('}')).unwrap_or("null").to_owned()
}

#[test]
fn numbers_are_decimal_text() {
    assert_eq!(value(Int8Array::from(vec![-7])), "-7");
    assert_eq!(value(UInt8Array::from(vec![255])), "255");
    assert_eq!(value(UInt64Array::from(vec![u64::MAX])), "18446744073709551615");
    assert_eq!(value(Int64Array::from(vec![i64::MIN])), "-9223372036854775808");
    let decimal = |digits, scale| {
        Decimal128Array::from(vec![digits]).with_precision_and_scale(38, scale).unwrap()
    };
    assert_eq!(value(decimal(1_500, 3)), "1.500");
    assert_eq!(value(decimal(-5, 2)), "-0.05");
    assert_eq!(value(decimal(12, 0)), "12");
    let wide = Decimal256Array::from(vec![i256::from_i128(1)]).with_precision_and_scale(76, 20);
    assert_eq!(value(wide.unwrap()), "0.00000000000000000001");
    assert_eq!(value(Float64Array::from(vec![0.1])), "0.1");
    assert_eq!(value(Float32Array::from(vec![10.0])), "10.0");
    let half = cast(&Float32Array::from(vec![2.5]), &DataType::Float16).unwrap();
    assert_eq!(array_value(half), "2.5");
    assert_eq!(value(BooleanArray::from(vec![true])), "true");
    assert_eq!(value(NullArray::new(1)), "null");
}

#[test]
fn what_is_no_number_is_text_that_says_so() {
    for (float, text) in
        [(f64::NAN, "\"NaN\""), (f64::INFINITY, "\"inf\""), (f64::NEG_INFINITY, "\"-inf\"")]
    {
        assert_eq!(value(Float64Array::from(vec![float])), text);
        let narrow = cast(&Float64Array::from(vec![float]), &DataType::Float16).unwrap();
        assert_eq!(array_value(narrow), text);
        // In nested values, too.
        let list =
            ListArray::from_iter_primitive::<Float64Type, _, _>([Some([Some(1.0), Some(float)])]);
        assert_eq!(value(list), format!("[1.0,{text}]"));
    }
}

#[test]
fn times_of_all_units_are_instants() {
    let micros = AT * 1_000_000 + 5;
    assert_eq!(value(TimestampSecondArray::from(vec![AT])), "\"2023-11-16T18:15:46\"");
    assert_eq!(
        value(TimestampMillisecondArray::from(vec![AT * 1_000 + 5]).with_timezone("UTC")),
        "\"2023-11-16T18:15:46.005Z\""
    );
    for zone in ["UTC", "+05:30", "Europe/Berlin"] {
        let zoned = TimestampMicrosecondArray::from(vec![micros]).with_timezone(zone);
        assert_eq!(value(zoned), "\"2023-11-16T18:15:46.000005Z\"", "{zone}");
    }
    let nanos = TimestampNanosecondArray::from(vec![micros * 1_000 + 999]);
    assert_eq!(value(nanos), "\"2023-11-16T18:15:46.000005999\"");
    assert_eq!(value(Date32Array::from(vec![19_677])), "\"2023-11-16\"");
    assert_eq!(value(Date64Array::from(vec![AT * 1_000])), "\"2023-11-16T18:15:46\"");
    assert_eq!(value(Time32SecondArray::from(vec![3_600])), "\"01:00:00\"");
    assert_eq!(value(Time64MicrosecondArray::from(vec![1])), "\"00:00:00.000001\"");
    assert_eq!(value(DurationMillisecondArray::from(vec![1_500])), "\"PT1.5S\"");
    let span = IntervalMonthDayNanoArray::from(vec![IntervalMonthDayNano::new(1, 2, 0)]);
    assert_eq!(value(span), "\"1 mons 2 days\"");
}

#[test]
fn times_that_are_none_say_what_they_are() {
    for (array, number) in [
        (value(TimestampSecondArray::from(vec![i64::MAX])), "9223372036854775807 seconds"),
        (
            value(TimestampMicrosecondArray::from(vec![i64::MIN])),
            "-9223372036854775808 microseconds",
        ),
        (value(Time32SecondArray::from(vec![-1])), "-1 seconds"),
    ] {
        assert_eq!(array, format!("\"{number}, which is not a time\""));
    }
}

#[test]
fn text_of_all_types_is_text() {
    let quoted = "\"a\\\"é\"";
    assert_eq!(value(StringArray::from(vec!["a\"é"])), quoted);
    assert_eq!(value(LargeStringArray::from(vec!["a\"é"])), quoted);
    assert_eq!(value(StringViewArray::from(vec!["a\"é"])), quoted);
    let bytes = "a\"é".as_bytes();
    assert_eq!(value(BinaryArray::from(vec![bytes])), quoted);
    assert_eq!(value(LargeBinaryArray::from(vec![bytes])), quoted);
    assert_eq!(value(BinaryViewArray::from(vec![bytes])), quoted);
    let fixed = FixedSizeBinaryArray::try_from_iter([bytes].into_iter()).unwrap();
    assert_eq!(value(fixed), quoted);
    let keys = Int8Array::from(vec![0]);
    for values in [
        Arc::new(StringArray::from(vec!["a\"é"])) as ArrayRef,
        Arc::new(BinaryArray::from(vec![bytes])),
        Arc::new(LargeStringArray::from(vec!["a\"é"])),
    ] {
        let dictionary = DictionaryArray::<Int8Type>::try_new(keys.clone(), values).unwrap();
        assert_eq!(value(dictionary), quoted);
    }
    let money = Decimal128Array::from(vec![1]).with_precision_and_scale(18, 1).unwrap();
    let money = DictionaryArray::<Int8Type>::try_new(keys, Arc::new(money)).unwrap();
    assert_eq!(value(money), "0.1");
}

#[test]
fn bytes_that_are_no_text_are_a_flaw_of_a_field_and_left_out_elsewhere() {
    for bad in [[b"\xff\xfe".as_slice(), b"ok"], [b"7\0", b"ok"]] {
        check_bytes(bad);
    }
}

fn check_bytes(bad: [&[u8]; 2]) {
    let values = Arc::new(BinaryArray::from(bad.to_vec()));
    let keys = Int32Array::from(vec![0, 1]);
    let list = LargeListArray::new(
        Arc::new(Field::new("item", DataType::Binary, true)),
        OffsetBuffer::from_lengths([1, 1]),
        values.clone(),
        None,
    );
    let arrays: [ArrayRef; 5] = [
        values.clone(),
        Arc::new(BinaryViewArray::from(bad.to_vec())),
        Arc::new(FixedSizeBinaryArray::try_from_iter(bad.into_iter()).unwrap()),
        Arc::new(DictionaryArray::<Int32Type>::try_new(keys, values).unwrap()),
        Arc::new(list),
    ];
    for array in arrays {
        let field = of("f", array.clone(), &[]);
        let [(0, reason)] = field.flaws.as_slice() else { panic!("{:?}", field.flaws) };
        assert!(reason.contains("not UTF-8") || reason.contains("zeros"), "{reason}");
        let other = of("other", array, &[]);
        assert_eq!((other.flaws.len(), other.left_out), (0, 1));
        let text = String::from_utf8(other.json).unwrap();
        assert!(text.starts_with("{}\n{\"other\":"), "{text}");
    }
}

#[test]
fn uuids_have_dashes_wherever_they_stand() {
    let expected = "11111111-2222-3333-4444-050505050505";
    let ids = || FixedSizeBinaryArray::try_from_iter([UUID].into_iter()).unwrap();
    let json = |array: ArrayRef, leaves: &[Leaf]| {
        let lines = of("f", array, leaves);
        String::from_utf8(lines.json).unwrap()
    };
    assert_eq!(json(Arc::new(ids()), &[Leaf::Uuid]), format!("{{\"f\":\"{expected}\"}}\n"));
    let kind = ids().data_type().clone();
    let fields = Fields::from(vec![
        Field::new("n", DataType::Int64, true),
        Field::new("id", kind.clone(), true),
    ]);
    let parts: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(vec![1])), Arc::new(ids())];
    let nested = StructArray::new(fields, parts, None);
    let leaves = [Leaf::Plain, Leaf::Uuid];
    assert_eq!(
        json(Arc::new(nested), &leaves),
        format!("{{\"f\":{{\"n\":1,\"id\":\"{expected}\"}}}}\n")
    );
    let dictionary =
        DictionaryArray::<Int8Type>::try_new(Int8Array::from(vec![0]), Arc::new(ids())).unwrap();
    assert_eq!(json(Arc::new(dictionary), &[Leaf::Uuid]), format!("{{\"f\":\"{expected}\"}}\n"));
    // Sixteen bytes that are not declared a UUID are plain bytes.
    assert_eq!(of("f", Arc::new(ids()), &[]).flaws.len(), 0);
}

fn map(keys: ArrayRef) -> MapArray {
    let values: ArrayRef = Arc::new(StringArray::from(vec![Some("x"), None]));
    let fields = Fields::from(vec![
        Field::new("key", keys.data_type().clone(), false),
        Field::new("value", DataType::Utf8, true),
    ]);
    let entries = StructArray::new(fields.clone(), vec![keys, values], None);
    let field = Field::new("entries", DataType::Struct(fields), false);
    MapArray::new(field.into(), OffsetBuffer::from_lengths([2]), entries, None, false)
}

#[test]
fn names_of_maps_are_text_whatever_the_keys_are() {
    let cases: [(ArrayRef, &str); 5] = [
        (Arc::new(StringArray::from(vec!["a", "b"])), "{\"a\":\"x\"}"),
        (Arc::new(Int32Array::from(vec![1, 2])), "{\"1\":\"x\"}"),
        (Arc::new(BooleanArray::from(vec![true, false])), "{\"true\":\"x\"}"),
        (Arc::new(Date32Array::from(vec![0, 1])), "{\"1970-01-01\":\"x\"}"),
        (Arc::new(BinaryArray::from(vec![b"a".as_slice(), b"b"])), "{\"a\":\"x\"}"),
    ];
    for (keys, expected) in cases {
        assert_eq!(value(map(keys)), expected);
    }
}

#[test]
fn nulls_and_empty_values_stay_apart() {
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([
        Some(vec![Some(1), None]),
        None,
        Some(vec![]),
    ]);
    let text = of("f", Arc::new(list), &[]).json;
    assert_eq!(String::from_utf8(text).unwrap(), "{\"f\":[1,null]}\n{}\n{\"f\":[]}\n");
}

#[test]
fn endless_nesting_is_refused() {
    let mut array: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    for _ in 0..70 {
        let field = Field::new("a", array.data_type().clone(), true);
        array = Arc::new(StructArray::new(vec![field].into(), vec![array], None));
    }
    let field = Field::new("f", array.data_type().clone(), true);
    let batch = RecordBatch::try_new(Schema::new(vec![field]).into(), vec![array]).unwrap();
    let error = lines(&batch, &[], |_| true).err().unwrap().to_string();
    assert!(error.contains("deeper than 64"), "{error}");
}
