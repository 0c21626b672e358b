//! Ingest of batches of 1,000 events over HTTP onto a local disk, each answered once its commit is
//! durable: events per second by the number of clients.
//!
//! `cargo bench --bench ingest`. Clients and server share the machine's cores.

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

use tokenlake::clock::{Clock as _, SystemClock};
use tokio::net::TcpStream;

const BATCH: usize = 1_000;
const TIME: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() {
    println!("{:>7} {:>12} {:>10} {:>12}", "clients", "events/s", "batches", "median");
    for clients in [1, 4, 16] {
        let folder = tempfile::tempdir().unwrap();
        let app = support::open(folder.path(), Duration::ZERO).await;
        let key = support::key(&app, "acme").await;
        let address =
            support::serve(tokenlake::http::router(app, tokenlake::http::Scheme::Http)).await;
        let start = Instant::now();
        let tasks: Vec<_> = (0..clients)
            .map(|client| {
                let key = key.clone();
                tokio::spawn(async move {
                    let mut stream = TcpStream::connect(address).await.unwrap();
                    let (mut times, mut buffer) = (Vec::new(), Vec::new());
                    while start.elapsed() < TIME {
                        let request = request(&key, client, times.len());
                        let sent = Instant::now();
                        let (status, body) =
                            support::exchange(&mut stream, &request, &mut buffer).await;
                        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
                        times.push(sent.elapsed());
                    }
                    times
                })
            })
            .collect();
        let mut times = Vec::new();
        for task in tasks {
            times.extend(task.await.unwrap());
        }
        let rate = (times.len() * BATCH) as f64 / start.elapsed().as_secs_f64();
        times.sort_unstable();
        println!("{clients:>7} {rate:>12.0} {:>10} {:>12.1?}", times.len(), times[times.len() / 2]);
    }
}

fn request(key: &str, client: usize, batch: usize) -> Vec<u8> {
    let now = SystemClock.now();
    let mut body = String::with_capacity(BATCH * 200);
    for number in 0..BATCH {
        writeln!(
            body,
            r#"{{"event_id":"{client}-{batch}-{number}","ts":{now},"provider":"openai","model":"model-{}","input_tokens":{},"output_tokens":300,"cost_usd":"0.00{number:03}"}}"#,
            number % 15,
            1_000 + number,
        )
        .unwrap();
    }
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\nContent-Type: application/x-ndjson\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    (head + &body).into_bytes()
}
