//! Tests of CloudEvents in all three modes.

use arrow::datatypes::TimestampMicrosecondType;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::*;

const CONTEXT: &str = r#""specversion":"1.0","id":"7","source":"/proxy","type":"llm.call""#;

fn structured(envelope: &str) -> Decoded {
    decode_bytes(&ContentKind::CloudEvent, envelope.as_bytes()).unwrap()
}

fn binary(headers: BinaryCloudEvent, body: &str) -> Result<Decoded, IngestError> {
    decode(&ContentKind::BinaryCloudEvent(headers.into()), body.as_bytes(), builder())
}

const HEADERS: BinaryCloudEvent = BinaryCloudEvent {
    specversion: Some(Bytes::from_static(b"1.0")),
    id: Some(Bytes::from_static(b"7")),
    source: Some(Bytes::from_static(b"/proxy")),
    time: Some(Bytes::from_static(b"2024-01-02T03:04:00Z")),
};

fn ts(decoded: &Decoded) -> Micros {
    let times = decoded.batch.record_batch().column_by_name("ts").unwrap();
    times.as_primitive::<TimestampMicrosecondType>().value(0)
}

fn event_type(decoded: &Decoded) -> String {
    let types = decoded.batch.record_batch().column_by_name("event_type").unwrap();
    types.as_string::<i32>().value(0).to_owned()
}

