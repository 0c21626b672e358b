//! Test of all writers at once over a network that fails: two servers that merge files, a backfill,
//! compactions and expiries. At the end every number is exact and no file is left over.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use object_store::ObjectStore;
use serde_json::{Value, json};
use tokenlake::clock::{Clock as _, SECOND, SystemClock};

use crate::support::clock::TestClock;
use crate::support::exact;
use crate::support::fleet::{Batch, Fleet};
use crate::support::lake::Lake;
use crate::support::process::{Environment, Server, key, tokenlake, tokenlake_in};
use crate::support::scrape::{Series, scrape};
use crate::support::store::{data_files, paths};
use crate::support::{readers, s3};

const ORGS: [&str; 2] = ["acme", "globex"];
const EVENTS_PER_BATCH: usize = 25;
/// For each organisation; `TOKENLAKE_TEST_FAULTS` says how many in a longer run.
const BATCHES: usize = 25;
const BACKFILLED: usize = 3_000;
/// Of 1,000 requests.
const FAULTS: u64 = 50;
const SEED: u64 = 47;
/// Tries of a command, each of which may meet a fault that it does not survive.
const TRIES_MAX: usize = 60;
const PRICE: &str = "0.000000000125";
/// What the vacuum at the end is ahead by, which is more than its grace.
const LATER: Duration = Duration::from_secs(3 * 3_600);

/// An event so many seconds ago.
fn event(org: &str, id: &str, seconds_ago: i64) -> Value {
    let ts = (SystemClock.now() / SECOND - seconds_ago) * 1_000;
    json!({
        "event_id": id, "org_id": org, "ts": ts, "provider": "openai", "model": "gpt-4o",
        "input_tokens": 7, "output_tokens": 2, "cost_usd": PRICE,
    })
}

/// Batches of the last days: of each five events one is an hour old.
fn batches(keys: &[String; 2], count: usize) -> Vec<Batch> {
    let batch = |number: usize| {
        let which = number % 2;
        let ids = number * EVENTS_PER_BATCH..(number + 1) * EVENTS_PER_BATCH;
        let lines = ids.map(|id| {
            let ago = 3_600 + i64::try_from(id % 5).unwrap() * 2 * 86_400;
            event(ORGS[which], &format!("live-{id}"), ago).to_string()
        });
        let body = lines.collect::<Vec<_>>().join("\n");
        Batch { key: keys[which].clone(), body, events: EVENTS_PER_BATCH as u64 }
    };
    (0..2 * count).map(batch).collect()
}

