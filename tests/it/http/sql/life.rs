//! Tests of a query's lifetime: until its client leaves, its time is up, or its server is gone.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use tempfile::{TempDir, tempdir};

use super::{ask, fill, rows, workers};
use crate::support::client;
use crate::support::poll;
use crate::support::process::{Server, key};

/// Busy for ever, without rows.
const ENDLESS: &str = "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t) \
                       SELECT count(*) FROM t";
/// Rows without end.
const FLOOD: &str = "SELECT a.event_id, unnest(range(0, 100)) AS n FROM events a, events b";
const SOON: Duration = Duration::from_secs(20);

struct Asked {
    archive: TempDir,
    key: String,
    server: Server,
}

impl Asked {
    fn start(more: &[&str]) -> Self {
        let archive = tempdir().unwrap();
        let lines: Vec<_> = (0..1_000)
            .map(|n| {
                format!(r#"{{"event_id":"e{n}","org_id":"acme","ts":"2026-01-15T10:00:00Z"}}"#)
            })
            .collect();
        fill(archive.path(), &lines.join("\n"));
        let key = key(archive.path(), "acme");
        let server = Server::start_with(archive.path(), &[&["serve"], more].concat());
        Self { archive, key, server }
    }

    /// Sends a query and leaves the rest to the caller.
    fn send(&self, query: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.server.address()).unwrap();
        let (key, length) = (&self.key, query.len());
        let head = format!(
            "POST /v1/sql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\
             Content-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{query}"
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream
    }

    /// Waits until so many processes answer, or wait for a question.
    fn wait_for_workers(&self, count: usize) {
        poll(SOON, &format!("{count} workers"), || {
            (workers(self.server.pid()).len() == count).then_some(())
        });
    }
}

#[test]
fn a_query_whose_client_leaves_is_ended() {
    let asked = Asked::start(&["--sql-timeout", "10m"]);
    asked.wait_for_workers(0);
    for query in [ENDLESS, FLOOD] {
        let mut stream = asked.send(query);
        asked.wait_for_workers(2);
        if query == FLOOD {
            stream.read_exact(&mut [0; 4096]).unwrap();
        }
        drop(stream);
        asked.wait_for_workers(1);
    }
    assert_eq!(rows(&asked.server, &asked.key, "SELECT 1 AS a"), serde_json::json!([{"a": 1}]));
}

#[test]
fn a_server_that_dies_takes_its_workers_with_it() {
    let mut asked = Asked::start(&["--sql-timeout", "10m"]);
    let _stream = asked.send(ENDLESS);
    asked.wait_for_workers(2);
    let left = workers(asked.server.pid());
    asked.server.kill();
    let path = asked.archive.path().to_str().unwrap().to_owned();
    let lives = |pid: &u32| {
        let command = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        command.contains(&path)
    };
    poll(SOON, "no worker is left", || (!left.iter().any(lives)).then_some(()));
}

#[test]
fn an_answer_that_cannot_end_breaks_visibly() {
    let asked = Asked::start(&["--sql-timeout", "2s"]);
    let auth = client::bearer(&asked.key);
    let headers = [("authorization", auth.as_str()), ("content-type", "text/plain")];
    let url = asked.server.url("/v1/sql");
    let broken = client::try_send("POST", &url, &headers, FLOOD.into());
    assert!(broken.is_err(), "{} bytes came as if they were all", broken.unwrap().body.len());
    let answer = ask(&asked.server, &asked.key, ENDLESS);
    assert_eq!(answer.status, 422, "{}", answer.text());
    assert!(answer.text().contains("--sql-timeout"), "{}", answer.text());
}

#[test]
fn a_client_that_does_not_read_is_cut_off() {
    let asked = Asked::start(&["--sql-timeout", "2s"]);
    let mut stream = asked.send(FLOOD);
    asked.wait_for_workers(2);
    asked.wait_for_workers(1);
    let mut read = Vec::new();
    // However it ends, the last chunk of a whole body has not come.
    let _ = stream.read_to_end(&mut read);
    assert!(!read.ends_with(b"0\r\n\r\n"));
}

#[test]
fn more_queries_than_may_run_are_told_to_come_again() {
    let asked = Asked::start(&["--sql-concurrency", "1", "--sql-timeout", "10m"]);
    let stream = asked.send(ENDLESS);
    asked.wait_for_workers(2);
    let start = Instant::now();
    let answer = ask(&asked.server, &asked.key, "SELECT 1");
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert!(start.elapsed() < SOON);
    drop(stream);
    poll(SOON, "there is room again", || {
        (ask(&asked.server, &asked.key, "SELECT 1").status == 200).then_some(())
    });
}

#[test]
fn no_organisation_takes_all_turns() {
    let asked = Asked::start(&["--sql-concurrency", "2", "--sql-timeout", "10m"]);
    let other = key(asked.archive.path(), "globex");
    let _stream = asked.send(ENDLESS);
    asked.wait_for_workers(2);
    assert_eq!(ask(&asked.server, &asked.key, "SELECT 1").status, 503);
    assert_eq!(ask(&asked.server, &other, "SELECT 1").status, 200);
}

#[test]
fn queries_are_counted() {
    let asked = Asked::start(&["--admin-listen", "127.0.0.1:0", "--sql-timeout", "500ms"]);
    assert_eq!(ask(&asked.server, &asked.key, "SELECT 1").status, 200);
    assert_eq!(ask(&asked.server, &asked.key, ENDLESS).status, 422);
    let notes = asked.server.stderr();
    let admin = notes.lines().find_map(|line| line.strip_prefix("telemetry on ")).unwrap();
    let has = |text: &str, line: &str| text.lines().any(|found| found == line);
    poll(SOON, "the telemetry tells", || {
        let answer = client::get(admin, "");
        let text = answer.text();
        let told = has(text, "tokenlake_sql_queries_total 2")
            && has(text, "tokenlake_sql_queries_running 0")
            && has(text, "tokenlake_sql_queries_exceeded_total 1")
            && has(text, "tokenlake_sql_query_duration_seconds_count 2");
        told.then_some(())
    });
}
