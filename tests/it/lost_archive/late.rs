//! Tests of late effects on a replaced archive: an entry of a retried put that arrives there, and a
//! process that opens its archive again after a long pause.

use std::sync::Arc;

use object_store::ObjectStore;
use tokenlake::clock::DAY;

use super::{Between, LOOKS, does_nothing, is_away, switched};
use crate::compact::compact;
use crate::stores::{Switch, SwitchedStore, SwitchingStore, copy_of};
use crate::support::event::{ACME, NOON, events};
use crate::support::foreign::{commit, live};
use crate::support::lake::{Lake, verified};
use crate::support::store::{log_entry, memory, paths, read, write};
use crate::support::table::{clean_log, log_checkpoint};

#[tokio::test]
async fn an_entry_that_comes_late_to_another_place_does_not_make_it_the_archive() {
    let (app, store, right) = switched().await;
    let wrong = memory();
    let entry = log_entry(2);
    write(&wrong, &entry, read(&right, &entry).await).await;
    store.switch(&wrong);
    does_nothing(&app, &wrong).await;
    store.switch(&right);
    assert_eq!(app.requests().await, 5);
}

#[tokio::test]
async fn an_entry_that_comes_late_does_not_do_so_either_for_who_opened_the_archive_at_it() {
    let right = memory();
    Lake::open(&right).await.sent(&events(0..3)).await;
    let older = copy_of(&right).await;
    let other = Lake::open(&right).await;
    other.sent(&events(3..5)).await;
    other.sent(&events(5..7)).await;
    let entry = log_entry(3);
    for wrong in [memory(), older] {
        let store = SwitchedStore::new(right.clone());
        let app = Lake::open(&(store.clone() as Arc<dyn ObjectStore>)).await;
        assert_eq!(app.requests().await, 7);
        write(&wrong, &entry, read(&right, &entry).await).await;
        store.switch(&wrong);
        does_nothing(&app, &wrong).await;
        store.switch(&right);
        assert_eq!(app.requests().await, 7);
    }
}

#[tokio::test]
async fn an_entry_that_comes_late_does_not_do_so_either_after_several_that_were_followed_at_once() {
    let right = memory();
    let store = SwitchedStore::new(right.clone());
    let app = Lake::open(&(store.clone() as Arc<dyn ObjectStore>)).await;
    app.sent(&events(0..3)).await;
    let older = copy_of(&right).await;
    let other = Lake::open(&right).await;
    other.sent(&events(3..5)).await;
    other.sent(&events(5..7)).await;
    assert_eq!(app.requests().await, 7);
    // The store is asked about the newest entry once nothing is new.
    assert_eq!(app.requests().await, 7);
    // The entry by which the archive was known before is in the copy, the one between is not.
    let entry = log_entry(3);
    write(&older, &entry, read(&right, &entry).await).await;
    store.switch(&older);
    does_nothing(&app, &older).await;
    store.switch(&right);
    assert_eq!(app.requests().await, 7);
}

#[tokio::test]
async fn an_entry_alone_does_not_make_a_place_the_archive_for_who_opens_it_anew() {
    let it = Between::new().await;
    Lake::open(&it.right).await.sent(&events(3..5)).await;
    let further = copy_of(&it.right).await;
    Lake::open(&further).await.sent(&events(5..9)).await;
    let entry = log_entry(3);
    write(&it.empty, &entry, read(&further, &entry).await).await;
    it.app.clock.set(NOON + DAY);
    it.store.switch_at([it.away(LOOKS, &entry)]);
    is_away("a scrape", it.app.try_scrape(ACME).await);
    it.store.switch(&it.right);
    assert_eq!(it.app.requests().await, 5);
    assert_eq!(verified(&it.right).await, 5);
}

