//! Test with a real hour of calls, sent in batches: every number in a scrape is the exact sum.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;
use tempfile::tempdir;

use crate::support::client;
use crate::support::process::{Server, key, tokenlake};
use crate::support::scrape::scrape;
use crate::support::trace::{self, Call};

const BATCH: usize = 1_000;
const DAY_US: i64 = 86_400_000_000;
const HOUR_US: i64 = 3_600_000_000;

/// Sends batches one after the other.
fn send(server: &Server, key: &str, calls: &[Call]) {
    for batch in calls.chunks(BATCH) {
        let body = trace::ndjson(batch);
        let answer = client::post(&server.url("/v1/events"), key, "application/x-ndjson", body);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let expected = json!({ "accepted": batch.len(), "duplicates": 0, "rejected": [] });
        assert_eq!(answer.json(), expected);
    }
}

fn assert_sound(archive: &Path) {
    let done = tokenlake(archive, &["verify"]);
    assert_eq!(done.status, 0, "{done:?}");
}

#[test]
fn the_trace_of_two_orgs_is_summed_exactly_and_apart() {
    let Some(calls) = trace::load() else { return };
    // The same ids and times, other prices: what leaks from one to the other changes a number.
    let dearer: Vec<_> =
        calls.iter().map(|call| Call { cost: call.cost * 7 + 1, ..call.clone() }).collect();
    let archive = tempdir().unwrap();
    let keys = ["acme", "globex"].map(|org| key(archive.path(), org));
    let server = Server::start(archive.path());
    send(&server, &keys[0], &calls);
    send(&server, &keys[1], &dearer);
    let expected = [trace::expected("acme", &calls, 0), trace::expected("globex", &dearer, 0)];
    assert_eq!(scrape(&server, &keys[0]), expected[0]);
    assert_eq!(scrape(&server, &keys[1]), expected[1]);
    drop(server);
    let restarted = Server::start(archive.path());
    assert_eq!(scrape(&restarted, &keys[1]), expected[1]);
    assert_eq!(scrape(&restarted, &keys[0]), expected[0]);
    assert_sound(archive.path());
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the program under test goes by the machine's clock")]
fn the_rolling_gauge_is_the_exact_sum_of_the_calls_inside_the_window() {
    let Some(mut calls) = trace::load() else { return };
    calls.truncate(4_000);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
    let now = i64::try_from(now).unwrap();
    let last = calls.iter().map(|call| call.ts_us).max().unwrap();
    // The first half ends an hour before the window, the other half lies across its hours.
    for (number, call) in calls.iter_mut().enumerate() {
        let back = if number < 2_000 { DAY_US + HOUR_US } else { number as i64 % 23 * HOUR_US };
        call.ts_us += now - last - back;
    }
    let archive = tempdir().unwrap();
    let key = key(archive.path(), "acme");
    let server = Server::start(archive.path());
    send(&server, &key, &calls);
    let rolling = calls[2_000..].iter().map(|call| call.cost).sum();
    assert_eq!(scrape(&server, &key), trace::expected("acme", &calls, rolling));
    assert_sound(archive.path());
}
