//! Two servers on one archive, and clients that lose answers.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::client::{self, bearer};
use super::exact;
use super::poll;
use super::process::{Environment, Server};
use super::random::Random;
use super::scrape::{Series, assert_no_counter_fell, parse};

/// How long a batch may be tried.
const TRY_MAX: Duration = Duration::from_secs(60);
const SENDERS: u64 = 4;
const PAUSE: Duration = Duration::from_millis(10);

/// A batch on its way in.
#[derive(Debug, Clone)]
pub struct Batch {
    pub key: String,
    pub body: String,
    pub events: u64,
}

/// The servers and what they have done so far.
#[derive(Debug)]
pub struct Fleet {
    archive: PathBuf,
    environment: Environment,
    servers: [Mutex<Server>; 2],
    /// Where they listen now. Apart from the servers, so that nobody waits for a restart.
    urls: [Mutex<String>; 2],
    requests: AtomicU64,
    allowed: AtomicU64,
    acknowledged_batches: AtomicU64,
    /// By key.
    acknowledged_events: Mutex<BTreeMap<String, u64>>,
    duplicates: AtomicU64,
    scrapes: AtomicU64,
    done: AtomicBool,
}

impl Fleet {
    pub fn start(archive: &Path) -> Self {
        Self::start_in(Environment::new(), archive)
    }

    /// The same with settings of its own.
    pub fn start_in(environment: Environment, archive: &Path) -> Self {
        let start = || Server::start_in(&environment, archive, &["serve"]);
        let servers = [start(), start()];
        let urls = servers.each_ref().map(|server| Mutex::new(server.url("")));
        Self {
            archive: archive.to_owned(),
            environment,
            servers: servers.map(Mutex::new),
            urls,
            requests: AtomicU64::new(0),
            allowed: AtomicU64::new(u64::MAX),
            acknowledged_batches: AtomicU64::new(0),
            acknowledged_events: Mutex::default(),
            duplicates: AtomicU64::new(0),
            scrapes: AtomicU64::new(0),
            done: AtomicBool::new(false),
        }
    }

    /// SIGKILL to one server, and a new one in its place.
    pub fn kill(&self, which: usize) {
        let mut server = self.servers[which].lock().unwrap();
        server.kill();
        *server = Server::start_in(&self.environment, &self.archive, &["serve"]);
        *self.urls[which].lock().unwrap() = server.url("");
    }

    /// How many events were sent again after they had come to stand.
    pub fn duplicates(&self) -> u64 {
        self.duplicates.load(Ordering::SeqCst)
    }

    /// How many scrapes were answered.
    pub fn scrapes(&self) -> u64 {
        self.scrapes.load(Ordering::SeqCst)
    }

    /// How many batches were acknowledged.
    pub fn acknowledged_batches(&self) -> u64 {
        self.acknowledged_batches.load(Ordering::SeqCst)
    }

    /// Lets the senders go on until this many batches have been taken.
    pub fn allow(&self, batches: u64) {
        self.allowed.store(batches, Ordering::SeqCst);
    }

    /// Kills a server, or both, so many times while batches come in, each time somewhere in an equal
    /// share of them and not at the instant of an acknowledgement.
    pub fn kill_often(&self, batches: u64, kills: u64, seed: u64) {
        let mut random = Random(seed);
        let share = batches / (kills + 1);
        for number in 0..kills {
            self.allow((number + 1) * share);
            let mark = number * share + random.below(share / 2);
            poll(TRY_MAX, "more batches are acknowledged", || {
                (self.acknowledged_batches() >= mark).then_some(())
            });
            std::thread::sleep(Duration::from_millis(random.below(30)));
            match random.below(3) {
                2 => std::thread::scope(|scope| {
                    scope.spawn(|| self.kill(0));
                    self.kill(1);
                }),
                which => self.kill(usize::try_from(which).unwrap()),
            }
            let scrapes = self.scrapes();
            poll(TRY_MAX, "a scrape is answered", || (self.scrapes() > scrapes).then_some(()));
        }
        self.allow(u64::MAX);
    }

    /// Sends all batches, from several threads at once, as far as they are allowed.
    pub fn deliver_all(&self, batches: &[Batch]) {
        let taken = AtomicU64::new(0);
        let _watchers = self.finish_on_panic();
        std::thread::scope(|scope| {
            for sender in 0..SENDERS {
                let taken = &taken;
                scope.spawn(move || {
                    let mut random = Random(sender);
                    let next = || taken.fetch_add(1, Ordering::SeqCst);
                    loop {
                        let number = next();
                        let Some(batch) = batches.get(usize::try_from(number).unwrap()) else {
                            return;
                        };
                        poll(TRY_MAX, "the next batch is allowed", || {
                            (number < self.allowed.load(Ordering::SeqCst)).then_some(())
                        });
                        self.deliver(batch, &mut random);
                    }
                });
            }
        });
    }

