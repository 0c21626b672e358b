//! Tests of two server processes on one archive, lost answers, retries, and kill -9: every event
//! counts once.

use std::path::Path;

use tempfile::tempdir;

use crate::support::fleet::{Batch, Fleet};
use crate::support::process::{Server, key, tokenlake};
use crate::support::scrape::scrape;
use crate::support::trace::{self, Call};

const KILLS: u64 = 10;
const SEED: u64 = 20_231_116;

fn batches(key: &str, calls: &[Call], size: usize) -> Vec<Batch> {
    let batch = |calls: &[Call]| Batch {
        key: key.to_owned(),
        body: trace::ndjson(calls),
        events: calls.len() as u64,
    };
    calls.chunks(size).map(batch).collect()
}

fn assert_sound(archive: &Path, events: usize) {
    let done = tokenlake(archive, &["verify"]);
    assert_eq!(done.status, 0, "{done:?}");
    assert!(done.stdout.contains(&format!("verified {events} events")), "{}", done.stdout);
}

#[test]
fn lost_answers_and_retries_through_two_servers_count_each_event_once() {
    let Some(calls) = trace::load() else { return };
    let archive = tempdir().unwrap();
    let keys = ["acme", "globex"].map(|org| key(archive.path(), org));
    let fleet = Fleet::start(archive.path());
    // The two organisations' batches alternate.
    let [acme, globex] = keys.each_ref().map(|key| batches(key, &calls, 1_000));
    let both: Vec<_> = acme.into_iter().zip(globex).flat_map(|(a, b)| [a, b]).collect();
    fleet.deliver_all(&both);
    assert!(fleet.duplicates() > 0, "no answer was lost after its commit");
    for server in fleet.into_servers() {
        assert_eq!(scrape(&server, &keys[0]), trace::expected("acme", &calls, 0));
        assert_eq!(scrape(&server, &keys[1]), trace::expected("globex", &calls, 0));
    }
    assert_sound(archive.path(), 2 * calls.len());
}

#[test]
fn ten_kills_lose_nothing_acknowledged_and_count_nothing_twice() {
    let Some(calls) = trace::load() else { return };
    let archive = tempdir().unwrap();
    let key = key(archive.path(), "acme");
    let fleet = Fleet::start(archive.path());
    let batches = batches(&key, &calls, 50);
    let count = batches.len() as u64;
    fleet.allow(0);
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| fleet.watch(&key));
        let kills = scope.spawn(|| fleet.kill_often(count, KILLS, SEED));
        fleet.deliver_all(&batches);
        kills.join().unwrap();
        fleet.finish();
        watch.join().unwrap();
    });
    let expected = trace::expected("acme", &calls, 0);
    for server in fleet.into_servers() {
        assert_eq!(scrape(&server, &key), expected);
    }
    assert_eq!(scrape(&Server::start(archive.path()), &key), expected);
    assert_sound(archive.path(), calls.len());
}
