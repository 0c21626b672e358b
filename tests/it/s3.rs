//! Tests of the whole program on a real S3 server, which must behave as on a disk.

mod faults;
mod kills;
mod stopped;

use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::tempdir;

use crate::support::exact;
use crate::support::fleet::{Batch, Fleet};
use crate::support::process::{Server, key, program, run, tokenlake};
use crate::support::scrape::{assert_no_counter_fell, parse, scrape};
use crate::support::{client, poll, s3};

const EVENTS_PER_BATCH: usize = 50;
const BATCHES: usize = 24;
const BACKFILLED: usize = 5_000;
/// Ten seconds, and some for a busy machine.
const REFUSED_WITHIN: Duration = Duration::from_secs(13);
const REQUESTS: &str = r#"llm_requests_total{provider="openai",model="gpt-4o",org_id="acme"}"#;
const COST: &str = r#"llm_cost_usd_total{provider="openai",model="gpt-4o",org_id="acme"}"#;

/// Events of two dates, a quarter of a cent each.
fn lines(from: usize, count: usize) -> String {
    let line = |id: usize| {
        format!(
            r#"{{"event_id":"e{id}","ts":"2026-01-0{}T10:00:00Z","provider":"openai","model":"gpt-4o","input_tokens":7,"cost_usd":0.0025}}"#,
            1 + id % 2
        )
    };
    (from..from + count).map(line).collect::<Vec<_>>().join("\n")
}

fn batches_of(key: &str, count: usize) -> Vec<Batch> {
    let batch = |number| Batch {
        key: key.to_owned(),
        body: lines(number * EVENTS_PER_BATCH, EVENTS_PER_BATCH),
        events: EVENTS_PER_BATCH as u64,
    };
    (0..count).map(batch).collect()
}

fn send(server: &Server, key: &str, from: usize, count: usize) -> client::Answer {
    client::post(&server.url("/v1/events"), key, "application/x-ndjson", lines(from, count))
}

fn verified(archive: &Path, events: usize) {
    let done = tokenlake(archive, &["verify"]);
    assert_eq!(done.status, 0, "{done:?}");
    assert!(done.stdout.contains(&format!("verified {events} events")), "{}", done.stdout);
}

#[test]
fn two_servers_and_a_backfill_on_a_bucket_count_each_event_once() {
    let Some(archive) = s3::archive() else { return };
    let folder = tempdir().unwrap();
    let key = key(&archive, "acme");
    let fleet = Fleet::start(&archive);
    let input = folder.path().join("history.ndjson");
    // A part of it comes in by requests too.
    let all = BATCHES * EVENTS_PER_BATCH;
    std::fs::write(&input, lines(all / 2, BACKFILLED)).unwrap();
    let args = ["backfill", "--org", "acme", "--memory", "4MiB", input.to_str().unwrap()];
    let batches = batches_of(&key, BATCHES);
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| fleet.watch(&key));
        let backfill = scope.spawn(|| tokenlake(&archive, &args));
        let kill = scope.spawn(|| {
            fleet.kill(0);
            fleet.kill(1);
        });
        fleet.deliver_all(&batches);
        let done = backfill.join().unwrap();
        assert_eq!(done.status, 0, "{done:?}");
        kill.join().unwrap();
        fleet.finish();
        watch.join().unwrap();
    });
    let events = all / 2 + BACKFILLED;
    let servers = fleet.into_servers();
    let expect_all = || {
        for server in &servers {
            let series = scrape(server, &key);
            assert_eq!(series[REQUESTS], events.to_string());
            assert_eq!(exact::parse(&series[COST]), exact::parse("0.0025") * events as i128);
        }
    };
    expect_all();
    verified(&archive, events);
    let compacted = done(&archive, &["compact"]);
    assert!(compacted["files_after"].as_u64() < compacted["files_before"].as_u64());
    expect_all();
    verified(&archive, events);
    let expired = done(&archive, &["expire", "--older-than", "30d"]);
    assert_eq!(expired["events"], events);
    expect_all();
    assert_eq!(tokenlake(&archive, &["verify"]).status, 0);
}

/// Runs a command that must succeed; gives its line on stdout.
fn done(archive: &Path, args: &[&str]) -> serde_json::Value {
    let done = tokenlake(archive, args);
    assert_eq!(done.status, 0, "{done:?}");
    serde_json::from_str(&done.stdout).unwrap()
}

#[test]
fn a_doctor_finds_a_real_server_fit_and_leaves_nothing() {
    let Some(archive) = s3::archive() else { return };
    key(&archive, "acme");
    for _ in 0..2 {
        let done = tokenlake(&archive, &["doctor"]);
        assert_eq!(done.status, 0, "{done:?}");
        assert!(done.stdout.contains("ok conditional put"), "{}", done.stdout);
    }
}