    fn acknowledged_events(&self, key: &str) -> u64 {
        self.acknowledged_events.lock().unwrap().get(key).copied().unwrap_or_default()
    }

    /// Nobody watches a fleet for ever whose test has failed.
    pub fn finish_on_panic(&self) -> FinishOnPanic<'_> {
        FinishOnPanic(self)
    }

    /// Nothing more will be sent.
    pub fn finish(&self) {
        self.done.store(true, Ordering::SeqCst);
    }

    fn url(&self, which: u64) -> String {
        self.urls[usize::try_from(which).unwrap() % 2].lock().unwrap().clone()
    }

    /// Sends a batch until it is acknowledged. The answer to every third request is lost.
    fn deliver(&self, batch: &Batch, random: &mut Random) {
        let started = Instant::now();
        loop {
            assert!(started.elapsed() < TRY_MAX, "a batch was not acknowledged within {TRY_MAX:?}");
            let url = self.url(random.below(2));
            if self.requests.fetch_add(1, Ordering::SeqCst) % 3 == 2 {
                lose_answer(&url, batch, Duration::from_millis(1 + random.below(60)));
            } else if self.acknowledged(&url, batch) {
                return;
            } else {
                std::thread::sleep(PAUSE);
            }
        }
    }

    fn acknowledged(&self, url: &str, batch: &Batch) -> bool {
        let auth = bearer(&batch.key);
        let headers = [("authorization", auth.as_str()), ("content-type", "application/x-ndjson")];
        let url = format!("{url}/v1/events");
        let answer = client::try_send("POST", &url, &headers, batch.body.clone().into_bytes());
        let Ok(answer) = answer else { return false };
        if answer.status == 503 {
            return false;
        }
        assert_eq!(answer.status, 200, "{}", answer.text());
        let receipt = answer.json();
        let count = |name: &str| receipt[name].as_u64().unwrap();
        assert_eq!(count("accepted") + count("duplicates"), batch.events, "{receipt}");
        self.duplicates.fetch_add(count("duplicates"), Ordering::SeqCst);
        *self.acknowledged_events.lock().unwrap().entry(batch.key.clone()).or_default() +=
            batch.events;
        self.acknowledged_batches.fetch_add(1, Ordering::SeqCst);
        true
    }

    /// Scrapes now this server, now that one, until the fleet is done: no counter falls, and what
    /// was acknowledged before a scrape is in it. For an organisation with one key.
    pub fn watch(&self, key: &str) {
        let mut before = Series::new();
        let auth = bearer(key);
        for turn in 0.. {
            let last = self.done.load(Ordering::SeqCst);
            let acknowledged = self.acknowledged_events(key);
            let url = format!("{}/metrics", self.url(turn));
            match client::try_send("GET", &url, &[("authorization", &auth)], Vec::new()) {
                Ok(answer) if answer.status == 200 => {
                    let series = parse(answer.text());
                    assert_no_counter_fell(&before, &series);
                    assert!(requests(&series) >= acknowledged, "acknowledged events do not show");
                    before = series;
                    self.scrapes.fetch_add(1, Ordering::SeqCst);
                }
                Ok(answer) => assert_eq!(answer.status, 503, "{}", answer.text()),
                Err(_) => {}
            }
            if last {
                break;
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// The servers of a fleet that has done its work.
    pub fn into_servers(self) -> [Server; 2] {
        self.servers.map(|server| server.into_inner().unwrap())
    }
}

/// Finishes a fleet when a test fails while this is held.
#[derive(Debug)]
pub struct FinishOnPanic<'a>(&'a Fleet);

impl Drop for FinishOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.finish();
        }
    }
}

fn requests(series: &Series) -> u64 {
    let counters = series.iter().filter(|(name, _)| name.starts_with("llm_requests_total{"));
    let sum: i128 = counters.map(|(_, value)| exact::parse(value)).sum();
    u64::try_from(sum / exact::parse("1")).unwrap()
}

/// Sends a whole request, waits a little, and closes the connection without reading.
fn lose_answer(url: &str, batch: &Batch, patience: Duration) {
    let address = url.strip_prefix("http://").unwrap();
    let Ok(mut stream) = TcpStream::connect(address) else { return };
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/x-ndjson\r\nContent-Length: {}\r\n\r\n",
        batch.key,
        batch.body.len()
    );
    stream.set_read_timeout(Some(patience)).unwrap();
    // The server may be killed at any point of this.
    let _ =
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(batch.body.as_bytes()));
    let _ = stream.read(&mut [0]);
}
