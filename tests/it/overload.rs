//! Tests of one organisation that sends far more than the server can take, valid and invalid;
//! another one is not affected.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::{Client, StatusCode};
use tempfile::tempdir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::support::events::{counted, event};
use crate::support::process::{Server, key, tokenlake};
use crate::support::random::Random;
use crate::support::scrape::{Series, assert_no_counter_fell, parse};
use crate::support::{client, poll};

/// Seconds of load; a longer run by this variable.
const SECONDS: &str = "TOKENLAKE_TEST_OVERLOAD";
const SECONDS_DEFAULT: u64 = 7;
const CONNECTIONS_MAX: &str = "128";
/// A third of the senders have one under way; the others are turned away at once, and come again.
const REQUESTS_MAX: &str = "16";
/// More than there may be, which send a byte now and then.
const SLOW_CONNECTIONS: usize = 150;
/// Bodies that are announced as large, and come byte by byte.
const SLOW_BODIES: usize = 8;
const SENDERS: usize = 48;
/// With what `--max-body` allows 48 of them would be 1.5 GiB.
const LARGE_EVENTS: u32 = 20_000;
const LARGE_BODIES: u32 = 4;
const SMALL_BODIES: u32 = 2_000;
/// What the process may take at any time: bodies, what they grow to, batches that wait (a quarter
/// GiB each, half of it for one organisation), caches, and the program.
const RESIDENT_KIB_MAX: u64 = 800 << 10;
/// How soon after the load all is as before.
const RECOVERY_MAX: Duration = Duration::from_secs(30);
/// The other organisation's scraper waits so long.
const SCRAPE_TIMEOUT: Duration = Duration::from_secs(5);

/// What the senders did.
#[derive(Debug, Default)]
struct Load {
    offered: AtomicU64,
    acknowledged: AtomicU64,
    turned_away: AtomicU64,
    refused: AtomicU64,
    broken_off: AtomicU64,
    done: AtomicBool,
}

impl Load {
    fn goes_on(&self) -> bool {
        !self.done.load(Ordering::SeqCst)
    }

    fn count(&self, status: Option<StatusCode>) {
        self.offered.fetch_add(1, Ordering::SeqCst);
        let counter = match status.map(|status| status.as_u16()) {
            None => &self.broken_off,
            Some(200) => &self.acknowledged,
            Some(503) => &self.turned_away,
            Some(_) => &self.refused,
        };
        counter.fetch_add(1, Ordering::SeqCst);
    }
}

fn large(number: u32) -> String {
    let ids = (0..LARGE_EVENTS).map(|id| event(&format!("large-{number}-{id}")));
    ids.collect::<Vec<_>>().join("\n")
}

fn small(number: u32) -> String {
    event(&format!("small-{number}"))
}

/// Many empty lines, of which few bytes are left.
fn bomb() -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&vec![b'\n'; 31 << 20]).unwrap();
    encoder.finish().unwrap()
}

/// What an organisation sends that means no good.
#[derive(Debug)]
struct Bodies {
    large: Vec<String>,
    bomb: Vec<u8>,
}

impl Bodies {
    fn request(&self, random: &mut Random) -> (&'static str, Vec<u8>) {
        match random.below(10) {
            0 | 1 => ("", self.large[random.below(LARGE_BODIES.into()) as usize].clone().into()),
            2 => ("gzip", self.bomb.clone()),
            3 => ("gzip", self.large[0].clone().into_bytes()),
            4 => ("", b"{\"events\":[{\"event_id\":".repeat(1_000)),
            5 => ("", vec![0xff; 100_000]),
            _ => ("", small(random.below(SMALL_BODIES.into()) as u32).into_bytes()),
        }
    }
}

fn client() -> Client {
    Client::builder().timeout(Duration::from_secs(30)).no_proxy().build().unwrap()
}

