//! Tests of a process that dies at any of its writes: acknowledged events are kept, and a retry
//! counts once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use object_store::ObjectStore;
use tokenlake::app::AppError;
use tokenlake::clock::DAY;

use crate::stores::{CountingStore, Fault, FaultyStore, at_write};
use crate::support::event::{ACME, Event, NOON, events, requests};
use crate::support::lake::{Lake, settings, verified};
use crate::support::store::memory;

/// Three requests: two dates; one half of it known; another organisation.
fn work() -> [(&'static str, Vec<Event>); 3] {
    let yesterday = events(3..5).into_iter().map(|event| event.at(NOON - DAY));
    let first = events(0..3).into_iter().chain(yesterday).collect();
    [(ACME, first), (ACME, events(1..7)), ("umbrella", events(0..2))]
}

/// Does the work from the making of the table on; counts the requests acknowledged.
async fn run(store: Arc<dyn ObjectStore>, done: Arc<AtomicUsize>) -> Result<(), AppError> {
    let app = Lake::try_open(&store, settings()).await?;
    for (org, events) in work() {
        app.send(org, &events).await?;
        done.fetch_add(1, Ordering::SeqCst);
    }
    Ok(())
}

/// Runs until the work is done or the crash has come; gives what was acknowledged.
async fn run_until_crash(store: &Arc<FaultyStore>) -> usize {
    let done = Arc::new(AtomicUsize::new(0));
    let crashed = async {
        while !store.crashed() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // An answer given just after the crash would be one too many.
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    tokio::select! {
        _ = run(store.clone(), done.clone()) => {}
        () = crashed => {}
    }
    done.load(Ordering::SeqCst)
}

/// Events of each organisation after this many requests.
const TOTALS: [(u64, u64); 4] = [(0, 0), (5, 0), (7, 0), (7, 2)];

async fn check_after_crash(inner: &Arc<dyn ObjectStore>, acknowledged: usize, context: &str) {
    let app = Lake::open(inner).await;
    let (acme, umbrella) = TOTALS[acknowledged];
    let shown = |text: String| requests(&text);
    assert!(shown(app.scrape(ACME).await) >= acme, "{context}: an acknowledged event is gone");
    assert!(shown(app.scrape("umbrella").await) >= umbrella, "{context}: one is gone");
    for (number, (org, events)) in work().into_iter().enumerate() {
        let receipt = app.send(org, &events).await.unwrap();
        assert_eq!(receipt.accepted + receipt.duplicates, events.len());
        if number < acknowledged {
            assert_eq!(receipt.accepted, 0, "{context}: request {number} counted twice");
        }
    }
    assert_eq!(shown(app.scrape(ACME).await), 7, "{context}");
    assert_eq!(shown(app.scrape("umbrella").await), 2, "{context}");
    assert_eq!(verified(inner).await, 9, "{context}");
}

#[tokio::test]
async fn a_crash_at_any_write_loses_nothing_acknowledged_and_counts_nothing_twice() {
    let counting = CountingStore::new(memory());
    run(counting.clone(), Arc::default()).await.unwrap();
    let writes = counting.take().iter().filter(|op| op.is_write()).count();
    assert!(writes >= 10, "table, 2 names, 4 data files and 3 entries are written: {writes}");
    for fault in [Fault::CrashBefore, Fault::CrashAfter] {
        let mut seen = Vec::new();
        for write in 0..writes {
            let context = format!("{fault:?} at write {write}");
            let inner = memory();
            let store = FaultyStore::new(inner.clone(), at_write(write, fault));
            let acknowledged = run_until_crash(&store).await;
            assert!(store.crashed(), "{context} was not reached");
            check_after_crash(&inner, acknowledged, &context).await;
            seen.push(acknowledged);
        }
        seen.dedup();
        assert_eq!(seen, [0, 1, 2], "crashes fell into every request");
    }
}