#[test]
fn the_context_lends_what_the_data_lacks() {
    let time = r#","time":"2024-01-02T03:04:00Z""#;
    let cases = [
        (r#"{}"#, "/proxy 7", NOW - 5 * SECOND),
        (r#"{"event_id":null,"ts":null,"type":"x"}"#, "/proxy 7", NOW - 5 * SECOND),
        (r#"{"event_id":"own"}"#, "own", NOW - 5 * SECOND),
        (r#"{"ts":1704164645}"#, "/proxy 7", NOW),
    ];
    for (data, id, at) in cases {
        let decoded = structured(&format!("{{{CONTEXT}{time},\"ext\":{{}},\"data\":{data}}}"));
        assert_eq!((taken(&decoded), ts(&decoded)), (vec![(0, id.to_owned())], at), "{data}");
        assert_eq!(event_type(&decoded), "api_call");

        let encoded = STANDARD.encode(data);
        let decoded = structured(&format!("{{{CONTEXT}{time},\"data_base64\":\"{encoded}\"}}"));
        assert_eq!((taken(&decoded), ts(&decoded)), (vec![(0, id.to_owned())], at), "{data}");

        let decoded = binary(HEADERS, data).unwrap();
        assert_eq!((taken(&decoded), ts(&decoded)), (vec![(0, id.to_owned())], at), "{data}");
        assert_eq!(event_type(&decoded), "api_call");
    }
    let without_time = structured(&format!("{{{CONTEXT},\"time\":null,\"data\":{{}}}}"));
    assert_eq!(refused(&without_time), [(0, Some("/proxy 7"), "ts: missing")]);
}

/// Envelopes that break a rule; `$C` stands for [`CONTEXT`] and `$E` for a valid event.
const BAD_ENVELOPES: &[(&str, &str)] = &[
    (r#""id":"7","source":"s","data":$E"#, "specversion: missing, but a CloudEvent has one"),
    (r#""specversion":"0.3","id":"7","source":"s","data":$E"#, "specversion: 0.3 is not 1.0"),
    (r#""specversion":1,"id":"7","source":"s","data":$E"#, "specversion: 1 is not 1.0"),
    (
        r#""specversion":"1.0","id":"\ud800","source":"s","data":$E"#,
        "id: unexpected end of hex escape at line 1 column 8",
    ),
    (r#""specversion":"1.0","source":"s","data":$E"#, "id: missing, but a CloudEvent has one"),
    (r#""specversion":"1.0","id":"","data":$E"#, "id: missing, but a CloudEvent has one"),
    (r#""specversion":"1.0","id":[5],"source":"s","data":$E"#, "id: [5] is not text"),
    (r#""specversion":"1.0","id":"7","data":$E"#, "source: missing, but a CloudEvent has one"),
    (r#"$C,"time":5,"data":{}"#, "ts: 5 is before 2015-01-01"),
    (
        r#"$C,"time":"2024-01-02T03:04:00","data":{}"#,
        "ts: \"2024-01-02T03:04:00\" has no offset from UTC; end it with Z or +00:00",
    ),
    (r#"$C,"id":"8","data":$E"#, "id: given more than once"),
    ("$C", "data: missing"),
    (r#"$C,"data":null"#, "data: missing"),
    (r#"$C,"data":$E,"data_base64":"e30=""#, "data: given in data_base64 too"),
    (r#"$C,"data":[1]"#, "data: [1] is not an object"),
    (r#"$C,"data":"text""#, "data: \"text\" is not an object"),
    (r#"$C,"data_base64":"!""#, "data_base64: Invalid symbol 33, offset 0."),
    (r#"$C,"data_base64":"MQ==""#, "data: 1 is not an object"),
    (r#"$C,"data_base64":7"#, "data_base64: 7 is not text"),
];

#[test]
fn an_envelope_must_hold_its_rules() {
    let good = event("a", "");
    for (members, error) in BAD_ENVELOPES {
        let envelope = format!("{{{}}}", members.replace("$C", CONTEXT).replace("$E", &good));
        assert_eq!(only_error(&structured(&envelope)), *error, "{envelope}");
        let neighbour = format!("{{{CONTEXT},\"data\":{good}}}");
        let batch = format!("[{neighbour},{envelope},5,{neighbour}]");
        let decoded = decode_bytes(&ContentKind::CloudEventBatch, batch.as_bytes()).unwrap();
        assert_eq!(decoded.batch.indices(), [0, 3]);
        assert_eq!(refused(&decoded)[1], (2, None, "5 is not an object"));
    }
    for (encoded, error) in
        [(STANDARD.encode(b"\xff"), "data_base64: "), (STANDARD.encode("{"), "data: ")]
    {
        let decoded = structured(&format!("{{{CONTEXT},\"data_base64\":\"{encoded}\"}}"));
        assert!(only_error(&decoded).starts_with(error));
    }
}

#[test]
fn what_an_envelope_says_otherwise_is_read_all_the_same() {
    let event = r#"{"event_id":"a","ts":"2024-01-02 03:04+0000","x":NaN,"y":"\ud83d"}"#;
    let text = serde_json::Value::from(r#" {"event_id":"a","ts":1704164645} "#);
    let unpadded = STANDARD.encode(r#"{"event_id":"a","ts":1704164645}"#);
    let unpadded = unpadded.trim_end_matches('=');
    for members in [
        format!(r#"{CONTEXT},"data":{event}"#),
        format!(r#"{CONTEXT},"datacontenttype":"application/json; charset=utf-8","data":{event}"#),
        format!(r#"{CONTEXT},"datacontenttype":"text/plain","data":{text}"#),
        format!(r#"{CONTEXT},"data_base64":"{unpadded}","data":null"#),
        format!(r#"{CONTEXT},"ext":1,"ext":2,"\ud800":3,"data":{event}"#),
        format!(r#""specversion":1.0,"id":7,"source":"s","data":{event}"#),
    ] {
        let envelope = format!(" {{{members}}} ");
        assert_eq!(taken(&structured(&envelope)), [(0, "a".to_owned())], "{members}");
        let batch = format!("[{envelope},{{}},{{\"a\":nope}}]");
        let decoded = decode_bytes(&ContentKind::CloudEventBatch, batch.as_bytes()).unwrap();
        assert_eq!((taken(&decoded).len(), decoded.rejected()), (1, 2), "{batch}");
    }
    let numbers = r#""specversion":"1.0","id":7,"source":"s","time":1704164645,"data":{}"#;
    let decoded = structured(&format!("{{{numbers}}}"));
    assert_eq!((taken(&decoded), ts(&decoded)), (vec![(0, "s 7".to_owned())], NOW));
    assert_eq!(taken(&binary(HEADERS, event).unwrap()), [(0, "a".to_owned())]);
}

#[test]
fn headers_may_hold_bytes_that_are_no_ascii() {
    for (id, event_id) in [
        ("é1".as_bytes(), "/proxy é1"),
        (b"\xe91", "/proxy é1"),
        ("\"é\" 1".as_bytes(), "/proxy \"é\" 1"),
        ("日本%20語".as_bytes(), "/proxy 日本 語"),
    ] {
        let id = Some(Bytes::from_static(id));
        let decoded = binary(BinaryCloudEvent { id, ..HEADERS }, "{}").unwrap();
        assert_eq!(taken(&decoded), [(0, event_id.to_owned())]);
    }
}

#[test]
fn a_body_of_the_wrong_shape_is_refused() {
    let cases = [
        (ContentKind::CloudEvent, "[]", false),
        (ContentKind::CloudEvent, "5", false),
        (ContentKind::CloudEvent, "{", true),
        (ContentKind::CloudEventBatch, "{}", false),
        (ContentKind::CloudEventBatch, "5", false),
        (ContentKind::CloudEventBatch, "[{]", true),
        (ContentKind::CloudEventBatch, "", true),
    ];
    for (kind, body, broken) in cases {
        let error = decode_bytes(&kind, body.as_bytes()).unwrap_err();
        assert_eq!(matches!(error, IngestError::NotJson(_)), broken, "{body}: {error}");
        assert_eq!(matches!(error, IngestError::NotEvents(_)), !broken, "{body}: {error}");
    }
    assert_eq!(decode_bytes(&ContentKind::CloudEventBatch, b" [ ] ").unwrap().events(), 0);
    assert!(matches!(binary(HEADERS, "{"), Err(IngestError::NotJson(_))));
}

#[test]
fn headers_are_unquoted_and_percent_decoded() {
    let cases = [
        ("caf%C3%A9", Ok("/proxy café")),
        ("a%20b%2", Err("ce-id: a % is not followed by two hex digits")),
        ("%zz", Err("ce-id: a % is not followed by two hex digits")),
        ("100%", Err("ce-id: a % is not followed by two hex digits")),
        ("%2541", Ok("/proxy %41")),
        (r#""q \"x\" \\ %41""#, Ok(r#"/proxy q "x" \ A"#)),
        ("\"", Ok("/proxy \"")),
        (" 7 ", Ok("/proxy 7")),
    ];
    for (id, expected) in cases {
        let id = Some(Bytes::from_static(id.as_bytes()));
        let decoded = binary(BinaryCloudEvent { id, ..HEADERS }, "{}").unwrap();
        match expected {
            Ok(event_id) => assert_eq!(taken(&decoded), [(0, event_id.to_owned())]),
            Err(error) => assert_eq!(only_error(&decoded), error),
        }
    }
    let invalid =
        binary(BinaryCloudEvent { source: Some(Bytes::from_static(b"%ff")), ..HEADERS }, "{}")
            .unwrap();
    assert!(only_error(&invalid).starts_with("ce-source: invalid utf-8"));
    let missing = binary(BinaryCloudEvent { source: None, ..HEADERS }, "{}").unwrap();
    assert_eq!(only_error(&missing), "source: missing, but a CloudEvent has one");
    let data = binary(HEADERS, "[1]").unwrap();
    assert_eq!(only_error(&data), "data: [1] is not an object");
}
