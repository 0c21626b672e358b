//! Tests that the vacuum deletes files that no commit names and none can name later, and nothing
//! else.

use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;
use tokenlake::clock::{Clock as _, HOUR, SystemClock};

use super::{NO_GRACE, compact, live_files, slow_once, until, vacuum};
use crate::stores::{CountingStore, Verb};
use crate::support::event::{ACME, NOON, events};
use crate::support::lake::{Lake, verified};
use crate::support::store::{data_files, log_entry, memory, paths, read, write};

async fn files(count: u64) -> (Arc<dyn ObjectStore>, Lake) {
    let store = memory();
    let app = Lake::open(&store).await;
    for id in 0..count {
        assert_eq!(app.sent(&events([id])).await, (1, 0));
    }
    // The store goes by the machine's clock.
    app.clock.set(SystemClock.now() + HOUR / 2);
    (store, app)
}

#[tokio::test]
async fn orphans_go_and_nothing_else() {
    let (store, app) = files(3).await;
    let live = data_files(&store).await;
    let orphan = "events/event_date=2026-01-02/left-by-a-crash.parquet";
    let kept = [
        "events/_delta_log/00000000000000000001.checkpoint.x.parquet",
        "events/_delta_log/notes.txt",
        "events/event_date=2026-01-02/notes.txt",
        "access/keys/a.parquet",
    ];
    for path in kept.iter().chain([&orphan]) {
        write(&store, path, b"x".to_vec()).await;
    }
    let version = app.app.archive().current().version();
    assert_eq!(vacuum(&app).await, 1);
    let all = paths(&store, "").await;
    assert!(!all.iter().any(|path| path == orphan));
    for path in kept.iter().copied().chain(live.iter().map(String::as_str)) {
        assert!(all.iter().any(|found| found == path), "{path} is gone");
    }
    let fence = String::from_utf8(read(&store, &log_entry(version + 1)).await).unwrap();
    let of_files = |line: &str| line.contains("\"add\"") || line.contains("\"remove\"");
    assert!(!fence.lines().any(of_files), "the fence is empty: {fence}");
    assert!(fence.contains("VACUUM"), "{fence}");
    // With nothing to delete there is no fence.
    assert_eq!(vacuum(&app).await, 0);
    assert_eq!(app.app.archive().newest().await.unwrap().version(), version + 1);
    for path in kept {
        object_store::ObjectStoreExt::delete(&store, &path.into()).await.unwrap();
    }
    assert_eq!(verified(&store).await, 3);
}

#[tokio::test]
async fn the_fence_comes_before_the_deletes() {
    let (inner, _) = files(9).await;
    let counting = CountingStore::new(inner.clone());
    let store: Arc<dyn ObjectStore> = counting.clone();
    let app = Lake::open(&store).await;
    compact(&app).await;
    counting.take();
    assert_eq!(vacuum(&app).await, 9);
    let ops = counting.take();
    let at = |found: &dyn Fn(&crate::stores::Op) -> bool| ops.iter().position(found).unwrap();
    let fence = at(&|op| op.verb == Verb::Put && op.path.as_ref().contains("_delta_log"));
    assert!(fence < at(&|op| op.verb == Verb::Delete));
    let deletes = ops.iter().filter(|op| op.verb == Verb::Delete);
    assert!(deletes.into_iter().all(|op| op.path.as_ref().starts_with("events/event_date=")));
}

#[tokio::test]
async fn what_is_younger_than_the_grace_stays() {
    let (store, app) = files(9).await;
    compact(&app).await;
    let hours = |hours: u64| Duration::from_secs(hours * 3_600);
    let archive = app.app.archive();
    assert!(archive.stale_files(hours(1)).await.unwrap().is_empty());
    // The clock of this process runs ahead: its fence shows by the store's clock that it does.
    app.clock.set(SystemClock.now() + 5 * HOUR);
    let stale = archive.stale_files(hours(1)).await.unwrap();
    assert_eq!(stale.len(), 9);
    assert_eq!(archive.vacuum(stale).await.unwrap(), 0);
    assert_eq!(data_files(&store).await.len(), 10);
}

