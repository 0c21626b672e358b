//! Broken and hostile requests: they are answered, and take no memory to speak of.

use proptest::prelude::*;
use prost::Message as _;

use super::messages::{Any, KeyValue, ResourceSpans, ScopeSpans, Span, TracesData};
use super::*;

#[test]
fn odd_values_cost_no_neighbour() {
    let good = |id| span("chat", &format!("gen_ai.operation.name=chat;gen_ai.response.id={id}"));
    let odd = [
        r#"{"attributes":null}"#,
        r#"{"attributes":[null,{},5,{"key":"a"},{"key":null,"value":{}},{"key":5,"value":null}]}"#,
        r#"{"kind":"SPAN_KIND_CLIENT","status":null,"traceId":5,"spanId":null,"name":null}"#,
        r#"{"attributes":[{"key":"x","value":{"doubleValue":"NaN"}},{"key":"y","value":{"doubleValue":NaN}}]}"#,
        r#"{"attributes":{"a":"b"},"events":5,"links":{},"status":"ERROR","endTimeUnixNano":{}}"#,
        r#"{"name":"\ud800","attributes":[{"key":"\u0061\ud800","value":{"stringValue":"\ud800"}}]}"#,
        "null",
        "{}",
    ];
    for odd in odd {
        let spans = format!("{},{odd},{}", good("a"), good("b"));
        let body = request(OtlpSignal::Traces, "s", &spans);
        let taken = taken(OtlpSignal::Traces, Encoding::Json, body.as_bytes()).expect(odd);
        let ids: Vec<_> = taken.events.iter().map(|event| event["event_id"].as_str()).collect();
        assert_eq!((ids, taken.rejected), (vec!["a", "b"], vec![]), "{odd}");
    }
    for broken in [r#"{"name" "x"}"#, r#"{"a":1,}"#, "5", "[]", "\"x\"", "{nope:1}"] {
        let spans = format!("{},{broken},{}", good("a"), good("b"));
        let body = request(OtlpSignal::Traces, "s", &spans);
        let taken = taken(OtlpSignal::Traces, Encoding::Json, body.as_bytes()).expect(broken);
        let ids: Vec<_> = taken.events.iter().map(|event| event["event_id"].as_str()).collect();
        let rejected: Vec<_> = taken.rejected.iter().map(|(index, _)| *index).collect();
        assert_eq!((ids, rejected), (vec!["a", "b"], vec![1]), "{broken}");
    }
    // Numbers in any form.
    let odd = r#"{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","endTimeUnixNano":1795436673178833273,"attributes":[
        {"key":"gen_ai.operation.name","value":{"stringValue":"chat"}},
        {"key":"gen_ai.usage.input_tokens","value":{"intValue":5.0}},
        {"key":"gen_ai.usage.output_tokens","value":{"doubleValue":7.0}},
        {"value":{"intValue":2},"key":"gen_ai.usage.cache_read.input_tokens"}]}"#;
    let event = event_of(OtlpSignal::Traces, "s", odd).unwrap();
    assert_eq!(core(&event), "- - 5 7 2 - - -");
    assert_eq!(event["ts"], "1795436673178833");
}

#[test]
fn a_body_that_is_no_request_is_told() {
    for (encoding, body) in [
        (Encoding::Json, &b""[..]),
        (Encoding::Json, b"nope"),
        (Encoding::Json, b"[]"),
        (Encoding::Json, b"5"),
        (Encoding::Json, b"{\"resourceSpans\":[}"),
        (Encoding::Json, b"{\"resourceSpans\":[]"),
        (Encoding::Json, b"{\"resourceSpans\":[{\"scopeSpans\":[}]}"),
        (Encoding::Json, b"{} x"),
        (Encoding::Json, b"\xff"),
        (Encoding::Protobuf, b"{\"resourceSpans\":[]}"),
        (Encoding::Protobuf, b"\x0a\x05"),
        (Encoding::Protobuf, b"\x0a\x02\x12\x05"),
    ] {
        let error = taken(OtlpSignal::Traces, encoding, body).unwrap_err();
        assert!(error.starts_with("is no"), "{error}");
    }
    for (encoding, body) in [
        (Encoding::Json, &b"{}"[..]),
        (Encoding::Json, b" {\"resourceSpans\":null} "),
        (Encoding::Json, b"{\"resourceSpans\":[null,{},{\"resource\":null,\"scopeSpans\":null}]}"),
        (Encoding::Json, b"{\"more\":[1,2]}"),
        (Encoding::Protobuf, b""),
        (Encoding::Protobuf, b"\x12\x01x"),
    ] {
        for signal in [OtlpSignal::Traces, OtlpSignal::Logs, OtlpSignal::Metrics] {
            assert_eq!(taken(signal, encoding, body), Ok(Taken::default()), "{body:?}");
        }
    }
    assert!(taken(OtlpSignal::Metrics, Encoding::Json, b"{\"a\":}").is_err());
    assert!(taken(OtlpSignal::Metrics, Encoding::Protobuf, b"\x0a\x05").is_err());
}

/// A message around a message.
fn within(field: u8, inner: &[u8]) -> Vec<u8> {
    let mut message = vec![field << 3 | 2];
    let mut length = inner.len();
    while length > 0x7f {
        message.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
        length >>= 7;
    }
    message.push(u8::try_from(length).unwrap());
    message.extend_from_slice(inner);
    message
}

