//! Fuzz tests of request bodies and of credentials.

use std::io::Write as _;

use arrow::array::AsArray as _;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message as _;
use tokenlake::access::PlainKey;
use tokenlake::event::{Decoded, EventBatchBuilder, OrgId, OrgRule};
use tokenlake::ingest::{
    BinaryCloudEvent, ContentKind, Encoding, History, HistoryFormat, IngestError, OtlpSignal, Rows,
    decode, decompress,
};

use crate::support::event::{ACME, NOON};
use crate::support::mutation::{each, each_of};
use crate::support::otlp::{Any, KeyValue, ResourceSpans, ScopeSpans, Span, TracesData};

const GOOD: [&str; 2] = [
    r#"{"event_id":"good-1","ts":"2026-03-10T10:00:00Z","provider":"p","model":"m"}"#,
    r#"{"event_id":"good-2","ts":1773136800,"cost_usd":"0.1","attributes":{"k":"v"}}"#,
];

fn read(kind: &ContentKind, body: &[u8]) -> Result<Decoded, IngestError> {
    let rule = OrgRule::Only(OrgId::parse(ACME).unwrap());
    decode(kind, body, EventBatchBuilder::new(rule, NOON))
}

/// The ids of the events that were taken.
fn ids(decoded: &Decoded) -> Vec<&str> {
    let ids = decoded.batch.record_batch().column_by_name("event_id").unwrap();
    ids.as_string::<i32>().iter().flatten().collect()
}

/// What was read is whole: each event is of the batch or was refused, in order.
fn whole(decoded: &Decoded) {
    let (batch, rejections) = (&decoded.batch, &decoded.rejections);
    assert_eq!(batch.record_batch().num_rows(), batch.indices().len());
    assert!(batch.indices().is_sorted() && rejections.is_sorted_by_key(|one| one.index));
    assert!(rejections.iter().all(|one| !one.error.is_empty() && one.error.len() < 2_000));
}

/// Good events around `middle`, as one body.
fn among(middle: &[u8], start: &str, between: &str, end: &str) -> Vec<u8> {
    let parts = [start, GOOD[0], between].concat().into_bytes();
    [parts, middle.to_vec(), [between, GOOD[1], end].concat().into_bytes()].concat()
}

#[test]
fn json() {
    each("json", 400, |body| {
        if let Ok(decoded) = read(&ContentKind::Json, body) {
            whole(&decoded);
        }
        // Where it is JSON, whatever it says, its neighbours are kept.
        if serde_json::from_slice::<serde_json::Value>(body).is_ok() {
            let decoded = read(&ContentKind::Json, &among(body, "[", ",", "]")).unwrap();
            whole(&decoded);
            let ids = ids(&decoded);
            assert_eq!((ids.first(), ids.last()), (Some(&"good-1"), Some(&"good-2")));
        }
    });
}

#[test]
fn ndjson() {
    each("ndjson", 400, |body| {
        if let Ok(decoded) = read(&ContentKind::Ndjson, body) {
            whole(&decoded);
        }
        let decoded = read(&ContentKind::Ndjson, &among(body, "", "\n", "\n")).unwrap();
        whole(&decoded);
        let ids = ids(&decoded);
        assert_eq!((ids.first(), ids.last()), (Some(&"good-1"), Some(&"good-2")));
    });
}

#[test]
fn cloudevents() {
    each("cloudevent", 400, |body| {
        if let Ok(decoded) = read(&ContentKind::CloudEvent, body) {
            whole(&decoded);
        }
    });
    each("cloudevent-batch", 400, |body| {
        if let Ok(decoded) = read(&ContentKind::CloudEventBatch, body) {
            whole(&decoded);
        }
    });
    // The headers of one in binary mode, a line each, and its body.
    each("cloudevent-binary", 400, |input| {
        let mut parts = input.splitn(5, |byte| *byte == b'\n');
        let [specversion, id, source, time] =
            [(); 4].map(|()| parts.next().map(Bytes::copy_from_slice));
        let event = BinaryCloudEvent { specversion, id, source, time };
        let body = parts.next().unwrap_or_default();
        let rule = OrgRule::Only(OrgId::parse(ACME).unwrap());
        let builder = EventBatchBuilder::new(rule, NOON);
        if let Ok(decoded) = decode(&ContentKind::BinaryCloudEvent(event.into()), body, builder) {
            whole(&decoded);
        }
    });
}

/// A span that is a call, and a log record of each agent, in JSON.
const OTLP: [&str; 2] = [
    r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"s"}}]},"scopeSpans":[{"scope":{"name":"x"},"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"chat","endTimeUnixNano":"1773136800000000000","attributes":[{"key":"gen_ai.operation.name","value":{"stringValue":"chat"}},{"key":"gen_ai.usage.input_tokens","value":{"intValue":"5"}},{"key":"langfuse.observation.usage_details","value":{"stringValue":"{\"input\":5}"}}],"status":{"code":0}}]}]}]}"#,
    r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1773136800000000000","attributes":[{"key":"event.name","value":{"stringValue":"api_request"}},{"key":"input_tokens","value":{"intValue":5}},{"key":"cost_usd","value":{"doubleValue":0.5}},{"key":"request_id","value":{"stringValue":"r"}}]},{"eventName":"gemini_cli.api_response","observedTimeUnixNano":1773136800000000000,"attributes":[{"key":"input_token_count","value":{"intValue":5}}]}]}]}]}"#,
];

