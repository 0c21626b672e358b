//! Tests of checkpoints of the log: made in the background, equal to the entries that they replace.

mod alike;
mod memory;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use object_store::ObjectStore;
use serde_json::{Value, json};
use tokenlake::error::Kind;

use crate::stores::{Fault, FaultyStore};
use crate::support::event::{ACME, events};
use crate::support::lake::{Lake, settings, verified};
use crate::support::store::{log_entry, memory, paths, read, write};
use crate::support::table::{HINT, checkpoints, long_table, until_checkpoint};

#[tokio::test]
async fn a_checkpoint_is_made_and_an_archive_opened_from_it_is_the_same() {
    let store = memory();
    let app = long_table(&store, 103).await;
    let checkpoint = until_checkpoint(&store, 100).await;
    assert_eq!(checkpoints(&store).await, [checkpoint.as_str()]);
    let before = app.scrape(ACME).await;
    let by_entries = live_files(&app);
    let opened = Lake::open(&store).await;
    assert_eq!(live_files(&opened), by_entries, "bounds, filters and checksums");
    assert_eq!(opened.scrape(ACME).await, before);
    // Ids of files from before the checkpoint are known, and new ones are told apart.
    assert_eq!(opened.sent(&events(0..104)).await, (1, 103));
    assert_eq!(app.sent(&events(0..105)).await, (1, 104));
    assert_eq!(verified(&store).await, 105);
    // The checkpoint is what it was opened from, not the entries.
    store_delete(&store, &log_entry(50)).await;
    assert_eq!(live_files(&Lake::open(&store).await).len(), 105);
}

/// What can become of a checkpoint's object.
fn damages(whole: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut middle = whole.to_vec();
    let half = middle.len() / 2;
    middle[4..half].fill(0);
    vec![
        ("cut", whole[..whole.len() / 2].to_vec()),
        ("empty", Vec::new()),
        ("another format", b"{}".to_vec()),
        ("zeros in it", middle),
        ("without its end", whole[..whole.len() - 1].to_vec()),
    ]
}

#[tokio::test]
async fn a_damaged_checkpoint_beside_a_whole_log_is_passed_over() {
    let store = memory();
    let app = long_table(&store, 103).await;
    let before = app.scrape(ACME).await;
    let checkpoint = until_checkpoint(&store, 100).await;
    let whole = read(&store, &checkpoint).await;
    for (name, bytes) in damages(&whole) {
        write(&store, &checkpoint, bytes).await;
        let opened = Lake::open(&store).await;
        assert_eq!(opened.scrape(ACME).await, before, "{name}");
        assert_eq!(live_files(&opened), live_files(&app), "{name}");
        assert_eq!(opened.sent(&events(0..103)).await, (0, 103), "{name}");
        assert_eq!(opened.app.archive().job_position("a job").await.unwrap(), None, "{name}");
    }
    // Two of them, the newer of which noted itself.
    let [first, second] = [60, 100].map(log_checkpoint);
    write(&store, &first, whole[..9].to_vec()).await;
    write(&store, &second, whole[..9].to_vec()).await;
    let opened = Lake::open(&store).await;
    assert_eq!(opened.scrape(ACME).await, before);
    // The process that passed it over makes the next one, and all is well again.
    for id in 103..200 {
        assert_eq!(opened.sent(&events([id])).await, (1, 0));
    }
    assert_eq!(until_checkpoint(&store, 200).await, log_checkpoint(200));
    for version in 0..200 {
        store_delete(&store, &log_entry(version)).await;
    }
    assert_eq!(Lake::open(&store).await.requests().await, 200);
}

#[tokio::test]
async fn a_checkpoint_that_lacks_a_part_is_none() {
    let store = memory();
    let app = long_table(&store, 103).await;
    let before = app.scrape(ACME).await;
    let checkpoint = until_checkpoint(&store, 100).await;
    let whole = read(&store, &checkpoint).await;
    store_delete(&store, &checkpoint).await;
    let part = checkpoint.replace(".parquet", ".0000000001.0000000002.parquet");
    write(&store, &part, whole).await;
    let hint = r#"{"version":100,"size":9,"parts":2}"#;
    write(&store, HINT, hint.into()).await;
    let opened = Lake::open(&store).await;
    assert_eq!(opened.scrape(ACME).await, before);
    assert_eq!(opened.sent(&events(0..104)).await, (1, 103));
    assert_eq!(opened.app.archive().job_position("a job").await.unwrap(), None);
}

#[tokio::test]
async fn a_damaged_checkpoint_that_entries_no_longer_replace_is_named() {
    let store = memory();
    long_table(&store, 103).await;
    let checkpoint = until_checkpoint(&store, 100).await;
    let whole = read(&store, &checkpoint).await;
    store_delete(&store, &log_entry(0)).await;
    for (name, bytes) in damages(&whole) {
        write(&store, &checkpoint, bytes).await;
        for _ in 0..2 {
            let error = Lake::try_open(&store, settings()).await.err().unwrap();
            assert_eq!(error.kind(), Kind::Corrupt, "{name}: {error}");
            assert!(error.to_string().contains(&checkpoint), "{name}: {error}");
        }
    }
}

