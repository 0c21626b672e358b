//! Tests of compaction and vacuum: there are fewer files, and nothing else that is visible changes.

mod crashes;
mod day;
mod law;
mod ledgers;
mod memory;
mod program;
mod races;
mod readers;
mod rewritten;
mod vacuum;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use object_store::ObjectStore;
use tokenlake::clock::{Clock as _, HOUR, SystemClock};
use tokenlake::maintain::compact::{CompactSettings, Compactor};

use crate::stores::{Fault, FaultyStore, Verb};
use crate::support::lake::Lake;

/// All that is not live is old.
pub const NO_GRACE: Duration = Duration::ZERO;

/// A compactor of this process's view.
pub fn compactor(app: &Lake) -> Compactor {
    app.app.compactor(CompactSettings { grace: NO_GRACE, ..CompactSettings::default() })
}

/// Merges what there is to merge; gives how many rewrites that took.
pub async fn compact(app: &Lake) -> usize {
    compactor(app).compact(0, drop).await.unwrap()
}

/// Deletes what is not live, by a process whose clock is that of the store; gives how many files.
pub async fn vacuum(app: &Lake) -> usize {
    let other = Lake::open(&app.app.archive().store()).await;
    other.clock.set(SystemClock.now() + HOUR);
    compactor(&other).vacuum().await.unwrap()
}

/// The number of live files.
pub async fn live_files(store: &Arc<dyn ObjectStore>) -> usize {
    Lake::open(store).await.app.archive().current().file_count()
}

/// A store whose first put of a log entry from now on takes a second, and whether that has begun.
pub fn slow_once(inner: &Arc<dyn ObjectStore>) -> (Arc<dyn ObjectStore>, Arc<AtomicBool>) {
    let met = Arc::new(AtomicBool::new(false));
    let begun = met.clone();
    let store = FaultyStore::new(inner.clone(), move |op| {
        let entry = op.verb == Verb::Put && op.path.as_ref().contains("_delta_log/0");
        let first = entry && !begun.swap(true, Ordering::SeqCst);
        first.then_some(Fault::Delay(Duration::from_secs(1)))
    });
    (store, met)
}

/// Waits for it.
pub async fn until(met: &AtomicBool) {
    while !met.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
