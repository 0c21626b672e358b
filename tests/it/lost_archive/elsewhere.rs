//! Tests of objects that were put, or looked for, while another place was there, and of what is there
//! once the archive is back.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt as _;
use object_store::{ObjectStore, ObjectStoreExt as _};
use tokenlake::app::AppSettings;
use tokenlake::archive::ArchiveLocation;
use tokenlake::clock::DAY;
use tokenlake::sql::RowFormat;
use tokenlake::worker::WorkerSettings;

use super::{Between, LOOKS, is_away};
use crate::stores::{Switch, Verb};
use crate::support::event::{ACME, Event, NOON, events};
use crate::support::lake::{Lake, caller, settings, verified};
use crate::support::store::{log_entry, paths, read, write};

#[tokio::test]
async fn an_entry_that_was_put_elsewhere_is_not_that_of_another_process() {
    let it = Between::new().await;
    Lake::open(&it.right).await.sent(&events(5..7)).await;
    let entry = it.away(&[Verb::Put], &log_entry(2));
    it.store.switch_at([entry, it.back(LOOKS, &log_entry(1))]);
    assert_eq!(it.app.sent(&events(3..6)).await, (2, 1));
    assert_eq!(it.app.requests().await, 7);
    assert_eq!(it.app.sent(&events(6..8)).await, (1, 1));
    assert_eq!(verified(&it.right).await, 8);
}

#[tokio::test]
async fn a_record_that_was_put_elsewhere_is_not_the_older_one_that_is_there() {
    let it = Between::new().await;
    let store = it.app.app.archive().store();
    let path = "access/used/a.json";
    store.put(&path.into(), "old".into()).await.unwrap();
    it.store.switch_at([it.away(&[Verb::Put], path), it.back(LOOKS, &log_entry(1))]);
    let error = store.put(&path.into(), "new".into()).await.unwrap_err().to_string();
    assert!(error.contains(path) && error.contains("try again"), "{error}");
    // One that takes long, and comes to the right place, is seen to be there.
    it.store.switch_at([it.back(&[Verb::Put], path)]);
    store.put(&path.into(), "new".into()).await.unwrap();
    assert_eq!(read(&it.right, path).await, b"new");
}

#[tokio::test]
async fn a_ledger_that_was_absent_elsewhere_is_looked_for_again() {
    let it = Between::new().await;
    it.app.sent(&[Event::new("old").at(NOON - 9 * DAY)]).await;
    it.app.expire(2).await.unwrap();
    for path in paths(&it.right, "checkpoints").await {
        it.right.delete(&path.as_str().into()).await.unwrap();
    }
    // One that has opened the ledger for a scrape, and opens it again for totals.
    let app = Lake::open(&(it.store.clone() as Arc<dyn ObjectStore>)).await;
    assert_eq!(app.requests().await, 4);
    let newest = log_entry(app.snapshot().await.version());
    let back = Switch { later: Some(app.clock.clone()), ..it.back(LOOKS, &newest) };
    let ledger = paths(&it.right, "ledger").await.into_iter().find(|path| path.ends_with(".json"));
    it.store.switch_at([it.away(&[Verb::Get], &ledger.unwrap()), back]);
    app.app.snapshot_totals().await.unwrap();
    assert!(!paths(&it.right, "checkpoints").await.is_empty());
}

#[tokio::test]
async fn totals_are_not_put_beside_an_entry_that_came_late_elsewhere() {
    let it = Between::new().await;
    assert_eq!(it.app.requests().await, 3);
    write(&it.empty, &log_entry(1), read(&it.right, &log_entry(1)).await).await;
    let before = paths(&it.empty, "").await;
    it.store.switch_at([it.away(&[Verb::List], "checkpoints")]);
    is_away("totals", it.app.app.snapshot_totals().await);
    assert_eq!(paths(&it.empty, "").await, before);
    it.store.switch(&it.right);
    it.app.app.snapshot_totals().await.unwrap();
    assert!(!paths(&it.right, "checkpoints").await.is_empty());
}

/// A program of which the first process finds an empty folder where the archive is.
fn first_elsewhere(folder: &Path) -> String {
    let (program, mark) = (folder.join("program"), folder.join("first"));
    let (mark, real) = (mark.display(), env!("CARGO_BIN_EXE_tokenlake"));
    let script = format!(
        "#!/bin/sh\nif mkdir {mark} 2>/dev/null; then shift 2; set -- --archive {mark} \"$@\"; fi\n\
         exec {real} \"$@\"\n"
    );
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    program.display().to_string()
}

#[tokio::test]
async fn a_query_that_found_files_absent_elsewhere_is_asked_again() {
    let folder = tempfile::tempdir().unwrap();
    let location = ArchiveLocation::Local(folder.path().join("archive"));
    let worker = WorkerSettings {
        program: first_elsewhere(folder.path()).into(),
        archive: location.to_string(),
        memory_bytes: 512 << 20,
        timeout: Duration::from_secs(30),
        running_max: 1,
    };
    let settings = AppSettings { worker: Some(worker), ..settings() };
    let store = location.create().unwrap();
    let app = Lake::try_open(&store, settings).await.unwrap();
    app.sent(&events(0..3)).await;
    let query = "SELECT count(DISTINCT event_id) AS n FROM events";
    let acme = caller(ACME);
    let ask = || app.app.sql(&acme, query.to_owned(), RowFormat::Csv);
    let rows: Vec<_> = ask().await.unwrap().into_stream().try_collect().await.unwrap();
    assert_eq!(rows.concat(), b"n\n3\n");
    assert!(folder.path().join("first").is_dir());
    // What is absent every time is said to be missing.
    let lost = app.snapshot().await.files().next().unwrap().path_in_archive();
    store.delete(&lost.as_str().into()).await.unwrap();
    let error = ask().await.map(drop).unwrap_err().to_string();
    assert!(error.contains(&lost), "{error}");
}
