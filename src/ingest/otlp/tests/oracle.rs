//! The walks are what a library reads, in both encodings.

use std::borrow::Cow;

use proptest::prelude::*;
use prost::Message as _;

use super::super::record::{
    AttributeSource, AttributeValue, Found, OtlpRecord, RecordContext, Visit,
};
use super::super::{json, names, proto};
use super::messages::*;
use super::*;

/// A record with its attributes and those of its resource, as text.
#[derive(Debug, Default, PartialEq)]
struct Plain {
    resource: Vec<(String, String)>,
    scope: String,
    name: String,
    ids: (Vec<u8>, Vec<u8>),
    times_ns: (u64, u64),
    is_error: bool,
    /// Those with a name that means something.
    found: Vec<(String, String)>,
    /// All single values.
    all: Vec<(String, String)>,
}

#[derive(Debug, Default)]
struct Records(Vec<Plain>);

fn found_of(found: &Found<'_>) -> Vec<(String, String)> {
    let fields = names::ALL.iter().filter_map(|field| {
        found.get(*field).map(|value| (format!("{field:?}"), value.text().into_owned()))
    });
    let kept = found.read.iter().chain(&found.named).chain(&found.kept);
    let kept = kept.map(|(name, value)| (name.to_string(), value.text().into_owned()));
    fields.chain(kept).collect()
}

impl<'a> Visit<'a> for Records {
    fn record(&mut self, index: usize, context: &RecordContext<'a>, record: &OtlpRecord<'a>) {
        assert_eq!(index, self.0.len());
        let mut all = Vec::new();
        let mut add = |name: &[u8], value: AttributeValue<'_>| {
            let name = String::from_utf8(name.to_vec()).unwrap();
            all.push((name, value.text().into_owned()));
        };
        match record.source {
            AttributeSource::Message(message, number) => {
                proto::each_attribute(message, number, &mut add);
            }
            AttributeSource::Array(array) => {
                json::each_attribute(array, |name, value| add(&name, value));
            }
        }
        self.0.push(Plain {
            resource: found_of(&context.resource),
            scope: context.scope.to_string(),
            name: record.name.to_string(),
            ids: (
                record.trace_id.map(Vec::from).unwrap_or_default(),
                record.span_id.map(Vec::from).unwrap_or_default(),
            ),
            times_ns: (record.time_ns, record.other_time_ns),
            is_error: record.is_error,
            found: found_of(&record.found),
            all,
        });
    }

    fn broken(&mut self, index: usize, reason: &'static str) {
        panic!("{index}: {reason}");
    }
}

const KEPT: Kept<'static> = Kept { dimensions: &["x"] };

fn of_any_kind(value: Option<&AnyValue>) -> Option<AttributeValue<'static>> {
    single(value).or_else(|| {
        let value = value.filter(|value| value.value.is_some())?;
        let bytes = matches!(value.value, Some(Any::Bytes(_)));
        let text = value.plain();
        let text = if bytes { text.trim_matches('"').to_owned() } else { text };
        Some(AttributeValue::Nested(Some(text)))
    })
}

fn single(value: Option<&AnyValue>) -> Option<AttributeValue<'static>> {
    Some(match value?.value.clone()? {
        Any::Text(text) => AttributeValue::Text(Cow::Owned(text)),
        Any::Bool(value) => AttributeValue::Bool(value),
        Any::Int(int) => AttributeValue::Int(int),
        Any::Double(double) => AttributeValue::Double(double),
        _ => return None,
    })
}

fn found_by_library(attributes: &[KeyValue]) -> Vec<(String, String)> {
    let mut found = Found::default();
    for attribute in attributes {
        let name = Cow::Owned(attribute.key.clone().into_bytes());
        found.add(name, &KEPT, || of_any_kind(attribute.value.as_ref()));
    }
    found_of(&found)
}

fn all_by_library(attributes: &[KeyValue]) -> Vec<(String, String)> {
    let texts = attributes.iter().filter_map(|attribute| {
        single(attribute.value.as_ref())
            .map(|value| (attribute.key.clone(), value.text().into_owned()))
    });
    texts.collect()
}

fn valid(id: &[u8], length: usize) -> Vec<u8> {
    let valid = id.len() == length && id.iter().any(|byte| *byte != 0);
    if valid { id.to_vec() } else { Vec::new() }
}

