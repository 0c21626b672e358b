//! Tests that a totals snapshot which is missing, damaged or of another kind costs time and changes
//! no byte.

use std::sync::Arc;

use object_store::ObjectStore;
use serde_json::Value;
use tokenlake::clock::DAY;

use crate::stores::{CountingStore, Fault, FaultyStore};
use crate::support::event::NOON;
use crate::support::foreign::{File, commit, copy as copy_file, live};
use crate::support::lake::Lake;
use crate::support::store::{forget_newest, log_entry, memory, paths, read, write};
use crate::support::totals::{
    ORGS, assert_like_full, assert_same, bare, cold, copy, delete, full, marks, objects, send,
    versions,
};

/// Places in an object at which a bit is flipped.
const PLACES: usize = 25;

/// An archive with two checkpoints and two commits after the last, and what is shown of it.
async fn archive() -> (Arc<dyn ObjectStore>, Vec<String>) {
    let store = memory();
    let app = Lake::open(&store).await;
    send(&app, 0..4).await;
    app.snapshot_totals().await;
    send(&app, 4..6).await;
    app.snapshot_totals().await;
    send(&app, 6..8).await;
    let expected = full(&store, NOON).await;
    (store, expected)
}

/// Marks and objects, all of which were made by now.
async fn all(store: &Arc<dyn ObjectStore>) -> Vec<String> {
    let found = [marks(store).await, objects(store).await].concat();
    assert_eq!(found.len(), 4);
    found
}

#[tokio::test]
async fn a_bit_flipped_anywhere_changes_no_byte() {
    let (store, expected) = archive().await;
    // Without the older one nothing can step in but the data files.
    for path in all(&store).await.iter().filter(|path| path.contains("00004")) {
        delete(&store, path).await;
    }
    for path in [marks(&store).await.remove(0), objects(&store).await.remove(0)] {
        let whole = read(&store, &path).await;
        for place in 0..PLACES {
            let at = place * (whole.len() - 1) / (PLACES - 1);
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (place % 8);
            write(&store, &path, bytes).await;
            assert_same(&cold(&store, NOON).await, &expected, &format!("byte {at} of {path}"));
        }
        write(&store, &path, whole).await;
    }
}

#[tokio::test]
async fn what_is_cut_or_gone_changes_no_byte() {
    let (store, expected) = archive().await;
    for path in all(&store).await {
        let whole = read(&store, &path).await;
        for length in [0, 1, whole.len() / 2, whole.len() - 8, whole.len() - 1] {
            write(&store, &path, whole[..length].to_vec()).await;
            assert_same(&cold(&store, NOON).await, &expected, &format!("{path} cut to {length}"));
        }
        let longer = [whole.as_slice(), b"}"].concat();
        write(&store, &path, longer).await;
        assert_same(&cold(&store, NOON).await, &expected, &format!("{path} with a byte more"));
        delete(&store, &path).await;
        assert_same(&cold(&store, NOON).await, &expected, &format!("without {path}"));
        write(&store, &path, whole).await;
    }
    for path in all(&store).await {
        delete(&store, &path).await;
    }
    assert_same(&cold(&store, NOON).await, &expected, "without any");
}

#[tokio::test]
async fn what_is_gone_under_a_running_process_changes_no_byte() {
    let (store, expected) = archive().await;
    let running = Lake::open(&store).await;
    assert_eq!(running.body(ORGS[0]).await, expected[0]);
    let object = objects(&store).await.pop().unwrap();
    let mut bytes = read(&store, &object).await;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    write(&store, &object, bytes).await;
    assert_eq!(running.body(ORGS[1]).await, expected[1], "damaged");
    let running = Lake::open(&store).await;
    delete(&store, &object).await;
    for (org, expected) in ORGS.iter().zip(&expected) {
        assert_eq!(running.body(org).await, *expected, "gone");
    }
}

#[tokio::test]
async fn storage_that_fails_on_checkpoints_changes_no_byte() {
    let (store, expected) = archive().await;
    for fault in [Fault::FailBefore, Fault::Truncate, Fault::Damage] {
        for words in ["checkpoints", ".json", "00006-", "00004.json"] {
            let faulty: Arc<dyn ObjectStore> = FaultyStore::new(store.clone(), move |op| {
                let path = op.path.as_ref();
                (path.starts_with("checkpoints") && path.contains(words)).then_some(fault)
            });
            assert_same(&cold(&faulty, NOON).await, &expected, &format!("{fault:?} of {words}"));
        }
    }
}

