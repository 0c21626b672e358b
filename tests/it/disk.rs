//! Tests of a disk that is full or read-only: no event is accepted, everything stored is shown, and
//! all works again by itself once the disk is fixed.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::{TempDir, tempdir};

use crate::support::process::{Server, key, passed_over, tokenlake};
use crate::support::scrape::{parse, scrape};
use crate::support::{client, poll};

const DISK_BYTES: u64 = 8 << 20;
const REQUESTS: &str = r#"llm_requests_total{provider="openai",model="gpt-4o",org_id="acme"}"#;
/// Ten seconds, and some for a busy machine.
const REFUSED_WITHIN: Duration = Duration::from_secs(13);

/// A small disk of its own.
struct Disk(TempDir);

impl Disk {
    /// Where this process may mount one.
    fn new() -> Option<Self> {
        let folder = tempdir().unwrap();
        let size = format!("size={DISK_BYTES}");
        let mounted = mount(&["-t", "tmpfs", "-o", &size, "tmpfs"], folder.path());
        let needed = std::env::var("TOKENLAKE_TEST_REAL").is_ok_and(|value| value == "1");
        assert!(mounted || !needed, "no disk can be mounted");
        let mounted = mounted || passed_over("no disk can be mounted: that takes root");
        mounted.then(|| Self(folder))
    }

    fn archive(&self) -> PathBuf {
        self.0.path().join("archive")
    }

    /// Lets it be read only, or written again. Whoever writes at that instant holds it up.
    fn read_only(&self, is: bool) {
        let options = if is { "remount,ro" } else { "remount,rw" };
        poll(Duration::from_secs(10), "the disk is mounted anew", || {
            mount(&["-o", options], self.0.path()).then_some(())
        });
    }

    /// Takes all room but so many bytes; the file that takes it.
    fn fill(&self, left: u64) -> PathBuf {
        let path = self.0.path().join("filler");
        let mut file = File::create(&path).unwrap();
        for size in [65_536, 4_096] {
            while file.write_all(&vec![7_u8; size]).is_ok() {}
        }
        file.set_len(file.metadata().unwrap().len() - left).unwrap();
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // A server may hold it still, which ends after it.
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

fn mount(args: &[&str], place: &Path) -> bool {
    let done = Command::new("mount").args(args).arg(place).output();
    done.is_ok_and(|done| done.status.success())
}

/// Ten events.
fn lines(from: usize) -> String {
    let line = |id: usize| {
        format!(
            r#"{{"event_id":"e{id}","ts":"2026-01-01T10:00:00Z","provider":"openai","model":"gpt-4o","cost_usd":0.0025}}"#
        )
    };
    (from..from + 10).map(line).collect::<Vec<_>>().join("\n")
}

fn send(server: &Server, key: &str, from: usize) -> client::Answer {
    client::post(&server.url("/v1/events"), key, "application/x-ndjson", lines(from))
}

/// Sends events that cannot be taken, and sees that the rest goes on.
#[track_caller]
fn assert_refused(server: &Server, key: &str, from: usize, shown: usize) {
    let started = Instant::now();
    let answer = send(server, key, from);
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.header("retry-after").is_some());
    assert!(started.elapsed() < REFUSED_WITHIN, "{:?}", started.elapsed());
    assert_eq!(scrape(server, key)[REQUESTS], shown.to_string());
    assert_eq!(client::get(&server.url("/healthz"), "").status, 200);
}

#[track_caller]
fn assert_sound(archive: &Path, events: usize) {
    let done = tokenlake(archive, &["verify"]);
    assert_eq!(done.status, 0, "{done:?}");
    assert!(done.stdout.contains(&format!("verified {events} events")), "{}", done.stdout);
}

/// Temporary files that were not removed.
fn temporaries(folder: &Path) -> Vec<PathBuf> {
    let (mut folders, mut found) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.to_str().unwrap().contains('#') {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn a_full_disk_takes_nothing_shows_all_and_recovers_by_itself() {
    let Some(disk) = Disk::new() else { return };
    let archive = disk.archive();
    let key = key(&archive, "acme");
    let server = Server::start(&archive);
    assert_eq!(send(&server, &key, 0).status, 200);
    let filler = disk.fill(0);
    assert_refused(&server, &key, 10, 10);
    let compacted = tokenlake(&archive, &["key", "create", "--org", "acme"]);
    assert_eq!((compacted.status, compacted.stderr.trim_end().lines().count()), (1, 1));
    assert!(compacted.stderr.contains("No space left"), "{compacted:?}");
    assert_eq!(temporaries(&archive), [""; 0].map(PathBuf::from));
    assert_sound(&archive, 10);
    // Room for a data file, and for no entry of the log.
    std::fs::remove_file(filler).unwrap();
    let filler = disk.fill(8_192);
    assert_refused(&server, &key, 10, 10);
    std::fs::remove_file(filler).unwrap();
    let answer = send(&server, &key, 10);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(scrape(&server, &key)[REQUESTS], "20");
    assert_sound(&archive, 20);
    assert_eq!(temporaries(&archive), [""; 0].map(PathBuf::from));
}

#[test]
fn a_disk_that_can_only_be_read_is_served_from_and_recovers_by_itself() {
    let Some(disk) = Disk::new() else { return };
    let archive = disk.archive();
    let key = key(&archive, "acme");
    let server = Server::start(&archive);
    assert_eq!(send(&server, &key, 0).status, 200);
    disk.read_only(true);
    assert_refused(&server, &key, 10, 10);
    let other = Server::start(&archive);
    assert_eq!(parse(client::get(&other.url("/metrics"), &key).text())[REQUESTS], "10");
    assert_refused(&other, &key, 10, 10);
    assert_eq!(client::get(&other.url("/readyz"), "").status, 200);
    assert_sound(&archive, 10);
    for args in [&["key", "create", "--org", "acme"][..], &["expire", "--older-than", "30d"]] {
        let done = tokenlake(&archive, args);
        assert_eq!((done.status, done.stderr.trim_end().lines().count()), (1, 1), "{done:?}");
        assert!(done.stderr.contains("Read-only file system"), "{done:?}");
    }
    disk.read_only(false);
    for (server, accepted) in [(&other, 10), (&server, 0)] {
        let answer = send(server, &key, 10);
        assert_eq!((answer.status, answer.json()["accepted"].as_u64()), (200, Some(accepted)));
        assert_eq!(scrape(server, &key)[REQUESTS], "20");
    }
    assert_sound(&archive, 20);
}
