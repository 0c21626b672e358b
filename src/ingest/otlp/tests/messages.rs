//! The messages of OTLP for a library of protobuf, and their JSON: what tests encode, and hold the
//! walks to. Names and numbers are those of `opentelemetry/proto` 1.x.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost::{Message, Oneof};
use serde_json::{Value as Json, json};

/// A value of any kind.
#[derive(Clone, PartialEq, Message)]
pub struct AnyValue {
    /// None is null.
    #[prost(oneof = "Any", tags = "1, 2, 3, 4, 5, 6, 7")]
    pub value: Option<Any>,
}

/// What a value is.
#[allow(missing_docs, reason = "they are what they hold")]
#[derive(Clone, PartialEq, Oneof)]
pub enum Any {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bool, tag = "2")]
    Bool(bool),
    #[prost(int64, tag = "3")]
    Int(i64),
    #[prost(double, tag = "4")]
    Double(f64),
    #[prost(message, tag = "5")]
    Array(ArrayValue),
    #[prost(message, tag = "6")]
    Map(KeyValueList),
    #[prost(bytes = "vec", tag = "7")]
    Bytes(Vec<u8>),
}

/// Declares messages: fields with their kind and number.
macro_rules! messages {
    ($($message:ident { $($field:ident: $kind:ty, $($how:ident)+ = $number:literal;)* })*) => {
        $(
            #[doc = stringify!($message)]
            #[allow(missing_docs, reason = "they are those of OTLP")]
            #[derive(Clone, PartialEq, Message)]
            pub struct $message {
                $(#[prost($($how,)+ tag = $number)] pub $field: $kind,)*
            }
        )*
    };
}

messages! {
    ArrayValue { values: Vec<AnyValue>, message repeated = "1"; }
    KeyValueList { values: Vec<KeyValue>, message repeated = "1"; }
    KeyValue {
        key: String, string = "1";
        value: Option<AnyValue>, message optional = "2";
    }
    Resource { attributes: Vec<KeyValue>, message repeated = "1"; }
    Scope { name: String, string = "1"; }
    Status {
        message: String, string = "2";
        code: i32, int32 = "3";
    }
    TracesData { resource_spans: Vec<ResourceSpans>, message repeated = "1"; }
    ResourceSpans {
        resource: Option<Resource>, message optional = "1";
        scope_spans: Vec<ScopeSpans>, message repeated = "2";
    }
    ScopeSpans {
        scope: Option<Scope>, message optional = "1";
        spans: Vec<Span>, message repeated = "2";
    }
    LogsData { resource_logs: Vec<ResourceLogs>, message repeated = "1"; }
    ResourceLogs {
        resource: Option<Resource>, message optional = "1";
        scope_logs: Vec<ScopeLogs>, message repeated = "2";
    }
    ScopeLogs {
        scope: Option<Scope>, message optional = "1";
        log_records: Vec<LogRecord>, message repeated = "2";
    }
    PartialSuccess {
        rejected: i64, int64 = "1";
        error_message: String, string = "2";
    }
    ExportResponse { partial_success: Option<PartialSuccess>, message optional = "1"; }
}

/// A span.
#[allow(missing_docs, reason = "they are those of OTLP")]
#[derive(Clone, PartialEq, Message)]
pub struct Span {
    #[prost(bytes = "vec", tag = "1")]
    pub trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub span_id: Vec<u8>,
    #[prost(string, tag = "5")]
    pub name: String,
    #[prost(int32, tag = "6")]
    pub kind: i32,
    #[prost(fixed64, tag = "7")]
    pub start_time_unix_nano: u64,
    #[prost(fixed64, tag = "8")]
    pub end_time_unix_nano: u64,
    #[prost(message, repeated, tag = "9")]
    pub attributes: Vec<KeyValue>,
    #[prost(message, optional, tag = "15")]
    pub status: Option<Status>,
    #[prost(fixed32, tag = "16")]
    pub flags: u32,
}

/// A log record.
#[allow(missing_docs, reason = "they are those of OTLP")]
#[derive(Clone, PartialEq, Message)]
pub struct LogRecord {
    #[prost(fixed64, tag = "1")]
    pub time_unix_nano: u64,
    #[prost(message, optional, tag = "5")]
    pub body: Option<AnyValue>,
    #[prost(message, repeated, tag = "6")]
    pub attributes: Vec<KeyValue>,
    #[prost(bytes = "vec", tag = "9")]
    pub trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "10")]
    pub span_id: Vec<u8>,
    #[prost(fixed64, tag = "11")]
    pub observed_time_unix_nano: u64,
    #[prost(string, tag = "12")]
    pub event_name: String,
}

impl KeyValue {
    /// An attribute.
    pub fn new(key: &str, value: Any) -> Self {
        Self { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }) }
    }
}

