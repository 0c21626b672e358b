//! A fleet of replicas on one bucket with S3's usual latencies, in simulated time: what waiting for each
//! other costs, whatever the machine that runs this. Computing takes no time here.
//!
//! `cargo bench --bench fleet -- 1 5 20 50` names numbers of replicas. `TOKENLAKE_BENCH_EVENTS` is the events
//! a second of all replicas together, 31,700 by default (10¹² a year); `TOKENLAKE_BENCH_ORGS` the number of
//! organisations, and `TOKENLAKE_BENCH_SECONDS` for how long they send. `TOKENLAKE_BENCH_WRITERS` has only so
//! many of the replicas take events; all of them are scraped. At the end a new replica must have
//! each event that was acknowledged.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::float_arithmetic,
    reason = "a bench prints and may stop at what is wrong"
)]

#[path = "fleet/clock.rs"]
mod clock;
#[path = "fleet/s3.rs"]
mod s3;
mod support;
#[path = "fleet/traffic.rs"]
mod traffic;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::TryStreamExt as _;
use object_store::ObjectStore as _;
use object_store::memory::InMemory;
use tokenlake::app::{App, AppSettings};
use tokenlake::archive::WriterSettings;
use tokenlake::maintain::compact::CompactSettings;
use tokenlake::telemetry::Telemetry;
use tokio::time::Instant;

use self::clock::SimulatedClock;
use self::s3::{Counts, S3, Verb};
use self::support::settings;
use self::support::times::Times;
use self::traffic::{Load, Outcome, Replica};

const REPLICAS: [u64; 4] = [1, 5, 20, 50];
const MONTH: f64 = 30.0 * 86_400.0;
/// How many organisations are scraped.
const SCRAPED_MAX: u64 = 1_000;