fn log_checkpoint(version: u64) -> String {
    format!("events/_delta_log/{version:020}.checkpoint.parquet")
}

/// Everything the process knows of its live files.
fn live_files(app: &Lake) -> Vec<String> {
    app.app.archive().current().files().map(|file| format!("{file:?}")).collect()
}

#[tokio::test]
async fn entries_before_a_checkpoint_are_needed_no_more() {
    let store = memory();
    let app = long_table(&store, 102).await;
    let before = app.scrape(ACME).await;
    until_checkpoint(&store, 100).await;
    for version in 0..100 {
        store_delete(&store, &log_entry(version)).await;
    }
    let opened = Lake::open(&store).await;
    assert_eq!(opened.scrape(ACME).await, before);
    assert_eq!(opened.sent(&events(0..103)).await, (1, 102));
    // A hole after it is a hole.
    let entry = log_entry(101);
    store_delete(&store, &entry).await;
    let error = Lake::try_open(&store, settings()).await.err().unwrap();
    assert_eq!(error.kind(), Kind::Corrupt, "{error}");
    assert!(error.to_string().contains(&entry), "{error}");
}

async fn store_delete(store: &Arc<dyn ObjectStore>, path: &str) {
    object_store::ObjectStoreExt::delete(store, &path.into()).await.unwrap();
}

#[tokio::test]
async fn a_lost_hint_at_the_newest_checkpoint_changes_nothing() {
    let store = memory();
    let app = long_table(&store, 101).await;
    let before = app.scrape(ACME).await;
    until_checkpoint(&store, 100).await;
    for bytes in ["", "{", r#"{"version":3,"size":1}"#, r#"{"version":999,"size":1}"#] {
        write(&store, HINT, bytes.into()).await;
        assert_eq!(Lake::open(&store).await.scrape(ACME).await, before, "hint {bytes:?}");
    }
    store_delete(&store, HINT).await;
    assert_eq!(Lake::open(&store).await.scrape(ACME).await, before, "no hint");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_go_on_while_checkpoints_are_made() {
    let store = memory();
    let writers = [Lake::open(&store).await, Lake::open(&store).await];
    let work = writers.iter().enumerate().map(|(writer, app)| {
        // Both send every event.
        let rounds = (0..110).map(move |round| (round + writer * 55) % 110);
        async move {
            let mut accepted = 0;
            for round in rounds {
                accepted += app.sent(&events([round])).await.0;
            }
            accepted
        }
    });
    let accepted: usize = futures::future::join_all(work).await.into_iter().sum();
    assert_eq!(accepted, 110);
    until_checkpoint(&store, 100).await;
    for app in [&writers[0], &writers[1], &Lake::open(&store).await] {
        assert_eq!(app.requests().await, 110);
        assert_eq!(app.sent(&events(0..110)).await, (0, 110));
    }
    assert_eq!(checkpoints(&store).await.len(), 1, "one for each hundred versions");
}

#[tokio::test]
async fn a_table_of_a_newer_format_is_refused_and_nothing_is_written() {
    let store = memory();
    Lake::open(&store).await;
    let entry = String::from_utf8(read(&store, &log_entry(0)).await).unwrap();
    let mut lines: Vec<Value> =
        entry.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let metadata = lines.iter_mut().find_map(|line| line.get_mut("metaData")).unwrap();
    for (setting, words) in [(json!("3"), "newer tokenlake"), (Value::Null, "not a tokenlake")] {
        metadata["configuration"]["tokenlake.format"] = setting;
        if metadata["configuration"]["tokenlake.format"].is_null() {
            metadata["configuration"].as_object_mut().unwrap().remove("tokenlake.format");
        }
        let store = memory();
        let text = [json!({ "protocol": { "minReaderVersion": 1, "minWriterVersion": 2 } })]
            .into_iter()
            .chain([json!({ "metaData": metadata })]);
        let text: Vec<_> = text.map(|line| line.to_string()).collect();
        write(&store, &log_entry(0), text.join("\n").into()).await;
        let error = Lake::try_open(&store, settings()).await.err().unwrap();
        assert_eq!(error.kind(), Kind::Invalid, "{error}");
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(paths(&store, "").await, [log_entry(0)]);
    }
}

#[tokio::test]
async fn storage_that_is_away_while_opening_is_not_taken_for_damage() {
    let inner = memory();
    long_table(&inner, 102).await;
    for failing in 0.. {
        let met = Arc::new(AtomicUsize::new(0));
        let requests = met.clone();
        let store: Arc<dyn ObjectStore> = FaultyStore::new(inner.clone(), move |_| {
            let number = requests.fetch_add(1, Ordering::SeqCst);
            (number == failing).then_some(Fault::FailBefore)
        });
        match Lake::try_open(&store, settings()).await {
            Ok(app) => assert_eq!(app.app.archive().current().version(), 102),
            Err(error) => assert_eq!(error.kind(), Kind::Unavailable, "{failing}: {error}"),
        }
        if met.load(Ordering::SeqCst) <= failing {
            assert!(failing > 5, "list, hint, checkpoint and entries are asked for: {failing}");
            return;
        }
    }
}
