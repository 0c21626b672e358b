//! Tests of queries that would take all memory or time: each ends with an error, and the server
//! goes on.

use std::time::Duration;

use tempfile::tempdir;

use super::{ask, fill, rows, workers};
use crate::support::poll;
use crate::support::process::{Server, key};
use crate::support::{client, exact};

/// Rows of the asker.
const ROWS: u32 = 2_000;
/// What a server may grow by while queries die.
const GROWTH_KIB_MAX: u64 = 48 << 10;

const HOGS: [&str; 24] = [
    "SELECT repeat('x', 2000000000)",
    "SELECT length(repeat('x', 2000000000))",
    "SELECT sum(length(repeat(event_id, 100000000))) FROM events",
    "SELECT 1 WHERE repeat('x', 2000000000) = 'x'",
    "EXPLAIN SELECT repeat('x', 2000000000)",
    "SELECT lpad('x', 2000000000, 'y')",
    "SELECT rpad(event_id, 2000000000, 'y') FROM events",
    "SELECT array_repeat(1, 2000000000)",
    "SELECT array_length(array_repeat(event_id, 500000000)) FROM events",
    "SELECT array_repeat(array_repeat('x', 100000), 100000)",
    "SELECT array_length(range(0, 4000000000))",
    "SELECT array_length(generate_series(1, 9000000000))",
    "SELECT array_resize([1], 4000000000, 1)",
    "SELECT replace(repeat('x', 100000), 'x', repeat('y', 100000))",
    "SELECT regexp_replace(repeat('x', 100000), 'x', repeat('y', 100000), 'g')",
    "SELECT length(string_agg(repeat(e1.event_id, 100000), ',')) FROM events e1, events e2",
    "SELECT array_agg(repeat(e1.event_id, 1000)) FROM events e1, events e2",
    "SELECT count(DISTINCT e1.event_id || e2.event_id || e3.event_id) \
     FROM events e1, events e2, events e3",
    "SELECT count(*) FROM events e1, events e2, events e3, events e4, events e5",
    "SELECT max(e1.cost_usd * e5.cost_usd) FROM events e1 CROSS JOIN events e2 \
     CROSS JOIN events e3 CROSS JOIN events e4 CROSS JOIN events e5",
    "SELECT e1.event_id FROM events e1, events e2, events e3 ORDER BY e3.event_id || e1.event_id",
    "SELECT unnest(range(0, 100000)) FROM events e1, events e2 ORDER BY 1",
    "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t",
    "WITH RECURSIVE t AS (SELECT 'x' AS n UNION ALL SELECT n || n FROM t) SELECT max(n) FROM t",
];

fn server() -> (tempfile::TempDir, String, Server) {
    let archive = tempdir().unwrap();
    let lines: Vec<_> = (0..ROWS)
        .map(|n| {
            format!(
                r#"{{"event_id":"event-{n}","org_id":"acme","ts":"2026-01-15T10:00:00Z","provider":"p","model":"m","input_tokens":{n},"cost_usd":"0.001"}}"#
            )
        })
        .collect();
    fill(archive.path(), &lines.join("\n"));
    let key = key(archive.path(), "acme");
    let args = ["serve", "--sql-memory", "96MiB", "--sql-timeout", "3s"];
    let server = Server::start_with(archive.path(), &args);
    (archive, key, server)
}

fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}

#[test]
fn a_hog_ends_with_an_error_and_the_server_goes_on() {
    let (_archive, key, server) = server();
    let cost = exact::format(i128::from(ROWS) * 1_000_000_000);
    let sum = "SELECT sum(cost_usd) AS cost FROM events";
    let expected = serde_json::json!([{ "cost": cost }]);
    assert_eq!(rows(&server, &key, sum), expected);
    assert_eq!(client::get(&server.url("/metrics"), &key).status, 200);
    let before = resident_kib(server.pid());
    let (mut most, url) = (before, server.url("/v1/sql"));
    for query in HOGS {
        let answer = std::thread::scope(|scope| {
            let asked = scope.spawn(|| client::post(&url, &key, "text/plain", query));
            while !asked.is_finished() {
                assert_eq!(client::get(&server.url("/metrics"), &key).status, 200);
                most = most.max(resident_kib(server.pid()));
                std::thread::sleep(Duration::from_millis(50));
            }
            asked.join().unwrap()
        });
        let status = answer.status;
        assert!(matches!(status, 400 | 422), "{query}: {status} {}", answer.text());
        assert!(answer.json()["error"].is_string(), "{query}");
    }
    assert!(most < before + GROWTH_KIB_MAX, "grew from {before} KiB to {most} KiB");
    assert_eq!(rows(&server, &key, sum), expected);
    poll(Duration::from_secs(10), "only a spare is left", || {
        (workers(server.pid()).len() <= 1).then_some(())
    });
}

#[test]
fn deep_nesting_is_an_error_and_no_more() {
    let (_archive, key, server) = server();
    let deep = |open: &str, inner: &str, close: &str, depth: usize| {
        format!("SELECT {}{inner}{}", open.repeat(depth), close.repeat(depth))
    };
    for query in [
        deep("(", "1", ")", 100_000),
        deep("(SELECT ", "1", ")", 20_000),
        deep("1+", "1", "", 100_000),
        deep("NOT ", "true", "", 60_000),
        deep("-(", "1", ")", 60_000),
        deep("abs(", "1", ")", 40_000),
        deep("CASE WHEN true THEN ", "1", " END", 9_000),
        format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(13_000)),
        format!("SELECT * FROM events WHERE {}", vec!["input_tokens = 1"; 12_000].join(" OR ")),
        format!("SELECT {}", vec!["1"; 100_000].join(",")),
    ] {
        let answer = ask(&server, &key, &query);
        let shown = &query[..40];
        assert!(matches!(answer.status, 200 | 400 | 422), "{shown}: {}", answer.status);
        assert_eq!(ask(&server, &key, "SELECT 1").status, 200, "{shown}");
    }
}
