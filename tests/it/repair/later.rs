//! Tests of processes that see a repair later than others.

use object_store::ObjectStoreExt as _;
use tokenlake::maintain::Way;

use super::{repaired, three_files};
use crate::support::event::events;
use crate::support::foreign::{commit, copy, live};
use crate::support::lake::{Lake, verified};

#[tokio::test]
async fn a_writer_that_loses_its_race_to_a_commit_that_was_repaired_goes_on() {
    let store = three_files().await;
    let late = Lake::open(&store).await;
    let files = live(&store).await.1;
    commit(&store, &[files[1].remove(true)]).await;
    repaired(&store, Way::Undo).await;
    assert_eq!(late.sent(&events(14..17)).await, (2, 1));
    assert_eq!((late.requests().await, verified(&store).await), (20, 20));
}

#[tokio::test]
async fn what_a_repair_found_good_is_good_for_who_cannot_tell_any_longer() {
    let store = three_files().await;
    let early = Lake::open(&store).await;
    let file = live(&store).await.1.remove(1);
    let other = copy(&store, &file).await;
    let mut add = other.add(false);
    add["add"].as_object_mut().unwrap().remove("stats");
    commit(&store, &[add, file.remove(false)]).await;
    let files = live(&store).await.1;
    let deleted = files.iter().find(|file| file.path != other.path).unwrap();
    commit(&store, &[deleted.remove(true)]).await;
    repaired(&store, Way::Undo).await;
    // Of the file, which said nothing of its rows, nothing is left.
    let copied = copy(&store, &other).await;
    commit(&store, &[copied.add(false), other.remove(false)]).await;
    Lake::open(&store).await.sent(&events(20..22)).await;
    store.delete(&other.place().into()).await.unwrap();
    for app in [&early, &Lake::open(&store).await] {
        assert_eq!(app.requests().await, 20);
    }
    assert_eq!(verified(&store).await, 20);
}
