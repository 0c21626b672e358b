//! OTLP over gRPC: by HTTP/2 in the clear, on the listener that speaks HTTP/1.1 too.

use prost::Message as _;
use reqwest::{Client, Version};
use tokio::runtime::Runtime;

use super::Acme;
use super::otlp::{counted, gzip, span, traces};
use crate::support::otlp::ExportResponse;

const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// One message in a frame.
fn framed(flag: u8, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap();
    [&[flag][..], &length.to_be_bytes(), message].concat()
}

/// The status of HTTP, and the body.
fn call(acme: &Acme, path: &str, key: &str, coding: &str, body: Vec<u8>) -> (u16, Vec<u8>) {
    let url = acme.server.url(path);
    Runtime::new().unwrap().block_on(async {
        let client = Client::builder().http2_prior_knowledge().no_proxy().build().unwrap();
        let request = client.post(url).bearer_auth(key).body(body);
        let request = request.header("content-type", "application/grpc");
        let request = request.header("te", "trailers").header("grpc-encoding", coding);
        let response = request.send().await.unwrap();
        assert_eq!(response.version(), Version::HTTP_2);
        let status = response.status().as_u16();
        (status, response.bytes().await.unwrap().to_vec())
    })
}

#[test]
fn calls_come_by_http_2_that_the_client_knows_of() {
    let acme = Acme::start();
    let message = traces(vec![span("a", 10), span("b", 5)]).encode_to_vec();
    let zstd = zstd::encode_all(message.as_slice(), 1).unwrap();
    for (coding, body) in [
        ("identity", framed(0, &message)),
        ("gzip", framed(1, &gzip(&message))),
        ("zstd", framed(1, &zstd)),
    ] {
        let answer = call(&acme, TRACES, &acme.key, coding, body);
        assert_eq!(answer, (200, framed(0, b"")), "{coding}");
    }
    assert_eq!(counted(&acme, "openai", "gpt-4o"), ["2", "15", "0.007332"]);
    for path in ["logs.v1.LogsService", "metrics.v1.MetricsService"] {
        let path = format!("/opentelemetry.proto.collector.{path}/Export");
        let answer = call(&acme, &path, &acme.key, "identity", framed(0, b""));
        assert_eq!(answer, (200, framed(0, b"")), "{path}");
    }
}

#[test]
fn bad_records_are_told_and_failures_are_trailers_without_a_message() {
    let acme = Acme::start();
    let message = traces(vec![span("a", 10), span("b", -1)]).encode_to_vec();
    let (status, body) = call(&acme, TRACES, &acme.key, "identity", framed(0, &message));
    let partial = ExportResponse::decode(&body[5..]).unwrap().partial_success.unwrap();
    assert_eq!((status, partial.rejected), (200, 1));
    for (key, body) in [
        (acme.key.as_str(), b"broken".to_vec()),
        (acme.key.as_str(), framed(0, b"\n\x05")),
        (acme.key.as_str(), framed(1, b"no gzip")),
        ("td_live_no", framed(0, b"")),
    ] {
        assert_eq!(call(&acme, TRACES, key, "gzip", body), (200, Vec::new()));
    }
    assert_eq!(counted(&acme, "openai", "gpt-4o")[0], "1");
}
