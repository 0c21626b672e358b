//! Warm answers, each compared in one run with a static handler of the same bytes, on keep-alive
//! connections: the ratio of requests per second, and of the 99th percentiles. Scrapes of 50 series,
//! and of three dimensions with 100 values each; and the budgets that a gateway asks for.
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
use std::path::Path;
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use support::program::run;
use tokenlake::event::OrgId;
use tokenlake::ingest::ContentKind;
use tokio::net::TcpStream;

const SERIES: usize = 50;
const TIME: Duration = Duration::from_secs(4);

/// What is asked, by its name in the table, path, and how old an answer may be.
const CASES: [(&str, &str, Duration); 4] = [
    ("50 series, 1s", "/metrics", Duration::from_secs(1)),
    ("50 series, 0s", "/metrics", Duration::ZERO),
    ("dimensions, 1s", "/metrics?collect%5B%5D=dimensions", Duration::from_secs(1)),
    ("budgets, 1s", "/v1/budgets", Duration::from_secs(1)),
];
/// Dimensions that are declared, with [`VALUES`] values each.
const DIMENSIONS: [&str; 3] = ["team", "app", "env"];
const VALUES: usize = 100;
const BUDGETS: usize = 5;

#[tokio::main]
async fn main() {
    println!(
        "{:<15} {:>7} {:>11} {:>12} {:>12} {:>7} {:>9}",
        "asked", "bytes", "connections", "tokenlake/s", "static/s", "ratio", "p99 ratio"
    );
    for (name, path, staleness) in CASES {
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path(), path);
        let app = support::open(folder.path(), staleness).await;
        let org_id = OrgId::parse("acme").unwrap();
        let events = app.decode(&org_id, &ContentKind::Ndjson, events(path).as_ref()).unwrap();
        assert_eq!(app.commit(&org_id, events).await.unwrap().rejected, []);
        let key = support::key(&app, "acme").await;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nAccept: text/plain\r\n\r\n",
            key
        );
        let ours =
            support::serve(tokenlake::http::router(app, tokenlake::http::Scheme::Http)).await;
        let mut stream = TcpStream::connect(ours).await.unwrap();
        let (status, body) =
            support::exchange(&mut stream, request.as_bytes(), &mut Vec::new()).await;
        assert_eq!(status, 200);
        let bytes = body.len();
        let plain = support::serve(static_routes(path.split('?').next().unwrap(), body)).await;
        for connections in [16, 256] {
            let theirs = load(plain, &request, connections, TIME).await;
            let ours = load(ours, &request, connections, TIME).await;
            println!(
                "{name:<15} {bytes:>7} {connections:>11} {:>12.0} {:>12.0} {:>7.2} {:>9.2}",
                ours.rate,
                theirs.rate,
                ours.rate / theirs.rate,
                ours.p99.as_secs_f64() / theirs.p99.as_secs_f64()
            );
        }
    }
}

/// Declares what the case asks for.
fn prepare(archive: &Path, path: &str) {
    if path.contains("dimensions") {
        for name in DIMENSIONS {
            run(archive, &["dimension", "add", name]);
        }
    }
    if path.contains("budgets") {
        for number in 0..BUDGETS {
            let name = format!("budget-{number}");
            let of =
                ["--org", "acme", "--amount", "1000", "--period", "month", "--threshold", "80"];
            let hook =
                ["--webhook-allow", "hooks.example.com", "--webhook", "https://hooks.example.com/"];
            let set = ["budget", "set", &name];
            run(archive, &[&set[..], &hook[..], &of[..]].concat());
        }
    }
}

fn static_routes(path: &str, body: Vec<u8>) -> Router {
    let body = bytes::Bytes::from(body);
    let content_type = "text/plain; version=0.0.4; charset=utf-8";
    Router::new().route(
        path,
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

/// Ten events for each series, with values of dimensions if they are asked for.
fn events(path: &str) -> String {
    let mut lines = String::new();
    for number in 0..SERIES * 10 {
        let attributes = if path.contains("dimensions") {
            let values = DIMENSIONS.map(|name| format!(r#""{name}":"value-{}""#, number % VALUES));
            format!(r#","attributes":{{{}}}"#, values.join(","))
        } else {
            String::new()
        };
        let ts = chrono::DateTime::from_timestamp(1_763_000_000 + number as i64, 0).unwrap();
        writeln!(
            lines,
            r#"{{"event_id":"{number}","ts":"{}","provider":"p{}","model":"model-{}","input_tokens":1200,"output_tokens":300,"cost_usd":0.00{number:03}{attributes}}}"#,
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
