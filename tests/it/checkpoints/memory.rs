//! Tests of the memory that a checkpoint takes, and of readers that use only the checkpoint.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use serde_json::json;
use tokio::runtime::Runtime;

use super::{log_checkpoint, store_delete};
use crate::support::event::events;
use crate::support::events::event;
use crate::support::lake::Lake;
use crate::support::process::{Server, key, tokenlake};
use crate::support::store::{log_entry, paths, write};
use crate::support::table::until_checkpoint;
use crate::support::{client, poll, readers, resident};

/// What one may take, and what may stay of it.
const PEAK_KIB_MAX: u64 = 300 << 10;
const STAYS_KIB_MAX: u64 = 100 << 10;
/// Files of each of the commits of another program.
const FILES: usize = 10;

/// A log of 498 commits of another program, after the first of ours.
async fn long_log(store: &Arc<dyn ObjectStore>) {
    Lake::open(store).await;
    // Files of long ago, which nothing here reads.
    let add = |name: String| {
        let low = json!({ "a": "x".repeat(1_000) });
        json!({ "add": {
            "path": format!("event_date=2020-01-02/{name}.parquet"), "size": 1, "dataChange": true,
            "partitionValues": { "event_date": "2020-01-02" }, "modificationTime": 1_577_923_200_000_u64,
            "stats": json!({ "numRecords": 1, "minValues": low }).to_string(),
        }})
    };
    for version in 1..499 {
        let adds = (0..FILES).map(|file| add(format!("{version}-{file}")).to_string() + "\n");
        write(store, &log_entry(version), adds.collect::<String>().into()).await;
    }
}

#[test]
fn a_checkpoint_takes_little_memory_and_leaves_little_behind() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path();
    let key = key(archive, "acme");
    let store: Arc<dyn ObjectStore> = Arc::new(LocalFileSystem::new_with_prefix(archive).unwrap());
    let runtime = Runtime::new().unwrap();
    runtime.block_on(long_log(&store));
    let server = Server::start(archive);
    let url = server.url("/v1/events");
    let send = |id| {
        let answer = client::post(&url, &key, "application/x-ndjson", event(id));
        assert_eq!(answer.json()["accepted"], 1, "{}", answer.text());
    };
    // What the first commit of a server takes for good is not the checkpoint's.
    send("1");
    let before = resident::resident_kib(server.pid());
    resident::forget_peak(server.pid());
    send("2");
    let note = archive.join("events/_delta_log/_last_checkpoint");
    poll(Duration::from_secs(60), "a checkpoint", || note.exists().then_some(()));
    let peak = resident::peak_kib(server.pid());
    eprintln!("before {before} KiB, most {peak}");
    assert!(peak < before + PEAK_KIB_MAX, "{peak} KiB where there were {before}");
    poll(Duration::from_secs(20), "memory that is given back", || {
        let stays = resident::resident_kib(server.pid());
        (stays < before + STAYS_KIB_MAX).then_some(())
    });
    // Whoever opens the archive by it takes as little.
    drop(server);
    runtime.block_on(store_delete(&store, &log_entry(0)));
    let server = Server::start(archive);
    let opened = resident::peak_kib(server.pid());
    eprintln!("opened by it: {opened} KiB");
    assert!(opened < before + PEAK_KIB_MAX, "{opened} KiB where there were {before}");
}

#[test]
fn other_programs_read_a_table_by_its_checkpoint_alone() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path();
    let store: Arc<dyn ObjectStore> = Arc::new(LocalFileSystem::new_with_prefix(archive).unwrap());
    Runtime::new().unwrap().block_on(read_by_checkpoint_alone(&store, archive));
    readers::assert_read_alike(archive);
    assert_eq!(tokenlake(archive, &["verify"]).status, 0);
}

/// Brings the table to a checkpoint, before which nothing is left of its log.
async fn read_by_checkpoint_alone(store: &Arc<dyn ObjectStore>, archive: &Path) {
    let app = Lake::open(store).await;
    for id in 0..60 {
        app.sent(&events([id])).await;
    }
    let done = tokenlake(archive, &["compact"]);
    assert_eq!(done.status, 0, "{done:?}");
    while app.app.archive().newest().await.unwrap().version() < 100 {
        let version = app.app.archive().current().version();
        app.sent(&events([1_000 + version])).await;
    }
    until_checkpoint(store, 100).await;
    for path in paths(store, "events/_delta_log").await {
        if path.ends_with(".json") && path < log_entry(100) {
            store_delete(store, &path).await;
        }
    }
    assert!(paths(store, "events/_delta_log").await.contains(&log_checkpoint(100)));
}