#[test]
fn a_key_made_or_revoked_anywhere_holds_on_every_server_of_a_bucket() {
    let Some(archive) = s3::archive() else { return };
    let servers = [Server::start(&archive), Server::start(&archive)];
    let key = key(&archive, "acme");
    for server in &servers {
        assert_eq!(client::get(&server.url("/metrics"), &key).status, 200);
    }
    let listed = tokenlake(&archive, &["key", "list"]);
    let id = listed.stdout.lines().find(|line| line.contains("acme"));
    let id = id.unwrap().split_whitespace().next().unwrap();
    assert_eq!(tokenlake(&archive, &["key", "revoke", id]).status, 0);
    for server in &servers {
        poll(Duration::from_secs(5), "the key is refused", || {
            (client::get(&server.url("/metrics"), &key).status == 401).then_some(())
        });
    }
}

/// Asks, or sends events, while storage is away.
fn refused_in_time(url: &str, key: &str, events: Option<String>) -> client::Answer {
    let started = Instant::now();
    let answer = match events {
        Some(events) => client::post(url, key, "application/x-ndjson", events),
        None => client::get(url, key),
    };
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(started.elapsed() < REFUSED_WITHIN, "{:?}", started.elapsed());
    answer
}

#[test]
fn a_store_that_is_away_makes_requests_fail_in_time_and_all_recovers() {
    let Some(archive) = s3::archive() else { return };
    let key = key(&archive, "acme");
    let server = Server::start(&archive);
    assert_eq!(send(&server, &key, 0, 10).status, 200);
    let before = parse(client::get(&server.url("/metrics"), &key).text());
    let [metrics, events, healthz] =
        ["/metrics", "/v1/events", "/healthz"].map(|path| server.url(path));
    let more = lines(10, 10);
    s3::halt(true);
    std::thread::scope(|scope| {
        let sent = scope.spawn(|| refused_in_time(&events, &key, Some(more)));
        refused_in_time(&metrics, &key, None);
        assert!(sent.join().unwrap().header("retry-after").is_some());
        assert_eq!(client::get(&healthz, "").status, 200);
    });
    s3::halt(false);
    // What was sent meanwhile may stand or not; sent again it does, once.
    poll(Duration::from_secs(60), "events are taken again", || {
        (send(&server, &key, 10, 10).status == 200).then_some(())
    });
    let after = scrape(&server, &key);
    assert_no_counter_fell(&before, &after);
    assert_eq!(after[REQUESTS], "20");
    verified(&archive, 20);
}

#[test]
fn a_store_that_is_away_leaves_the_last_whole_answer_where_that_is_allowed() {
    let Some(archive) = s3::archive() else { return };
    let key = key(&archive, "acme");
    let server = Server::start_with(&archive, &["serve", "--max-stale-on-error", "5m"]);
    assert_eq!(send(&server, &key, 0, 10).status, 200);
    let metrics = server.url("/metrics?collect[]=core&collect[]=freshness");
    let before = client::get(&metrics, &key);
    s3::halt(true);
    let stale = client::get(&metrics, &key);
    // Another form, or another key, was not answered before.
    let other = client::get(&server.url("/metrics"), &key).status;
    s3::halt(false);
    assert_eq!((stale.status, stale.text()), (200, before.text()));
    assert!(stale.header("age").is_some() && before.header("age").is_none());
    assert_eq!(other, 503);
    // What is fresh takes its place by itself.
    poll(Duration::from_secs(60), "events are taken again", || {
        (send(&server, &key, 10, 10).status == 200).then_some(())
    });
    let fresh = client::get(&metrics, &key);
    assert!(fresh.header("age").is_none());
    assert_eq!(parse(fresh.text())[REQUESTS], "20");
}

#[test]
fn a_bucket_that_cannot_be_reached_is_told_in_one_line() {
    let Some(archive) = s3::archive() else { return };
    let told = |name: &str, value: &str, expected: &str| {
        let mut command = program();
        command.arg("--archive").arg(&archive).args(["key", "list"]).env(name, value);
        let done = run(&mut command);
        assert_eq!(done.status, 1, "{done:?}");
        assert_eq!(done.stderr.trim_end().lines().count(), 1, "{}", done.stderr);
        assert!(done.stderr.contains(expected), "{}", done.stderr);
    };
    told("AWS_ALLOW_HTTP", "false", "AWS_ALLOW_HTTP=true");
    told("AWS_SECRET_ACCESS_KEY", "wrong", "403");
    told("AWS_ENDPOINT_URL", "http://127.0.0.1:9", "key");
}