#[tokio::test]
async fn a_mark_under_the_name_of_another_version_is_not_believed() {
    let (store, expected) = archive().await;
    let [older, newer] = marks(&store).await.try_into().unwrap();
    let bytes = [read(&store, &older).await, read(&store, &newer).await];
    for (name, bytes) in [("5", &bytes[0]), ("7", &bytes[1]), ("8", &bytes[0]), ("6", &bytes[0])] {
        let renamed = newer.replace("6.json", &format!("{name}.json"));
        write(&store, &renamed, bytes.clone()).await;
        assert_same(&cold(&store, NOON).await, &expected, &format!("as version {name}"));
    }
    write(&store, &older, bytes[1].clone()).await;
    assert_same(&cold(&store, NOON).await, &expected, "swapped");
}

#[tokio::test]
async fn a_mark_that_tells_of_other_hours_is_not_believed() {
    let (store, _) = archive().await;
    let mark = marks(&store).await.pop().unwrap();
    let text = String::from_utf8(read(&store, &mark).await).unwrap();
    let hours_from = serde_json::from_str::<Value>(&text).unwrap()["hours_from"].as_i64().unwrap();
    // Of a clock that was set back that far, it has no hours.
    let now = NOON - 3 * DAY;
    let changed = text.replace(&hours_from.to_string(), &(hours_from - 3 * DAY).to_string());
    assert_ne!(changed, text);
    write(&store, &mark, changed.into()).await;
    assert_same(&cold(&store, now).await, &full(&store, now).await, "three days before");
}

#[tokio::test]
async fn checkpoints_of_other_sql_or_of_another_table_are_not_looked_at() {
    let (store, expected) = archive().await;
    let (copied, bare) = (copy(&store).await, bare(&store).await);
    for path in all(&store).await {
        let (folder, name) = path.rsplit_once('/').unwrap();
        let (table, sql) = folder.rsplit_once('-').unwrap();
        let other = "0000000000000000";
        assert_eq!(sql.len(), other.len());
        for folder in [format!("{table}-{other}"), folder.replace(&table[12..20], "00000000")] {
            write(&bare, &format!("{folder}/{name}"), read(&store, &path).await).await;
        }
        delete(&copied, &path).await;
    }
    let counting = CountingStore::new(bare.clone());
    let shown = cold(&(counting.clone() as Arc<dyn ObjectStore>), NOON).await;
    assert_same(&shown, &expected, "in other folders");
    let ops = counting.take();
    let read =
        ops.iter().any(|op| op.path.as_ref().starts_with("checkpoints/") && !op.ranges.is_empty());
    assert!(!read, "{ops:?}");
}

/// Takes back the log to `version`, as a backup of it would.
async fn set_back(store: &Arc<dyn ObjectStore>, version: u64) {
    for later in version + 1.. {
        let entry = log_entry(later);
        if !paths(store, "events/_delta_log").await.contains(&entry) {
            // A copy from before has an older note.
            return forget_newest(store).await;
        }
        delete(store, &entry).await;
    }
}

#[tokio::test]
async fn a_checkpoint_of_a_log_that_was_set_back_is_not_believed() {
    let (store, expected) = archive().await;
    set_back(&store, 5).await;
    // The same versions again, of other events.
    send(&Lake::open(&store).await, 10..13).await;
    let now = full(&store, NOON).await;
    assert_ne!(now, expected);
    assert_same(&cold(&store, NOON).await, &now, "the checkpoint of 4 still holds");
    set_back(&store, 2).await;
    let behind = full(&store, NOON).await;
    assert_same(&cold(&store, NOON).await, &behind, "all checkpoints are of later versions");
    send(&Lake::open(&store).await, 20..26).await;
    assert_like_full(&store, "none holds").await;
}

#[tokio::test]
async fn a_log_that_another_program_wrote_anew_is_not_taken_for_the_old_one() {
    let (store, _) = archive().await;
    let (_, files) = live(&store).await;
    set_back(&store, 5).await;
    let (_, left) = live(&store).await;
    let gone: Vec<_> = files.iter().filter(|file| !is_among(file, &left)).collect();
    // Version 6 with the files of version 7.
    let mut adds: Vec<Value> = Vec::new();
    for file in &gone[gone.len() / 2..] {
        adds.push(copy_file(&store, file).await.add(true));
    }
    commit(&store, &adds).await;
    assert_like_full(&store, "written anew").await;
}

fn is_among(file: &File, files: &[File]) -> bool {
    files.iter().any(|other| other.path == file.path)
}

#[tokio::test]
async fn a_log_that_was_set_back_gets_checkpoints_again() {
    let store = memory();
    let app = Lake::open(&store).await;
    for round in 0..8 {
        send(&app, round..round + 1).await;
        if round >= 5 {
            app.snapshot_totals().await;
        }
    }
    assert_eq!(versions(&store).await.0, [6, 7, 8]);
    set_back(&store, 3).await;
    let app = Lake::open(&store).await;
    for round in 10..18 {
        send(&app, round..round + 1).await;
        app.snapshot_totals().await;
        assert_like_full(&store, &format!("round {round}")).await;
    }
    assert_eq!(versions(&store).await, (vec![9, 10, 11], vec![9, 10, 11]));
}
