//! Tests of plain JSON and NDJSON.

use arrow::datatypes::{Decimal128Type, Int64Type};

use super::*;

#[test]
fn one_event_an_array_or_events() {
    let (a, b) = (event("a", ""), event("b", ""));
    let cases = [
        (a.clone(), vec!["a"]),
        (format!(" \r\n\t{a} "), vec!["a"]),
        (format!("\u{feff}{a}"), vec!["a"]),
        (format!("[{a} , {b}]"), vec!["a", "b"]),
        (format!("\u{feff} [{a}]\n"), vec!["a"]),
        (format!("{{\"events\":[{a},{b}]}}"), vec!["a", "b"]),
        (format!("{{\"sent_at\": 1, \"event_id\":null, \"events\" : [ {a} ] }}"), vec!["a"]),
        (format!("{{\"\\u0065vents\":[{a}]}}"), vec!["a"]),
        (event("c", r#","events":[1]"#), vec!["c"]),
        ("[]".into(), vec![]),
        ("{\"events\": []}".into(), vec![]),
    ];
    for (body, ids) in cases {
        let decoded = decode_json(&body);
        let expected: Vec<_> = (0..).zip(ids.iter().map(|id| (*id).to_owned())).collect();
        assert_eq!((taken(&decoded), decoded.events()), (expected, ids.len()), "{body}");
    }
}

#[test]
fn a_body_that_is_not_json_or_no_list() {
    let broken = [
        "",
        " ",
        "{",
        "[",
        "[1,]",
        "{\"a\":1,}",
        "nope",
        "[1] 2",
        "{} x",
        "[1\n2]",
        "\"\u{1}\"",
        "{\"a\":nan}",
        "{\"events\":[1}",
    ];
    for body in broken {
        let error = decode_bytes(&ContentKind::Json, body.as_bytes()).unwrap_err();
        assert!(matches!(error, IngestError::NotJson(_)), "{body}: {error}");
    }
    // A body whose events are all broken is not JSON.
    for invalid in [
        b"\"\xff\"".as_slice(),
        b"[\"\xff\"]",
        b"[{\"event_id\":\"\xff\"},{}]",
        b"[nope]",
        b"{\"events\":[nope]}",
        b"{\"a\":\"\xff\"}",
        b"[\"\xff\"",
        b"\xff",
    ] {
        let error = decode_bytes(&ContentKind::Json, invalid).unwrap_err();
        assert!(matches!(error, IngestError::NotJson(_)), "{error}");
    }
    let twice = "{\"events\":[],\"\\u0065vents\":[]}";
    for body in ["1", "\"x\"", "null", "true", "{\"events\":{}}", "{\"events\":\"x\"}", twice] {
        let error = decode_bytes(&ContentKind::Json, body.as_bytes()).unwrap_err();
        assert!(matches!(error, IngestError::NotEvents(_)), "{body}: {error}");
    }
    let list = format!("{{\"events\":null,\"events\":[{}],\"event_id\":null}}", event("1", ""));
    assert_eq!(taken(&decode_json(&list)).len(), 1, "{list}");
    for body in ["{\"ts\":NaN}", "[{\"ts\":NaN}]", "{\"events\":[{\"ts\":NaN}]}"] {
        assert_eq!(only_error(&decode_json(body)), "event_id: missing", "{body}");
    }
}

#[test]
fn a_bad_event_does_not_fail_its_neighbours() {
    let bad = [
        ("12", None, "12 is not an object"),
        ("null", None, "null is not an object"),
        ("[[]]", None, "[[]] is not an object"),
        ("NaN", None, "NaN is not an object"),
        ("{}", None, "event_id: missing"),
        (r#"{"event_id":7,"ts":1}"#, Some("7"), "ts: 1 is before 2015-01-01"),
        (r#"{"event_id":["x"],"ts":1}"#, None, "event_id: [\"x\"] is neither text nor a number"),
        (
            &event("x", r#","input_tokens":1e400"#),
            Some("x"),
            "input_tokens: 1e400 is not an integer from 0 to 1000000000000",
        ),
        (&event("x", r#","cost_usd":NaN"#), Some("x"), "cost_usd: NaN is not a decimal number"),
        (
            &event("x", r#","cost_usd" : -Infinity "#),
            Some("x"),
            "cost_usd: -Infinity is not a decimal number",
        ),
        (&event("x", r#","cost_usd":1,"cost_usd":1"#), Some("x"), "cost_usd: given more than once"),
        (&event("x", r#","ts":1,"\u0074s":1704164645"#), Some("x"), "ts: given more than once"),
        (
            &event(r"x\ud83d", ""),
            Some("x\u{fffd}"),
            "event_id: holds half of a surrogate pair; send whole characters",
        ),
        (
            &event("x", r#","a":nope"#),
            Some("x"),
            "cannot be read: expected ident at line 1 column 38",
        ),
        (
            &event("x", ",\"a\":\"\u{1}\""),
            Some("x"),
            "cannot be read: control character (\\u0000-\\u001F) found while parsing a string at line 1 column 37",
        ),
    ];
    for (bad, event_id, error) in bad {
        let body = format!("[{},{bad},{}]", event("a", ""), event("b", ""));
        for body in [body.clone(), format!("{{\"events\":{body}}}")] {
            let decoded = decode_json(&body);
            assert_eq!(taken(&decoded), [(0, "a".to_owned()), (2, "b".to_owned())], "{bad}");
            assert_eq!(refused(&decoded), [(1, event_id, error)]);
        }
        assert_eq!(
            refused(&decode_bytes(&ContentKind::Ndjson, bad.as_bytes()).unwrap()),
            [(0, event_id, error)]
        );
    }
    let body = [b"[".as_slice(), event("a", "").as_bytes(), b",{\"event_id\":\"\xff\"}]"].concat();
    let decoded = decode_bytes(&ContentKind::Json, &body).unwrap();
    assert_eq!(taken(&decoded), [(0, "a".to_owned())]);
    assert!(refused(&decoded)[0].2.starts_with("the event is not UTF-8: "));
}

/// Members of an event, the attributes that they leave, and the reasons that are counted.
type Odd = (&'static str, &'static [(&'static str, &'static str)], &'static [&'static str]);

/// Odd values in columns other than identity, time, tokens and money.
const ODD_METADATA: &[Odd] = &[
    (r#","x":"hello \ud83d""#, &[("x", "hello \u{fffd}")], &["replaced"]),
    (r#","\udc00":1"#, &[("\u{fffd}", "1")], &["replaced"]),
    (r#","x":["\ud83d",{"\ud83d": 1}]"#, &[("x", r#"["\ufffd",{"\ufffd":1}]"#)], &["replaced"]),
    (r#","attributes":{"a":"\ude00"}"#, &[("a", "\u{fffd}")], &["replaced"]),
    (r#","attributes":{"\ude00":{"b":1}}"#, &[("\u{fffd}", "{\"b\":1}")], &["replaced"]),
    (r#","provider":"\ud800x","model":"\udc00""#, &[], &["replaced", "replaced"]),
    (r#","attributes":[]"#, &[], &[]),
    (r#","attributes":"{\"a\":1}""#, &[("a", "1")], &[]),
    (r#","attributes":null"#, &[], &[]),
    (r#","attributes":[1, 2]"#, &[("attributes", "[1,2]")], &["no_object"]),
    (r#","attributes":7"#, &[("attributes", "7")], &["no_object"]),
    (r#","attributes":"text""#, &[("attributes", "text")], &["no_object"]),
    (r#","attributes":{"a":{"b":[[{"c": null}]]}}"#, &[("a", r#"{"b":[[{"c":null}]]}"#)], &[]),
    (r#","attributes":{"a":1,"a":2},"a":3,"a":4"#, &[("a", "1")], &[]),
    (r#","source":["a"],"provider":{"b":1},"model":true"#, &[], &["not_text"; 3]),
    (r#","event_type":"","org_id":"","model":3"#, &[], &[]),
    (r#","model":"a","model":"b""#, &[], &["repeated"]),
    (r#","x":NaN"#, &[("x", "NaN")], &[]),
    (r#","x":[NaN, {"y":-Infinity}]"#, &[("x", r#"[null,{"y":null}]"#)], &["replaced"]),
    (r#","model":NaN"#, &[], &["not_text"]),
    (r#","x":"\u0000\u001b","\u0000":1e400"#, &[("x", "\0\u{1b}"), ("\0", "1e400")], &[]),
];

#[test]
fn metadata_never_refuses_an_event() {
    for (more, kept, reasons) in ODD_METADATA {
        let event = event("a", more);
        let bodies = [
            (ContentKind::Json, event.clone()),
            (ContentKind::Json, format!("[{event}]")),
            (ContentKind::Ndjson, event),
        ];
        for (kind, body) in bodies {
            let decoded = decode_bytes(&kind, body.as_bytes()).unwrap();
            assert_eq!(refused(&decoded), [], "{more}");
            let kept: Vec<_> =
                kept.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            assert_eq!(attributes(&decoded), kept, "{more}");
            let counted = decoded.mended.counts().flat_map(|(mend, count)| {
                std::iter::repeat_n(mend.name(), usize::try_from(count).unwrap())
            });
            assert_eq!(counted.collect::<Vec<_>>(), *reasons, "{more}");
        }
    }
    let whole = decode_json(&event(r"\ud83d\ude00\u0000", ""));
    assert_eq!(taken(&whole), [(0, "\u{1f600}\0".to_owned())]);
    let keys = (0..100).map(|n| format!(",\"{}{n}\":1", "k".repeat(300))).collect::<String>();
    let decoded = decode_json(&event("a", &keys));
    assert_eq!((decoded.batch.len(), decoded.attributes_dropped), (1, 46));
}

#[test]
fn numbers_keep_their_digits() {
    let decoded =
        decode_json(&event("a", r#","cost_usd":0.123456789012,"input_tokens":1e3,"f":1.10"#));
    let rows = decoded.batch.record_batch();
    let costs = rows.column_by_name("cost_usd").unwrap().as_primitive::<Decimal128Type>();
    assert_eq!(costs.value(0), 123_456_789_012);
    let inputs = rows.column_by_name("input_tokens").unwrap().as_primitive::<Int64Type>();
    assert_eq!(inputs.value(0), 1000);
    assert_eq!(attributes(&decoded), [("f".to_owned(), "1.10".to_owned())]);
}

#[test]
fn nested_values_are_kept_as_compact_json() {
    let more = r#","tags" : [ 1.0, { "b" : "x y" , "a":null } ],"attributes":{"o": { } ,"n":null}"#;
    let expected = [("o", "{}"), ("tags", r#"[1.0,{"b":"x y","a":null}]"#)];
    let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(attributes(&decode_json(&event("a", more))), expected);
}

#[test]
fn nesting_of_any_depth_is_harmless() {
    let deep = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
    let more = format!(",\"x\":{deep}");
    let decoded = decode_json(&format!("[{deep},{}]", event("a", &more)));
    assert_eq!(taken(&decoded), [(1, "a".to_owned())]);
    assert_eq!(decoded.attributes_dropped, 1);
    let open = "[".repeat(1_000_000);
    for kind in [
        ContentKind::Json,
        ContentKind::Ndjson,
        ContentKind::CloudEvent,
        ContentKind::CloudEventBatch,
    ] {
        assert!(
            decode_bytes(&kind, open.as_bytes()).is_ok_and(|d| d.batch.is_empty())
                == (kind == ContentKind::Ndjson)
        );
    }
    let objects = format!("{}1{}", "{\"attributes\":".repeat(100_000), "}".repeat(100_000));
    assert_eq!(only_error(&decode_json(&objects)), "event_id: missing");
}

#[test]
fn the_number_of_events_is_bounded() {
    let zeros = |count: usize| vec!["0"; count].join(",");
    let body = format!("[{}]", zeros(EVENTS_MAX + 1));
    assert!(matches!(
        decode_bytes(&ContentKind::Json, body.as_bytes()),
        Err(IngestError::TooManyEvents)
    ));
    let body = format!("{{\"events\":[{}]}}", zeros(EVENTS_MAX));
    let decoded = decode_json(&body);
    assert_eq!((decoded.rejections.len(), decoded.rejected()), (REJECTIONS_MAX, EVENTS_MAX));
    let body = "0\n".repeat(EVENTS_MAX + 1);
    assert!(matches!(
        decode_bytes(&ContentKind::Ndjson, body.as_bytes()),
        Err(IngestError::TooManyEvents)
    ));
}

#[test]
fn lines_stand_alone() {
    let (a, b, c) = (event("a", ""), event("b", ""), event("c", ""));
    let body = format!("\u{feff}{a}\r\n\n \t\r\n{{broken\n{b}\n{b}{b}\n[{a}]\n");
    let body = [body.as_bytes(), b"{\"event_id\":\"\xff\"}\n", c.as_bytes()].concat();
    let decoded = decode_bytes(&ContentKind::Ndjson, &body).unwrap();
    let expected = [(0, "a"), (2, "b"), (6, "c")].map(|(index, id)| (index, id.to_owned()));
    assert_eq!(taken(&decoded), expected);
    assert_eq!(decoded.rejections.iter().map(|r| r.index).collect::<Vec<_>>(), [1, 3, 4, 5]);
    assert!(decoded.rejections[0].error.starts_with("cannot be read: "));
    assert!(decoded.rejections[3].error.starts_with("the line is not UTF-8: "));
    for body in ["", "\n\n", "\r\n \n", "\u{feff}"] {
        assert_eq!(decode_bytes(&ContentKind::Ndjson, body.as_bytes()).unwrap().events(), 0);
    }
}

#[test]
fn what_is_no_text_is_called_what_it_is() {
    let utf16: Vec<u8> = event("a", "").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let cases: [(&[u8], &str); 6] = [
        (b"\x1f\x8b\x08\x00", "it is gzip; say so with Content-Encoding: gzip"),
        (b"\x28\xb5\x2f\xfd\x00", "it is zstd"),
        (b"\xff\xfe{\0", "it is UTF-16; send UTF-8"),
        (b"\0{\0\"", "it is UTF-16"),
        (&utf16, "it is UTF-16"),
        (b"PAR1\x15", "it is Parquet; use: tokenlake backfill"),
    ];
    for (body, words) in cases {
        for kind in [ContentKind::Json, ContentKind::Ndjson, ContentKind::CloudEventBatch] {
            let error = decode_bytes(&kind, body).unwrap_err().to_string();
            assert!(
                error.starts_with("the body is not JSON: ") && error.contains(words),
                "{error}"
            );
        }
    }
    // If one line is good, the others are just bad lines.
    let beside = [b"\xff\xfe\n".as_slice(), event("a", "").as_bytes()].concat();
    assert_eq!(taken(&decode_bytes(&ContentKind::Ndjson, &beside).unwrap()).len(), 1);
}
