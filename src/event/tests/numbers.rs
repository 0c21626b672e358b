//! Tests of times, token counts and costs.

use arrow::datatypes::Decimal128Type;

use super::*;

#[test]
fn times_are_read_by_their_type() {
    for value in [
        text("2024-01-02T03:04:05Z"),
        text("2024-01-02 03:04+0000"),
        text("1704164645"),
        number("1704164645000"),
        number("1.704164645e9"),
    ] {
        assert!(one(&[("ts", value)]).is_ok());
    }
    let cases = [
        (
            text("soon"),
            "\"soon\" is neither an RFC 3339 time with an offset nor a number since 1970",
        ),
        (
            text("2024-01-02T03:04:05"),
            "\"2024-01-02T03:04:05\" has no offset from UTC; end it with Z or +00:00",
        ),
        (text("2031-01-01T00:00:00Z"), "\"2031-01-01T00:00:00Z\" is more than 5 minutes ahead"),
        (
            text("2014-12-31T23:59:59.999999Z"),
            "\"2014-12-31T23:59:59.999999Z\" is before 2015-01-01",
        ),
        (number("1e400"), "1e400 is more than 5 minutes ahead"),
        (number("-1"), "-1 is before 2015-01-01"),
        (number("NaN"), "NaN is not a decimal number"),
        (
            Mended("2024-01-02T03:04:05Z".into()),
            "\"2024-01-02T03:04:05Z\" is neither text nor a number",
        ),
        (Bool(false), "false is neither text nor a number"),
    ];
    for (value, error) in cases {
        assert_eq!(one(&[("ts", value)]).unwrap_err(), format!("ts: {error}"));
    }
}

#[test]
fn naive_times_are_utc_where_the_builder_says_so() {
    let event = event(&[("ts", text("2024-01-02 03:04:05"))]);
    let builder = |naive| {
        let mut builder = EventBatchBuilder::new(only_acme(), NOW).naive_times(naive);
        builder.push(0, &event);
        builder.finish().unwrap().batch.len()
    };
    assert_eq!((builder(Naive::Utc), builder(Naive::Refused)), (1, 0));
}

#[test]
fn token_counts_are_whole_and_bounded() {
    let good = [
        (number("12"), 12),
        (number("12.0"), 12),
        (text("12"), 12),
        (text(" 12.00 "), 12),
        (number("1e3"), 1000),
        (number("-0"), 0),
        (number("1200e-2"), 12),
        (number("1000000000000"), 1_000_000_000_000),
        (number("1e12"), 1_000_000_000_000),
    ];
    for column in ["input_tokens", "output_tokens"] {
        for (value, count) in good.clone() {
            assert_eq!(integer(&one(&[(column, value)]).unwrap(), column), Some(count));
        }
    }
    let bad = [
        number("12.5"),
        number("-1"),
        number("1e400"),
        number("1e-400"),
        number("1000000000001"),
        number("1000000000000.1"),
        text("twelve"),
        text(""),
        text("0x1f"),
        number("NaN"),
        number("-Infinity"),
        Mended("12".into()),
        Bool(true),
        Json("[]".into()),
        Map(vec![]),
    ];
    let columns = [
        "input_tokens",
        "output_tokens",
        "cached_input_tokens",
        "cache_write_tokens",
        "reasoning_tokens",
    ];
    for column in columns {
        for value in bad.clone() {
            let error = one(&[(column, value.clone())]).unwrap_err();
            let rule = "is not an integer from 0 to 1000000000000";
            assert_eq!(error, format!("{column}: {} {rule}", value.excerpt()));
        }
    }
}

#[test]
fn a_part_is_at_most_its_total() {
    let parts = [
        ("cached_input_tokens", "input_tokens"),
        ("cache_write_tokens", "input_tokens"),
        ("reasoning_tokens", "output_tokens"),
    ];
    for (part, total) in parts {
        let batch = one(&[(part, number("7")), (total, number("7"))]).unwrap();
        assert_eq!(integer(&batch, part), Some(7));
        assert_eq!(integer(&one(&[(part, number("0"))]).unwrap(), part), Some(0));
        let error = one(&[(part, number("8")), (total, number("7"))]).unwrap_err();
        assert_eq!(error, format!("{part}: 8 is more than {total}, which is 7"));
        assert!(one(&[(part, number("1"))]).is_err());
    }
}

#[test]
fn costs_are_exact() {
    for (value, units) in [(number("0.1"), 100_000_000_000), (text("1e-12"), 1), (number("0"), 0)] {
        let batch = one(&[("cost_usd", value)]).unwrap();
        let costs = batch.record_batch().column_by_name("cost_usd").unwrap();
        assert_eq!(costs.as_primitive::<Decimal128Type>().iter().next(), Some(Some(units)));
    }
    let cases = [
        (text("abc"), "\"abc\" is not a decimal number"),
        (text(""), "\"\" is not a decimal number"),
        (Bool(true), "true is not a decimal number"),
        (number("NaN"), "NaN is not a decimal number"),
        (number("Infinity"), "Infinity is not a decimal number"),
        (number("-0.5"), "-0.5 is negative"),
        (number("1e400"), "1e400 is not below 1000000 dollars"),
    ];
    for (value, error) in cases {
        assert_eq!(one(&[("cost_usd", value)]).unwrap_err(), format!("cost_usd: {error}"));
    }
}
