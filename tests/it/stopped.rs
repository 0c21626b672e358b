//! Tests of a writer that is stopped (SIGSTOP) between its data files and its log entry, for longer
//! than the grace: it does not commit files that were deleted, and each event counts once.

use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};
use tempfile::tempdir;
use tokenlake::clock::{Clock as _, SystemClock};

use crate::support::archive::data_files;
use crate::support::client;
use crate::support::clock::TestClock;
use crate::support::process::{Server, key, tokenlake};
use crate::support::scrape::scrape;

/// Files of one commit: the first ones stand long before the last.
pub const DATES: usize = 30;
const TRIES_MAX: usize = 20;
/// How long the writer thinks that it stood, which is more than the shortest grace.
pub const PAUSE: Duration = Duration::from_secs(3 * 3_600);
const REQUESTS: &str = r#"llm_requests_total{provider="openai",model="gpt-4o",org_id="acme"}"#;

/// An event of each date.
pub fn lines(round: usize) -> String {
    let line = |day: usize| {
        json!({
            "event_id": format!("{round}-{day}"), "ts": 1_767_225_600 + day * 86_400,
            "provider": "openai", "model": "gpt-4o", "cost_usd": "0.01",
        })
        .to_string()
    };
    (0..DATES).map(line).collect::<Vec<_>>().join("\n")
}

/// Sends a round of events; gives how many were accepted and how many stood, or that it has to be
/// sent again.
pub fn send(url: &str, key: &str, round: usize) -> Option<(u64, u64)> {
    let answer = client::post(url, key, "application/x-ndjson", lines(round));
    let count = |name: &str| answer.json()[name].as_u64().unwrap();
    match answer.status {
        503 => None,
        status => {
            assert_eq!(status, 200, "{}", answer.text());
            Some((count("accepted"), count("duplicates")))
        }
    }
}

/// What holds after all: the events of so many rounds, each once.
pub fn assert_each_once(archive: &Path, server: &Server, key: &str, rounds: usize) {
    let url = server.url("/v1/events");
    for round in 0..rounds {
        assert_eq!(send(&url, key, round), Some((0, DATES as u64)), "round {round}");
    }
    assert_eq!(scrape(server, key)[REQUESTS], (DATES * rounds).to_string());
    let done = tokenlake(archive, &["verify"]);
    assert_eq!(done.status, 0, "{done:?}");
    assert!(done.stdout.contains(&format!("verified {} events", DATES * rounds)), "{done:?}");
}

/// How long a writer is stopped for; longer where `TOKENLAKE_TEST_STOP` says so, in seconds.
pub fn stop_for() -> Duration {
    let seconds = std::env::var("TOKENLAKE_TEST_STOP");
    Duration::from_secs(seconds.map_or(1, |seconds| seconds.parse().unwrap()))
}

fn entries(archive: &Path) -> usize {
    std::fs::read_dir(archive.join("events/_delta_log")).unwrap().count()
}

/// Sends a round and stops the server once some of its files stand, but not its entry; gives those
/// files. `None` if it was too fast.
fn stop_amid(archive: &Path, server: &Server) -> Option<Vec<PathBuf>> {
    let (before, known) = (entries(archive), data_files(archive));
    let new = || data_files(archive).into_iter().filter(|file| !known.contains(file));
    while new().next().is_none() {
        std::thread::yield_now();
    }
    server.halt(true);
    let amid = entries(archive) == before;
    if !amid {
        server.halt(false);
    }
    amid.then(|| new().collect())
}

/// Lets files look as old as they were if the writer had stood still.
fn age(files: &[PathBuf]) {
    for file in files {
        let file = std::fs::File::options().append(true).open(file).unwrap();
        let now = Duration::from_micros(SystemClock.now().unsigned_abs());
        file.set_modified(UNIX_EPOCH + now - PAUSE).unwrap();
    }
}

#[test]
fn a_writer_that_was_stopped_commits_no_file_that_is_gone() {
    let (archive, clock) = (tempdir().unwrap(), TestClock::new());
    let archive = archive.path();
    let key = key(archive, "acme");
    let server = Server::start_in(&vec![clock.environment()], archive, &["serve"]);
    let url = server.url("/v1/events");
    assert_eq!(send(&url, &key, 0), Some((DATES as u64, 0)));
    for round in 1..TRIES_MAX {
        let met = std::thread::scope(|scope| {
            let sent = scope.spawn(|| send(&url, &key, round));
            let Some(files) = stop_amid(archive, &server) else {
                assert!(sent.join().unwrap().is_some());
                return false;
            };
            age(&files);
            let done = tokenlake(archive, &["compact", "--grace", "1h"]);
            assert_eq!(done.status, 0, "{done:?}");
            let deleted = serde_json::from_str::<Value>(&done.stdout).unwrap();
            assert_eq!(deleted["deleted"], files.len(), "{done:?}");
            assert!(files.iter().all(|file| !file.exists()));
            std::thread::sleep(stop_for());
            clock.set(0, PAUSE.as_secs());
            server.halt(false);
            // It may have been too late for an answer; the client sends again.
            sent.join().unwrap();
            let again = send(&url, &key, round).expect("it is taken");
            assert_eq!(again.0 + again.1, DATES as u64);
            true
        });
        if met {
            assert_each_once(archive, &server, &key, round + 1);
            return;
        }
    }
    panic!("it was never stopped between its files and its entry");
}
