//! Tests of compactors that race with each other, with writers, and with removers of files.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use object_store::ObjectStore;
use tokenlake::clock::{HOUR, SECOND};

use super::{compact, compactor, live_files, slow_once, until, vacuum};
use crate::support::event::{ACME, NOON, events, requests};
use crate::support::foreign;
use crate::support::lake::{Lake, verified};
use crate::support::store::{data_files, memory};

/// An app that has put so many files into `store`.
pub async fn filled(store: &Arc<dyn ObjectStore>, count: u64) -> Lake {
    let app = Lake::open(store).await;
    for id in 0..count {
        assert_eq!(app.sent(&events([id])).await, (1, 0));
    }
    app
}

pub async fn files(count: u64) -> Arc<dyn ObjectStore> {
    let store = memory();
    filled(&store, count).await;
    store
}

#[tokio::test]
async fn of_two_compactors_one_gives_up() {
    let inner = files(12).await;
    let (slow, met) = slow_once(&inner);
    let (late, early) = (Lake::open(&slow).await, Lake::open(&inner).await);
    let before = early.scrape(ACME).await;
    let (lost, won) = tokio::join!(compact(&late), async {
        until(&met).await;
        compact(&early).await
    });
    assert_eq!((lost, won), (0, 1));
    assert_eq!(late.telemetry("tokenlake_rewrites_given_up_total"), 1);
    assert_eq!(late.scrape(ACME).await, before);
    assert_eq!((live_files(&inner).await, verified(&inner).await), (1, 12));
    // What the one that lost has written is an orphan.
    assert_eq!(vacuum(&late).await, 13);
    assert_eq!(data_files(&inner).await.len(), 1);
}

#[tokio::test]
async fn a_writer_that_was_first_does_not_undo_a_rewrite() {
    let inner = files(12).await;
    let (slow, met) = slow_once(&inner);
    let (late, early) = (Lake::open(&slow).await, Lake::open(&inner).await);
    let (rewrites, sent) = tokio::join!(compact(&late), async {
        until(&met).await;
        early.sent(&events(10..14)).await
    });
    assert_eq!((rewrites, sent), (1, (2, 2)));
    assert_eq!(late.telemetry("tokenlake_commit_conflicts_total"), 1);
    assert_eq!((live_files(&inner).await, verified(&inner).await), (2, 14));
    assert_eq!(early.requests().await, 14);
}

#[tokio::test]
async fn a_writer_that_lost_to_a_rewrite_finds_its_ids_and_is_right() {
    let inner = files(12).await;
    let (slow, met) = slow_once(&inner);
    let (late, early) = (Lake::open(&slow).await, Lake::open(&inner).await);
    let (sent, rewrites) = tokio::join!(
        async {
            // Ids of the date are in memory before the race.
            late.sent(&events(8..14)).await
        },
        async {
            until(&met).await;
            let rewrites = compact(&early).await;
            vacuum(&early).await;
            // The file of the one that waits is gone too; for it, the grace has passed.
            late.clock.set(NOON + HOUR);
            rewrites
        }
    );
    assert_eq!((sent, rewrites), ((2, 4), 1));
    assert_eq!(late.sent(&events(0..15)).await, (1, 14));
    assert_eq!((late.requests().await, verified(&inner).await), (15, 15));
}

#[tokio::test]
async fn a_rewrite_whose_input_is_gone_is_given_up() {
    let inner = files(12).await;
    let app = Lake::open(&inner).await;
    let snapshot = app.app.archive().current();
    let inputs: Vec<_> = snapshot.files().cloned().collect();
    for file in foreign::rewrite(&inner).await {
        object_store::ObjectStoreExt::delete(&inner, &file.place().as_str().into()).await.unwrap();
    }
    let before = data_files(&inner).await;
    assert_eq!(app.app.archive().rewrite(&inputs).await.unwrap(), None);
    assert_eq!(data_files(&inner).await, before);
    assert_eq!(app.requests().await, 12);
    assert_eq!(verified(&inner).await, 12);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn beside_writers_and_vacuums_every_event_is_there_once() {
    const EACH: u64 = 150;
    let store = memory();
    let apps = [Lake::open(&store).await, Lake::open(&store).await];
    let done = AtomicBool::new(false);
    let write = async |writer: usize| {
        let mut least = 0;
        for id in 0..EACH {
            // Each event goes to both.
            let receipt = apps[writer].sent(&events([id])).await;
            assert_eq!(receipt.0 + receipt.1, 1);
            let shown = requests(&apps[writer].scrape(ACME).await);
            assert!(shown > id && shown >= least, "a counter fell to {shown} from {least}");
            least = shown;
        }
    };
    let look_after = async |compacting: usize| {
        let mut compactor = compactor(&apps[compacting]);
        let mut rewrites = 0;
        while !done.load(Ordering::SeqCst) {
            rewrites += compactor.compact(0, drop).await.unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        rewrites
    };
    let ((), first, second) = tokio::join!(
        async {
            tokio::join!(write(0), write(1));
            done.store(true, Ordering::SeqCst);
        },
        look_after(0),
        look_after(1),
    );
    assert!(first + second > 3, "{first} and {second} rewrites");
    compact(&apps[0]).await;
    assert!(live_files(&store).await < 16);
    assert_eq!((apps[0].requests().await, apps[1].requests().await), (EACH, EACH));
    assert_eq!(verified(&store).await, EACH);
    vacuum(&apps[1]).await;
    assert_eq!(data_files(&store).await.len(), live_files(&store).await);
    assert_eq!(Lake::open(&store).await.sent(&events(0..EACH)).await, (0, EACH as usize));
}

#[tokio::test]
async fn in_one_process_a_rewrite_and_a_commit_do_not_race() {
    let store = files(40).await;
    let app = Lake::open(&store).await;
    let (rewrites, sent) = tokio::join!(compact(&app), async {
        let mut sent = 0;
        for id in 100..130 {
            sent += app.sent(&events([id])).await.0;
        }
        sent
    });
    assert!(rewrites >= 1);
    assert_eq!((sent, app.telemetry("tokenlake_commit_conflicts_total")), (30, 0));
    assert_eq!(app.requests().await, 70);
}

#[tokio::test]
async fn a_server_compacts_by_itself_and_stops_when_told() {
    let store = files(20).await;
    let mut settings = crate::support::lake::settings();
    let how = tokenlake::maintain::compact::CompactSettings {
        target_bytes: 1 << 20,
        grace: super::NO_GRACE,
    };
    settings.compact = Some((how, Duration::from_millis(10)));
    let app = Lake::try_open(&store, settings).await.unwrap();
    for _ in 0..200 {
        if app.app.archive().current().file_count() == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(app.app.archive().current().file_count(), 1);
    app.clock.set(NOON + SECOND);
    app.app.close().await;
    let after = Lake::open(&store).await;
    for id in 100..120 {
        after.sent(&events([id])).await;
    }
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert_eq!(live_files(&store).await, 21, "it went on after its end");
}
