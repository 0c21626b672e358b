//! Tests of what OTLP is read as.

mod calls;
mod captures;
mod hostile;
mod logs;
pub(in crate::ingest) mod messages;
mod oracle;

use std::collections::BTreeMap;

use super::*;
use crate::event::FieldValue;

/// An event by the names of its values; attributes as `attributes.NAME`.
type Event = BTreeMap<String, String>;

/// What is read of a request.
#[derive(Debug, Default, PartialEq)]
struct Taken {
    events: Vec<Event>,
    rejected: Vec<(usize, String)>,
    dropped: usize,
}

impl CallSink for Taken {
    fn event(&mut self, _: usize, fields: &[NamedValue<'_>]) {
        let mut event = Event::new();
        let mut add = |name: String, value: &FieldValue<'_>| {
            let text = match value {
                FieldValue::Text(text) | FieldValue::Number(text) => text.to_string(),
                other => panic!("{name}: {other:?}"),
            };
            assert_eq!(event.insert(name, text), None);
        };
        for (name, value) in fields {
            match value {
                FieldValue::Map(entries) => {
                    for (key, value) in entries {
                        add(format!("{name}.{key}"), value);
                    }
                }
                value => add(name.to_string(), value),
            }
        }
        self.events.push(event);
    }

    fn reject(&mut self, index: usize, reason: String) {
        self.rejected.push((index, reason));
    }

    fn dropped(&mut self, attributes: usize) {
        self.dropped += attributes;
    }

    fn again(&mut self) {
        *self = Self::default();
    }
}

fn taken(signal: OtlpSignal, encoding: Encoding, body: &[u8]) -> Result<Taken, String> {
    let (mut taken, kept) = (Taken::default(), Kept { dimensions: &["cost.center"] });
    read(signal, encoding, body, &kept, &mut taken).map(|()| taken)
}

/// A request with one record, in JSON.
fn request(signal: OtlpSignal, scope: &str, record: &str) -> String {
    let (resources, scopes, records) = match signal {
        OtlpSignal::Traces => ("resourceSpans", "scopeSpans", "spans"),
        _ => ("resourceLogs", "scopeLogs", "logRecords"),
    };
    let resource = r#"{"attributes":[{"key":"service.name","value":{"stringValue":"svc"}}]}"#;
    format!(
        r#"{{"{resources}":[{{"resource":{resource},"{scopes}":[{{"scope":{{"name":"{scope}"}},"{records}":[{record}]}}]}}]}}"#
    )
}

/// The attributes in `NAME=VALUE` lines, in JSON: whole numbers are integers, others doubles.
fn attributes(lines: &str) -> String {
    let lines = lines.split(['\n', ';']).map(str::trim).filter(|line| !line.is_empty());
    let attribute = |line: &str| {
        let (name, value) = line.split_once('=').unwrap();
        let value = match value {
            "true" | "false" => format!(r#"{{"boolValue":{value}}}"#),
            value if value.parse::<i64>().is_ok() => format!(r#"{{"intValue":"{value}"}}"#),
            value if value.parse::<f64>().is_ok() => format!(r#"{{"doubleValue":{value}}}"#),
            value => format!(r#"{{"stringValue":{}}}"#, serde_json::Value::from(value)),
        };
        format!(r#"{{"key":"{name}","value":{value}}}"#)
    };
    lines.map(attribute).collect::<Vec<_>>().join(",")
}

/// A span with these attributes, in JSON.
fn span(name: &str, lines: &str) -> String {
    format!(
        r#"{{"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174","name":"{name}","startTimeUnixNano":"1795436673164042664","endTimeUnixNano":"1795436673178833273","attributes":[{}],"status":{{}}}}"#,
        attributes(lines)
    )
}

/// A log record with these attributes, in JSON.
fn log(lines: &str) -> String {
    format!(
        r#"{{"timeUnixNano":"1795436673178833273","traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","body":{{"stringValue":"said"}},"attributes":[{}]}}"#,
        attributes(lines)
    )
}

/// The only event of a request with one record, if it is a call.
fn event_of(signal: OtlpSignal, scope: &str, record: &str) -> Option<Event> {
    let taken = taken(signal, Encoding::Json, request(signal, scope, record).as_bytes()).unwrap();
    assert!(taken.rejected.is_empty() && taken.events.len() < 2, "{taken:?}");
    taken.events.into_iter().next()
}

/// The values with these names.
fn some<'e>(event: &'e Event, names: &[&str]) -> Vec<&'e str> {
    names.iter().map(|name| event.get(*name).map_or("-", String::as_str)).collect()
}

/// Provider, model, and all tokens.
fn core(event: &Event) -> String {
    let names = [
        "provider",
        "model",
        "input_tokens",
        "output_tokens",
        "cached_input_tokens",
        "cache_write_tokens",
        "reasoning_tokens",
        "cost_usd",
    ];
    some(event, &names).join(" ")
}
