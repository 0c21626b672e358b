//! Tests of `tokenlake compact`, and of the server's own compaction.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};
use tempfile::tempdir;
use tokenlake::clock::{Clock as _, SystemClock};

use crate::support::archive::{data_files, log_entries};
use crate::support::poll;
use crate::support::process::{Server, key, tokenlake};
use crate::support::{client, events};

/// The line of result.
fn summary(stdout: &str) -> Value {
    assert_eq!(stdout.lines().count(), 1, "{stdout}");
    serde_json::from_str(stdout).unwrap()
}

#[test]
fn it_merges_says_so_and_changes_no_byte_of_a_scrape() {
    let folder = tempdir().unwrap();
    let key = key(folder.path(), "acme");
    let server = Server::start_with(folder.path(), &["serve", "--compact-interval", "0s"]);
    for id in 0..20 {
        events::send(&server, &key, id..id + 1);
    }
    let scrape = || client::get(&server.url("/metrics"), &key).text().to_owned();
    let before = scrape();
    let entries = log_entries(folder.path()).len();
    let dry = tokenlake(folder.path(), &["compact", "--dry-run"]);
    assert_eq!(dry.status, 0, "{dry:?}");
    let planned = json!({"rewrites": 1, "files_before": 20, "files_after": 1, "deleted": 0});
    assert_eq!(summary(&dry.stdout), planned);
    assert!(dry.stderr.contains("would merge 20 files of 2024-05-01"), "{dry:?}");
    assert_eq!(log_entries(folder.path()).len(), entries, "a dry run changes nothing");
    assert_eq!(data_files(folder.path()).len(), 20);
    let done = tokenlake(folder.path(), &["compact", "--grace", "1h"]);
    assert_eq!((done.status, summary(&done.stdout)), (0, planned), "{}", done.stderr);
    assert!(done.stderr.contains("merging 20 files of 2024-05-01"), "{done:?}");
    assert_eq!(scrape(), before);
    assert_eq!(data_files(folder.path()).len(), 21, "the grace is not over");
    events::send(&server, &key, 20..21);
    assert_eq!(tokenlake(folder.path(), &["verify"]).status, 0);
}

#[test]
fn orphans_that_are_old_are_deleted() {
    let folder = tempdir().unwrap();
    let key = key(folder.path(), "acme");
    let server = Server::start_with(folder.path(), &["serve", "--compact-interval", "0s"]);
    events::send(&server, &key, 0..3);
    let live = data_files(folder.path()).remove(0);
    let orphan = live.with_file_name("orphan.parquet");
    std::fs::write(&orphan, "left by a crash").unwrap();
    let age = |path, hours: u64| {
        let now = Duration::from_micros(u64::try_from(SystemClock.now()).unwrap());
        let at = UNIX_EPOCH + now - Duration::from_secs(hours * 3_600);
        std::fs::File::options().write(true).open(path).unwrap().set_modified(at).unwrap();
    };
    age(&live, 30);
    for (hours, grace, deleted) in [(2, "24h", 0), (2, "3h", 0), (4, "3h", 1)] {
        age(&orphan, hours);
        let dry = tokenlake(folder.path(), &["compact", "--grace", grace, "--dry-run"]);
        assert_eq!(summary(&dry.stdout)["deleted"], deleted, "{dry:?}");
        assert!(orphan.exists());
        let done = tokenlake(folder.path(), &["compact", "--grace", grace]);
        assert_eq!(summary(&done.stdout)["deleted"], deleted, "{done:?}");
        assert_eq!(orphan.exists(), deleted == 0);
    }
    assert!(live.exists());
    events::send(&server, &key, 3..4);
    assert_eq!(events::counted(&server, &key, "acme"), 4);
    assert_eq!(tokenlake(folder.path(), &["verify"]).status, 0);
}

#[test]
fn a_server_merges_in_the_background() {
    let folder = tempdir().unwrap();
    let key = key(folder.path(), "acme");
    let admin = ["--compact-interval", "1s", "--admin-listen", "127.0.0.1:0"];
    let mut server = Server::start_with(folder.path(), &[&["serve"], &admin[..]].concat());
    for id in 0..12 {
        events::send(&server, &key, id..id + 1);
    }
    poll(Duration::from_secs(20), "the files are merged", || {
        let done = tokenlake(folder.path(), &["compact", "--dry-run"]);
        (summary(&done.stdout)["files_before"].as_u64()? < 12).then_some(())
    });
    assert_eq!(events::counted(&server, &key, "acme"), 12);
    server.terminate();
    assert!(server.wait().success());
    assert_eq!(tokenlake(folder.path(), &["verify"]).status, 0);
}

#[test]
fn wrong_settings_are_refused() {
    let folder = tempdir().unwrap();
    for args in [
        ["compact", "--grace", "59m"],
        ["compact", "--grace", "3d"],
        ["compact", "--target-size", "1KiB"],
        ["serve", "--compact-interval", "1ms"],
    ] {
        let done = tokenlake(folder.path(), &args);
        assert_eq!((done.status, done.stderr.lines().count()), (2, 1), "{done:?}");
    }
    let nowhere = folder.path().join("nowhere");
    let done = tokenlake(&nowhere, &["compact"]);
    assert_eq!((done.status, done.stdout.as_str()), (1, ""), "{done:?}");
    assert!(!nowhere.exists(), "an archive was made");
}