async fn post(
    client: &Client,
    url: &str,
    key: &str,
    coding: &str,
    body: Vec<u8>,
) -> Option<StatusCode> {
    let mut request =
        client.post(url).bearer_auth(key).header("content-type", "application/x-ndjson");
    if !coding.is_empty() {
        request = request.header("content-encoding", coding);
    }
    Some(request.body(body).send().await.ok()?.status())
}

/// Sends one request after the other, hardly pausing where it is told to come again.
async fn flood(number: usize, url: String, key: String, bodies: Arc<Bodies>, load: Arc<Load>) {
    let (client, mut random) = (client(), Random(number as u64));
    while load.goes_on() {
        let (coding, body) = bodies.request(&mut random);
        // Some scrape, some have no key, and some leave before they are answered.
        let status = match random.below(12) {
            0 => {
                let scrape = client.get(url.replace("/v1/events", "/metrics")).bearer_auth(&key);
                scrape.send().await.ok().map(|answer| answer.status())
            }
            1 => post(&client, &url, "td_live_none", coding, body).await,
            2 => {
                let sent = post(&client, &url, &key, coding, body);
                tokio::time::timeout(Duration::from_millis(30), sent).await.ok().flatten()
            }
            _ => post(&client, &url, &key, coding, body).await,
        };
        load.count(status);
        if status == Some(StatusCode::SERVICE_UNAVAILABLE) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Keeps a connection as long as it is let, with a byte of `head`, or of a body, now and then.
async fn trickle(address: String, head: String, load: Arc<Load>) {
    while load.goes_on() {
        let Ok(mut stream) = TcpStream::connect(&address).await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        if stream.write_all(head.as_bytes()).await.is_ok() {
            let mut buffer = [0; 256];
            while load.goes_on() {
                let pause = tokio::time::sleep(Duration::from_millis(200));
                tokio::select! {
                    // It ends, or it is answered.
                    _ = stream.read(&mut buffer) => break,
                    () = pause => if stream.write_all(b"x").await.is_err() { break },
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What one who behaves saw.
#[derive(Debug, Default)]
struct Seen {
    events: u32,
    scrapes: u32,
    retries: u32,
    longest_scrape: Duration,
}

/// Sends a few events, scrapes, and so on: each scrape is answered in time and shows all.
async fn behave(server_url: String, key: String, load: Arc<Load>) -> Seen {
    let (client, mut seen, mut before) = (client(), Seen::default(), Series::new());
    let seconds = SCRAPE_TIMEOUT.as_secs().to_string();
    while load.goes_on() {
        let ids = seen.events..seen.events + 5;
        let body = ids.map(|id| event(&format!("good-{id}"))).collect::<Vec<_>>().join("\n");
        let url = format!("{server_url}/v1/events");
        let start = Instant::now();
        while post(&client, &url, &key, "", body.clone().into()).await != Some(StatusCode::OK) {
            assert!(start.elapsed() < Duration::from_secs(20), "its events are not taken");
            seen.retries += 1;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        seen.events += 5;
        let start = Instant::now();
        let scrape = client.get(format!("{server_url}/metrics")).bearer_auth(&key);
        let scrape = scrape.header("x-prometheus-scrape-timeout-seconds", &seconds);
        let answer = scrape.send().await.expect("a scrape is answered");
        assert_eq!(answer.status(), StatusCode::OK);
        let series = parse(&answer.text().await.unwrap());
        seen.longest_scrape = seen.longest_scrape.max(start.elapsed());
        seen.scrapes += 1;
        assert_no_counter_fell(&before, &series);
        let count = series.iter().find(|(name, _)| name.starts_with("llm_requests_total{"));
        assert_eq!(count.unwrap().1, &seen.events.to_string());
        before = series;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    seen
}

/// Resident memory in KiB, now and at most.
fn resident(server: &Server) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid()));
    let status = status.unwrap_or_default();
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.map_or(0, |line| line.trim().trim_end_matches(" kB").parse().unwrap())
    };
    (of("VmRSS:"), of("VmHWM:"))
}

async fn run(server: &Server, keys: [&str; 2], seconds: u64) -> (Arc<Load>, Seen) {
    let [bad, good] = keys.map(str::to_owned);
    let load = Arc::<Load>::default();
    let bodies = Arc::new(Bodies { large: (0..LARGE_BODIES).map(large).collect(), bomb: bomb() });
    let mut tasks = JoinSet::new();
    for number in 0..SENDERS {
        let url = server.url("/v1/events");
        tasks.spawn(flood(number, url, bad.clone(), bodies.clone(), load.clone()));
    }
    let address = server.address().to_owned();
    for _ in 0..SLOW_CONNECTIONS {
        let head = "POST /v1/events HTTP/1.1\r\nX: ".to_owned();
        tasks.spawn(trickle(address.clone(), head, load.clone()));
    }
    for _ in 0..SLOW_BODIES {
        let head = format!(
            "POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {bad}\r\n\
             Content-Type: application/x-ndjson\r\nContent-Length: 33000000\r\n\r\n"
        );
        tasks.spawn(trickle(address.clone(), head, load.clone()));
    }
    let behaves = tokio::spawn(behave(server.url(""), good, load.clone()));
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    load.done.store(true, Ordering::SeqCst);
    let seen = behaves.await.unwrap();
    // They leave without waiting for their answers.
    tasks.shutdown().await;
    (load, seen)
}

fn start(archive: &Path) -> Server {
    let limits = ["--max-connections", CONNECTIONS_MAX, "--max-requests-per-org", REQUESTS_MAX];
    Server::start_with(archive, &[&["serve"], &limits[..]].concat())
}

#[test]
fn others_are_served_memory_is_bounded_and_it_recovers_by_itself() {
    let seconds = std::env::var(SECONDS).map_or(SECONDS_DEFAULT, |value| value.parse().unwrap());
    let folder = tempdir().unwrap();
    let [bad, good] = ["acme", "globex"].map(|org| key(folder.path(), org));
    let server = start(folder.path());
    let before = resident(&server).0;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.unwrap();
    let (load, seen) = runtime.block_on(run(&server, [&bad, &good], seconds));
    let (during, most) = resident(&server);

    // Recovery without a restart: what was refused is taken now, and all of it is exact.
    let resent = Instant::now();
    let bodies = (0..LARGE_BODIES).map(large).chain((0..SMALL_BODIES).map(small));
    let bodies = bodies.collect::<Vec<_>>();
    let (large, small) = bodies.split_at(LARGE_BODIES as usize);
    for body in large.iter().cloned().chain([small.join("\n")]) {
        let url = server.url("/v1/events");
        // What it sent before may still be under way.
        poll(RECOVERY_MAX, "what was refused is taken", || {
            let answer = client::post(&url, &bad, "application/x-ndjson", body.clone());
            assert!([200, 503].contains(&answer.status), "{}", answer.text());
            (answer.status == 200).then_some(())
        });
    }
    assert_eq!(counted(&server, &bad, "acme"), LARGE_BODIES * LARGE_EVENTS + SMALL_BODIES);
    assert_eq!(counted(&server, &good, "globex"), seen.events);
    let resent = resent.elapsed();
    let after = resident(&server).0;
    drop(server);
    let verified = tokenlake(folder.path(), &["verify"]);
    assert_eq!(verified.status, 0, "{verified:?}");

    eprintln!(
        "{seconds} s: {load:?}; {seen:?}; resident MiB: {} before, {} at the end of the load, {} at most, \
         {} after; all sent again in {resent:?}",
        before >> 10,
        during >> 10,
        most >> 10,
        after >> 10,
    );
    assert!(load.turned_away.load(Ordering::SeqCst) > 0, "it was not too much");
    assert!(seen.scrapes > 0, "{seen:?}");
    assert!(seen.longest_scrape < SCRAPE_TIMEOUT, "{seen:?}");
    assert!(most < RESIDENT_KIB_MAX, "{most} KiB");
}