fn of_spans(data: &TracesData) -> Vec<Plain> {
    let mut records = Vec::new();
    for resource in &data.resource_spans {
        for scope in &resource.scope_spans {
            for span in &scope.spans {
                let attributes = resource.resource.iter().flat_map(|it| it.attributes.clone());
                records.push(Plain {
                    resource: found_by_library(&attributes.collect::<Vec<_>>()),
                    scope: scope.scope.clone().unwrap_or_default().name,
                    name: span.name.clone(),
                    ids: (valid(&span.trace_id, 16), valid(&span.span_id, 8)),
                    times_ns: (span.end_time_unix_nano, span.start_time_unix_nano),
                    is_error: span.status.as_ref().is_some_and(|status| status.code == 2),
                    found: found_by_library(&span.attributes),
                    all: all_by_library(&span.attributes),
                });
            }
        }
    }
    records
}

fn of_logs(data: &LogsData) -> Vec<Plain> {
    let mut records = Vec::new();
    for resource in &data.resource_logs {
        for scope in &resource.scope_logs {
            for log in &scope.log_records {
                let attributes = resource.resource.iter().flat_map(|it| it.attributes.clone());
                records.push(Plain {
                    resource: found_by_library(&attributes.collect::<Vec<_>>()),
                    scope: scope.scope.clone().unwrap_or_default().name,
                    name: log.event_name.clone(),
                    ids: (valid(&log.trace_id, 16), valid(&log.span_id, 8)),
                    times_ns: (log.time_unix_nano, log.observed_time_unix_nano),
                    is_error: false,
                    found: found_by_library(&log.attributes),
                    all: all_by_library(&log.attributes),
                });
            }
        }
    }
    records
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "gen_ai.operation.name",
            "gen_ai.usage.input_tokens",
            "gen_ai.usage.prompt_tokens",
            "gen_ai.response.id",
            "gen_ai.request.model",
            "gen_ai.response.model",
            "model",
            "service.name",
            "session.id",
            "user.id",
            "user.prompt",
            "x",
        ])
        .prop_map(str::to_owned),
        "[a-z\"\\\\é]{0,4}",
    ]
}

fn value() -> impl Strategy<Value = Option<AnyValue>> {
    let leaf = prop_oneof![
        "[ a-z0-9\"\\\\\n\u{1}é]{0,6}".prop_map(Any::Text),
        any::<bool>().prop_map(Any::Bool),
        any::<i64>().prop_map(Any::Int),
        (-1e15..1e15_f64).prop_map(Any::Double),
        Just(Any::Double(0.003666)),
        prop::collection::vec(any::<u8>(), 0..5).prop_map(Any::Bytes),
    ];
    let value = leaf.prop_recursive(4, 16, 3, |inner| {
        let values = prop::collection::vec(inner.prop_map(|it| AnyValue { value: Some(it) }), 0..3);
        let pairs = values.clone().prop_map(|values| {
            let pair = |value| KeyValue { key: "model".into(), value: Some(value) };
            Any::Map(KeyValueList { values: values.into_iter().map(pair).collect() })
        });
        prop_oneof![values.prop_map(|values| Any::Array(ArrayValue { values })), pairs]
    });
    prop_oneof![
        9 => value.prop_map(|value| Some(AnyValue { value: Some(value) })),
        1 => Just(None),
        1 => Just(Some(AnyValue { value: None })),
    ]
}

fn key_values() -> impl Strategy<Value = Vec<KeyValue>> {
    let one = (name(), value()).prop_map(|(key, value)| KeyValue { key, value });
    prop::collection::vec(one, 0..6)
}

fn id_bytes(length: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        5 => prop::collection::vec(any::<u8>(), length),
        1 => prop::collection::vec(Just(0), length),
        1 => prop::collection::vec(any::<u8>(), 0..20),
    ]
}

