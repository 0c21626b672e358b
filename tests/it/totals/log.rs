//! Tests of a totals snapshot and the log after it: a newer checkpoint of the log, entries that
//! were cleaned away, files that moved, events that another program deleted.

use std::sync::Arc;

use object_store::{ObjectStore, ObjectStoreExt as _};
use tokenlake::app::AppSettings;
use tokenlake::archive::WriterSettings;

use crate::stores::CountingStore;
use crate::support::event::NOON;
use crate::support::foreign::{commit, live, rewrite};
use crate::support::lake::{Lake, settings};
use crate::support::store::{log_entry, memory};
use crate::support::table::{log_checkpoint, until_checkpoint};
use crate::support::totals::{
    ORGS, assert_like_full, assert_same, cold, delete, full, send, versions,
};

/// A process that makes a checkpoint of the log at version 4.
async fn with_log_checkpoints(store: &Arc<dyn ObjectStore>) -> Lake {
    let writer = WriterSettings { checkpoint_every: 4, ..WriterSettings::default() };
    Lake::try_open(store, AppSettings { writer, ..settings() }).await.unwrap()
}

/// An archive at version 6 with a checkpoint of totals of version 2 and one of the log of 4.
async fn newer_log_checkpoint() -> Arc<dyn ObjectStore> {
    let store = memory();
    let app = with_log_checkpoints(&store).await;
    send(&app, 0..2).await;
    app.snapshot_totals().await;
    send(&app, 2..4).await;
    until_checkpoint(&store, 4).await;
    send(&app, 4..6).await;
    store
}

/// What a cold process reads to show all organisations, which must be what a full build shows.
async fn reads(store: &Arc<dyn ObjectStore>, context: &str) -> Vec<String> {
    let counting = CountingStore::new(store.clone());
    let shown = cold(&(counting.clone() as Arc<dyn ObjectStore>), NOON).await;
    assert_same(&shown, &full(store, NOON).await, context);
    counting.take().into_iter().map(|op| op.path.to_string()).collect()
}

/// True if cells of a checkpoint of totals are among them, and not its footer alone.
fn has_cells(reads: &[String]) -> bool {
    let cells = |path: &&String| path.starts_with("checkpoints/") && path.ends_with(".parquet");
    reads.iter().filter(cells).count() > 1
}

#[tokio::test]
async fn what_came_before_the_logs_checkpoint_is_read_from_its_entries() {
    let store = newer_log_checkpoint().await;
    let reads = reads(&store, "opened from version 4").await;
    assert!(has_cells(&reads));
    for version in [3, 4] {
        assert!(reads.contains(&log_entry(version)), "{version}");
    }
    assert!(!reads.contains(&log_entry(1)));
    // The next one is made from both.
    let app = Lake::open(&store).await;
    app.snapshot_totals().await;
    assert_eq!(versions(&store).await.0, [2, 6]);
    assert_like_full(&store, "the next").await;
}

#[tokio::test]
async fn a_log_whose_old_entries_are_gone_changes_no_byte() {
    for (gone, serves) in
        [(vec![0, 1], true), (vec![0, 1, 2], false), (vec![3], false), (vec![0, 1, 2, 3], false)]
    {
        let store = newer_log_checkpoint().await;
        for version in &gone {
            delete(&store, &log_entry(*version)).await;
        }
        let context = format!("without {gone:?}");
        assert_eq!(has_cells(&reads(&store, &context).await), serves, "{context}");
        Lake::open(&store).await.snapshot_totals().await;
        assert!(has_cells(&reads(&store, &context).await), "{context}, and a new one");
    }
}

#[tokio::test]
async fn files_that_moved_after_a_checkpoint_count_once() {
    let store = newer_log_checkpoint().await;
    let old = rewrite(&store).await;
    let expected = full(&store, NOON).await;
    assert!(has_cells(&reads(&store, "moved").await));
    let running = Lake::open(&store).await;
    assert_eq!(running.body(ORGS[0]).await, expected[0]);
    for file in &old {
        delete(&store, &file.place()).await;
    }
    // Some of those that came since the checkpoint are gone, and live on in others.
    reads(&store, "moved and gone").await;
    for (org, expected) in ORGS.iter().zip(&expected) {
        assert_eq!(running.body(org).await, *expected);
    }
    Lake::open(&store).await.snapshot_totals().await;
    assert!(has_cells(&reads(&store, "moved and gone, and a new one").await));
}

#[tokio::test]
async fn what_moved_before_the_logs_checkpoint_counts_once() {
    let store = memory();
    let app = with_log_checkpoints(&store).await;
    send(&app, 0..2).await;
    app.snapshot_totals().await;
    rewrite(&store).await;
    send(&app, 2..3).await;
    until_checkpoint(&store, 4).await;
    let reads = reads(&store, "moved with version 3").await;
    assert!(has_cells(&reads) && reads.contains(&log_entry(3)));
}

#[tokio::test]
async fn events_that_another_program_deleted_are_missed_also_behind_a_checkpoint() {
    let store = memory();
    let app = Lake::open(&store).await;
    send(&app, 0..2).await;
    app.snapshot_totals().await;
    send(&app, 2..3).await;
    let (_, files) = live(&store).await;
    commit(&store, &[files[0].remove(true)]).await;
    // One who starts at a checkpoint after that entry never sees it, but misses the events.
    log_checkpoint(&store, 4).await.unwrap();
    for _ in 0..2 {
        let error = Lake::try_open(&store, settings()).await.unwrap_err().to_string();
        assert!(error.contains(&format!("{:020}", 4)) && error.contains("repair"), "{error}");
        // Nor does it help where the log says no more.
        for version in 0..=3 {
            drop(store.delete(&log_entry(version).as_str().into()).await);
        }
    }
}
