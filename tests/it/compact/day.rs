//! A day of many small commits, at a small scale.

use std::sync::Arc;

use object_store::ObjectStore;
use tokenlake::clock::{Clock as _, HOUR, SECOND, SystemClock};

use super::{compact, compactor, vacuum};
use crate::stores::{CountingStore, Verb};
use crate::support::app::{Event, NOON, TestApp, data_files, memory, verified};

const COMMITS: u64 = 2_000;
/// Commits between two runs of the compactor, as with one a second and a run a minute.
const EVERY: u64 = 60;

/// The requests of a cold start and its first scrape.
async fn cold_requests(store: &Arc<dyn ObjectStore>) -> usize {
    let counting = CountingStore::new(store.clone());
    let counted: Arc<dyn ObjectStore> = counting.clone();
    let app = TestApp::open(&counted).await;
    app.requests().await;
    counting.take().iter().filter(|op| matches!(op.verb, Verb::Get | Verb::GetRanges)).count()
}

#[tokio::test]
async fn a_day_of_small_commits_ends_with_few_files() {
    let store = memory();
    let app = TestApp::open(&store).await;
    let mut most = 0;
    for commit in 0..COMMITS {
        let ts = NOON - HOUR + i64::try_from(commit).unwrap() * SECOND;
        assert_eq!(app.sent(&[Event::new(commit).at(ts)]).await, (1, 0));
        if commit % EVERY == EVERY - 1 {
            compact(&app).await;
            let live = app.app.archive().current().file_count();
            most = most.max(live);
        }
    }
    compact(&app).await;
    assert!(most <= 32, "{most} files were live");
    assert_eq!(app.requests().await, COMMITS);
    assert_eq!(verified(&store).await, COMMITS);
    let rewritten = app.telemetry("tokenlake_rewritten_files_total");
    assert!(rewritten <= COMMITS + COMMITS / 4, "{rewritten} files were merged");
    // The date is over: it is merged further, by the next day's compactor.
    app.clock.set(SystemClock.now());
    compactor(&app).compact(0, drop).await.unwrap();
    let live = app.app.archive().current().file_count();
    assert!(live <= 4, "{live} files are left");
    assert!(vacuum(&app).await as u64 >= COMMITS);
    assert_eq!(data_files(&store).await.len(), live);
    assert_eq!(TestApp::open(&store).await.requests().await, COMMITS);
    // Log entries after the checkpoint, and few files.
    let cold = cold_requests(&store).await;
    assert!(cold <= 200, "a cold start took {cold} reads");
    assert_eq!(verified(&store).await, COMMITS);
}
