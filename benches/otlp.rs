//! Decoding of OTLP, on one core: an agent's spans, of which none is a call, beside a library of
//! protobuf; and 1,000 calls beside the same events as NDJSON, decoded alone and as whole requests that are
//! answered once their commit is durable.
//!
//! `cargo bench --bench otlp`.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::float_arithmetic,
    reason = "a bench prints and may stop at what is wrong"
)]

#[allow(dead_code, reason = "tests beside the decoder use the rest")]
#[path = "../src/ingest/otlp/tests/messages.rs"]
mod messages;
mod support;

use std::hint::black_box;
use std::ops::Range;
use std::time::{Duration, Instant};

use prost::Message as _;
use serde_json::json;
use tokenlake::event::{EventBatchBuilder, OrgId, OrgRule};
use tokenlake::ingest::{ContentKind, Encoding, OtlpSignal, decode};
use tokio::net::TcpStream;

use self::messages::{Any, KeyValue, ResourceSpans, Scope, ScopeSpans, Span, TracesData};

const NOW_US: i64 = 1_795_436_673_000_000;
const ROUNDS: usize = 50;

#[tokio::main]
async fn main() {
    decoding();
    requests().await;
}

fn decoding() {
    let agent = traces(0..3_000, agent_attributes);
    let body = agent.encode_to_vec();
    let library = best(|| drop(black_box(TracesData::decode(body.as_slice()).unwrap())));
    let protobuf = ContentKind::Otlp(OtlpSignal::Traces, Encoding::Protobuf);
    let json = ContentKind::Otlp(OtlpSignal::Traces, Encoding::Json);
    let text = agent.json().to_string();
    println!("an agent's spans, MB/s");
    for (what, bytes, time) in [
        ("library", body.len(), library),
        ("protobuf", body.len(), best(|| calls(&protobuf, &body, 0))),
        ("json", text.len(), best(|| calls(&json, text.as_bytes(), 0))),
    ] {
        println!("{what:>10} {:>8.0}", bytes as f64 / time.as_secs_f64() / 1e6);
    }
    let data = traces(0..1_000, call_attributes);
    let (body, text) = (data.encode_to_vec(), data.json().to_string());
    let lines = (0..1_000).map(line).collect::<Vec<_>>().join("\n");
    println!("1,000 calls, decoded");
    for (what, kind, body) in [
        ("ndjson", &ContentKind::Ndjson, lines.as_bytes()),
        ("protobuf", &protobuf, &body),
        ("json", &json, text.as_bytes()),
    ] {
        println!("{what:>10} {:>10.1?}", best(|| calls(kind, body, 1_000)));
    }
}

/// Sends 1,000 calls a request, in turns, and prints the median time of each kind of body.
async fn requests() {
    let folder = tempfile::tempdir().unwrap();
    let app = support::open(folder.path(), Duration::ZERO).await;
    let key = support::key(&app, "acme").await;
    let router = tokenlake::http::router(app, tokenlake::http::Scheme::Http);
    let mut stream = TcpStream::connect(support::serve(router).await).await.unwrap();
    let kinds = [
        ("ndjson", "/v1/events", "application/x-ndjson"),
        ("protobuf", "/v1/traces", "application/x-protobuf"),
        ("json", "/v1/traces", "application/json"),
    ];
    let (mut times, mut buffer) = ([const { Vec::new() }; 3], Vec::new());
    for turn in 0..3 * ROUNDS {
        let kind = turn % 3;
        let numbers = turn * 1_000..(turn + 1) * 1_000;
        let body = match kind {
            0 => numbers.map(line).collect::<Vec<_>>().join("\n").into_bytes(),
            1 => traces(numbers, call_attributes).encode_to_vec(),
            _ => traces(numbers, call_attributes).json().to_string().into_bytes(),
        };
        let (_, path, content) = kinds[kind];
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\nContent-Type: {content}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let request = [head.as_bytes(), &body].concat();
        let sent = Instant::now();
        let (status, body) = support::exchange(&mut stream, &request, &mut buffer).await;
        times[kind].push(sent.elapsed());
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    }
    println!("1,000 calls, a request");
    for ((what, ..), times) in kinds.iter().zip(&mut times) {
        times.sort_unstable();
        println!("{what:>10} {:>10.1?}", times[times.len() / 2]);
    }
}

/// The shortest time of several.
fn best(mut work: impl FnMut()) -> Duration {
    let times = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        work();
        start.elapsed()
    });
    times.min().unwrap()
}

fn calls(kind: &ContentKind, body: &[u8], expected: usize) {
    let rule = OrgRule::Only(OrgId::parse("acme").unwrap());
    let decoded = decode(kind, body, EventBatchBuilder::new(rule, NOW_US)).unwrap();
    assert_eq!(black_box(decoded).batch.len(), expected);
}

fn traces(numbers: Range<usize>, attributes: fn(usize) -> Vec<KeyValue>) -> TracesData {
    let span = |number: usize| Span {
        trace_id: vec![7; 16],
        span_id: (number as u64 + 1).to_be_bytes().to_vec(),
        name: "receiving".to_owned(),
        start_time_unix_nano: 1_795_436_672_000_000_000,
        end_time_unix_nano: 1_795_436_672_500_000_000 + number as u64,
        attributes: attributes(number),
        ..Span::default()
    };
    let scope = Some(Scope { name: "scope".to_owned() });
    let scope_spans = vec![ScopeSpans { scope, spans: numbers.map(span).collect() }];
    TracesData { resource_spans: vec![ResourceSpans { resource: None, scope_spans }] }
}

fn text(key: &str, value: &str) -> KeyValue {
    KeyValue::new(key, Any::Text(value.to_owned()))
}

fn int(key: &str, value: i64) -> KeyValue {
    KeyValue::new(key, Any::Int(value))
}

fn agent_attributes(_: usize) -> Vec<KeyValue> {
    vec![
        text("code.file.path", "agent-rs/core/src/agent.rs"),
        text("code.module.name", "agent_core::agent"),
        int("code.line.number", 1_234),
        int("thread.id", 3),
        text("thread.name", "tokio-runtime-worker"),
        text("target", "agent_core::agent"),
        int("busy_ns", 123_456),
        int("idle_ns", 12_345_678),
    ]
}

fn call_attributes(number: usize) -> Vec<KeyValue> {
    vec![
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.provider.name", "openai"),
        text("gen_ai.request.model", "gpt-4o-mini"),
        text("server.address", "127.0.0.1"),
        text("gen_ai.response.model", "gpt-4o-mini-2024-07-18"),
        text("gen_ai.response.id", &format!("chatcmpl-{number}")),
        int("gen_ai.usage.input_tokens", 1_300),
        int("gen_ai.usage.output_tokens", 90),
        int("gen_ai.usage.cache_read.input_tokens", 400),
        text("openai.response.service_tier", "default"),
    ]
}

/// The event that the span with this number becomes.
fn line(number: usize) -> String {
    json!({
        "event_id": format!("chatcmpl-{number}"), "ts": 1_795_436_672_500_000_u64,
        "provider": "openai", "model": "gpt-4o-mini-2024-07-18", "input_tokens": 1_300,
        "output_tokens": 90, "cached_input_tokens": 400, "source": "scope",
        "attributes": {"service_tier": "default"},
    })
    .to_string()
}
