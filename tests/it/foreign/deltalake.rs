//! Tests with the real deltalake and Polars as further writers, in the types that they choose
//! themselves.

use std::path::Path;
use std::process::Command;

use tempfile::tempdir;

use crate::support::client;
use crate::support::process::{Server, key, run, tokenlake};
use crate::support::readers;

/// Ways of appending three events each.
const APPENDS: [&str; 9] = [
    "arrow",
    "large",
    "views",
    "dictionaries",
    "integers",
    "nanoseconds",
    "some",
    "polars",
    "more",
];

/// Has it write; false where it is not installed.
fn write(archive: &Path, ways: &[&str]) -> bool {
    let Some(python) = readers::python() else { return false };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/delta_writes.py");
    let table = archive.join("events");
    let done = run(Command::new(python).arg(script).arg(table).args(ways));
    assert_eq!(done.status, 0, "{ways:?}: {done:?}");
    true
}

fn event(id: &str) -> String {
    format!(
        r#"{{"event_id":"{id}","ts":"2026-01-15T12:00:00Z","provider":"openai","model":"gpt-4o","input_tokens":5,"output_tokens":1,"cost_usd":"0.5"}}"#
    )
}

/// How many of these were new.
fn send(server: &Server, key: &str, ids: &[&str]) -> u64 {
    let body = ids.iter().map(|id| event(id) + "\n").collect::<String>();
    let answer = client::post(&server.url("/v1/events"), key, "application/x-ndjson", body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["accepted"].as_u64().unwrap()
}

/// Half of a number, as decimal text.
fn halves(number: u32) -> String {
    format!("{}{}", number / 2, if number.is_multiple_of(2) { "" } else { ".5" })
}

/// The counters of events of which each is alike.
fn counters(events: u32) -> String {
    let labels = r#"{provider="openai",model="gpt-4o",org_id="acme"}"#;
    let dollars = halves(events);
    format!(
        "llm_requests_total{labels} {events}\nllm_tokens_total{labels} {}\nllm_cost_usd_total{labels} {dollars}",
        events * 6
    )
}

fn scraped(server: &Server, key: &str) -> String {
    let answer = client::get(&server.url("/metrics"), key);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let samples = answer.text().lines().filter(|line| line.contains("_total{"));
    samples.collect::<Vec<_>>().join("\n")
}

fn asked(server: &Server, key: &str) -> String {
    let query = "SELECT count(*) AS n, sum(input_tokens) AS t, sum(cost_usd) AS c FROM events";
    let answer = client::send(
        "POST",
        &server.url("/v1/sql"),
        &[
            ("Authorization", &client::bearer(key)),
            ("Accept", "text/csv"),
            ("Content-Type", "text/plain"),
        ],
        query,
    );
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.text().lines().nth(1).unwrap().to_owned()
}

#[test]
fn what_deltalake_and_polars_append_counts_as_if_it_had_been_sent() {
    let archive = tempdir().unwrap();
    let archive = archive.path();
    let key = key(archive, "acme");
    let warm = Server::start(archive);
    assert_eq!(send(&warm, &key, &["a", "b"]), 2);
    let mut events = 2;
    for way in APPENDS {
        if !write(archive, &[way]) {
            return;
        }
        events += 3;
        assert_eq!(scraped(&warm, &key), counters(events), "{way}");
        assert_eq!(send(&warm, &key, &[&format!("{way}-1")]), 0, "{way}");
        let answer = format!("{events},{},{}", events * 5, halves(events));
        assert_eq!(asked(&warm, &key), answer, "{way}");
    }
    let known: Vec<_> = APPENDS.iter().map(|way| format!("{way}-2")).collect();
    let known: Vec<_> = known.iter().map(String::as_str).collect();
    let checked = |when: &str| {
        let cold = Server::start(archive);
        for server in [&warm, &cold] {
            assert_eq!(scraped(server, &key), counters(events), "{when}");
            assert_eq!(send(server, &key, &known), 0, "{when}");
        }
        let verified = tokenlake(archive, &["verify"]);
        assert_eq!(verified.status, 0, "{when}: {verified:?}");
    };
    checked("appended");
    for way in ["checkpoint", "optimize", "checkpoint", "z-order"] {
        write(archive, &[way]);
        checked(way);
    }
    assert_eq!(send(&warm, &key, &["c"]), 1);
    let history = archive.join("history.ndjson");
    std::fs::write(&history, event("arrow-0") + "\n" + &event("d") + "\n").unwrap();
    let filled = tokenlake(archive, &["backfill", "--org", "acme", history.to_str().unwrap()]);
    let told = r#"{"read":2,"accepted":1,"duplicates":1,"rejected":0,"files":1}"#;
    assert_eq!(filled.stdout.trim_end(), told, "{filled:?}");
    events += 2;
    let compacted = tokenlake(archive, &["compact"]);
    assert_eq!(compacted.status, 0, "{compacted:?}");
    let cold = Server::start(archive);
    assert_eq!((scraped(&warm, &key), scraped(&cold, &key)), (counters(events), counters(events)));
    let expired = tokenlake(archive, &["expire", "--older-than", "2d"]);
    assert_eq!(expired.status, 0, "{expired:?}");
    assert_eq!(scraped(&warm, &key), counters(events));
    assert_eq!(tokenlake(archive, &["verify"]).status, 0);
}

#[test]
fn what_deltalake_must_not_append_is_refused_by_name() {
    for (way, words) in [("negative", "input_tokens"), ("doubled", "1 of its events are")] {
        let archive = tempdir().unwrap();
        let archive = archive.path();
        let key = key(archive, "acme");
        let warm = Server::start(archive);
        assert_eq!(send(&warm, &key, &["a", "b"]), 2);
        if !write(archive, &["arrow"]) {
            return;
        }
        scraped(&warm, &key);
        write(archive, &[way, "checkpoint"]);
        for server in [&warm, &Server::start(archive)] {
            let answer = client::get(&server.url("/metrics"), &key);
            assert_eq!(answer.status, 503, "{way}: {}", answer.text());
            let text = answer.text();
            assert!(text.contains(words) && text.contains("tokenlake repair"), "{way}: {text}");
            let query = client::post(
                &server.url("/v1/sql"),
                &key,
                "text/plain",
                "SELECT sum(input_tokens) FROM events",
            );
            assert_eq!(query.status, 503, "{way}: {}", query.text());
        }
        // Ingest goes on, also of the same date.
        assert_eq!(send(&warm, &key, &["c"]), 1, "{way}");
        // An event that is only in files which are refused is no duplicate until they are repaired.
        let status = if way == "doubled" { 503 } else { 200 };
        let again = event("arrow-1") + "\n";
        let again =
            client::post(&warm.url("/v1/events"), &key, "application/x-ndjson", again.into_bytes());
        assert_eq!(again.status, status, "{way}: {}", again.text());
        let verified = tokenlake(archive, &["verify"]);
        assert_eq!(verified.status, 1, "{way}: {verified:?}");
        let said = verified.stdout + &verified.stderr;
        assert!(said.contains(words), "{way}: {said}");
    }
}