fn main() {
    let asked: Vec<u64> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    let orgs = number("TOKENLAKE_BENCH_ORGS", 100_000);
    let load = Load {
        events: number("TOKENLAKE_BENCH_EVENTS", 31_700),
        batch: number("TOKENLAKE_BENCH_BATCH", 60),
        orgs,
        scraped: orgs.min(SCRAPED_MAX),
        lasts: Duration::from_secs(number("TOKENLAKE_BENCH_SECONDS", 120)),
    };
    let pause = Duration::from_millis(number("TOKENLAKE_BENCH_COMMIT_MS", 1_000));
    let writers_max = number("TOKENLAKE_BENCH_WRITERS", u64::MAX);
    println!("{load:?}, a commit each {pause:?} at most");
    println!(
        "{:>8} {:>7} {:>9} {:>8} {:>8} {:>9} {:>9} {:>7} {:>7} {:>7} {:>9} {:>8} {:>6} {:>8} {:>8} {:>8}",
        "replicas",
        "writers",
        "events/s",
        "ack p50",
        "ack p99",
        "commits/s",
        "lost/each",
        "PUT/s",
        "GET/s",
        "LIST/s",
        "$/month",
        "read/s",
        "files",
        "entries",
        "scr p50",
        "scr p99"
    );
    for replicas in if asked.is_empty() { REPLICAS.to_vec() } else { asked } {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(run(replicas, writers_max.min(replicas), load, pause));
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// Runs a fleet, of which some take events, and prints its line of the table.
async fn run(replicas: u64, writers: u64, load: Load, pause: Duration) {
    let (bucket, counts) = (Arc::new(InMemory::new()), Arc::new(Counts::default()));
    let clock = Arc::new(SimulatedClock::start());
    let mut fleet = Vec::new();
    for nth in 0..replicas {
        let s3 = S3::new(bucket.clone(), counts.clone(), nth);
        fleet.push(open(s3, clock.clone(), pause, nth == 0).await);
    }
    let outcome = Arc::new(Outcome::of(load));
    let began = Instant::now();
    let before = counts.commits.load(Ordering::Relaxed);
    let mut work = Vec::new();
    for (nth, replica) in (0..writers).zip(&fleet) {
        let sender = traffic::send(replica.clone(), nth, writers, load, outcome.clone());
        work.push(tokio::spawn(sender));
    }
    for number in 0..load.scraped {
        work.push(tokio::spawn(traffic::scrape(fleet.clone(), number, load, outcome.clone())));
    }
    for one in work {
        one.await.unwrap();
    }
    let took = began.elapsed().as_secs_f64();
    let commits = counts.commits.load(Ordering::Relaxed) - before;
    print!("{replicas:>8} {writers:>7} ");
    print_line(took, commits, &counts, &outcome, &bucket).await;
    drop(fleet);
    cold_start(&bucket, clock, load, &outcome).await;
}

async fn open(s3: S3, clock: Arc<SimulatedClock>, pause: Duration, compacts: bool) -> Replica {
    let settings = AppSettings {
        writer: WriterSettings { commit_interval: pause, ..WriterSettings::default() },
        // All replicas share the memory of one machine here.
        cache_bytes_max: AppSettings::default().cache_bytes_max,
        compact: compacts.then(|| (CompactSettings::default(), Duration::from_secs(60))),
        ..settings(Duration::from_secs(1))
    };
    Arc::new(App::open(Arc::new(s3), clock, Telemetry::new(), settings).await.unwrap())
}

async fn print_line(
    took: f64,
    commits: u64,
    counts: &Counts,
    outcome: &Outcome,
    bucket: &InMemory,
) {
    let events: u64 = outcome.events.iter().map(|count| count.load(Ordering::SeqCst)).sum();
    let [acknowledged, scrapes] = [&outcome.acknowledged, &outcome.scrapes]
        .map(|times| Times(std::mem::take(&mut *times.lock().unwrap())));
    let [ack50, scrape50] = [&acknowledged, &scrapes].map(|times| times.quantile(50));
    let [ack99, scrape99] = [&acknowledged, &scrapes].map(|times| times.quantile(99));
    let objects: Vec<_> = bucket.list(None).try_collect().await.unwrap();
    let count = |is: &dyn Fn(&str) -> bool| {
        objects.iter().filter(|object| is(object.location.as_ref())).count()
    };
    let files = count(&|path| path.starts_with("events/event_date="));
    let entries = count(&|path| path.contains("/_delta_log/") && path.ends_with(".json"));
    let a_second = |verb| counts.of(verb) as f64 / took;
    println!(
        "{:>9.0} {ack50:>8.2?} {ack99:>8.2?} {:>9.1} {:>9.2} {:>7.0} {:>7.0} {:>7.0} {:>9.0} {:>7.1}M {files:>6} {entries:>8} {scrape50:>8.2?} {scrape99:>8.2?}",
        events as f64 / took,
        commits as f64 / took,
        counts.lost.load(Ordering::Relaxed) as f64 / commits as f64,
        a_second(Verb::Put),
        a_second(Verb::Get),
        a_second(Verb::List),
        counts.dollars() / took * MONTH,
        counts.bytes_read.load(Ordering::Relaxed) as f64 / took / 1e6,
    );
    let of_each = counts.places();
    let of_each = of_each.iter().map(|((verb, place), count)| (verb, place, *count as f64 / took));
    let of_each = of_each.filter(|(_, _, a_second)| *a_second >= 0.5);
    let of_each = of_each.map(|(verb, place, a_second)| format!("{verb:?} {place} {a_second:.1}"));
    println!("         requests a second: {}", of_each.collect::<Vec<_>>().join(", "));
    let refused = outcome.refused.load(Ordering::Relaxed);
    if refused > 0 {
        println!("         {refused} requests were refused and sent again");
    }
}

/// A new replica opens the archive, and has each event that was acknowledged.
async fn cold_start(
    bucket: &Arc<InMemory>,
    clock: Arc<SimulatedClock>,
    load: Load,
    outcome: &Outcome,
) {
    let counts = Arc::new(Counts::default());
    let began = Instant::now();
    let s3 = S3::new(bucket.clone(), counts.clone(), u64::MAX);
    let replica = open(s3, clock, Duration::ZERO, false).await;
    let opened = began.elapsed();
    traffic::requests_of(&replica, 0).await;
    println!(
        "         a new replica: {opened:.2?} to open, {:.2?} to its first scrape, {} GET, {:.1} MB",
        began.elapsed(),
        counts.of(Verb::Get),
        counts.bytes_read.load(Ordering::Relaxed) as f64 / 1e6,
    );
    for number in 0..load.scraped {
        let sent = outcome.events[usize::try_from(number).unwrap()].load(Ordering::SeqCst);
        assert_eq!(traffic::requests_of(&replica, number).await, sent, "org {number}");
    }
}
