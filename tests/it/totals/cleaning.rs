//! Tests of how many totals snapshots are kept, and what a crash leaves of one.

use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;

use crate::stores::{Fault, FaultyStore, at_write};
use crate::support::event::NOON;
use crate::support::lake::Lake;
use crate::support::store::memory;
use crate::support::totals::{assert_like_full, assert_same, cold, copy, full, send, versions};

/// An archive with checkpoints of versions 1 to `made`, as far as they are kept.
async fn with_checkpoints(made: u64) -> Arc<dyn ObjectStore> {
    let store = memory();
    let app = Lake::open(&store).await;
    for round in 0..made {
        send(&app, round..round + 1).await;
        app.snapshot_totals().await;
    }
    store
}

#[tokio::test]
async fn the_three_newest_are_kept() {
    for (made, kept) in [(2, vec![1, 2]), (3, vec![1, 2, 3]), (6, vec![4, 5, 6])] {
        let store = with_checkpoints(made).await;
        assert_eq!(versions(&store).await, (kept.clone(), kept));
        assert_like_full(&store, "with checkpoints").await;
    }
}

#[tokio::test]
async fn an_object_without_a_mark_is_removed_when_it_is_old() {
    let store = with_checkpoints(2).await;
    send(&Lake::open(&store).await, 2..3).await;
    let dying = FaultyStore::new(store.clone(), at_write(1, Fault::CrashBefore));
    let app = Lake::open(&(dying.clone() as Arc<dyn ObjectStore>)).await;
    app.app.snapshot_totals().await.unwrap_err();
    assert!(dying.crashed());
    assert_eq!(versions(&store).await, (vec![1, 2], vec![1, 2, 3]));
    let app = Lake::open(&store).await;
    // Of the same version once more, and then of later ones.
    for (round, objects) in
        [(3, vec![1, 2, 3, 3]), (4, vec![2, 3, 3, 4]), (5, vec![3, 3, 4, 5]), (6, vec![4, 5, 6])]
    {
        app.snapshot_totals().await;
        assert_eq!(versions(&store).await.1, objects);
        send(&app, round..round + 1).await;
        assert_like_full(&store, "with checkpoints").await;
    }
}

#[tokio::test]
async fn a_crash_at_any_write_of_a_checkpoint_leaves_scrapes_right_and_the_next_one_works() {
    let before = with_checkpoints(3).await;
    send(&Lake::open(&before).await, 3..4).await;
    let expected = full(&before, NOON).await;
    let faults = [Fault::CrashBefore, Fault::CrashAfter, Fault::FailBefore, Fault::FailAfter];
    // The object, the mark, and the removal of an older object and its mark.
    for (write, fault) in (0..4).flat_map(|write| faults.map(|fault| (write, fault))) {
        let context = format!("{fault:?} at write {write}");
        let store = copy(&before).await;
        let faulty = FaultyStore::new(store.clone(), at_write(write, fault));
        let app = Lake::open(&(faulty.clone() as Arc<dyn ObjectStore>)).await;
        app.app.snapshot_totals().await.expect_err(&context);
        assert_same(&cold(&store, NOON).await, &expected, &context);
        let app = Lake::open(&store).await;
        send(&app, 4..5).await;
        app.snapshot_totals().await;
        assert_like_full(&store, &context).await;
        let (marks, objects) = versions(&store).await;
        assert_eq!((marks.len(), marks[2]), (3, 5), "{context}");
        let mut dedup = objects.clone();
        dedup.dedup();
        assert!(objects.iter().all(|object| *object >= marks[0]), "{context}: {objects:?}");
        assert!(marks.iter().all(|mark| dedup.contains(mark)), "{context}: {objects:?}");
    }
    // A fifth write there is none.
    let store = copy(&before).await;
    let faulty = FaultyStore::new(store.clone(), at_write(4, Fault::CrashBefore));
    Lake::open(&(faulty.clone() as Arc<dyn ObjectStore>)).await.snapshot_totals().await;
    assert!(!faulty.crashed());
}

#[tokio::test]
async fn a_checkpoint_that_others_have_overtaken_is_no_failure() {
    let store = memory();
    let app = Lake::open(&store).await;
    send(&app, 0..1).await;
    // Its mark comes after three newer checkpoints, with which its object was removed.
    let late = FaultyStore::new(store.clone(), at_write(1, Fault::Delay(Duration::from_secs(1))));
    let slow = Lake::open(&(late as Arc<dyn ObjectStore>)).await;
    let newer = async {
        for round in 1..4 {
            send(&app, round..round + 1).await;
            app.snapshot_totals().await;
        }
    };
    tokio::join!(slow.snapshot_totals(), newer);
    assert_eq!(versions(&store).await, (vec![1, 2, 3, 4], vec![2, 3, 4]));
    assert_like_full(&store, "overtaken").await;
}

#[tokio::test]
async fn replicas_that_make_a_checkpoint_at_once_do_each_other_no_harm() {
    let store = with_checkpoints(3).await;
    send(&Lake::open(&store).await, 3..6).await;
    let expected = full(&store, NOON).await;
    let apps = [Lake::open(&store).await, Lake::open(&store).await, Lake::open(&store).await];
    let made = futures::future::join_all(apps.iter().map(|app| app.app.snapshot_totals())).await;
    assert!(made.iter().all(Result::is_ok), "{made:?}");
    assert_eq!(versions(&store).await.0, [2, 3, 6]);
    assert_same(&cold(&store, NOON).await, &expected, "three at once");
    for app in &apps {
        assert_eq!(app.body("acme").await, expected[1]);
    }
}