fn spans() -> impl Strategy<Value = TracesData> {
    let span = (id_bytes(16), id_bytes(8), "[a-zé.]{0,9}", any::<[u64; 2]>(), key_values(), 0..5);
    let span = span.prop_map(|(trace_id, span_id, name, times, attributes, code)| Span {
        trace_id,
        span_id,
        name,
        start_time_unix_nano: times[0],
        end_time_unix_nano: times[1],
        attributes,
        status: (code < 4).then(|| Status { code, message: "m".into() }),
        ..Span::default()
    });
    let scope = ("[a-z.]{0,6}", prop::collection::vec(span, 0..4)).prop_map(|(name, spans)| {
        let scope = Some(Scope { name });
        ScopeSpans { scope: scope.filter(|it| !it.name.is_empty()), spans }
    });
    let resource = (prop::option::of(key_values()), prop::collection::vec(scope, 0..3)).prop_map(
        |(attributes, scope_spans)| ResourceSpans {
            resource: attributes.map(|attributes| Resource { attributes }),
            scope_spans,
        },
    );
    prop::collection::vec(resource, 0..3).prop_map(|resource_spans| TracesData { resource_spans })
}

fn logs() -> impl Strategy<Value = LogsData> {
    let log = (id_bytes(16), id_bytes(8), "[a-zé.]{0,9}", any::<[u64; 2]>(), key_values(), value());
    let log = log.prop_map(|(trace_id, span_id, event_name, times, attributes, body)| LogRecord {
        trace_id,
        span_id,
        event_name,
        time_unix_nano: times[0],
        observed_time_unix_nano: times[1],
        attributes,
        body,
    });
    let scope = prop::collection::vec(log, 0..4).prop_map(|log_records| {
        let scope = Some(Scope { name: "s".into() });
        ScopeLogs { scope, log_records }
    });
    let resource = (key_values(), scope).prop_map(|(attributes, scope)| ResourceLogs {
        resource: Some(Resource { attributes }),
        scope_logs: vec![scope],
    });
    prop::collection::vec(resource, 0..3).prop_map(|resource_logs| LogsData { resource_logs })
}

fn in_protobuf(signal: OtlpSignal, body: &[u8]) -> Vec<Plain> {
    let mut records = Records::default();
    proto::walk(signal, body, &KEPT, &mut records).unwrap();
    records.0
}

fn in_json(signal: OtlpSignal, body: &str) -> Vec<Plain> {
    let mut records = Records::default();
    json::walk(signal, body.as_bytes(), &KEPT, &mut records).expect(body);
    records.0
}

/// The same JSON with the members of each object in the opposite order.
fn turned(json: &serde_json::Value) -> String {
    match json {
        serde_json::Value::Object(members) => {
            let member = |(name, value): (&String, &serde_json::Value)| {
                format!("{} :\t{}", serde_json::Value::from(name.as_str()), turned(value))
            };
            let members: Vec<_> = members.iter().rev().map(member).collect();
            format!("{{ {} }}", members.join(",\n"))
        }
        serde_json::Value::Array(values) => {
            format!("[ {} ]", values.iter().map(turned).collect::<Vec<_>>().join(" , "))
        }
        scalar => scalar.to_string(),
    }
}

proptest! {
    #[test]
    fn spans_are_read_as_by_the_library(data in spans()) {
        let expected = of_spans(&data);
        prop_assert_eq!(&in_protobuf(OtlpSignal::Traces, &data.encode_to_vec()), &expected);
        let json = data.json();
        prop_assert_eq!(&in_json(OtlpSignal::Traces, &json.to_string()), &expected);
        prop_assert_eq!(&in_json(OtlpSignal::Traces, &turned(&json)), &expected);
    }

    #[test]
    fn log_records_are_read_as_by_the_library(data in logs()) {
        let expected = of_logs(&data);
        prop_assert_eq!(&in_protobuf(OtlpSignal::Logs, &data.encode_to_vec()), &expected);
        let json = data.json();
        prop_assert_eq!(&in_json(OtlpSignal::Logs, &json.to_string()), &expected);
        prop_assert_eq!(&in_json(OtlpSignal::Logs, &turned(&json)), &expected);
    }

    #[test]
    fn what_the_library_reads_is_read(mut body in spans().prop_map(|data| data.encode_to_vec()), flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4)) {
        for (at, byte) in flips {
            if !body.is_empty() {
                let at = at.index(body.len());
                body[at] = byte;
            }
        }
        if let Ok(data) = TracesData::decode(body.as_slice()) {
            prop_assert_eq!(in_protobuf(OtlpSignal::Traces, &body).len(), of_spans(&data).len());
        }
    }
}
