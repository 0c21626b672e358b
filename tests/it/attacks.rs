//! Tests that run all attacks at once on one server, while files are merged: clients that read none
//! of their answers, bombs of bad events, bodies of the shortest events, queries that want all
//! memory, idle connections, countless requests on few connections. The memory of the server and
//! its queries stays below the sum of the bounds of its settings, and a client that behaves is
//! served.

mod clients;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use reqwest::{Client, StatusCode};
use tempfile::tempdir;
use tokenlake::cli::memory::Bounds;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use self::clients::{Bodies, Clients, SERIES, SHORT_EVENTS};
use crate::support::authority::Authority;
use crate::support::environment;
use crate::support::events::event;
use crate::support::process::{Server, key, tokenlake};
use crate::support::resident::{peak_kib, tree_kib};
use crate::support::scrape::{assert_no_counter_fell, parse};

/// Seconds of attacks; a longer run by this variable.
const SECONDS: &str = "TOKENLAKE_TEST_ATTACK_SECONDS";
const SECONDS_DEFAULT: u64 = 8;
/// Small, so that each is reached.
const SETTINGS: [&str; 23] = [
    "serve",
    "--max-connections",
    "256",
    "--max-body",
    "4MiB",
    "--answer-memory",
    "32MiB",
    "--cache-memory",
    "32MiB",
    "--dedupe-memory",
    "64MiB",
    "--max-series",
    "4000",
    "--max-staleness",
    "1s",
    "--compact-interval",
    "1s",
    "--sql-memory",
    "128MiB",
    "--sql-timeout",
    "5s",
    "--sql-concurrency",
    "2",
];
/// What the server itself has ever taken in these attacks, with room; its bound is for others, too.
const SERVER_KIB_MAX: u64 = 900 << 10;
const ALL: &str = "/metrics?collect[]=core&collect[]=tokens&collect[]=pricing&collect[]=freshness";
/// More than there may be.
const IDLE_CONNECTIONS: usize = 300;
const HELD: Duration = Duration::from_secs(2);
/// What was refused is taken, and what was not told is shown, after so long.
const RECOVERY_MAX: Duration = Duration::from_secs(60);

/// What is asked again and again, in how many tasks, and whether over a connection of its own.
const ASKED: [(&str, usize, bool); 9] = [
    ("scrapes", 30, false),
    ("scrapes of one connection", 60, true),
    ("bad events", 6, true),
    ("short events", 2, false),
    ("queries for memory", 3, false),
    ("queries for time", 6, true),
    ("health", 20, false),
    ("nothing", 40, true),
    ("long heads", 40, true),
];

/// The attacks under way.
struct Attack {
    /// Of the server, without a path.
    url: String,
    key: String,
    clients: Clients,
    bodies: Bodies,
    done: AtomicBool,
    /// Events that each make a new version.
    versions: AtomicU32,
    answers: Mutex<BTreeMap<(&'static str, u16), u64>>,
}

impl Attack {
    fn goes_on(&self) -> bool {
        !self.done.load(Ordering::SeqCst)
    }

    fn request(&self, what: &str, client: &Client) -> reqwest::RequestBuilder {
        let post = |path: &str, kind: &str| {
            client.post(format!("{}{path}", self.url)).header("content-type", kind)
        };
        let request = match what {
            "scrapes" | "scrapes of one connection" => client.get(format!("{}{ALL}", self.url)),
            "bad events" => post("/v1/events", "application/json")
                .header("content-encoding", "gzip")
                .body(self.bodies.bad.clone()),
            "short events" => {
                post("/v1/events", "application/x-ndjson").body(self.bodies.short.clone())
            }
            "queries for memory" => post("/v1/sql", "text/plain")
                .body("SELECT array_agg(repeat(a.event_id, 100000)) FROM events a, events b"),
            "queries for time" => post("/v1/sql", "text/plain")
                .body("SELECT a.event_id, b.event_id FROM events a, events b"),
            "health" => client.get(format!("{}/readyz", self.url)),
            "nothing" => client.get(format!("{}/nothing", self.url)),
            _ => return self.bodies.with_long_head(client.get(format!("{}/metrics", self.url))),
        };
        request.bearer_auth(&self.key)
    }