impl AnyValue {
    /// What it means, as compact JSON.
    pub fn plain(&self) -> String {
        let quoted = |text: &str| Json::from(text).to_string();
        match &self.value {
            None => "null".to_owned(),
            Some(Any::Text(text)) => quoted(text),
            Some(Any::Bool(value)) => value.to_string(),
            Some(Any::Int(int)) => int.to_string(),
            Some(Any::Double(double)) => double.to_string(),
            Some(Any::Bytes(bytes)) => quoted(&STANDARD.encode(bytes)),
            Some(Any::Array(array)) => {
                let values: Vec<_> = array.values.iter().map(Self::plain).collect();
                format!("[{}]", values.join(","))
            }
            Some(Any::Map(map)) => {
                let value =
                    |value: &Option<Self>| value.as_ref().map_or("null".into(), Self::plain);
                let member = |it: &KeyValue| format!("{}:{}", quoted(&it.key), value(&it.value));
                format!("{{{}}}", map.values.iter().map(member).collect::<Vec<_>>().join(","))
            }
        }
    }

    fn json(&self) -> Json {
        match &self.value {
            None => json!({}),
            Some(Any::Text(text)) => json!({ "stringValue": text }),
            Some(Any::Bool(value)) => json!({ "boolValue": value }),
            Some(Any::Int(int)) => json!({ "intValue": int.to_string() }),
            Some(Any::Double(double)) if double.is_finite() => json!({ "doubleValue": double }),
            Some(Any::Double(double)) => json!({ "doubleValue": double.to_string() }),
            Some(Any::Array(array)) => {
                let values: Vec<_> = array.values.iter().map(Self::json).collect();
                json!({ "arrayValue": { "values": values } })
            }
            Some(Any::Map(map)) => json!({ "kvlistValue": { "values": all(&map.values) } }),
            Some(Any::Bytes(bytes)) => json!({ "bytesValue": STANDARD.encode(bytes) }),
        }
    }
}

fn all(attributes: &[KeyValue]) -> Json {
    let attribute = |attribute: &KeyValue| {
        let value = attribute.value.as_ref().map(AnyValue::json);
        json!({ "key": attribute.key, "value": value })
    };
    attributes.iter().map(attribute).collect()
}

fn resource(resource: &Option<Resource>) -> Json {
    resource.as_ref().map_or(Json::Null, |it| json!({ "attributes": all(&it.attributes) }))
}

fn scope(scope: &Option<Scope>) -> Json {
    scope.as_ref().map_or(Json::Null, |scope| json!({ "name": scope.name }))
}

impl TracesData {
    /// The same in JSON.
    pub fn json(&self) -> Json {
        let span = |span: &Span| {
            json!({
                "traceId": hex::encode(&span.trace_id), "spanId": hex::encode_upper(&span.span_id),
                "name": span.name, "kind": span.kind, "attributes": all(&span.attributes),
                "startTimeUnixNano": span.start_time_unix_nano.to_string(),
                "endTimeUnixNano": span.end_time_unix_nano,
                "status": span.status.as_ref().map(|it| json!({ "code": it.code })),
            })
        };
        let scoped = |spans: &ScopeSpans| {
            let all: Vec<_> = spans.spans.iter().map(span).collect();
            json!({ "scope": scope(&spans.scope), "spans": all })
        };
        let one = |spans: &ResourceSpans| {
            let all: Vec<_> = spans.scope_spans.iter().map(scoped).collect();
            json!({ "resource": resource(&spans.resource), "scopeSpans": all })
        };
        json!({ "resourceSpans": self.resource_spans.iter().map(one).collect::<Vec<_>>() })
    }
}

impl LogsData {
    /// The same in JSON.
    pub fn json(&self) -> Json {
        let log = |log: &LogRecord| {
            json!({
                "traceId": hex::encode(&log.trace_id), "spanId": hex::encode(&log.span_id),
                "eventName": log.event_name, "attributes": all(&log.attributes),
                "timeUnixNano": log.time_unix_nano.to_string(),
                "observedTimeUnixNano": log.observed_time_unix_nano.to_string(),
                "body": log.body.as_ref().map(AnyValue::json),
            })
        };
        let scoped = |logs: &ScopeLogs| {
            let all: Vec<_> = logs.log_records.iter().map(log).collect();
            json!({ "scope": scope(&logs.scope), "logRecords": all })
        };
        let one = |logs: &ResourceLogs| {
            let all: Vec<_> = logs.scope_logs.iter().map(scoped).collect();
            json!({ "resource": resource(&logs.resource), "scopeLogs": all })
        };
        json!({ "resourceLogs": self.resource_logs.iter().map(one).collect::<Vec<_>>() })
    }
}
