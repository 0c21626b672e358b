//! Tests of sums that are written while a copy of the archive is in its place for a moment: they are
//! not there when they are read back, which is no damage.

use std::sync::Arc;

use object_store::ObjectStore;
use tokenlake::clock::DAY;
use tokenlake::error::Kind;

use crate::stores::{Switch, SwitchedStore, SwitchingStore, Verb, copy_of};
use crate::support::event::{ACME, Event, NOON, events};
use crate::support::lake::{Lake, verified};
use crate::support::store::memory;
use crate::support::totals::{assert_like_full, marks};

/// An archive, and a process whose store a copy replaces from the first put in a folder until the
/// first read there.
async fn swapped(folder: &str) -> (Arc<dyn ObjectStore>, Lake) {
    let right = memory();
    let writer = Lake::open(&right).await;
    writer.sent(&events(0..3)).await;
    writer.send(ACME, &[Event::new("old").at(NOON - 40 * DAY)]).await.unwrap();
    let store = SwitchingStore::switching(SwitchedStore::new(right.clone()));
    let process = Lake::open(&(store.clone() as Arc<dyn ObjectStore>)).await;
    let switch = |verbs: &'static [Verb], to: &Arc<dyn ObjectStore>| Switch {
        verbs,
        path: folder.to_owned(),
        to: to.clone(),
        later: None,
    };
    let copy = copy_of(&right).await;
    let reads = &[Verb::Get, Verb::GetRanges, Verb::Head];
    store.switch_at([switch(&[Verb::Put], &copy), switch(reads, &right)]);
    (right, process)
}

#[tokio::test]
async fn a_totals_snapshot_that_went_into_a_copy_is_made_again() {
    let (right, process) = swapped("checkpoints/").await;
    process.app.snapshot_totals().await.unwrap();
    assert_eq!(marks(&right).await, [""; 0]);
    process.app.snapshot_totals().await.unwrap();
    assert_eq!(marks(&right).await.len(), 1);
    assert_like_full(&right, "made again").await;
}

#[tokio::test]
async fn nothing_expires_whose_ledger_went_into_a_copy() {
    let (right, process) = swapped("ledger/").await;
    let error = process.expire(30).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable, "{error}");
    assert_eq!(verified(&right).await, 4);
    assert_eq!(process.expire(30).await.unwrap().events, 1);
    assert_eq!(Lake::open(&right).await.requests().await, 4);
    assert_eq!(verified(&right).await, 3);
}
