//! Tests that the vacuum also deletes ledgers that no version names any longer, and no others.

use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;
use tokenlake::clock::{Clock as _, DAY, HOUR, SystemClock};

use super::{slow_once, until};
use crate::stores::AgedStore;
use crate::support::event::{Event, NOON, events};
use crate::support::lake::{Lake, verify};
use crate::support::store::{memory, paths, write};

const HOURS: u64 = 3_600;
/// Of a ledger: sums, start times, and the mark.
const OBJECTS: usize = 3;
const ORPHAN: &str = "ledger/2026-02-20-0123abcd.parquet";

/// Events of 40, 20 and 0 days ago.
async fn three_dates() -> (Arc<dyn ObjectStore>, Lake) {
    let store = memory();
    let app = Lake::open(&store).await;
    app.sent(&[40, 20].map(|days| Event::new(days).at(NOON - days * DAY))).await;
    app.sent(&events(["now"])).await;
    (store, app)
}

/// Deletes what is older than an hour, where listings show all to be older by so many hours.
async fn vacuum(store: &Arc<dyn ObjectStore>, hours: u64) -> usize {
    let aged: Arc<dyn ObjectStore> =
        AgedStore::new(store.clone(), Duration::from_secs(hours * HOURS));
    let app = Lake::open(&aged).await;
    app.clock.set(SystemClock.now());
    let archive = app.app.archive();
    let stale = archive.stale_files(Duration::from_secs(HOURS)).await.unwrap();
    let stale_paths: Vec<_> = stale.paths().map(str::to_owned).collect();
    let deleted = archive.vacuum(stale).await.unwrap();
    assert_eq!(deleted, stale_paths.len(), "{stale_paths:?}");
    deleted
}

async fn ledgers(store: &Arc<dyn ObjectStore>) -> Vec<String> {
    paths(store, "ledger").await
}

async fn assert_sound(store: &Arc<dyn ObjectStore>) {
    assert_eq!(verify(store).await.differences, [""; 0]);
    assert_eq!(Lake::open(store).await.requests().await, 3);
}

#[tokio::test]
async fn a_ledger_goes_once_another_has_been_named_for_the_grace() {
    let (store, app) = three_dates().await;
    app.expire(30).await.unwrap();
    let first = ledgers(&store).await;
    app.expire(10).await.unwrap();
    let both = ledgers(&store).await;
    assert_eq!((first.len(), both.len()), (OBJECTS, 2 * OBJECTS));
    // The second one may have been named a moment ago only.
    vacuum(&store, 1).await;
    assert_eq!(ledgers(&store).await, both);
    let deleted = vacuum(&store, 2).await;
    let left: Vec<_> = both.into_iter().filter(|path| !first.contains(path)).collect();
    assert_eq!((deleted, ledgers(&store).await), (OBJECTS, left));
    assert_sound(&store).await;
    assert_eq!(vacuum(&store, 100).await, 0);
}

#[tokio::test]
async fn a_ledger_that_no_commit_named_goes_after_the_grace() {
    let (store, app) = three_dates().await;
    app.expire(30).await.unwrap();
    let named = ledgers(&store).await;
    // An expiry that died before its commit.
    let stranger = "ledger/notes.txt";
    for path in [ORPHAN, stranger] {
        write(&store, path, b"x".to_vec()).await;
    }
    vacuum(&store, 0).await;
    assert_eq!(ledgers(&store).await.len(), OBJECTS + 2);
    vacuum(&store, 1).await;
    let left = ledgers(&store).await;
    assert_eq!(left, [named.as_slice(), &[stranger.to_owned()]].concat());
    assert_sound(&store).await;
}

#[tokio::test]
async fn a_mark_that_does_not_say_what_was_before_it_keeps_all() {
    let (store, app) = three_dates().await;
    app.expire(30).await.unwrap();
    app.expire(10).await.unwrap();
    let both = ledgers(&store).await;
    // The first one's mark is damaged, and may have said which one was before it.
    let first = both.iter().find(|path| path.ends_with(".json")).unwrap();
    write(&store, first, b"{}".to_vec()).await;
    write(&store, ORPHAN, b"x".to_vec()).await;
    vacuum(&store, 1).await;
    let left = ledgers(&store).await;
    assert!(both.iter().all(|path| left.contains(path)), "{left:?}");
    assert_eq!(left.len(), both.len() + 1);
    assert_sound(&store).await;
}

/// An expiry stands still between its ledger and its entry, for longer than any ledger is safe.
#[tokio::test]
async fn an_expiry_that_stood_still_does_not_name_a_ledger_that_may_be_gone() {
    for (pause, ledgers_left) in [(HOUR / 2, 2 * OBJECTS), (HOUR / 8, OBJECTS)] {
        let (inner, other) = three_dates().await;
        let (slow, met) = slow_once(&inner);
        let expirer = Lake::open(&slow).await;
        let (expiry, ()) = tokio::join!(expirer.expire(30), async {
            until(&met).await;
            assert_eq!(ledgers(&inner).await.len(), OBJECTS, "its ledger is put");
            other.sent(&events(["more"])).await;
            expirer.clock.set(NOON + pause);
        });
        assert_eq!(expiry.unwrap().events, 1);
        assert_eq!(ledgers(&inner).await.len(), ledgers_left, "{pause}");
        assert_eq!(verify(&inner).await.differences, [""; 0]);
        vacuum(&inner, 2).await;
        assert_eq!(ledgers(&inner).await.len(), OBJECTS, "{pause}");
        assert_eq!(Lake::open(&inner).await.requests().await, 4);
    }
}
