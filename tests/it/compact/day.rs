//! Test of a day of many small commits, at a small scale; `TOKENLAKE_TEST_COMMITS=86400` makes it a
//! whole day.

use std::sync::Arc;
use std::time::{Duration, Instant};

use object_store::ObjectStore;
use tokenlake::app::AppSettings;
use tokenlake::archive::WriterSettings;
use tokenlake::clock::{Clock as _, HOUR, SECOND, SystemClock};

use super::{compact, compactor, vacuum};
use crate::stores::{CountingStore, Verb};
use crate::support::event::{Event, NOON};
use crate::support::lake::{Lake, settings, verified};
use crate::support::store::{data_files, memory};

const COMMITS: u64 = 2_000;
/// Commits between two runs of the compactor, as with one a second and a run a minute.
const EVERY: u64 = 60;

/// How often the figures are printed.
const SHOWN: u64 = 20;

/// How long a cold start and its first scrape take, and then a scrape after a commit.
async fn times(store: &Arc<dyn ObjectStore>, app: &Lake, scraped: Duration) -> String {
    let began = Instant::now();
    let opened = Lake::open(store).await;
    let open = began.elapsed();
    opened.requests().await;
    let (version, files) = {
        let current = app.app.archive().current();
        (current.version(), current.file_count())
    };
    format!(
        "version {version}: {files} live files, opened in {open:?}, first scrape after {:?}, scrape after a commit {scraped:?}",
        began.elapsed()
    )
}

/// The requests of a cold start and its first scrape.
async fn cold_requests(store: &Arc<dyn ObjectStore>) -> usize {
    let counting = CountingStore::new(store.clone());
    let counted: Arc<dyn ObjectStore> = counting.clone();
    let app = Lake::open(&counted).await;
    app.requests().await;
    counting.take().iter().filter(|op| matches!(op.verb, Verb::Get | Verb::GetRanges)).count()
}

#[tokio::test]
async fn a_day_of_small_commits_ends_with_few_files() {
    let commits = std::env::var("TOKENLAKE_TEST_COMMITS");
    let commits: u64 = commits.map_or(COMMITS, |text| text.parse().unwrap());
    let store = memory();
    // Checkpoints of the log as often as a server makes them.
    let settings = AppSettings { writer: WriterSettings::default(), ..settings() };
    let app = Lake::try_open(&store, settings).await.unwrap();
    let mut most = 0;
    for commit in 0..commits {
        // From midnight on, one a second.
        let ts = NOON - 12 * HOUR + i64::try_from(commit).unwrap() * SECOND;
        app.clock.set(ts);
        assert_eq!(app.sent(&[Event::new(commit).at(ts)]).await, (1, 0));
        if commit % (commits / SHOWN) == 0 {
            let began = Instant::now();
            assert_eq!(app.requests().await, commit + 1);
            eprintln!("{}", times(&store, &app, began.elapsed()).await);
        }
        if commit % EVERY == EVERY - 1 {
            compact(&app).await;
            let live = app.app.archive().current().file_count();
            most = most.max(live);
        }
    }
    compact(&app).await;
    assert!(most <= 64, "{most} files were live");
    assert_eq!(app.requests().await, commits);
    assert_eq!(verified(&store).await, commits);
    let rewritten = app.telemetry("tokenlake_rewritten_files_total");
    assert!(rewritten <= commits + commits / 4, "{rewritten} files were merged");
    // The date is over: it is merged further, by the next day's compactor.
    app.clock.set(SystemClock.now());
    compactor(&app).compact(0, drop).await.unwrap();
    let live = app.app.archive().current().file_count();
    assert!(live <= 4, "{live} files are left");
    assert!(vacuum(&app).await as u64 >= commits);
    assert_eq!(data_files(&store).await.len(), live);
    assert_eq!(Lake::open(&store).await.requests().await, commits);
    // Log entries after the checkpoint, and few files.
    let cold = cold_requests(&store).await as u64;
    let most = WriterSettings::default().checkpoint_every + 100;
    assert!(cold <= most, "a cold start took {cold} reads");
    assert_eq!(verified(&store).await, commits);
}