#[test]
fn large_bodies_without_calls_take_no_time_to_speak_of() {
    let spans = b"\x12\x00".repeat(2 << 20);
    let empty = within(1, &within(2, &spans));
    let deep = (0..100_000)
        .fold(Vec::new(), |inner, _| if inner.len() < 1 << 22 { within(5, &inner) } else { inner });
    let value = within(9, &[within(1, b"x"), within(2, &deep[..deep.len().min(1 << 22)])].concat());
    let deep = within(1, &within(2, &within(2, &value)));
    for body in [empty, deep] {
        assert_eq!(taken(OtlpSignal::Traces, Encoding::Protobuf, &body), Ok(Taken::default()));
    }
    let nested = format!("{{\"x\":{}{}}}", "[".repeat(1 << 20), "]".repeat(1 << 20));
    let body = request(OtlpSignal::Traces, "s", &nested);
    assert_eq!(taken(OtlpSignal::Traces, Encoding::Json, body.as_bytes()), Ok(Taken::default()));
    let lists = format!(
        "{{\"resourceSpans\":[{{{}\"x\":1}}]}}",
        "\"scopeSpans\":[{\"spans\":[]}],".repeat(50_000)
    );
    assert_eq!(taken(OtlpSignal::Traces, Encoding::Json, lists.as_bytes()), Ok(Taken::default()));
}

#[test]
fn a_resource_is_copied_to_its_calls_within_a_bound() {
    let attribute = attributes(&format!("session.id={};cost.center=core", "u".repeat(8_000)));
    let span = span("x", "gen_ai.operation.name=chat;team=own");
    let request = |calls: usize| {
        format!(
            r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{}]}}],"resource":{{"attributes":[{attribute}]}}}}]}}"#,
            vec![span.as_str(); calls].join(",")
        )
    };
    let few = taken(OtlpSignal::Traces, Encoding::Json, request(100).as_bytes()).unwrap();
    assert_eq!((few.events.len(), few.dropped), (100, 0));
    let many = taken(OtlpSignal::Traces, Encoding::Json, request(2_000).as_bytes()).unwrap();
    let copied = |event: &&Event| event.contains_key("attributes.session.id");
    let ids = many.events.iter().filter(copied).count();
    assert!(ids * 8_000 < (4 << 20) + request(2_000).len() && ids > 500, "{ids}");
    assert_eq!((many.events.len(), many.dropped), (2_000, 2_000 - ids));
    assert!(many.events.iter().all(|event| event["attributes.team"] == "own"));
    // What a dimension reads has room of its own.
    assert!(many.events.iter().all(|event| event["attributes.cost.center"] == "core"));
    let long = attributes(&format!("cost.center={}", "u".repeat(8_000)));
    let body = request(2_000).replace(&attribute, &long);
    let many = taken(OtlpSignal::Traces, Encoding::Json, body.as_bytes()).unwrap();
    let read = |event: &Event| event["attributes.cost.center"] == "u".repeat(128);
    assert!(many.events.iter().all(read) && many.dropped == 0);
}

#[test]
fn what_dimensions_read_comes_before_all_else_that_is_kept() {
    let many: Vec<_> = (0..70).map(|number| format!("user.f{number}=v")).collect();
    let lines = format!(
        "gen_ai.operation.name=chat;{};team=t;cost.center={}",
        many.join(";"),
        "c".repeat(9_000)
    );
    let body = request(OtlpSignal::Traces, "s", &span("x", &lines));
    let taken = taken(OtlpSignal::Traces, Encoding::Json, body.as_bytes()).unwrap();
    let event = &taken.events[0];
    assert_eq!(event["attributes.cost.center"], "c".repeat(128));
    assert_eq!(
        (event["attributes.team"].as_str(), event["attributes.service.name"].as_str()),
        ("t", "svc")
    );
    let users = event.keys().filter(|name| name.starts_with("attributes.user.")).count();
    assert_eq!((users, taken.dropped), (64, 6));
}

#[test]
fn no_call_is_shorter_than_is_reckoned() {
    let bare = r#"{"spans":[{"endTimeUnixNano":1795436673178833273,"attributes":[{"key":"llm.request.type","value":{"stringValue":"chat"}}]}]}"#;
    let body = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{bare}]}}]}}"#);
    assert_eq!(taken(OtlpSignal::Traces, Encoding::Json, body.as_bytes()).unwrap().events.len(), 1);
    assert_eq!(calls_max(Encoding::Json, body.as_bytes()), 1);
    let span = Span {
        end_time_unix_nano: 1_795_436_673_178_833_273,
        attributes: vec![KeyValue::new("llm.request.type", Any::Text("chat".to_owned()))],
        ..Span::default()
    };
    let scope_spans = vec![ScopeSpans { scope: None, spans: vec![span, Span::default()] }];
    let data = TracesData { resource_spans: vec![ResourceSpans { resource: None, scope_spans }] };
    let body = data.encode_to_vec();
    assert_eq!(taken(OtlpSignal::Traces, Encoding::Protobuf, &body).unwrap().events.len(), 1);
    assert_eq!(calls_max(Encoding::Protobuf, &body), 1);
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for signal in [OtlpSignal::Traces, OtlpSignal::Logs, OtlpSignal::Metrics] {
            let _ = taken(signal, Encoding::Protobuf, &bytes);
            let _ = taken(signal, Encoding::Json, &bytes);
        }
    }

    #[test]
    fn any_piece_of_a_request_is_answered(cut in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), piece in "[\\[\\]{}\",:a0]{0,3}") {
        let record = span("chat", "gen_ai.operation.name=chat;gen_ai.usage.input_tokens=5;gen_ai.usage.cost=0.5");
        let mut body = request(OtlpSignal::Traces, "s", &record);
        body.truncate(cut.index(body.len() + 1));
        let at = at.index(body.len() + 1);
        body.insert_str(at, &piece);
        let _ = taken(OtlpSignal::Traces, Encoding::Json, body.as_bytes());
    }
}
