//! Tests of processes that see a repair later than others.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use object_store::ObjectStoreExt as _;
use tokenlake::maintain::Way;

use super::{repaired, three_files};
use crate::support::event::{ACME, events};
use crate::support::foreign::{commit, copy, live};
use crate::support::foreign_files::{append, rows, with_column};
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

/// What is in a file that a repair takes out is no duplicate: not before it, and not after it.
#[tokio::test]
async fn an_event_that_stands_in_a_refused_file_alone_is_not_acknowledged() {
    for knows_before in [false, true] {
        let store = three_files().await;
        let warm = Lake::open(&store).await;
        if knows_before {
            assert_eq!(warm.sent(&events(["14"])).await, (0, 1));
        }
        let negative: ArrayRef = Arc::new(Int64Array::from(vec![-5, 5]));
        let broken = with_column(&rows(ACME, &events(["w1", "w2"])), "input_tokens", &negative);
        append(&store, "broken", &broken).await;
        warm.try_scrape(ACME).await.unwrap_err();
        for app in [&warm, &Lake::open(&store).await] {
            let error = app.send(ACME, &events(["w2", "14"])).await.unwrap_err().to_string();
            assert!(error.contains("tokenlake repair") && error.contains("broken"), "{error}");
        }
        // Others are taken as ever.
        assert_eq!(warm.sent(&events(["14", "v"])).await, (1, 1));
        repaired(&store, Way::Undo).await;
        assert_eq!(warm.sent(&events(["w2"])).await, (1, 0), "{knows_before}");
        assert_eq!(Lake::open(&store).await.sent(&events(["w2", "w1"])).await, (1, 1));
        assert_eq!((warm.requests().await, verified(&store).await), (21, 21));
    }
}

/// A server that knew ids of events forgets them with their events.
#[tokio::test]
async fn what_a_repair_left_out_is_new_to_servers_that_knew_it() {
    for looks in [false, true] {
        let store = three_files().await;
        let warm = Lake::open(&store).await;
        assert_eq!(warm.sent(&events(["14", "9"])).await, (0, 2));
        let file = live(&store).await.1.into_iter().find(|file| file.rows == 5).unwrap();
        commit(&store, &[file.remove(true)]).await;
        repaired(&store, Way::Accept).await;
        if looks {
            warm.requests().await;
        }
        assert_eq!(warm.sent(&events(["14", "9"])).await, (1, 1), "{looks}");
        assert_eq!(warm.sent(&events(["13"])).await, (1, 0), "{looks}");
        assert_eq!(Lake::open(&store).await.sent(&events(["13", "12"])).await, (1, 1), "{looks}");
        verified(&store).await;
    }
}
