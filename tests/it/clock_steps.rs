//! Tests of a running server while the machine's clock steps, or the machine sleeps.

use std::time::Duration;

use tempfile::tempdir;
use tokenlake::clock::{Clock as _, SECOND, SystemClock};

use crate::support::clock::TestClock;
use crate::support::process::{Server, key, key_with, tokenlake};
use crate::support::scrape::{assert_no_counter_fell, scrape};
use crate::support::{client, poll};

const HOUR: i64 = 3_600;
const GAUGE: &str = r#"llm_cost_usd_rolling_24h{org_id="acme"}"#;
const REQUESTS: &str = r#"llm_requests_total{provider="openai",model="gpt-4o",org_id="acme"}"#;

/// Sends an event of so many seconds ago.
fn send(server: &Server, key: &str, id: &str, ago: i64, cost: &str) -> client::Answer {
    let ts = SystemClock.now() / SECOND - ago;
    let event = format!(
        r#"{{"event_id":"{id}","ts":{ts},"provider":"openai","model":"gpt-4o","cost_usd":{cost}}}"#
    );
    client::post(&server.url("/v1/events"), key, "application/json", event)
}

#[test]
fn counters_stand_while_the_gauge_follows_a_clock_that_steps() {
    let (archive, clock) = (tempdir().unwrap(), TestClock::new());
    let [key, short] =
        [&[][..], &["--expires", "30m"]].map(|more| key_with(archive.path(), "acme", more));
    let server = Server::start_in(&vec![clock.environment()], archive.path(), &["serve"]);
    for (id, ago, cost) in [("lately", HOUR / 2, "1"), ("leaving", 24 * HOUR - HOUR / 2, "2")] {
        assert_eq!(send(&server, &key, id, ago, cost).status, 200);
    }
    let status = |key: &str| client::get(&server.url("/metrics"), key).status;
    let mut before = scrape(&server, &key);
    for (step, gauge, short_lived) in
        [(0, "3", 200), (HOUR, "1", 401), (-HOUR, "2", 200), (25 * HOUR, "0", 401), (0, "3", 200)]
    {
        clock.set(step, 0);
        let series = scrape(&server, &key);
        assert_eq!(series[GAUGE], gauge, "after a step of {step} s");
        assert_no_counter_fell(&before, &series);
        assert_eq!(series[REQUESTS], "2");
        // A key that has expired may be trusted until its record is looked at again.
        poll(Duration::from_secs(5), "the key is judged by the clock", || {
            (status(&short) == short_lived).then_some(())
        });
        before = series;
    }
}

#[test]
fn events_are_judged_by_the_clock_at_their_arrival_and_known_after_any_step() {
    let (archive, clock) = (tempdir().unwrap(), TestClock::new());
    let key = key(archive.path(), "acme");
    let server = Server::start_in(&vec![clock.environment()], archive.path(), &["serve"]);
    let ahead = |server: &Server| send(server, &key, "ahead", -HOUR / 2, "1");
    assert_eq!(ahead(&server).status, 422);
    clock.set(HOUR, 0);
    assert_eq!(ahead(&server).json()["accepted"], 1);
    clock.set(-HOUR, 0);
    assert_eq!(send(&server, &key, "past", 2 * HOUR, "1").json()["accepted"], 1);
    assert_eq!(send(&server, &key, "past", 2 * HOUR, "1").json()["duplicates"], 1);
    // The clocks of two servers may differ.
    let other = Server::start(archive.path());
    assert_eq!(send(&other, &key, "past", 2 * HOUR, "1").json()["duplicates"], 1);
    for server in [&server, &other] {
        assert_eq!(scrape(server, &key)[REQUESTS], "2");
    }
    assert_eq!(tokenlake(archive.path(), &["verify"]).status, 0);
}

#[test]
fn a_view_gets_no_younger_by_a_clock_that_steps_back() {
    let (archive, clock) = (tempdir().unwrap(), TestClock::new());
    let key = key(archive.path(), "acme");
    let args = ["serve", "--max-staleness", "2s"];
    let server = Server::start_in(&vec![clock.environment()], archive.path(), &args);
    let other = Server::start(archive.path());
    for (number, step) in [-HOUR, HOUR, 0].into_iter().enumerate() {
        scrape(&server, &key);
        clock.set(step, 0);
        assert_eq!(send(&other, &key, &number.to_string(), HOUR, "1").status, 200);
        let shown = (number + 1).to_string();
        poll(Duration::from_secs(4), "the event is shown", || {
            (scrape(&server, &key).get(REQUESTS) == Some(&shown)).then_some(())
        });
    }
}

/// A machine that slept for hours, while another one wrote.
#[test]
fn a_server_that_slept_for_hours_looks_before_it_writes() {
    let (archive, clock) = (tempdir().unwrap(), TestClock::new());
    let key = key(archive.path(), "acme");
    let server = Server::start_in(&vec![clock.environment()], archive.path(), &["serve"]);
    let other = Server::start(archive.path());
    assert_eq!(send(&server, &key, "a", HOUR, "1").json()["accepted"], 1);
    server.halt(true);
    for id in ["b", "c"] {
        assert_eq!(send(&other, &key, id, HOUR, "1").json()["accepted"], 1);
    }
    clock.set(3 * HOUR, 3 * HOUR.unsigned_abs());
    server.halt(false);
    assert_eq!(send(&server, &key, "b", HOUR, "1").json()["duplicates"], 1);
    assert_eq!(send(&server, &key, "d", HOUR, "1").json()["accepted"], 1);
    for server in [&server, &other] {
        assert_eq!(scrape(server, &key)[REQUESTS], "4");
    }
    assert_eq!(tokenlake(archive.path(), &["verify"]).status, 0);
}
