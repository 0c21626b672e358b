//! Tests that a commit is judged by the entry at its version, whatever the store answered before.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use object_store::ObjectStore;
use tokenlake::app::AppSettings;
use tokenlake::archive::WriterSettings;
use tokenlake::clock::DAY;
use tokenlake::error::Kind;

use crate::stores::{Fault, FaultyStore, Op, Verb};
use crate::support::event::{ACME, NOON, events, requests};
use crate::support::lake::{Lake, settings, verified};
use crate::support::store::{data_files, log_entry, memory, paths};

const CONFLICTS: &str = "tokenlake_commit_conflicts_total";

fn is_put_of(op: &Op, version: u64) -> bool {
    op.verb == Verb::Put && op.path.as_ref() == log_entry(version)
}

fn is_of_log(op: &Op) -> bool {
    op.path.as_ref().contains("_delta_log/")
}

/// A table at version 0, and a store over it with this fault at the first `times` puts of
/// version 1.
async fn faulty(fault: Fault, times: usize) -> (Arc<dyn ObjectStore>, Arc<dyn ObjectStore>) {
    let inner = memory();
    Lake::open(&inner).await;
    let met = AtomicUsize::new(0);
    let choose = move |op: &Op| {
        let chosen = is_put_of(op, 1) && met.fetch_add(1, Ordering::SeqCst) < times;
        chosen.then_some(fault)
    };
    let store: Arc<dyn ObjectStore> = FaultyStore::new(inner.clone(), choose);
    (inner, store)
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_stands_once() {
    for fault in [Fault::FailAfter, Fault::ExistsAfter] {
        let (inner, store) = faulty(fault, 1).await;
        let app = Lake::open(&store).await;
        assert_eq!(app.sent(&events(0..3)).await, (3, 0), "{fault:?}");
        assert_eq!(app.telemetry(CONFLICTS), 0, "{fault:?}");
        assert_eq!(app.requests().await, 3, "{fault:?}");
        assert_eq!(data_files(&inner).await.len(), 1, "{fault:?}");
        assert_eq!(paths(&inner, "events/_delta_log").await, [log_entry(0), log_entry(1)]);
        assert_eq!(verified(&inner).await, 3);
    }
}

#[tokio::test]
async fn a_put_that_failed_is_put_again_at_its_version() {
    let (inner, store) = faulty(Fault::FailBefore, 3).await;
    let app = Lake::open(&store).await;
    assert_eq!(app.sent(&events(0..3)).await, (3, 0));
    assert_eq!(app.requests().await, 3);
    assert_eq!(data_files(&inner).await.len(), 1);
    assert_eq!(paths(&inner, "events/_delta_log").await, [log_entry(0), log_entry(1)]);
}

/// Storage whose log cannot be written or read, where puts have their effect or have it not.
async fn sent_while_down(put: Fault, after: (usize, usize)) {
    let inner = memory();
    Lake::open(&inner).await;
    let down = Arc::new(AtomicBool::new(false));
    let is_down = down.clone();
    let store: Arc<dyn ObjectStore> = FaultyStore::new(inner.clone(), move |op| {
        let fault = if op.is_write() { put } else { Fault::FailBefore };
        (is_down.load(Ordering::SeqCst) && op.path.as_ref() == log_entry(1)).then_some(fault)
    });
    let app = Lake::open(&store).await;
    down.store(true, Ordering::SeqCst);
    let error = app.send(ACME, &events(0..3)).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable, "{error}");
    assert!(error.to_string().contains(&log_entry(1)), "{error}");
    down.store(false, Ordering::SeqCst);
    assert_eq!(app.sent(&events(0..3)).await, after, "sent again");
    assert_eq!(app.requests().await, 3);
    assert_eq!(Lake::open(&inner).await.requests().await, 3);
    assert_eq!(verified(&inner).await, 3);
}

#[tokio::test]
async fn a_request_that_failed_counts_when_it_is_sent_again() {
    sent_while_down(Fault::FailBefore, (3, 0)).await;
}

#[tokio::test]
async fn a_request_whose_commit_stood_after_all_is_not_counted_again() {
    sent_while_down(Fault::FailAfter, (0, 3)).await;
}

#[tokio::test]
async fn one_who_loses_the_race_for_a_version_asks_again_what_is_new() {
    let (inner, slow) = faulty(Fault::Delay(Duration::from_millis(100)), 1).await;
    let (late, early) = (Lake::open(&slow).await, Lake::open(&inner).await);
    let (yesterday, today) = (events(6..9).into_iter().map(|event| event.at(NOON - DAY)), 0..4);
    let late_events: Vec<_> = events(today).into_iter().chain(yesterday).collect();
    let early_events = events(2..6);
    let (lost, won) = tokio::join!(late.sent(&late_events), async {
        tokio::time::sleep(Duration::from_millis(30)).await;
        early.sent(&early_events).await
    });
    assert_eq!(late.telemetry(CONFLICTS), 1);
    assert_eq!((won, lost), ((4, 0), (5, 2)));
    assert_eq!((early.requests().await, late.requests().await), (9, 9));
    assert_eq!(verified(&inner).await, 9);
}