#[test]
fn otlp() {
    let json = OTLP.map(|body| body.as_bytes().to_vec()).to_vec();
    let span = Span {
        end_time_unix_nano: 1_773_136_800_000_000_000,
        attributes: vec![
            KeyValue::new("gen_ai.operation.name", Any::Text("chat".into())),
            KeyValue::new("gen_ai.usage.input_tokens", Any::Int(5)),
            KeyValue::new("gen_ai.usage.cost", Any::Double(0.5)),
        ],
        ..Span::default()
    };
    let scope_spans = vec![ScopeSpans { scope: None, spans: vec![span] }];
    let spans = TracesData { resource_spans: vec![ResourceSpans { resource: None, scope_spans }] };
    for (encoding, inputs) in
        [(Encoding::Json, json), (Encoding::Protobuf, vec![spans.encode_to_vec()])]
    {
        each_of("otlp", inputs, 2_000, |body| {
            for signal in [OtlpSignal::Traces, OtlpSignal::Logs, OtlpSignal::Metrics] {
                if let Ok(decoded) = read(&ContentKind::Otlp(signal, encoding), body) {
                    whole(&decoded);
                }
            }
        });
    }
}

#[test]
fn litellm() {
    let call = r#"{"id":"a","endTime":1773136800.5,"custom_llm_provider":"p","model":"p/m","prompt_tokens":5,"response_cost":1e-5,"metadata":{"usage_object":{"prompt_tokens_details":{"cached_tokens":1}}},"request_tags":["t"]}"#;
    let inputs = [call.to_owned(), format!("[{call},{call}]"), format!("{call}\n{call}")];
    each_of("litellm", inputs.map(String::into_bytes).to_vec(), 1_000, |body| {
        if let Ok(decoded) = read(&ContentKind::LiteLlm, body) {
            whole(&decoded);
        }
    });
}

#[test]
fn histories() {
    let rows = [
        r#"{"type":"assistant","requestId":"r","timestamp":"2026-03-10T10:00:00Z","message":{"model":"m","usage":{"input_tokens":1}}}"#,
        r#"{"type":"event_msg","payload":{"type":"token_count","info":{"total_token_usage":{"input_tokens":9}}}}"#,
        r#"{"type":"token_usage_record","payload":{"response_id":"r","usage":{"input_tokens":9}}}"#,
        r#"{"requestId":"r","modelId":"arn:a/b","input":{"inputTokenCount":5},"output":{"outputBodyJson":[{"usage":{"cacheReadInputTokens":1}}]}}"#,
    ];
    let formats = [
        HistoryFormat::LiteLlm,
        HistoryFormat::ClaudeCode,
        HistoryFormat::Codex,
        HistoryFormat::Bedrock,
    ];
    each_of("history", vec![rows.join("\n").into_bytes()], 1_000, |text| {
        for format in formats {
            let (mut history, mut events) = (History::new(format), Rows::new());
            for (line, row) in (1..).zip(String::from_utf8_lossy(text).lines()) {
                history.row(line, row, &mut events);
            }
            history.end(&mut events);
            assert!(events.len() <= text.len() + 1);
        }
    });
}

#[test]
fn compressed_bodies() {
    const BYTES_MAX: usize = 1 << 20;
    let plain = GOOD.join("\n").repeat(20);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(plain.as_bytes()).unwrap();
    let large = vec![b' '; 8 << 20];
    let mut bomb = GzEncoder::new(Vec::new(), Compression::fast());
    bomb.write_all(&large).unwrap();
    let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 1).unwrap();
    for (coding, inputs) in [
        ("gzip", vec![gzip.finish().unwrap(), bomb.finish().unwrap()]),
        ("zstd", vec![zstd(plain.as_bytes()), zstd(&large)]),
    ] {
        each_of(coding, inputs, 300, |body| {
            if let Ok(grown) = decompress(Some(coding), Bytes::copy_from_slice(body), BYTES_MAX) {
                assert!(grown.len() <= BYTES_MAX);
                let _ = read(&ContentKind::Ndjson, &grown);
            }
        });
    }
}

#[test]
fn keys() {
    let keys = [(); 3].map(|()| PlainKey::generate().reveal().as_bytes().to_vec());
    each_of("key", keys.to_vec(), 2_000, |text| {
        let text = String::from_utf8_lossy(text);
        if let Some(key) = PlainKey::parse(text.trim_end()) {
            assert_eq!((key.reveal(), text.len() >= 40), (text.trim_end(), true));
        }
    });
}
