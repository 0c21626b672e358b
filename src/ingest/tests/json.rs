//! Plain JSON and NDJSON.

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
    let broken =
        ["", " ", "{", "[", "[1,]", "{\"a\":1,}", "nope", "[1] 2", "{} x", "[1\n2]", "\"\u{1}\""];
    for body in broken {
        let error = decode_bytes(ContentKind::Json, body.as_bytes()).unwrap_err();
        assert!(matches!(error, IngestError::NotJson(_)), "{body}: {error}");
    }
    let invalid = decode_bytes(ContentKind::Json, b"[\"\xff\"]").unwrap_err();
    assert!(matches!(invalid, IngestError::NotJson(_)));
    for body in ["1", "\"x\"", "null", "true", "{\"events\":{}}", "{\"events\":\"x\"}"] {
        let error = decode_bytes(ContentKind::Json, body.as_bytes()).unwrap_err();
        assert!(matches!(error, IngestError::NotEvents(_)), "{body}: {error}");
    }
}

#[test]
fn a_bad_event_does_not_fail_its_neighbours() {
    let bad = [
        ("12", None, "12 is not an object"),
        ("null", None, "null is not an object"),
        ("[[]]", None, "[[]] is not an object"),
        ("{}", None, "event_id: missing"),
        (r#"{"event_id":7,"ts":1}"#, None, "event_id: 7 is not text"),
        (&event("x", r#","model":1"#), Some("x"), "model: 1 is not text"),
        (
            &event("x", r#","input_tokens":1e400"#),
            Some("x"),
            "input_tokens: 1e400 is not an integer from 0 to 1000000000000",
        ),
        (&event("x", r#","a":1,"a":1"#), Some("x"), "a: given more than once"),
        (&event("x", r#","a":1,"\u0061":null"#), Some("x"), "a: given more than once"),
        (
            &event("x", r#","attributes":{"k":1,"k":2}"#),
            Some("x"),
            "attributes: k: given more than once",
        ),
        (&event("x", r#","attributes":[]"#), Some("x"), "attributes: [] is not an object"),
        (
            &event("x", r#","model":"\ud800""#),
            Some("x"),
            "model: unexpected end of hex escape at line 1 column 8",
        ),
    ];
    for (bad, event_id, error) in bad {
        let body = format!("[{},{bad},{}]", event("a", ""), event("b", ""));
        let decoded = decode_json(&body);
        assert_eq!(taken(&decoded), [(0, "a".to_owned()), (2, "b".to_owned())], "{bad}");
        assert_eq!(refused(&decoded), [(1, event_id, error)]);
        assert_eq!(
            refused(&decode_bytes(ContentKind::Ndjson, bad.as_bytes()).unwrap()),
            [(0, event_id, error)]
        );
    }
}

#[test]
fn half_a_surrogate_pair_is_rejected_wherever_it_is() {
    let places = [
        r#","provider":"\ud800x""#,
        r#","\udc00":1"#,
        r#","x":["\ud83d"]"#,
        r#","attributes":{"a":"\ude00"}"#,
        r#","attributes":{"a":{"b":"\ude00"}}"#,
        r#","attributes":{"\ude00":1}"#,
    ];
    for more in places {
        let decoded = decode_json(&format!("[{},{}]", event("a", more), event("b", "")));
        assert_eq!(taken(&decoded), [(1, "b".to_owned())], "{more}");
    }
    let decoded = decode_json(&event(r"\ud83d\ude00\u0000", ""));
    assert_eq!(taken(&decoded), [(0, "\u{1f600}\0".to_owned())]);
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
            decode_bytes(kind, open.as_bytes()).is_ok_and(|d| d.batch.is_empty())
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
        decode_bytes(ContentKind::Json, body.as_bytes()),
        Err(IngestError::TooManyEvents)
    ));
    let body = format!("{{\"events\":[{}]}}", zeros(EVENTS_MAX));
    assert_eq!(decode_json(&body).rejections.len(), EVENTS_MAX);
    let body = "0\n".repeat(EVENTS_MAX + 1);
    assert!(matches!(
        decode_bytes(ContentKind::Ndjson, body.as_bytes()),
        Err(IngestError::TooManyEvents)
    ));
}

#[test]
fn lines_stand_alone() {
    let (a, b, c) = (event("a", ""), event("b", ""), event("c", ""));
    let body = format!("\u{feff}{a}\r\n\n \t\r\n{{broken\n{b}\n{b}{b}\n[{a}]\n");
    let body = [body.as_bytes(), b"{\"event_id\":\"\xff\"}\n", c.as_bytes()].concat();
    let decoded = decode_bytes(ContentKind::Ndjson, &body).unwrap();
    let expected = [(0, "a"), (2, "b"), (6, "c")].map(|(index, id)| (index, id.to_owned()));
    assert_eq!(taken(&decoded), expected);
    assert_eq!(decoded.rejections.iter().map(|r| r.index).collect::<Vec<_>>(), [1, 3, 4, 5]);
    assert!(decoded.rejections[0].error.starts_with("cannot be read: "));
    assert!(decoded.rejections[3].error.starts_with("the line is not UTF-8: "));
    for body in ["", "\n\n", "\r\n \n", "\u{feff}"] {
        assert_eq!(decode_bytes(ContentKind::Ndjson, body.as_bytes()).unwrap().events(), 0);
    }
}
