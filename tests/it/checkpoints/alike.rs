//! Tests that a checkpoint equals the Delta library's, whichever program wrote the log.

use std::sync::Arc;

use arrow::json::LineDelimitedWriter;
use bytes::Bytes;
use object_store::ObjectStore;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};
use tokenlake::app::AppSettings;
use tokenlake::archive::WriterSettings;
use tokenlake::clock::{Clock as _, SystemClock};

use super::{live_files, log_checkpoint, store_delete};
use crate::support::delta_parts::in_parts_with_parsed_stats;
use crate::support::event::{ACME, events};
use crate::support::foreign::{commit, copy, live, rewrite};
use crate::support::lake::{Lake, settings};
use crate::support::store::{log_entry, memory, paths, read, write};
use crate::support::table::{self, HINT, until_checkpoint};

/// Commits from one checkpoint to the next.
const EVERY: u64 = 10;

async fn open(store: &Arc<dyn ObjectStore>) -> Lake {
    let writer = WriterSettings { checkpoint_every: EVERY, ..WriterSettings::default() };
    Lake::try_open(store, AppSettings { writer, ..settings() }).await.unwrap()
}

/// Commits one event a version until the table is at `version`, which a checkpoint is made of.
async fn until(store: &Arc<dyn ObjectStore>, version: u64) {
    let app = open(store).await;
    for id in app.app.archive().current().version()..version {
        assert_eq!(app.sent(&events([1_000 + id])).await, (1, 0));
    }
    until_checkpoint(store, version).await;
    // The note comes last.
    for _ in 0..1_000 {
        let note: Value = serde_json::from_slice(&read(store, HINT).await).unwrap();
        if note["version"] == version {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("version {version} is not noted");
}

/// The actions of the checkpoint of a version, sorted, without what they do not say.
async fn actions(store: &Arc<dyn ObjectStore>, version: u64) -> Vec<String> {
    let bytes = Bytes::from(read(store, &log_checkpoint(version)).await);
    let mut lines = LineDelimitedWriter::new(Vec::new());
    for rows in ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap() {
        lines.write(&rows.unwrap()).unwrap();
    }
    lines.finish().unwrap();
    let lines = String::from_utf8(lines.into_inner()).unwrap();
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut actions: Vec<_> = lines.map(|action| action.to_string()).collect();
    actions.sort();
    actions
}

/// The same archive without the checkpoint of a version, which the library then makes.
async fn by_the_library(store: &Arc<dyn ObjectStore>, version: u64) -> Arc<dyn ObjectStore> {
    let other = memory();
    for path in paths(store, "").await {
        if path != log_checkpoint(version) && path != HINT {
            write(&other, &path, read(store, &path).await).await;
        }
    }
    table::log_checkpoint(&other, version).await.unwrap();
    other
}

/// Moves the rows of a file into a copy of it, by a program that writes all that the protocol has,
/// and keeps notes of its own.
async fn elaborate(store: &Arc<dyn ObjectStore>, number: u64, removed_at: i64) {
    let file = live(store).await.1.swap_remove(1);
    let mut add = copy(store, &file).await.add(false);
    let more = json!({
        "tags": { "OPTIMIZE_TARGET_SIZE": "268435456", "nothing": null }, "baseRowId": number,
        "defaultRowCommitVersion": 3, "clusteringProvider": "liquid", "deletionVector": null,
    });
    let more = more.as_object().unwrap().clone();
    add["add"].as_object_mut().unwrap().extend(more);
    let mut remove = file.remove(false);
    remove["remove"]["deletionTimestamp"] = removed_at.into();
    remove["remove"]["tags"] = json!({ "a": "b" });
    remove["remove"]["baseRowId"] = 7.into();
    let note = |domain: &str, removed: bool| {
        let note = json!({ "domain": domain, "configuration": "{\"a\":1}", "removed": removed });
        json!({ "domainMetadata": note })
    };
    let txn = json!({ "appId": "another program", "version": number, "lastUpdated": removed_at });
    let notes = [json!({ "txn": txn }), note("kept", false), note("gone", number > 1)];
    commit(store, &[&[add, remove], &notes[..]].concat()).await;
}

/// Describes a file anew, without moving a row.
async fn analyzed(store: &Arc<dyn ObjectStore>) {
    let file = live(store).await.1.swap_remove(0);
    let mut add = file.add(false);
    let stats =
        json!({ "numRecords": file.rows, "nullCount": { "model": 0 }, "tightBounds": true });
    add["add"]["stats"] = stats.to_string().into();
    commit(store, &[add]).await;
}

#[tokio::test]
async fn a_checkpoint_says_what_the_librarys_would() {
    for by_library_before in [false, true] {
        let store = memory();
        let now = SystemClock.now() / 1_000;
        let app = open(&store).await;
        for ids in [0..2, 10..13, 20..21] {
            app.sent(&events(ids)).await;
        }
        rewrite(&store).await;
        if by_library_before {
            table::log_checkpoint(&store, 4).await.unwrap();
        }
        elaborate(&store, 1, now).await;
        analyzed(&store).await;
        elaborate(&store, 2, now - 3 * 86_400_000).await;
        for version in [EVERY, 2 * EVERY] {
            until(&store, version).await;
            let library = by_the_library(&store, version).await;
            let (ours, theirs) = (actions(&store, version).await, actions(&library, version).await);
            assert_eq!(ours, theirs, "version {version}, {by_library_before}");
            assert!(ours.iter().any(|action| action.contains("\"remove\"")), "{ours:?}");
            let notes = [&store, &library].map(async |store| read(store, HINT).await);
            let [note, library_note] = futures::future::join_all(notes).await.try_into().unwrap();
            let [mut note, mut library_note]: [Value; 2] =
                [note, library_note].map(|note| serde_json::from_slice(&note).unwrap());
            let size = note["sizeInBytes"].take();
            library_note["sizeInBytes"].take();
            assert_eq!(note, library_note);
            assert_eq!(size, read(&store, &log_checkpoint(version)).await.len());
            elaborate(&store, version, now).await;
            analyzed(&store).await;
        }
        // Of what was removed long ago nothing is kept.
        let all = actions(&store, 2 * EVERY).await.concat();
        assert!(!all.contains(r#""deletionTimestamp":1773144000000"#), "{all}");
    }
}

#[tokio::test]
async fn a_checkpoint_in_parts_and_with_statistics_in_columns_is_read() {
    let store = memory();
    let app = open(&store).await;
    for id in 0..6 {
        app.sent(&events([id])).await;
    }
    let before = app.scrape(ACME).await;
    let files = live_files(&app);
    table::log_checkpoint(&store, 6).await.unwrap();
    let whole = read(&store, &log_checkpoint(6)).await;
    let parts = in_parts_with_parsed_stats(&whole);
    let of = parts.len();
    for (at, part) in parts.into_iter().enumerate() {
        let name = format!(".{:010}.{of:010}.parquet", at + 1);
        write(&store, &log_checkpoint(6).replace(".parquet", &name), part).await;
    }
    store_delete(&store, &log_checkpoint(6)).await;
    store_delete(&store, HINT).await;
    for version in 0..6 {
        store_delete(&store, &log_entry(version)).await;
    }
    let opened = open(&store).await;
    assert_eq!(opened.scrape(ACME).await, before);
    assert_eq!(live_files(&opened).len(), files.len());
    // The next one is made of it.
    until(&store, EVERY).await;
    for version in 6..EVERY {
        store_delete(&store, &log_entry(version)).await;
    }
    assert_eq!(open(&store).await.requests().await, EVERY);
}

#[tokio::test]
async fn a_checkpoint_that_was_damaged_since_is_not_the_ground_of_the_next() {
    let store = memory();
    until(&store, EVERY).await;
    let app = open(&store).await;
    let whole = read(&store, &log_checkpoint(EVERY)).await;
    write(&store, &log_checkpoint(EVERY), whole[..whole.len() / 2].to_vec()).await;
    for id in EVERY..2 * EVERY {
        assert_eq!(app.sent(&events([2_000 + id])).await, (1, 0));
    }
    until(&store, 2 * EVERY).await;
    for version in 0..2 * EVERY {
        store_delete(&store, &log_entry(version)).await;
    }
    assert_eq!(open(&store).await.requests().await, 2 * EVERY);
}