    fn count(&self, what: &'static str, status: Option<StatusCode>) {
        let status = status.map_or(0, |status| status.as_u16());
        *self.answers.lock().entry((what, status)).or_default() += 1;
    }
}

/// Asks, and reads nothing of the answer.
async fn ask(attack: Arc<Attack>, what: &'static str, client: Client) {
    while attack.goes_on() {
        let asked = tokio::time::timeout(4 * HELD, attack.request(what, &client).send()).await;
        let answer = asked.ok().and_then(Result::ok);
        attack.count(what, answer.as_ref().map(reqwest::Response::status));
        // Those that are refused at once come again soon.
        let is_refused = answer.as_ref().is_none_or(|answer| answer.status() == 503);
        tokio::time::sleep(if is_refused { HELD / 8 } else { HELD }).await;
        drop(answer);
    }
}

/// Has each scrape show another version.
async fn move_on(attack: Arc<Attack>) {
    let client = attack.clients.own();
    while attack.goes_on() {
        let number = attack.versions.fetch_add(1, Ordering::SeqCst);
        let sent = post(&client, &attack.url, &attack.key, event(&format!("version-{number}")));
        attack.count("versions", sent.await);
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
}

async fn idle(attack: Arc<Attack>) {
    let (_, address) = attack.url.split_once("://").unwrap();
    while attack.goes_on() {
        let stream = TcpStream::connect(address).await;
        tokio::time::sleep(HELD).await;
        drop(stream);
    }
}

async fn post(client: &Client, url: &str, key: &str, body: String) -> Option<StatusCode> {
    let request = client.post(format!("{url}/v1/events")).bearer_auth(key);
    let sent =
        request.header("content-type", "application/x-ndjson").body(body).send().await.ok()?;
    let retry = sent.headers().contains_key("retry-after");
    assert!(sent.status() != 503 || retry, "no Retry-After");
    Some(sent.status())
}

/// Events by series, as a scrape shows them; `None` if it is refused, in the way that it is to be.
async fn scraped(client: &Client, url: &str, key: &str) -> Option<BTreeMap<String, String>> {
    let answer = client.get(format!("{url}/metrics")).bearer_auth(key).send().await.ok()?;
    if answer.status() == 503 {
        assert!(answer.headers().contains_key("retry-after"), "{answer:?}");
        return None;
    }
    assert_eq!(answer.status(), 200);
    Some(parse(&answer.text().await.ok()?).into_iter().collect())
}

fn requests(series: &BTreeMap<String, String>) -> u64 {
    let counts = series.iter().filter(|(name, _)| name.starts_with("llm_requests_total{"));
    counts.map(|(_, count)| count.parse::<u64>().unwrap()).sum()
}

/// What one who behaves saw.
#[derive(Debug, Default)]
struct Seen {
    events: u64,
    scrapes: u64,
    refused: u64,
}

/// Sends and scrapes, tries again what is refused, and sees no counter fall.
async fn behave(attack: Arc<Attack>, key: String) -> Seen {
    let (client, url) = (attack.clients.own(), &attack.url);
    let (mut seen, mut before) = (Seen::default(), BTreeMap::new());
    while attack.goes_on() {
        let ids = seen.events..seen.events + 3;
        let body = ids.map(|id| event(&format!("good-{id}"))).collect::<Vec<_>>().join("\n");
        match post(&client, url, &key, body).await {
            Some(StatusCode::OK) => seen.events += 3,
            Some(status) => {
                assert_eq!(status, 503);
                seen.refused += 1;
            }
            // Its connection was one of too many.
            None => seen.refused += 1,
        }
        match scraped(&client, url, &key).await {
            None => seen.refused += 1,
            Some(series) => {
                assert_no_counter_fell(
                    &before.into_iter().collect(),
                    &series.clone().into_iter().collect(),
                );
                (seen.scrapes, before) = (seen.scrapes + 1, series);
            }
        }
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    seen
}

async fn attacked(attack: Arc<Attack>, good: String, seconds: u64) -> Seen {
    let mut tasks = JoinSet::new();
    for (what, count, is_shared) in ASKED {
        let shared = attack.clients.narrow();
        for _ in 0..count {
            let client = if is_shared { shared.clone() } else { attack.clients.own() };
            tasks.spawn(ask(attack.clone(), what, client));
        }
    }
    for _ in 0..IDLE_CONNECTIONS {
        tasks.spawn(idle(attack.clone()));
    }
    tasks.spawn(move_on(attack.clone()));
    let behaves = tokio::spawn(behave(attack.clone(), good));
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    attack.done.store(true, Ordering::SeqCst);
    let seen = behaves.await.unwrap();
    tasks.shutdown().await;
    seen
}

/// Sends until it is taken.
async fn sent(attack: &Attack, key: &str, body: &str) {
    let (client, start) = (attack.clients.own(), Instant::now());
    while post(&client, &attack.url, key, body.to_owned()).await != Some(StatusCode::OK) {
        assert!(start.elapsed() < RECOVERY_MAX, "it is not taken");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Waits until a scrape shows so many events, and never more.
async fn shows(attack: &Attack, key: &str, events: u64) {
    let (client, start) = (attack.clients.own(), Instant::now());
    loop {
        let series = scraped(&client, &attack.url, key).await;
        let found = series.map(|series| requests(&series));
        if found == Some(events) {
            return;
        }
        assert!(found.is_none_or(|found| found < events), "{found:?} for {events}");
        assert!(start.elapsed() < RECOVERY_MAX, "{found:?} for {events}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[test]
fn all_at_once_take_no_more_memory_than_the_settings_add_up_to() {
    let seconds = environment::number(SECONDS).unwrap_or(SECONDS_DEFAULT);
    let (folder, authority) = (tempdir().unwrap(), Authority::new());
    let archive = folder.path().join("archive");
    let [bad, good] = ["acme", "globex"].map(|org| key(&archive, org));
    let paths = authority.certify().write(folder.path());
    let [cert, key] = paths.each_ref().map(|path| path.to_str().unwrap());
    let settings = [&SETTINGS[..], &["--tls-cert", cert, "--tls-key", key]].concat();
    let server = Server::start_with(&archive, &settings);
    let attack = Arc::new(Attack {
        url: server.url(""),
        key: bad.clone(),
        clients: Clients::trusting(&authority.pem()),
        bodies: Bodies::new(),
        done: AtomicBool::new(false),
        versions: AtomicU32::new(0),
        answers: Mutex::default(),
    });
    let most = Arc::new(AtomicU64::new(0));
    let looks = std::thread::spawn({
        let (attack, most, pid) = (attack.clone(), most.clone(), server.pid());
        move || {
            while attack.goes_on() {
                most.fetch_max(tree_kib(pid), Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    });
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.unwrap();
    runtime.block_on(sent(&attack, &bad, &attack.bodies.series));
    let seen = runtime.block_on(attacked(attack.clone(), good.clone(), seconds));
    looks.join().unwrap();
    let (own, tree) = (peak_kib(server.pid()), most.load(Ordering::SeqCst));
    let bounds = Bounds::of_line(&settings).unwrap();
    let answers = attack.answers.lock().clone();
    eprintln!(
        "{seconds} s: {seen:?}; {answers:?}; the server took {} MiB, with its queries {} MiB; they may \
         take {} and {}",
        own >> 10,
        tree >> 10,
        bounds.own_bytes() >> 20,
        bounds.bytes() >> 20,
    );
    assert!(own < (bounds.own_bytes() >> 10).min(SERVER_KIB_MAX), "{own} KiB\n{bounds}");
    assert!(tree < bounds.bytes() >> 10, "{tree} KiB\n{bounds}");
    assert!(seen.events > 0 && seen.scrapes > 0, "{seen:?}");
    // Of each at least one was answered, or was not in time.
    for (what, ..) in ASKED {
        assert!(answers.keys().any(|(asked, _)| *asked == what), "{what}");
    }
    let told = answers.iter().filter(|((_, status), _)| *status > 0).map(|(_, count)| *count);
    assert!(told.sum::<u64>() > 100, "{answers:?}");

    // Exact in the end, whatever was refused or never told.
    let versions = attack.versions.load(Ordering::SeqCst);
    let moved: Vec<_> = (0..versions).map(|number| event(&format!("version-{number}"))).collect();
    let good_events: Vec<_> = (0..seen.events + 3).map(|id| event(&format!("good-{id}"))).collect();
    runtime.block_on(async {
        sent(&attack, &bad, &moved.join("\n")).await;
        sent(&attack, &bad, &String::from_utf8(attack.bodies.short.clone()).unwrap()).await;
        sent(&attack, &good, &good_events.join("\n")).await;
        shows(&attack, &bad, SERIES + SHORT_EVENTS + u64::from(versions)).await;
        shows(&attack, &good, seen.events + 3).await;
    });
    drop(server);
    let verified = tokenlake(&archive, &["verify"]);
    assert_eq!(verified.status, 0, "{verified:?}");
}
