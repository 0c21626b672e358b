//! OTLP over HTTP: each call once, whatever it comes in, and answers that exporters understand.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message as _;
use serde_json::json;
use tempfile::tempdir;
use tokenlake::clock::{Clock as _, SystemClock};

use super::Acme;
use crate::support::archive::assert_unsaid;
use crate::support::client::{self, Answer};
use crate::support::otlp::{
    Any, ExportResponse, KeyValue, ResourceSpans, ScopeSpans, Span, TracesData,
};
use crate::support::process::{Server, key_with, passed_over, tokenlake};

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

/// Sends a body to a path under `/v1`.
fn post(acme: &Acme, path: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Answer {
    let auth = client::bearer(&acme.key);
    let headers = [&[("authorization", auth.as_str())], headers].concat();
    client::send("POST", &acme.server.url(&format!("/v1/{path}")), &headers, body)
}

/// A call with an id and so many tokens in.
pub(super) fn span(id: &str, input: i64) -> Span {
    let now = u64::try_from(SystemClock.now()).unwrap() * 1_000;
    let text = |text: &str| Any::Text(text.into());
    Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        name: "chat".into(),
        end_time_unix_nano: now,
        attributes: vec![
            KeyValue::new("gen_ai.operation.name", text("chat")),
            KeyValue::new("gen_ai.provider.name", text("openai")),
            KeyValue::new("gen_ai.request.model", text("gpt-4o")),
            KeyValue::new("gen_ai.response.id", text(id)),
            KeyValue::new("gen_ai.usage.input_tokens", Any::Int(input)),
            KeyValue::new("gen_ai.usage.cost", Any::Double(0.003_666)),
            KeyValue::new("gen_ai.input.messages", text("a secret that was said")),
            KeyValue::new("cost.center", text("7")),
        ],
        ..Default::default()
    }
}

pub(super) fn traces(spans: Vec<Span>) -> TracesData {
    let scope_spans = vec![ScopeSpans { scope: None, spans }];
    TracesData { resource_spans: vec![ResourceSpans { resource: None, scope_spans }] }
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = GzEncoder::new(Vec::new(), Compression::fast());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

/// Calls, tokens and cost of a model.
pub(super) fn counted(acme: &Acme, provider: &str, model: &str) -> [String; 3] {
    let series = acme.series();
    let labels = format!(r#"{{provider="{provider}",model="{model}",org_id="acme"}}"#);
    ["requests", "tokens", "cost_usd"].map(|what| {
        series.get(&format!("llm_{what}_total{labels}")).map_or("-", String::as_str).to_owned()
    })
}

#[test]
fn a_call_counts_once_in_either_encoding_and_any_coding() {
    let acme = Acme::start();
    let data = traces(vec![span("a", 10), span("b", 5)]);
    let (protobuf, json) = (data.encode_to_vec(), data.json().to_string().into_bytes());
    for (content_type, body) in [(PROTOBUF, protobuf), (JSON, json)] {
        let zstd = zstd::encode_all(body.as_slice(), 1).unwrap();
        for (coding, body) in [("identity", body.clone()), ("gzip", gzip(&body)), ("zstd", zstd)] {
            let headers = [("content-type", content_type), ("content-encoding", coding)];
            for path in ["traces", "traces/"] {
                let answer = post(&acme, path, &headers, body.clone());
                let empty: &[u8] = if content_type == JSON { b"{}" } else { b"" };
                assert_eq!((answer.status, answer.body.as_slice()), (200, empty), "{coding}");
                assert_eq!(answer.header("content-type"), Some(content_type));
            }
        }
    }
    assert_eq!(counted(&acme, "openai", "gpt-4o"), ["2", "15", "0.007332"]);
    let metrics = post(&acme, "metrics", &[("content-type", JSON)], r#"{"resourceMetrics":[]}"#);
    assert_eq!((metrics.status, metrics.text()), (200, "{}"));
    assert_eq!(counted(&acme, "openai", "gpt-4o"), ["2", "15", "0.007332"]);
}

#[test]
fn a_body_may_come_in_chunks_without_a_length() {
    let acme = Acme::start();
    let body = traces(vec![span("a", 10)]).json().to_string();
    let mut stream = TcpStream::connect(acme.server.address()).unwrap();
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
        acme.key
    );
    stream.write_all(head.as_bytes()).unwrap();
    for piece in body.as_bytes().chunks(100) {
        stream.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).unwrap();
        stream.write_all(&[piece, b"\r\n"].concat()).unwrap();
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("{}"), "{answer}");
    assert_eq!(counted(&acme, "openai", "gpt-4o")[0], "1");
}

#[test]
fn bad_records_are_told_and_cost_no_neighbour() {
    let acme = Acme::start();
    let mut odd = span("c", 1);
    odd.attributes[4] = KeyValue::new("gen_ai.usage.input_tokens", Any::Double(1.5));
    let mut subset = span("d", 1);
    subset.attributes.push(KeyValue::new("gen_ai.usage.reasoning_tokens", Any::Int(5)));
    let data = traces(vec![span("a", 10), odd, subset, span("b", 5)]);
    let answer = post(&acme, "traces", &[("content-type", PROTOBUF)], data.encode_to_vec());
    let read = ExportResponse::decode(answer.body.as_slice()).unwrap();
    let partial = read.partial_success.unwrap();
    assert_eq!((answer.status, partial.rejected), (200, 2));
    for reason in ["record 1: input_tokens: ", "record 2: reasoning_tokens: 5 is more than"] {
        assert!(partial.error_message.contains(reason), "{}", partial.error_message);
    }
    assert_eq!(counted(&acme, "openai", "gpt-4o")[0], "2");
    // Nothing good: the batch is done with all the same.
    let log = json!({"timeUnixNano": "1", "attributes": [
        {"key": "event.name", "value": {"stringValue": "gen_ai.client.inference.operation.details"}},
        {"key": "gen_ai.usage.input_tokens", "value": {"intValue": 5}},
    ]});
    let logs = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [log]}]}]});
    let answer = post(&acme, "logs", &[("content-type", JSON)], logs.to_string());
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["partialSuccess"]["rejectedLogRecords"], "1");
}

