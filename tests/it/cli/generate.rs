//! Tests of `tokenlake generate`, which makes archives for measurements.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::support::process::{Done, Server, key, program, run, tokenlake};
use crate::support::{archive, scrape};

/// The settings of these tests; more may follow.
const SMALL: [&str; 9] = [
    "generate",
    "--events",
    "3000",
    "--orgs",
    "7",
    "--days",
    "4",
    "--until",
    "2026-01-15T10:00:00Z",
];

fn generate(archive: &Path, more: &[&str]) -> Done {
    let done = tokenlake(archive, &[&SMALL[..], more].concat());
    assert_eq!(done.status, 0, "{done:?}");
    done
}

fn summary(done: &Done) -> (Value, Value) {
    let mut summary: Value = serde_json::from_str(&done.stdout).unwrap();
    assert!(summary["elapsed_ms"].is_number() && summary["commits"].is_number(), "{summary}");
    (summary["accepted"].take(), summary["duplicates"].take())
}

/// The series of an organisation, but for the gauge, which moves with the clock.
fn counters(archive: &Path, org: &str) -> BTreeSet<(String, String)> {
    let key = key(archive, org);
    let server = Server::start(archive);
    let series = scrape::scrape(&server, &key);
    series.into_iter().filter(|(name, _)| name.contains("_total{")).collect()
}

#[test]
fn the_same_settings_make_the_same_events_once() {
    let (folder, other) = (tempdir().unwrap(), tempdir().unwrap());
    assert_eq!(summary(&generate(folder.path(), &[])), (json!(3000), json!(0)));
    assert_eq!(summary(&generate(folder.path(), &[])), (json!(0), json!(3000)));
    let verified = tokenlake(folder.path(), &["verify"]);
    assert_eq!(verified.status, 0, "{verified:?}");
    assert!(verified.stdout.contains("3000 events in 5 files"), "{verified:?}");
    assert!(verified.stdout.contains("scrapes of 7 organisations"), "{verified:?}");
    assert_eq!(archive::data_files(folder.path()).len(), 5);

    generate(other.path(), &[]);
    let largest = counters(folder.path(), "org-0000");
    assert!(largest.len() > 6, "{largest:?}");
    assert_eq!(counters(other.path(), "org-0000"), largest);
    assert_ne!(counters(other.path(), "org-0001"), largest);
    // Another seed makes other events, which stand beside the first.
    let another = generate(other.path(), &["--seed", "2"]);
    assert_eq!(summary(&another), (json!(3000), json!(0)));
    assert_ne!(counters(other.path(), "org-0000"), largest);
}

#[test]
fn what_cannot_be_made_is_refused() {
    let folder = tempdir().unwrap();
    let ahead = ["generate", "--events", "10", "--until", "2999-01-01T00:00:00Z"];
    let done = tokenlake(folder.path(), &ahead);
    assert_eq!((done.status, done.stdout.as_str()), (1, ""), "{done:?}");
    assert!(done.stderr.contains("--until"), "{done:?}");
    for wrong in [["--orgs", "0"], ["--days", "0"], ["--models", "16"], ["--until", "now"]] {
        let done = run(program().arg("generate").args(wrong));
        assert_eq!((done.status, done.stdout.as_str()), (2, ""), "{done:?}");
    }
}
