//! Tests of everything that deltalake can do to a table, with and without a checkpoint of the log:
//! servers follow it or refuse it, warm and cold alike, and after a repair all works again.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;
use tempfile::TempDir;
use tokenlake::app::AppSettings;
use tokenlake::archive::{ArchiveLocation, FollowSettings};
use tokenlake::clock::{DAY, HOUR};
use tokenlake::maintain::{RepairError, Repaired, Way};

use super::repair;
use crate::support::event::{ACME, Event, NOON, events, requests};
use crate::support::foreign::{commit, live};
use crate::support::lake::{Lake, settings, verified};
use crate::support::process::{run, tokenlake};
use crate::support::readers::python;

/// What is followed as it is.
const FOLLOWED: [&str; 7] =
    ["append", "append_new_column", "optimize", "z_order", "checkpoint", "cleanup", "vacuum"];
/// What cannot be taken back.
const GONE: &str = "delete_and_vacuum";

/// An archive on a disk with four commits, on two dates and of two models.
async fn archive() -> (TempDir, Arc<dyn ObjectStore>) {
    let folder = tempfile::tempdir().unwrap();
    let location = ArchiveLocation::parse(folder.path().to_str().unwrap()).unwrap();
    let store = location.open().unwrap();
    let app = Lake::open(&store).await;
    let old = (0..4).map(|id| Event::new(format!("old-{id}")).at(NOON - DAY + HOUR).model("m1"));
    app.sent(&old.collect::<Vec<_>>()).await;
    app.sent(&events(0..3)).await;
    app.sent(&[Event::new("m1").model("m1"), Event::new("m2").model("m2")]).await;
    app.sent(&events(3..5)).await;
    (folder, store)
}

fn operate(python: &Path, folder: &TempDir, operation: &str) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign_operations.py");
    let table = folder.path().join("events");
    let done = run(std::process::Command::new(python).arg(script).arg(table).arg(operation));
    assert_eq!(done.status, 0, "{operation}: {done:?}");
    done.stdout
}

/// The counters of a scrape.
fn counters(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter(|line| line.contains("_total{"));
    let pairs = lines.map(|line| line.rsplit_once(' ').unwrap());
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn is_below(now: &str, before: &str) -> bool {
    now.parse::<f64>().unwrap() < before.parse::<f64>().unwrap()
}

fn none_fell(what: &str, now: &str, before: &str) {
    let now = counters(now);
    for (name, before) in counters(before) {
        let value = now.get(&name).unwrap_or_else(|| panic!("{what}: {name} is gone"));
        assert!(!is_below(value, &before), "{what}: {name} fell from {before} to {value}");
    }
}

/// A process that follows by itself and notes sums where commits are refused.
async fn server(store: &Arc<dyn ObjectStore>) -> Lake {
    let interval = Some(Duration::from_millis(50));
    let follow = FollowSettings { interval, waits_for_repair: true, ..FollowSettings::default() };
    let settings = AppSettings { follow, totals_work_max: Some(128), ..settings() };
    Lake::try_open(store, settings).await.unwrap()
}

/// Repairs as soon as a server has noted what the repair needs.
async fn repaired_soon(store: &Arc<dyn ObjectStore>, way: Way) -> Result<Repaired, RepairError> {
    for _ in 0..200 {
        match repair(store).run(way, false).await {
            Err(RepairError::Untold(_)) => tokio::time::sleep(Duration::from_millis(50)).await,
            done => return done,
        }
    }
    repair(store).run(way, false).await
}

async fn try_one(python: &Path, operation: &str, with_checkpoint: bool, way: Way) {
    let what = format!("{operation}, with a checkpoint: {with_checkpoint}, {way:?}");
    let (folder, store) = archive().await;
    let warm = server(&store).await;
    let before = warm.scrape(ACME).await;
    operate(python, &folder, operation);
    if with_checkpoint {
        operate(python, &folder, "checkpoint");
    }
    let cold = Lake::open_waiting(&store).await;
    let (followed, opened) = (warm.try_scrape(ACME).await, cold.try_scrape(ACME).await);
    if FOLLOWED.contains(&operation) {
        none_fell(&what, &followed.unwrap(), &before);
        none_fell(&what, &opened.unwrap(), &before);
    } else {
        for error in [followed.expect_err(&what), opened.expect_err(&what)] {
            assert!(error.to_string().contains("tokenlake repair"), "{what}: {error}");
        }
        warm.send(ACME, &events(["new"])).await.expect_err(&what);
        match repaired_soon(&store, way).await {
            Err(RepairError::Gone { .. }) if operation == GONE && way == Way::Undo => return,
            done => drop(done.unwrap_or_else(|error| panic!("{what}: {error}"))),
        }
    }
    let after = warm.scrape(ACME).await;
    none_fell(&what, &after, &before);
    if way == Way::Undo && !FOLLOWED.contains(&operation) {
        assert_eq!(counters(&after), counters(&before), "{what}");
    }
    assert_eq!(cold.scrape(ACME).await, after, "{what}");
    assert_eq!(Lake::open(&store).await.scrape(ACME).await, after, "{what}");
    // Ingest goes on, and knows what is there.
    let count = requests(&after);
    assert_eq!(cold.sent(&events(["sent"])).await, (1, 0), "{what}");
    assert_eq!(warm.sent(&events(["sent"])).await, (0, 1), "{what}");
    assert_eq!(warm.requests().await, count + 1, "{what}");
    verified(&store).await;
}

#[tokio::test]
async fn what_deltalake_does_is_followed_or_repaired() {
    let Some(python) = python() else { return };
    let (folder, _) = archive().await;
    for operation in operate(&python, &folder, "list").lines() {
        for with_checkpoint in [false, true] {
            try_one(&python, operation, with_checkpoint, Way::Undo).await;
            if !FOLLOWED.contains(&operation) {
                try_one(&python, operation, with_checkpoint, Way::Accept).await;
            }
        }
    }
}

/// Nothing has expired, and so there is no date before which it has.
#[tokio::test]
async fn verify_says_what_an_accepted_deletion_left() {
    let (folder, store) = archive().await;
    let file = live(&store).await.1.into_iter().find(|file| file.rows == 3).unwrap();
    commit(&store, &[file.remove(true)]).await;
    let accepted = tokenlake(folder.path(), &["repair", "--accept"]);
    assert_eq!(accepted.status, 0, "{accepted:?}");
    let done = tokenlake(folder.path(), &["verify"]);
    assert_eq!(done.status, 0, "{done:?}");
    assert!(done.stderr.contains("3 events that another program took out"), "{done:?}");
    assert!(!done.stderr.contains("1970"), "{done:?}");
}