#[tokio::test]
async fn one_who_brings_nothing_new_after_a_lost_race_writes_no_version() {
    let (inner, slow) = faulty(Fault::Delay(Duration::from_millis(100)), 1).await;
    let (late, early) = (Lake::open(&slow).await, Lake::open(&inner).await);
    let same = events(0..4);
    let (lost, won) = tokio::join!(late.sent(&same), async {
        tokio::time::sleep(Duration::from_millis(30)).await;
        early.sent(&same).await
    });
    assert_eq!((won, lost), ((4, 0), (0, 4)));
    assert_eq!(paths(&inner, "events/_delta_log").await, [log_entry(0), log_entry(1)]);
    assert_eq!(late.requests().await, 4);
}

/// Puts and reads of the log take a varying few hundred microseconds.
fn jittery(inner: &Arc<dyn ObjectStore>, mut seed: u64) -> Arc<dyn ObjectStore> {
    let turn = std::sync::atomic::AtomicU64::new(0);
    seed |= 1;
    FaultyStore::new(inner.clone(), move |op| {
        let turn = turn.fetch_add(1, Ordering::SeqCst).wrapping_mul(6_364_136_223_846_793_005);
        let micros = (turn.wrapping_add(seed.wrapping_mul(turn | 1)) >> 33) % 1_500;
        is_of_log(op).then_some(Fault::Delay(Duration::from_micros(micros)))
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_events_through_three_writers_at_once_count_once() {
    let inner = memory();
    let stores = [3, 5, 7].map(|seed| jittery(&inner, seed));
    let apps = futures::future::join_all(stores.iter().map(Lake::open)).await;
    for round in 0_u64..40 {
        let of = |writer: u64| events((writer..writer + 4).map(|i| format!("{round}-{i}")));
        // Writer w sends w .. w+4, so that some events are sent by one, by two and by all.
        let (a, b, c) = (of(0), of(1), of(2));
        let (a, b, c) = tokio::join!(apps[0].sent(&a), apps[1].sent(&b), apps[2].sent(&c));
        assert_eq!(a.0 + b.0 + c.0, 6, "accepted in round {round}: {a:?} {b:?} {c:?}");
        assert_eq!(a.1 + b.1 + c.1, 6, "duplicates in round {round}: {a:?} {b:?} {c:?}");
    }
    let conflicts: u64 = apps.iter().map(|app| app.telemetry(CONFLICTS)).sum();
    assert!(conflicts > 40, "only {conflicts} conflicts: the writers hardly raced");
    for app in &apps {
        assert_eq!(requests(&app.scrape(ACME).await), 240);
    }
    assert_eq!(verified(&inner).await, 240);
}

#[tokio::test]
async fn an_entry_that_may_not_be_synced_is_put_until_it_is() {
    // The first put links the entry and fails to sync its folder: only an answer of "already
    // exists", which has synced, or of success may be trusted.
    let inner = memory();
    Lake::open(&inner).await;
    let puts = Arc::new(AtomicUsize::new(0));
    let seen = puts.clone();
    let store: Arc<dyn ObjectStore> = FaultyStore::new(inner.clone(), move |op: &Op| {
        let first = is_put_of(op, 1) && seen.fetch_add(1, Ordering::SeqCst) == 0;
        first.then_some(Fault::FailAfter)
    });
    assert_eq!(Lake::open(&store).await.sent(&events(0..3)).await, (3, 0));
    assert_eq!(puts.load(Ordering::SeqCst), 2);
    assert_eq!(verified(&inner).await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_commit_beside_one_who_hardly_pauses_looks_at_what_came_and_no_more() {
    const BEFORE: usize = 40;
    const READS: &str = "tokenlake_dedupe_file_reads_total";
    let store = memory();
    let early = Lake::open(&store).await;
    for file in 0..BEFORE {
        early.sent(&events([format!("before-{file}")])).await;
    }
    // No memory for ids: all files of the date are asked.
    let writer = WriterSettings { dedupe_bytes_max: 0, ..WriterSettings::default() };
    let late = Lake::try_open(&store, AppSettings { writer, ..settings() }).await.unwrap();
    let done = AtomicBool::new(false);
    let large = events((0..10_000).map(|id| id.to_string()));
    let (sent, came) = tokio::join!(
        async {
            let sent = late.sent(&large).await;
            done.store(true, Ordering::SeqCst);
            sent
        },
        async {
            let (mut commits, mut new) = (0, 0);
            while !done.load(Ordering::SeqCst) {
                // One of theirs, and one of nobody else's.
                new += early.sent(&events([commits.to_string(), format!("x{commits}")])).await.0;
                commits += 1;
                // Without a pause it is luck when the other's put is ever the first.
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            (commits, new)
        }
    );
    assert_eq!(sent.0 + sent.1, large.len());
    let reads = usize::try_from(late.telemetry(READS)).unwrap();
    assert!(reads <= BEFORE + came.0, "{reads} reads beside {} commits", came.0);
    assert_eq!(verified(&store).await, (BEFORE + sent.0 + came.1) as u64);
}