#[tokio::test]
async fn what_was_opened_anew_elsewhere_is_not_the_archive_that_has_come_back() {
    let right = memory();
    drop(Lake::open(&right).await);
    let wrong = copy_of(&right).await;
    let other = Lake::open(&wrong).await;
    other.sent(&events(10..12)).await;
    other.sent(&events(12..14)).await;
    let store = SwitchingStore::switching(SwitchedStore::new(right.clone()));
    let app = Lake::open(&(store.clone() as Arc<dyn ObjectStore>)).await;
    app.sent(&events(0..3)).await;
    app.clock.set(NOON + DAY);
    store.switch(&wrong);
    // It is read as what it is there first, and then to see whether it is the one that is known.
    let entry = [&wrong, &right].map(|to| {
        let (path, to) = (log_entry(1), to.clone());
        Switch { verbs: LOOKS, path, to, later: None }
    });
    store.switch_at(entry);
    is_away("a scrape", app.try_scrape(ACME).await);
    assert_eq!(app.requests().await, 3);
    assert_eq!(app.sent(&events(0..4)).await, (1, 3));
}

#[tokio::test]
async fn an_entry_of_another_copy_before_one_that_names_none_is_not_followed() {
    let right = memory();
    let store = SwitchingStore::switching(SwitchedStore::new(right.clone()));
    let app = Lake::open(&(store.clone() as Arc<dyn ObjectStore>)).await;
    app.sent(&events(0..3)).await;
    let wrong = copy_of(&right).await;
    Lake::open(&wrong).await.sent(&events(3..9)).await;
    // Another program names no entry before its own.
    for _ in 2..4 {
        commit(&right, &[]).await;
    }
    let entry = |version, to: &Arc<dyn ObjectStore>, later| {
        let (path, to) = (log_entry(version), to.clone());
        Switch { verbs: LOOKS, path, to, later }
    };
    store.switch_at([entry(2, &wrong, None), entry(3, &right, Some(app.clock.clone()))]);
    is_away("a scrape", app.try_scrape(ACME).await);
    assert_eq!(app.requests().await, 3);
    assert_eq!(app.sent(&events(2..5)).await, (2, 1));
    assert_eq!(verified(&right).await, 5);
}

/// What another program does after its checkpoint of the log, at once.
async fn checkpoint_and_clean(store: &Arc<dyn ObjectStore>) {
    let version = live(store).await.0;
    log_checkpoint(store, version).await.unwrap();
    clean_log(store, version).await;
}

#[tokio::test]
async fn a_log_that_was_cleaned_past_a_server_is_the_same_log() {
    for compacts in [false, true] {
        let (app, _, right) = switched().await;
        let other = Lake::open(&right).await;
        other.sent(&events(5..7)).await;
        if compacts {
            compact(&other).await;
        }
        checkpoint_and_clean(&right).await;
        assert_eq!(app.requests().await, 7, "{compacts}");
        app.app.ready().await.unwrap();
        assert_eq!(app.sent(&events(5..8)).await, (1, 2), "{compacts}");
        assert_eq!(Lake::open(&right).await.requests().await, 8, "{compacts}");
        assert_eq!(verified(&right).await, 8, "{compacts}");
    }
}

#[tokio::test]
async fn an_older_copy_that_was_cleaned_past_a_server_is_not_the_archive() {
    let (app, store, right) = switched().await;
    let backup = copy_of(&right).await;
    app.sent(&events(5..7)).await;
    let other = Lake::open(&backup).await;
    for id in 20..24 {
        other.sent(&events([id])).await;
    }
    checkpoint_and_clean(&backup).await;
    store.switch(&backup);
    is_away("a scrape", app.try_scrape(ACME).await);
    is_away("events", app.send(ACME, &events(["new"])).await);
    is_away("readiness", app.app.ready().await);
    store.switch(&right);
    assert_eq!(app.requests().await, 7);
    assert_eq!(verified(&right).await, 7);
}

#[tokio::test]
async fn a_checkpoint_that_comes_late_to_an_older_copy_does_not_make_it_the_archive() {
    let (app, store, right) = switched().await;
    let older = copy_of(&right).await;
    app.sent(&events(5..7)).await;
    log_checkpoint(&right, live(&right).await.0).await.unwrap();
    let log = paths(&right, "events/_delta_log").await;
    for path in log.iter().filter(|path| path.contains("checkpoint")) {
        write(&older, path, read(&right, path).await).await;
    }
    store.switch(&older);
    does_nothing(&app, &older).await;
    store.switch(&right);
    assert_eq!(app.requests().await, 7);
}
