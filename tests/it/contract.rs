//! Tests of the contract's main promises, in memory, on a disk and on a real S3 server: two servers
//! on one archive, queried over HTTP, and jobs that run at the same time.

mod place;

use std::time::Duration;

use serde_json::{Value, json};
use tokenlake::clock::{Clock as _, SECOND, SystemClock};

use self::place::Place;
use crate::support::client::{self, Answer};
use crate::support::{exact, poll, s3};

const DAY: i64 = 86_400;
const LABELS: &str = r#"{provider="openai",model="gpt-4o",org_id="acme"}"#;

/// Seconds since 1970.
fn now() -> i64 {
    SystemClock.now() / SECOND
}

fn event(id: &str, ago: i64, cost: &str) -> Value {
    json!({
        "event_id": id, "ts": now() - ago, "provider": "OpenAI",
        "model": "gpt-4o", "input_tokens": 10, "output_tokens": 1, "cost_usd": cost,
    })
}

fn post(place: &Place, server: usize, key: &str, body: &Value) -> Answer {
    let url = format!("{}/v1/events", place.urls[server]);
    client::post(&url, key, "application/json", body.to_string())
}

fn scrape(place: &Place, server: usize, key: &str) -> Answer {
    client::get(&format!("{}/metrics", place.urls[server]), key)
}

/// The samples of both servers, which show the same.
#[track_caller]
fn shown(place: &Place, key: &str) -> String {
    let [one, other] = [0, 1].map(|server| {
        let answer = scrape(place, server, key);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let samples = answer.text().lines().filter(|line| !line.starts_with('#'));
        samples.collect::<Vec<_>>().join("\n")
    });
    assert_eq!(one, other);
    one
}

fn samples(events: u64, cost: &str, rolling: &str) -> String {
    format!(
        "llm_requests_total{LABELS} {events}\nllm_tokens_total{LABELS} {}\n\
         llm_cost_usd_total{LABELS} {cost}\nllm_cost_usd_rolling_24h{{org_id=\"acme\"}} {rolling}",
        11 * events
    )
}

fn answers(place: &Place, key: &str) {
    let sent = json!([event("a", 3_600, "0.1"), {"event_id": "bad", "input_tokens": -1}]);
    let answer = post(place, 0, key, &sent);
    assert_eq!((answer.status, answer.json()["accepted"].as_u64()), (200, Some(1)));
    let rejected = &answer.json()["rejected"][0];
    assert_eq!((&rejected["index"], &rejected["event_id"]), (&json!(1), &json!("bad")));
    // Again, in one request and through the other server. At any time of day the two are of one
    // date or of neighbours.
    let again = json!([
        event("a", 3_600, "7"),
        event("b", 30 * 3_600, "0.02"),
        event("b", 10 * 3_600, "9")
    ]);
    let answer = post(place, 1, key, &again);
    assert_eq!(answer.json(), json!({ "accepted": 1, "duplicates": 2, "rejected": [] }));
    for (body, status) in [
        (json!([]), 200),
        (json!([{ "event_id": "x" }]), 422),
        (json!("text"), 400),
        (json!({ "events": [event("a", 3_600, "1")] }), 200),
        (json!([{ "event_id": "y", "ts": now() + 3_600 }]), 422),
    ] {
        let answer = post(place, 0, key, &body);
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
    }
    let events = format!("{}/v1/events", place.urls[0]);
    assert_eq!(client::post(&events, key, "text/csv", "a").status, 415);
    assert_eq!(client::post(&events, key, "application/json", "{").status, 400);
}

fn keys(place: &Place) {
    let key = place.key("globex", &["metrics:read"]);
    for server in [0, 1] {
        assert_eq!(scrape(place, server, &key).status, 200);
        assert_eq!(post(place, server, &key, &json!([event("a", 5, "1")])).status, 403);
        assert_eq!(scrape(place, server, "td_live_nobody").status, 401);
    }
    let none = shown(place, &key);
    assert_eq!(none, "llm_cost_usd_rolling_24h{org_id=\"globex\"} 0");
    place.revoke("globex");
    for server in [0, 1] {
        poll(Duration::from_secs(5), "the key is refused", || {
            (scrape(place, server, &key).status == 401).then_some(())
        });
    }
}

fn jobs(place: &Place, key: &str) {
    for number in 0..8 {
        let body = json!([event(&format!("old-{number}"), 40 * DAY, "0.000000000001")]);
        let answer = post(place, number % 2, key, &body);
        assert_eq!(answer.json()["accepted"], 1);
    }
    let all = samples(10, "0.120000000008", "0.1");
    assert_eq!(shown(place, key), all);
    let count = "SELECT count(*) AS n, sum(cost_usd) AS cost FROM events WHERE org_id = 'acme'";
    assert_found(&place.sql(count), 10, "0.120000000008");
    assert_eq!(place.verify(), 10);
    assert!(place.compact() >= 1, "there was something to merge");
    assert_eq!((shown(place, key), place.verify()), (all.clone(), 10));
    // Known after a rewrite, by whoever is asked.
    let again = json!([event("old-3", 40 * DAY, "1")]);
    assert_eq!(post(place, 1, key, &again).json()["duplicates"], 1);
    assert_eq!(place.expire(30), 8);
    assert_eq!((shown(place, key), place.verify()), (all, 2));
    assert_found(&place.sql(count), 2, "0.12");
    for server in [0, 1] {
        assert_eq!(post(place, server, key, &again).status, 422);
    }
}

#[track_caller]
fn assert_found(row: &Value, events: u64, cost: &str) {
    assert_eq!(row["n"], events);
    assert_eq!(exact::parse(row["cost"].as_str().unwrap()), exact::parse(cost));
}

fn hold(place: &Place) {
    let key = place.key("acme", &["metrics:read", "events:write"]);
    assert_eq!(shown(place, &key), "llm_cost_usd_rolling_24h{org_id=\"acme\"} 0");
    answers(place, &key);
    assert_eq!(shown(place, &key), samples(2, "0.12", "0.1"));
    keys(place);
    jobs(place, &key);
}

#[test]
fn promises_hold_in_memory() {
    hold(&Place::memory());
}

#[test]
fn promises_hold_on_a_disk() {
    let folder = tempfile::tempdir().unwrap();
    hold(&Place::of_program(folder.path()));
}

#[test]
fn promises_hold_on_s3() {
    if let Some(archive) = s3::archive() {
        hold(&Place::of_program(&archive));
    }
}