/// Events of five dates that are to expire.
fn history(folder: &Path) -> String {
    let lines = (0..BACKFILLED).map(|id| {
        let ago = (200 + i64::try_from(id % 5).unwrap()) * 86_400;
        event(ORGS[id % 2], &format!("old-{id}"), ago).to_string()
    });
    let path = folder.join("history.ndjson");
    std::fs::write(&path, lines.collect::<Vec<_>>().join("\n")).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Runs a command again until it works, as its user would; gives what it did then, and how often it
/// failed.
fn until_done(environment: &Environment, archive: &Path, args: &[&str]) -> (Value, usize) {
    for failed in 0..TRIES_MAX {
        let done = tokenlake_in(environment, archive, args);
        if done.status == 0 {
            return (serde_json::from_str(&done.stdout).unwrap(), failed);
        }
        assert_eq!(done.status, 1, "{done:?}");
        assert!(!done.stderr.contains("panicked"), "{done:?}");
        std::thread::sleep(Duration::from_millis(200));
    }
    panic!("{args:?} failed {TRIES_MAX} times")
}

/// What a scrape of an organisation shows in the end.
fn expected(org: &str, live: usize) -> Series {
    let events = live + BACKFILLED / 2;
    let cost = |events: usize| exact::format(exact::parse(PRICE) * events as i128);
    let labels = format!(r#"{{provider="openai",model="gpt-4o",org_id="{org}"}}"#);
    BTreeMap::from([
        (format!("llm_requests_total{labels}"), events.to_string()),
        (format!("llm_tokens_total{labels}"), (9 * events).to_string()),
        (format!("llm_cost_usd_total{labels}"), cost(events)),
        (format!(r#"llm_cost_usd_rolling_24h{{org_id="{org}"}}"#), cost(live / 5)),
    ])
}

/// Everything at once, until all events are acknowledged and the history has come and gone.
fn run_all(fleet: &Fleet, environment: &Environment, archive: &Path, keys: &[String; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let input = history(folder.path());
    let count = std::env::var("TOKENLAKE_TEST_FAULTS");
    let batches = batches(keys, count.map_or(BATCHES, |count| count.parse().unwrap()));
    std::thread::scope(|scope| {
        let watches = keys.each_ref().map(|key| scope.spawn(|| fleet.watch(key)));
        let jobs = scope.spawn(|| {
            let args = ["backfill", "--org", "*", "--memory", "2MiB", &input];
            let (done, failed) = until_done(environment, archive, &args);
            assert_eq!(done["rejected"], 0, "{done}");
            eprintln!("backfill: failed {failed} times, then {done}");
            let args = ["expire", "--older-than", "100d"];
            let (done, failed) = until_done(environment, archive, &args);
            eprintln!("expire: failed {failed} times, then {done}");
        });
        let delivered = scope.spawn(|| fleet.deliver_all(&batches));
        let _watchers = fleet.finish_on_panic();
        while !(jobs.is_finished() && delivered.is_finished()) {
            let (done, failed) = until_done(environment, archive, &["compact"]);
            eprintln!("compact: failed {failed} times, then {done}");
        }
        jobs.join().unwrap();
        delivered.join().unwrap();
        // What came last is merged, too: inputs of a merge stay for a grace.
        until_done(environment, archive, &["compact"]);
        fleet.finish();
        watches.into_iter().for_each(|watch| watch.join().unwrap());
    });
}

/// Deletes what no version names, by a process that is past the grace, for which the store's
/// listings show all objects to be so much older.
fn vacuum(archive: &Path) -> Value {
    let (proxy, mut environment) = s3::proxy(SEED);
    proxy.age(LATER);
    let clock = TestClock::new();
    clock.set(LATER.as_secs().try_into().unwrap(), LATER.as_secs());
    environment.push(clock.environment());
    until_done(&environment, archive, &["compact", "--grace", "1h"]).0
}

async fn assert_nothing_is_left_over(store: &Arc<dyn ObjectStore>) {
    let app = Lake::open(store).await;
    let snapshot = app.app.archive().current();
    let mut live: Vec<_> = snapshot.files().map(|file| format!("events/{}", file.path)).collect();
    live.sort();
    assert_eq!(data_files(store).await, live);
    assert_eq!(paths(store, "ledger").await.len(), 3, "a ledger, its start times and its mark");
}

#[test]
fn all_that_writes_is_exact_over_a_network_that_fails() {
    let Some(archive) = s3::archive() else { return };
    let keys = ORGS.map(|org| key(&archive, org));
    let (proxy, mut environment) = s3::proxy(SEED);
    environment.push(("TOKENLAKE_COMPACT_INTERVAL", "1s".to_owned()));
    environment.push(("TOKENLAKE_COMMIT_INTERVAL", "50ms".to_owned()));
    let fleet = Fleet::start_in(environment.clone(), &archive);
    proxy.trouble(FAULTS);
    let started = Instant::now();
    run_all(&fleet, &environment, &archive, &keys);
    let (requests, troubles) = proxy.counts();
    eprintln!(
        "{requests} requests in {:?}, of which {troubles:?}; {} scrapes, {} batches, {} duplicates",
        started.elapsed(),
        fleet.scrapes(),
        fleet.acknowledged_batches(),
        fleet.duplicates(),
    );
    assert!(troubles.iter().all(|(_, count)| *count > 0), "each trouble was met");
    let live = usize::try_from(fleet.acknowledged_batches()).unwrap() * EVENTS_PER_BATCH;
    proxy.trouble(0);
    let fresh = Server::start(&archive);
    for server in fleet.into_servers().iter().chain([&fresh]) {
        for (org, key) in ORGS.iter().zip(&keys) {
            assert_eq!(scrape(server, key), expected(org, live / 2));
        }
    }
    drop(fresh);
    let vacuumed = vacuum(&archive);
    eprintln!("vacuum: {vacuumed}");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(assert_nothing_is_left_over(&s3::store(&archive)));
    assert_found_alike(&archive, live);
}

/// By `verify`, and by programs that know nothing of tokenlake.
fn assert_found_alike(archive: &Path, events: usize) {
    let done = tokenlake(archive, &["verify"]);
    assert_eq!(done.status, 0, "{done:?}");
    assert!(done.stdout.contains(&format!("verified {events} events")), "{}", done.stdout);
    readers::assert_read_alike(archive);
}
