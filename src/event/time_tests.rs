//! Tests of times in all spellings.

use chrono::DateTime;
use proptest::prelude::*;

use super::*;

#[test]
fn text_needs_an_offset() {
    let at = 1_704_164_645 * SECOND;
    let cases = [
        ("2024-01-02T03:04:05Z", Ok(at)),
        ("2024-01-02t03:04:05z", Ok(at)),
        ("2024-01-02T05:04:05+02:00", Ok(at)),
        ("2024-01-01T22:34:05.5-04:30", Ok(at + SECOND / 2)),
        ("2024-01-02T03:04:05.123456999999999999Z", Ok(at + 123_456)),
        ("1969-12-31T23:59:59Z", Ok(-SECOND)),
        ("2016-12-31T23:59:60Z", Ok(1_483_228_800 * SECOND)),
        ("2024-01-02T03:04:05", Err(InvalidTime::Naive)),
        ("2024-01-02 03:04", Err(InvalidTime::Naive)),
        ("2024-01-02", Err(InvalidTime::Naive)),
        ("2024-02-30T00:00:00Z", Err(InvalidTime::NotTime)),
        ("", Err(InvalidTime::NotTime)),
    ];
    for (text, time) in cases {
        assert_eq!(from_text(text), time, "{text}");
    }
}

/// Each spelling of 2026-11-20T10:00:00Z or a part of a second later.
const SPELLINGS: [(&str, Micros); 27] = [
    ("2026-11-20T10:00Z", 0),
    ("2026-11-20 10:00Z", 0),
    ("2026-11-20t10:00z", 0),
    ("2026-11-20T10:00:00+00:00", 0),
    ("2026-11-20T10:00:00+0000", 0),
    ("2026-11-20T10:00:00-00:00", 0),
    ("2026-11-20T10:00:00+00", 0),
    ("2026-11-20T10:00+0000", 0),
    ("2026-11-20T15:30+05:30", 0),
    ("2026-11-20T15:30:00+0530", 0),
    ("2026-11-20T02:00:00-08", 0),
    ("2026-11-20T02:00:00\u{2212}08:00", 0),
    ("2026-11-19T23:00:00-11:00", 0),
    ("2026-11-20 10:00:00 +0000", 0),
    ("2026-11-20 10:00:00 +0000 UTC", 0),
    ("2026-11-20 10:00:00 UTC", 0),
    ("2026-11-20 10:00:00utc", 0),
    (" 2026-11-20T10:00:00Z\n", 0),
    ("2026-11-20T10:00:00,5Z", 500_000),
    ("2026-11-20 10:00:00.5z", 500_000),
    ("2026-11-20T10:00:00,123456999+0000", 123_456),
    ("1795168800", 0),
    (" 1795168800 ", 0),
    ("1795168800.5", 500_000),
    ("1.7951688e9", 0),
    ("1795168800000.25", 250),
    ("1795168800000000123", 0),
];

#[test]
fn every_spelling_of_a_time_is_read() {
    let at = from_text("2026-11-20T10:00:00Z").unwrap();
    for (text, later) in SPELLINGS {
        assert_eq!(from_text(text), Ok(at + later), "{text}");
        assert_eq!(read(text, Naive::Utc), Ok(at + later), "{text}");
    }
}

#[test]
fn what_could_be_two_times_is_none() {
    for text in [
        "2026-11-20T10Z",
        "2026-11-20T10:00.5Z",
        "2026-11-20T10:00:00.Z",
        "2026-11-20T10:00:00+5",
        "2026-11-20T10:00:00+05:3",
        "2026-11-20T10:00:00+24:00",
        "2026-11-20T10:00:00+05:60",
        "2026-11-20T10:00:00+05:30 UTC",
        "2026-11-20T10:00:00 CET",
        "2026-11-20T24:00:00Z",
        "2026-11-20T10:60:00Z",
        "2026-11-20T10:00:61Z",
        "2026-11-20Z",
        "2026-11-20  10:00Z",
        "20.11.2026 10:00",
        "11/20/2026 10:00",
        "now",
        "0x1f",
        "NaN",
    ] {
        assert_eq!(from_text(text), Err(InvalidTime::NotTime), "{text}");
        assert_eq!(read(text, Naive::Utc), Err(InvalidTime::NotTime), "{text}");
    }
}