/// Old files that were removed just now may be read by those who are at an older version.
#[tokio::test]
async fn what_was_removed_within_the_grace_stays_however_old_it_is() {
    let (store, app) = files(9).await;
    app.clock.set(SystemClock.now() + 5 * HOUR);
    compact(&app).await;
    app.clock.set(SystemClock.now() + 5 * HOUR + HOUR / 2);
    let hour = Duration::from_secs(3_600);
    assert!(app.app.archive().stale_files(hour).await.unwrap().is_empty());
    app.clock.set(SystemClock.now() + 7 * HOUR);
    assert_eq!(app.app.archive().stale_files(hour).await.unwrap().len(), 9);
    assert_eq!(data_files(&store).await.len(), 10);
}

/// A writer stops between its data file and its entry, across a fence and the deletes.
#[tokio::test]
async fn a_writer_that_stood_still_does_not_commit_a_file_that_is_gone() {
    let (inner, other) = files(2).await;
    let (slow, met) = slow_once(&inner);
    let writer = Lake::open(&slow).await;
    let batch = events(10..13);
    let (sent, deleted) = tokio::join!(writer.sent(&batch), async {
        until(&met).await;
        assert_eq!(data_files(&inner).await.len(), 3, "its file is put");
        let deleted = vacuum(&other).await;
        // For the writer, a clock that counts sleep has gone on.
        writer.clock.set(NOON + 2 * HOUR);
        deleted
    });
    assert_eq!((sent, deleted), ((3, 0), 1));
    assert_eq!(writer.telemetry("tokenlake_commit_conflicts_total"), 1);
    assert_eq!(verified(&inner).await, 5);
    assert_eq!(Lake::open(&inner).await.requests().await, 5);
    assert_eq!(live_files(&inner).await, data_files(&inner).await.len());
}

/// An organisation that was last added up long ago, a cold one, and one that starts from an older
/// checkpoint of totals need files that are gone.
#[tokio::test]
async fn whoever_is_behind_finds_their_way_when_files_are_gone() {
    let store = memory();
    let app = Lake::open(&store).await;
    app.sent(&events(0..5)).await;
    let (behind, writer_behind) = (Lake::open(&store).await, Lake::open(&store).await);
    assert_eq!(behind.requests().await, 5);
    app.snapshot_totals().await;
    for id in 5..25_u64 {
        app.sent(&events([id])).await;
    }
    app.clock.set(SystemClock.now() + HOUR);
    compact(&app).await;
    // Not by the compactor's own vacuum, which makes a checkpoint of totals first.
    let archive = app.app.archive();
    let stale = archive.stale_files(NO_GRACE).await.unwrap();
    assert!(archive.vacuum(stale).await.unwrap() >= 20);
    assert_eq!(behind.requests().await, 25);
    assert_eq!(Lake::open(&store).await.requests().await, 25, "from the older checkpoint");
    assert_eq!(writer_behind.sent(&events(0..26)).await, (1, 25));
    assert_eq!(behind.requests().await, 26);
    // With the compactor's vacuum a cold start reads a newer checkpoint and no old file.
    for id in 30..50_u64 {
        app.sent(&events([id])).await;
    }
    compact(&app).await;
    assert!(vacuum(&app).await >= 20);
    let counting = CountingStore::new(store.clone());
    let counted: Arc<dyn ObjectStore> = counting.clone();
    let fresh = Lake::open(&counted).await;
    fresh.clock.set(app.app.now());
    counting.take();
    assert_eq!(fresh.requests().await, 46);
    let reads = counting.take();
    assert!(reads.iter().any(|op| op.path.as_ref().starts_with("checkpoints/")), "{reads:?}");
    assert_eq!(fresh.scrape(ACME).await, app.scrape(ACME).await);
}