#[test]
fn failures_are_told_in_the_encoding_of_the_request() {
    let acme = Acme::start_with(&["serve", "--max-body", "100KiB"]);
    let broken = post(&acme, "traces", &[("content-type", JSON)], "{\"resourceSpans\":[}");
    assert_eq!((broken.status, broken.json()["code"].as_u64()), (400, Some(3)));
    let broken = post(&acme, "logs", &[("content-type", PROTOBUF)], "\n\u{5}");
    assert_eq!((broken.status, broken.header("content-type")), (400, Some(PROTOBUF)));
    assert_eq!(broken.body[..2], [0x08, 3], "the code of google.rpc.Status");
    let large = vec![0; 200 << 10];
    let large = post(&acme, "metrics", &[("content-type", PROTOBUF)], large);
    assert_eq!((large.status, &large.body[..2]), (413, &[0x08, 8][..]));
    let text = post(&acme, "traces", &[("content-type", "text/plain")], "x");
    assert_eq!((text.status, text.json()["code"].as_u64()), (415, Some(3)));
    let url = acme.server.url("/v1/traces");
    let nobody = client::post(&url, "td_live_no", PROTOBUF, "");
    assert_eq!((nobody.status, &nobody.body[..2]), (401, &[0x08, 16][..]));
    assert_eq!(nobody.header("www-authenticate"), Some("Bearer"));
    let reader = key_with(acme.archive.path(), "acme", &["--scope", "metrics:read"]);
    assert_eq!(client::post(&url, &reader, JSON, "{}").status, 403);
    let get = client::get(&url, &acme.key);
    assert_eq!(get.status, 405);
}

#[test]
fn what_was_said_is_nowhere_and_what_a_dimension_reads_is_kept() {
    let acme = Acme::start();
    let declared = ["dimension", "add", "center", "--attribute", "cost.center"];
    assert_eq!(tokenlake(acme.archive.path(), &declared).status, 0);
    let start = std::time::Instant::now();
    let mut sent = 0;
    // It is in force at this server within five seconds.
    let rows = loop {
        sent += 1;
        let data = traces(vec![span(&format!("id-{sent}"), 1)]);
        let answer = post(&acme, "traces", &[("content-type", PROTOBUF)], data.encode_to_vec());
        assert_eq!(answer.status, 200);
        let query = ["sql", "--format", "ndjson", "-c", "select * from events"];
        let rows = tokenlake(acme.archive.path(), &query).stdout;
        if rows.contains("cost.center") {
            break rows;
        }
        assert!(start.elapsed().as_secs() < 30, "{rows}");
    };
    assert!(!rows.contains("secret") && !rows.contains("messages"), "{rows}");
}

/// A path, headers and a body.
type Capture = (String, Vec<(String, String)>, Vec<u8>);

