//! Tests of a store that fails, and a process that dies, between any two steps.

use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;
use object_store::memory::InMemory;
use tokenlake::clock::{Clock as _, DAY, HOUR, SystemClock};

use super::{compactor, live_files, vacuum};
use crate::stores::{CountingStore, Fault, FaultyStore, at_write};
use crate::support::event::{ACME, NOON, events};
use crate::support::lake::{Lake, verified};
use crate::support::store::data_files;

const EVENTS: u64 = 16;

/// Two dates of eight files of one event each.
async fn many_files() -> Arc<InMemory> {
    let files = Arc::new(InMemory::new());
    let store: Arc<dyn ObjectStore> = files.clone();
    let app = Lake::open(&store).await;
    for id in 0..EVENTS / 2 {
        let today = events([id]).remove(0);
        let yesterday = events([id + EVENTS]).remove(0).at(NOON - DAY);
        assert_eq!(app.sent(&[today, yesterday]).await, (2, 0));
    }
    files
}

/// Compacts and vacuums through `store`, as far as it lets.
async fn run(store: Arc<dyn ObjectStore>) {
    let app = Lake::open(&store).await;
    let mut compactor = compactor(&app);
    let _ = compactor.compact(0, drop).await;
    // The store goes by the machine's clock.
    app.clock.set(SystemClock.now() + HOUR);
    let _ = compactor.vacuum().await;
}

/// A process that has died does not go on asking.
async fn run_until_crash(store: &Arc<FaultyStore>) {
    let died = async {
        while !store.crashed() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        () = run(store.clone()) => {}
        () = died => {}
    }
}

#[tokio::test]
async fn a_fault_at_any_write_leaves_nothing_visible() {
    let origin = many_files().await;
    let counting = CountingStore::new(Arc::new(origin.fork()));
    run(counting.clone()).await;
    let writes = counting.take().iter().filter(|op| op.is_write()).count();
    assert!(writes >= 2 * 2 + 1 + EVENTS as usize, "files, entries, a fence, deletes: {writes}");
    let untouched: Arc<dyn ObjectStore> = Arc::new(origin.fork());
    let before = Lake::open(&untouched).await.scrape(ACME).await;
    for fault in [Fault::CrashBefore, Fault::CrashAfter, Fault::FailAfter, Fault::ExistsAfter] {
        for write in 0..9 {
            let context = format!("{fault:?} at write {write}");
            let inner: Arc<dyn ObjectStore> = Arc::new(origin.fork());
            let store = FaultyStore::new(inner.clone(), at_write(write, fault));
            run_until_crash(&store).await;
            let app = Lake::open(&inner).await;
            assert_eq!(app.scrape(ACME).await, before, "{context}");
            // Whoever comes next finishes the work.
            run(inner.clone()).await;
            assert_eq!(live_files(&inner).await, 2, "{context}");
            vacuum(&app).await;
            assert_eq!(data_files(&inner).await.len(), 2, "{context}: left over");
            assert_eq!(app.scrape(ACME).await, before, "{context}");
            let again: Vec<_> = events(0..EVENTS / 2);
            assert_eq!(app.sent(&again).await, (0, again.len()), "{context}");
            assert_eq!(verified(&inner).await, EVENTS, "{context}");
        }
    }
}

/// A read that is cut or flipped is noticed: no file is made of it.
#[tokio::test]
async fn damaged_input_is_left_alone() {
    for fault in [Fault::Damage, Fault::Truncate] {
        let inner: Arc<dyn ObjectStore> = many_files().await;
        let before = Lake::open(&inner).await.scrape(ACME).await;
        let victim = data_files(&inner).await.remove(3);
        let damaged = victim.clone();
        let store: Arc<dyn ObjectStore> = FaultyStore::new(inner.clone(), move |op| {
            (!op.is_write() && op.path.as_ref() == damaged).then_some(fault)
        });
        let app = Lake::open(&store).await;
        let mut compactor = compactor(&app);
        assert_eq!(compactor.compact(0, drop).await.unwrap(), 1, "the other date");
        assert!(compactor.has_failed());
        assert_eq!(compactor.compact(0, drop).await.unwrap(), 0, "it is not tried for ever");
        assert_eq!(app.telemetry("tokenlake_rewrite_failures_total"), 1);
        assert_eq!(Lake::open(&inner).await.scrape(ACME).await, before);
        assert_eq!(live_files(&inner).await, 9);
        assert_eq!(verified(&inner).await, EVENTS);
    }
}
