//! Archives of many events: the cost of a start, a scrape and a commit, and a server's memory, next
//! to DuckDB over the same files.
//!
//! `cargo bench --bench scale -- 1000000 10000000`; the default is one million events. An archive
//! is made once and kept in `target/tmp`; the bench writes to a copy of it. DuckDB is shown if a
//! Python has it (`TOKENLAKE_BENCH_PYTHON` names one). Clients and server share the machine's
//! cores.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::float_arithmetic,
    reason = "a bench prints and may stop at what is wrong"
)]

mod support;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{StreamExt as _, TryStreamExt as _};
use support::program::{ORGS, Server, archive_of, data_files, duckdb, working_copy};
use support::times::Times;
use tokenlake::access::AccessKeys;
use tokenlake::archive::{ArchiveLocation, Records};
use tokenlake::clock::{Clock as _, SystemClock};
use tokio::net::TcpStream;

const EVENTS_DEFAULT: u64 = 1_000_000;
/// Commits, each with a scrape after it.
const ROUNDS: usize = 60;
/// Events of such a commit.
const BATCH: usize = 1_000;
/// Scrapes without new events.
const WARM: usize = 300;
/// Times that all organisations are scraped.
const TOURS: usize = 10;

/// Prints the best of five times of each sum, in milliseconds.
const TOTALS: &str = "
import duckdb, sys, time
org, *files = sys.argv[1:]
duckdb.execute('SET threads = 2; SET enable_progress_bar = false')
def best(where):
    query = f\"\"\"SELECT org_id, lower(provider), lower(model), count(*),
        sum(input_tokens + output_tokens), sum(cost_usd)
        FROM read_parquet({files}, hive_partitioning = false)
        WHERE event_type = 'api_call' {where} GROUP BY ALL\"\"\"
    def took():
        start = time.perf_counter()
        duckdb.execute(query).fetchall()
        return time.perf_counter() - start
    return min(took() for _ in range(5)) * 1000
print(best(''), best(f\"AND org_id = '{org}'\"))
";

#[tokio::main]
async fn main() {
    let sizes: Vec<u64> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    for events in if sizes.is_empty() { vec![EVENTS_DEFAULT] } else { sizes } {
        let archive = archive_of(events);
        let files = data_files(&archive);
        let bytes: u64 = files.iter().map(|file| file.metadata().unwrap().len()).sum();
        let an_event = bytes as f64 / events as f64;
        println!("\n{events} events in {} files, {an_event:.1} bytes an event", files.len());
        let ours = measure(&archive).await;
        compare(&files, &ours);
    }
}

/// The times that DuckDB's are compared with.
struct Ours {
    /// The first answer of a new process, from its start.
    start: Duration,
    /// A scrape after a commit.
    changed: Duration,
}

async fn measure(archive: &Path) -> Ours {
    let copy = working_copy(archive);
    let keys = keys(copy.path()).await;
    let server = Server::start(copy.path());
    let mut client = Client::connect(&server).await;
    client.scrape(&keys[0]).await;
    let start = server.started.elapsed();
    let (before, after) = (server.listening - server.started, server.listening.elapsed());
    println!("first scrape          {start:.1?}: {before:.1?} to listen, {after:.1?} from there");

    let mut warm = Vec::new();
    for _ in 0..WARM {
        warm.push(client.scrape(&keys[0]).await);
    }
    println!("warm scrape           {}", Times(warm));

    let (mut commits, mut changed) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        commits.push(client.commit(&keys[0], round).await);
        changed.push(client.scrape(&keys[0]).await);
    }
    println!("commit of 1000 events {}", Times(commits));
    let changed = Times(changed);
    println!("scrape after it       {changed}");
    show_memory("memory", &server);
    tours(&mut client, &keys).await;
    show_memory("memory after that", &server);
    Ours { start, changed: changed.quantile(50) }
}

/// Scrapes all organisations repeatedly: first cold, then without changes.
async fn tours(client: &mut Client, keys: &[String]) {
    let mut cold = Vec::new();
    for key in keys {
        cold.push(client.scrape(key).await);
    }
    println!("all, first time       {}", Times(cold));
    let mut warm = Vec::new();
    for key in std::iter::repeat_n(keys, TOURS - 1).flatten() {
        warm.push(client.scrape(key).await);
    }
    println!("all, {} times more     {}", TOURS - 1, Times(warm));
}

fn show_memory(what: &str, server: &Server) {
    let (now, most) = server.memory_mib();
    println!("{what:<21} {now} MiB, {most} MiB at most");
}

fn compare(files: &[PathBuf], ours: &Ours) {
    let paths: Vec<_> = files.iter().map(|path| path.to_str().unwrap()).collect();
    let Some(times) = duckdb(TOTALS, &[&["org-0000"], &paths[..]].concat()) else {
        println!("DuckDB                not found");
        return;
    };
    let times: Vec<f64> = times.split_whitespace().map(|time| time.parse().unwrap()).collect();
    let ratio = |duckdb: f64, ours: Duration| duckdb / (ours.as_secs_f64() * 1e3);
    println!(
        "DuckDB, all totals    {:.1} ms, {:.2} of the first scrape",
        times[0],
        ratio(times[0], ours.start)
    );
    println!(
        "DuckDB, of one org    {:.1} ms, {:.1} times the scrape after a commit",
        times[1],
        ratio(times[1], ours.changed)
    );
}

/// A key for each organisation.
async fn keys(archive: &Path) -> Vec<String> {
    let location = ArchiveLocation::parse(archive.to_str().unwrap()).unwrap();
    let records = Records::new(location.open().unwrap());
    let keys = AccessKeys::new(records, Arc::new(SystemClock));
    let made = (0..ORGS).map(|number| keys.create(support::new_key(&format!("org-{number:04}"))));
    let made = futures::stream::iter(made).buffered(16);
    made.map_ok(|key| key.reveal().to_owned()).try_collect().await.unwrap()
}

/// A client on one connection.
struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    async fn connect(server: &Server) -> Self {
        let stream = TcpStream::connect(server.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: Vec::new() }
    }

    async fn send(&mut self, request: &str) -> Duration {
        let sent = Instant::now();
        let exchange = support::exchange(&mut self.stream, request.as_bytes(), &mut self.buffer);
        let (status, body) = exchange.await;
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
        sent.elapsed()
    }

    async fn scrape(&mut self, key: &str) -> Duration {
        let head = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer";
        self.send(&format!("{head} {key}\r\n\r\n")).await
    }

    async fn commit(&mut self, key: &str, round: usize) -> Duration {
        let (now, mut body) = (SystemClock.now(), String::new());
        for number in 0..BATCH {
            writeln!(
                body,
                r#"{{"event_id":"{now}-{round}-{number}","ts":{now},"provider":"openai","model":"gpt-4o","input_tokens":{},"output_tokens":300,"cost_usd":"0.00{number:03}"}}"#,
                1_000 + number,
            )
            .unwrap();
        }
        let head = "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nAuthorization: Bearer";
        let length = body.len();
        self.send(&format!("{head} {key}\r\nContent-Length: {length}\r\n\r\n{body}")).await
    }
}
