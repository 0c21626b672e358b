//! Tests that a process which has not followed for long does not treat "no such entry" as "nothing
//! new".

use std::sync::Arc;

use object_store::{ObjectStore, ObjectStoreExt as _};
use tokenlake::clock::{HOUR, SECOND};
use tokenlake::error::Kind;

use crate::support::event::{NOON, events};
use crate::support::lake::{Lake, verified};
use crate::support::store::{log_entry, memory, paths};
use crate::support::table::long_table;

/// Archives at version 3 as one process last saw it, and at 104 as it is, with the old entries
/// cleaned away.
async fn left_behind() -> (Lake, Arc<dyn ObjectStore>) {
    let store = memory();
    long_table(&store, 3).await;
    let stale = Lake::open(&store).await;
    assert_eq!(stale.requests().await, 3);
    long_table(&store, 104).await;
    for version in 0..100 {
        store.delete(&log_entry(version).as_str().into()).await.unwrap();
    }
    (stale, store)
}

#[tokio::test]
async fn a_scrape_after_more_than_an_hour_opens_the_table_anew() {
    let (stale, store) = left_behind().await;
    stale.clock.set(NOON + HOUR + SECOND);
    assert_eq!(stale.requests().await, 104);
    // From here it follows again.
    Lake::open(&store).await.sent(&events(["new"])).await;
    assert_eq!(stale.requests().await, 105);
}

#[tokio::test]
async fn a_commit_after_more_than_an_hour_goes_to_the_end_of_the_log() {
    let (stale, store) = left_behind().await;
    stale.clock.set(NOON + HOUR + SECOND);
    assert_eq!(stale.sent(&events(90..105)).await, (1, 14));
    let entries = paths(&store, "events/_delta_log").await;
    assert!(!entries.contains(&log_entry(4)), "{entries:?}");
    assert!(entries.contains(&log_entry(105)), "{entries:?}");
    assert_eq!(stale.requests().await, 105);
    assert_eq!(verified(&store).await, 105);
}

#[tokio::test]
async fn events_that_stand_in_files_from_before_the_gap_are_known() {
    let (stale, store) = left_behind().await;
    let before = paths(&store, "events").await;
    stale.clock.set(NOON + 2 * HOUR);
    assert_eq!(stale.sent(&events(0..104)).await, (0, 104));
    assert_eq!(paths(&store, "events").await, before, "nothing is written for duplicates");
}

#[tokio::test]
async fn a_log_that_went_back_or_is_another_one_is_refused() {
    for entries_left in [0, 50] {
        let store = memory();
        long_table(&store, 60).await;
        let stale = Lake::open(&store).await;
        for version in entries_left..=60 {
            store.delete(&log_entry(version).as_str().into()).await.unwrap();
        }
        stale.clock.set(NOON + HOUR + SECOND);
        let refused = stale.try_scrape("acme").await.unwrap_err();
        assert!(matches!(refused.kind(), Kind::Corrupt | Kind::Unavailable), "{refused}");
        let before = paths(&store, "events/_delta_log").await;
        stale.send("acme", &events(["new"])).await.unwrap_err();
        assert_eq!(paths(&store, "events/_delta_log").await, before, "nothing is put over it");
    }
}