/// The captures of one folder with their paths and headers, in order of name.
fn captures(folder: &str) -> Vec<Capture> {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/captures");
    let Ok(files) = fs::read_dir(shared.join(folder)) else { return Vec::new() };
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    let bodies = files.iter().filter(|path| path.extension().is_some_and(|it| it == "body"));
    let read = |path: &std::path::PathBuf| {
        let meta = fs::read(path.with_extension("meta.json")).unwrap();
        let meta: serde_json::Value = serde_json::from_slice(&meta).unwrap();
        let line = meta["line"].as_str().unwrap().split(' ').nth(1).unwrap();
        let path_sent = line.rsplit_once("/v1/").unwrap().1.to_owned();
        let pairs: Vec<(String, String)> = match &meta["headers"] {
            serde_json::Value::Array(pairs) => {
                serde_json::from_value(pairs.clone().into()).unwrap()
            }
            headers => {
                let map: std::collections::BTreeMap<String, String> =
                    serde_json::from_value(headers.clone()).unwrap();
                map.into_iter().collect()
            }
        };
        let kept = |(name, _): &(String, String)| {
            name.eq_ignore_ascii_case("content-type")
                || name.eq_ignore_ascii_case("content-encoding")
        };
        (path_sent, pairs.into_iter().filter(kept).collect(), fs::read(path).unwrap())
    };
    bodies.map(read).collect()
}

#[test]
fn captures_of_real_clients_are_the_calls_that_were_made() {
    let folders = [
        "otlp_genai_default",
        "otlp_genai_latest_json",
        "otlp_openai_v2_latest",
        "otlp_openllmetry",
        "otlp_claude_code",
        "otlp_gemini_cli",
    ];
    let sent: Vec<_> = folders.into_iter().flat_map(captures).collect();
    if sent.is_empty() {
        passed_over("../shared is not here");
        return;
    }
    let acme = Acme::start();
    // In both directions, so that the second time is in another order.
    for (path, headers, body) in sent.iter().chain(sent.iter().rev()) {
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let answer = post(&acme, path, &headers, body.clone());
        assert_eq!(answer.status, 200, "{path}");
        assert!(matches!(answer.body.as_slice(), b"" | b"{}"), "{path}: {answer:?}");
    }
    // What came without a cost has its list price; nobody lists the first model.
    for (provider, model, calls, tokens, cost) in [
        ("openai", "gpt-4o-mini-2024-08-06", "12", "176", "0"),
        ("openai", "gpt-4o-2024-08-06", "3", "66", "0.0003525"),
        ("openai", "text-embedding-3-small", "4", "20", "0.0000004"),
        ("anthropic", "claude-3-5-sonnet-20241022", "3", "126", "0.00054765"),
        ("anthropic", "claude-sonnet-4-5", "1", "4369", "0.003666"),
        ("gcp.gen_ai", "gemini-2.5-pro", "1", "950", "0.00095"),
    ] {
        assert_eq!(counted(&acme, provider, model), [calls, tokens, cost], "{model}");
    }
    let query = ["sql", "--format", "ndjson", "-c", "select * from events"];
    let rows = tokenlake(acme.archive.path(), &query).stdout;
    assert_eq!(rows.lines().count(), 24);
    assert_unsaid(acme.archive.path(), &["Say hi", "Hello", "removed", "REDACTED"]);
}

#[test]
fn what_is_worth_another_try_says_so_and_is_taken_then() {
    let folder = tempdir().unwrap();
    let (archive, away) = (folder.path().join("archive"), folder.path().join("away"));
    let key = key_with(&archive, "acme", &[]);
    let server = Server::start(&archive);
    let send = |content_type: &str, body: Vec<u8>| {
        client::post(&server.url("/v1/traces"), &key, content_type, body)
    };
    let data = traces(vec![span("a", 10)]);
    assert_eq!(send(PROTOBUF, traces(vec![span("b", 1)]).encode_to_vec()).status, 200);
    fs::rename(&archive, &away).unwrap();
    let refused = send(PROTOBUF, data.encode_to_vec());
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    assert_eq!(
        (refused.header("content-type"), &refused.body[..2]),
        (Some(PROTOBUF), &[8, 14][..])
    );
    let refused = send(JSON, data.json().to_string().into_bytes());
    assert_eq!((refused.status, refused.json()["code"].as_u64()), (503, Some(14)));
    fs::rename(&away, &archive).unwrap();
    assert_eq!(send(PROTOBUF, data.encode_to_vec()).status, 200);
    let text = client::get(&server.url("/metrics"), &key);
    assert!(text.text().contains(r#"model="gpt-4o",org_id="acme"} 2"#), "{}", text.text());
}