#[test]
fn naive_times_are_utc_where_that_is_said() {
    let at = from_text("2023-11-16T18:15:46.68059Z").unwrap();
    for text in [
        "2023-11-16 18:15:46.6805900",
        "2023-11-16T18:15:46.680590",
        "2023-11-16T18:15:46,68059",
        " 2023-11-16 18:15:46.68059 ",
    ] {
        assert_eq!(read(text, Naive::Utc), Ok(at), "{text}");
        assert_eq!(from_text(text), Err(InvalidTime::Naive), "{text}");
    }
    let midnight = from_text("2023-11-16T00:00:00Z").unwrap();
    assert_eq!(read("2023-11-16", Naive::Utc), Ok(midnight));
    assert_eq!(read("2023-11-16 00:00", Naive::Utc), Ok(midnight));
}

#[test]
fn the_size_of_a_number_tells_its_unit() {
    let at = 1_704_164_645 * SECOND;
    let cases = [
        ("1704164645", Ok(at)),
        ("1704164645.1234569", Ok(at + 123_456)),
        ("1.704164645e9", Ok(at)),
        ("1704164645000", Ok(at)),
        ("1704164645000.9999", Ok(at + 999)),
        ("1704164645000000", Ok(at)),
        ("1704164645000000.9", Ok(at)),
        ("1704164645000000999", Ok(at)),
        ("99999999999.999999", Ok(99_999_999_999_999_999)),
        ("1e11", Ok(100_000_000 * SECOND)),
        ("99999999999999.999", Ok(99_999_999_999_999_999)),
        ("1e14", Ok(100_000_000 * SECOND)),
        ("99999999999999999", Ok(99_999_999_999_999_999)),
        ("1e17", Ok(100_000_000 * SECOND)),
        ("0", Ok(0)),
        ("-0", Ok(0)),
        ("1e-400", Ok(0)),
        ("-1", Err(InvalidTime::TooEarly)),
        ("-1e400", Err(InvalidTime::TooEarly)),
        ("1e400", Err(InvalidTime::TooLate)),
        ("1e23", Err(InvalidTime::TooLate)),
        ("now", Err(InvalidTime::NotDecimal)),
    ];
    for (text, time) in cases {
        assert_eq!(from_number(text), time, "{text}");
    }
}

#[test]
fn the_range_includes_both_ends() {
    let now = 1_704_164_645 * SECOND;
    assert_eq!(check(EARLIEST, now), Ok(EARLIEST));
    assert_eq!(check(EARLIEST - 1, now), Err(InvalidTime::TooEarly));
    assert_eq!(check(now + AHEAD_MAX, now), Ok(now + AHEAD_MAX));
    assert_eq!(check(now + AHEAD_MAX + 1, now), Err(InvalidTime::TooLate));
    assert_eq!(from_text("2015-01-01T00:00:00Z"), Ok(EARLIEST));
}

proptest! {
    #[test]
    fn all_forms_of_a_time_agree(micros in EARLIEST..4_000_000_000_000_000) {
        let (seconds, fraction) = (micros / SECOND, micros % SECOND);
        let text = DateTime::from_timestamp_micros(micros).unwrap().to_rfc3339();
        prop_assert_eq!(from_text(&text), Ok(micros));
        prop_assert_eq!(from_number(&format!("{seconds}.{fraction:06}")), Ok(micros));
        prop_assert_eq!(from_number(&format!("{}.{:03}", micros / 1000, micros % 1000)), Ok(micros));
        prop_assert_eq!(from_number(&micros.to_string()), Ok(micros));
        prop_assert_eq!(from_number(&format!("{micros}789")), Ok(micros));
    }

    #[test]
    fn the_usual_form_is_read_as_any_other(
        year in 1900..2200_i32, month in 0..14_u32, day in 0..33_u32, clock in "[0-2][0-9]:[0-6][0-9]:[0-6][0-9]",
        fraction in "|\\.[0-9]{0,12}", zone in "Z|Z|z|",
    ) {
        let text = format!("{year}-{month:02}-{day:02}T{clock}{fraction}{zone}");
        let chronos = DateTime::parse_from_rfc3339(&text).map(|time| time.timestamp_micros());
        prop_assert_eq!(from_text(&text).ok(), chronos.ok(), "{}", text);
    }

    #[test]
    fn any_text_is_answered(text in ".*") {
        let _ = (from_text(&text), read(&text, Naive::Utc), from_number(&text));
    }
}
