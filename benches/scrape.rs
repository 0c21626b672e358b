//! A warm scrape of 50 series, compared in one run with a static handler of the same bytes and
//! headers, on keep-alive connections: the ratio of requests per second, and of the 99th
//! percentiles.
//!
//! `cargo bench --bench scrape`. Clients and servers share the machine's cores.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::float_arithmetic,
    reason = "a bench prints and may stop at what is wrong"
)]

mod support;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use tokenlake::access::{NewKey, Scopes};
use tokenlake::event::OrgId;
use tokenlake::ingest::ContentKind;
use tokio::net::TcpStream;

const SERIES: usize = 50;
const TIME: Duration = Duration::from_secs(4);

#[tokio::main]
async fn main() {
    println!(
        "{:<14} {:>11} {:>12} {:>12} {:>7} {:>9}",
        "max-staleness", "connections", "tokenlake/s", "static/s", "ratio", "p99 ratio"
    );
    for (name, staleness) in [("1s", Duration::from_secs(1)), ("0s", Duration::ZERO)] {
        let folder = tempfile::tempdir().unwrap();
        let app = support::open(folder.path(), staleness).await;
        let org_id = OrgId::parse("acme").unwrap();
        let events = app.decode(&org_id, &ContentKind::Ndjson, events().as_ref()).unwrap();
        assert_eq!(app.commit(&org_id, events).await.unwrap().rejected, []);
        let new = NewKey {
            org_id,
            scopes: Scopes::or_usual(Vec::new()),
            name: None,
            expires_at_us: None,
            bound: None,
        };
        let key = app.keys().create(new).await.unwrap();
        let request = format!(
            "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nAccept: text/plain\r\n\r\n",
            key.reveal()
        );
        let ours =
            support::serve(tokenlake::http::router(app, tokenlake::http::Scheme::Http)).await;
        let mut stream = TcpStream::connect(ours).await.unwrap();
        let (status, body) =
            support::exchange(&mut stream, request.as_bytes(), &mut Vec::new()).await;
        assert_eq!(status, 200);
        let plain = support::serve(static_routes(body)).await;
        for connections in [16, 256] {
            let theirs = load(plain, &request, connections, TIME).await;
            let ours = load(ours, &request, connections, TIME).await;
            println!(
                "{name:<14} {connections:>11} {:>12.0} {:>12.0} {:>7.2} {:>9.2}",
                ours.rate,
                theirs.rate,
                ours.rate / theirs.rate,
                ours.p99.as_secs_f64() / theirs.p99.as_secs_f64()
            );
        }
    }
}

fn static_routes(body: Vec<u8>) -> Router {
    let body = bytes::Bytes::from(body);
    let content_type = "text/plain; version=0.0.4; charset=utf-8";
    Router::new().route(
        "/metrics",
        get(move || async move {
            (
                [
                    (CONTENT_TYPE, content_type),
                    (axum::http::header::VARY, "Accept, Accept-Encoding, Authorization"),
                ],
                body,
            )
        }),
    )
}

/// Ten events for each series.
fn events() -> String {
    let mut lines = String::new();
    for number in 0..SERIES * 10 {
        let ts = chrono::DateTime::from_timestamp(1_763_000_000 + number as i64, 0).unwrap();
        writeln!(
            lines,
            r#"{{"event_id":"{number}","ts":"{}","provider":"p{}","model":"model-{}","input_tokens":1200,"output_tokens":300,"cost_usd":0.00{number:03}}}"#,
            ts.to_rfc3339(),
            number % 5,
            number % SERIES,
        )
        .unwrap();
    }
    lines
}

/// The measurements of a load run.
struct Load {
    /// Requests per second.
    rate: f64,
    /// The 99th percentile of the time of one request.
    p99: Duration,
}

/// Repeats `request` on `connections` for `time`; every answer must be a 200.
async fn load(
    address: std::net::SocketAddr,
    request: &str,
    connections: usize,
    time: Duration,
) -> Load {
    let start = Instant::now();
    let clients = (0..connections).map(|_| {
        let request = request.as_bytes().to_vec();
        tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let (mut times, mut buffer) = (Vec::new(), Vec::with_capacity(64 * 1024));
            while start.elapsed() < time {
                let sent = Instant::now();
                assert_eq!(support::exchange(&mut stream, &request, &mut buffer).await.0, 200);
                times.push(sent.elapsed());
            }
            times
        })
    });
    let clients: Vec<_> = clients.collect();
    let mut times = Vec::new();
    for client in clients {
        times.extend(client.await.unwrap());
    }
    let rate = times.len() as f64 / start.elapsed().as_secs_f64();
    times.sort_unstable();
    Load { rate, p99: times[times.len() * 99 / 100] }
}
