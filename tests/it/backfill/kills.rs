//! Tests of a job that is killed at any moment, or stopped, while a server takes events and is
//! scraped.

use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tempfile::tempdir;

use super::{counts, done, file, line, summary, verified};
use crate::support::process::{Done, Server, key, program};
use crate::support::random::Random;
use crate::support::scrape::{Series, assert_no_counter_fell, parse, scrape};
use crate::support::{client, poll};

const ROWS: usize = 40_000;
const KILLS: u64 = 5;
/// Rows and kills of a longer run, as `2000000,20`; it needs as many seconds as it has 50,000 rows.
const SIZE: &str = "TOKENLAKE_TEST_KILLS";
const DATES: usize = 3;

fn start(archive: &Path, args: &[&str]) -> Child {
    let mut command = program();
    command.arg("backfill").arg("--archive").arg(archive).args(args);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Sends events to the same dates, one request after the other; gives how many.
fn send(url: &str, key: &str, stop: &AtomicBool) -> usize {
    let mut sent = 0;
    while !stop.load(Ordering::SeqCst) {
        let rows: Vec<_> = (0..20).map(|n| line(1_000_000_000 + sent + n, n % DATES)).collect();
        let answer = client::post(url, key, "application/x-ndjson", rows.join("\n"));
        assert_eq!((answer.status, answer.json()["accepted"].as_u64()), (200, Some(20)));
        sent += 20;
        std::thread::sleep(Duration::from_millis(20));
    }
    sent
}

fn watch(url: &str, key: &str, stop: &AtomicBool) {
    let mut before = Series::new();
    while !stop.load(Ordering::SeqCst) {
        let answer = client::get(url, key);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let now = parse(answer.text());
        assert_no_counter_fell(&before, &now);
        before = now;
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Rows, kills, and the memory that makes the job commit often.
fn size() -> (usize, u64, &'static str) {
    match std::env::var(SIZE) {
        Err(_) => (ROWS, KILLS, "4MiB"),
        Ok(size) => {
            let (rows, kills) = size.split_once(',').expect("it is ROWS,KILLS");
            (rows.parse().unwrap(), kills.parse().unwrap(), "256MiB")
        }
    }
}

#[test]
fn a_job_that_is_killed_and_run_again_is_exact_beside_a_server() {
    let (archive, folder) = (tempdir().unwrap(), tempdir().unwrap());
    let (rows, kills, memory) = size();
    // A longer job is killed later too.
    let alive_ms = 900 + rows as u64 / 500;
    let lines: Vec<_> = (0..rows).map(|id| line(id, id % DATES)).collect();
    let input = file(folder.path(), "a.ndjson", lines.join("\n"));
    let args = ["--org", "acme", "--memory", memory, &input];
    let key = key(archive.path(), "acme");
    let server = Server::start(archive.path());
    let (events, metrics) = (server.url("/v1/events"), server.url("/metrics"));
    let stop = AtomicBool::new(false);
    let sent = std::thread::scope(|scope| {
        let sent = scope.spawn(|| send(&events, &key, &stop));
        let watched = scope.spawn(|| watch(&metrics, &key, &stop));
        let mut random = Random(4);
        for _ in 0..kills {
            let mut job = start(archive.path(), &args);
            std::thread::sleep(Duration::from_millis(100 + random.below(alive_ms)));
            job.kill().unwrap();
            job.wait().unwrap();
        }
        let last = done(archive.path(), &args);
        let count = |name: &str| last[name].as_u64().unwrap();
        assert_eq!(count("accepted") + count("duplicates"), rows as u64, "{last}");
        stop.store(true, Ordering::SeqCst);
        watched.join().unwrap();
        sent.join().unwrap()
    });
    let all = rows as u64;
    assert_eq!(done(archive.path(), &args), counts(all, 0, all, 0, 1));
    let series = scrape(&server, &key);
    let labels = r#"{provider="openai",model="gpt-4o",org_id="acme"}"#;
    let total = rows + sent;
    assert_eq!(series[&format!("llm_requests_total{labels}")], total.to_string());
    verified(archive.path(), total);
}

/// How many entries the log has.
fn log(archive: &Path) -> usize {
    std::fs::read_dir(archive.join("events/_delta_log")).map_or(0, Iterator::count)
}

#[test]
fn a_signal_stops_a_job_after_the_commit_under_way() {
    let (archive, folder) = (tempdir().unwrap(), tempdir().unwrap());
    let lines: Vec<_> = (0..ROWS).map(|id| line(id, id % DATES)).collect();
    let input = file(folder.path(), "a.ndjson", lines.join("\n"));
    let args = ["--org", "acme", "--memory", "2MiB", &input];
    let job = start(archive.path(), &args);
    poll(Duration::from_secs(30), "a commit", || (log(archive.path()) > 1).then_some(()));
    let pid = job.id().to_string();
    std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap();
    let output = job.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let status = output.status.code().expect("it ended by itself");
    let stopped = Done { status, stdout: text(output.stdout), stderr: text(output.stderr) };
    // A machine that is fast enough may be done by then.
    if stopped.status == 130 {
        assert!(stopped.stderr.contains("run the same command again"), "{stopped:?}");
        assert!(summary(&stopped)["accepted"].as_u64().unwrap() < ROWS as u64, "{stopped:?}");
    }
    done(archive.path(), &args);
    verified(archive.path(), ROWS);
}
