//! Two servers on one archive, and clients that lose answers.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::client::{self, bearer};
use super::exact;
use super::poll;
use super::process::Server;
use super::random::Random;
use super::scrape::{Series, assert_no_counter_fell, parse};

/// How long a batch may be tried, and the fleet be scraped.
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
    servers: [Mutex<Server>; 2],
    /// Where they listen now. Apart from the servers, so that nobody waits for a restart.
    urls: [Mutex<String>; 2],
    requests: AtomicU64,
    allowed: AtomicU64,
    acknowledged_batches: AtomicU64,
    acknowledged_events: AtomicU64,
    duplicates: AtomicU64,
    scrapes: AtomicU64,
    done: AtomicBool,
}

impl Fleet {
    pub fn start(archive: &Path) -> Self {
        let servers = [Server::start(archive), Server::start(archive)];
        let urls = servers.each_ref().map(|server| Mutex::new(server.url("")));
        Self {
            archive: archive.to_owned(),
            servers: servers.map(Mutex::new),
            urls,
            requests: AtomicU64::new(0),
            allowed: AtomicU64::new(u64::MAX),
            acknowledged_batches: AtomicU64::new(0),
            acknowledged_events: AtomicU64::new(0),
            duplicates: AtomicU64::new(0),
            scrapes: AtomicU64::new(0),
            done: AtomicBool::new(false),
        }
    }

    /// SIGKILL to one server, and a new one in its place.
    pub fn kill(&self, which: usize) {
        let mut server = self.servers[which].lock().unwrap();
        server.kill();
        *server = Server::start(&self.archive);
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

    /// Sends all batches, from several threads at once, as far as they are allowed.
    pub fn deliver_all(&self, batches: &[Batch]) {
        let taken = AtomicU64::new(0);
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
        self.acknowledged_events.fetch_add(batch.events, Ordering::SeqCst);
        self.acknowledged_batches.fetch_add(1, Ordering::SeqCst);
        true
    }

    /// Scrapes now this server, now that one, until the fleet is done: no counter falls, and what
    /// was acknowledged before a scrape is in it. For a fleet whose events are all of the key's
    /// organisation.
    pub fn watch(&self, key: &str) {
        let mut before = Series::new();
        let auth = bearer(key);
        let started = Instant::now();
        for turn in 0.. {
            let last = self.done.load(Ordering::SeqCst) || started.elapsed() > TRY_MAX;
            let acknowledged = self.acknowledged_events.load(Ordering::SeqCst);
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
