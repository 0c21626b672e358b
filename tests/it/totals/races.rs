//! Tests of totals snapshots that are made and removed while other processes commit and start.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use object_store::ObjectStore;
use tokenlake::archive::{ArchiveLocation, TotalsStore};
use tokenlake::event::OrgId;
use tokenlake::rollup::Rollup;
use tokenlake::sql::sql_version;
use tokenlake::telemetry::Telemetry;

use crate::support::event::{ACME, NOON, events};
use crate::support::lake::{Lake, verified};
use crate::support::store::memory;
use crate::support::totals::{assert_like_full, assert_same, cold, delete, marks, send, versions};

const COMMITS: u64 = 60;

/// Makes checkpoints until all is committed; gives how many.
async fn make_checkpoints(store: Arc<dyn ObjectStore>, sent: Arc<AtomicU64>) -> u64 {
    let (app, mut made) = (Lake::open(&store).await, 0);
    while sent.load(Ordering::SeqCst) < COMMITS {
        // Another may have removed it at once.
        made += u64::from(app.app.snapshot_totals().await.is_ok());
        tokio::task::yield_now().await;
    }
    made
}

/// Starts anew and scrapes until all is committed; gives how often.
async fn scrape_cold(store: Arc<dyn ObjectStore>, sent: Arc<AtomicU64>) -> u64 {
    let mut times = 0;
    while sent.load(Ordering::SeqCst) < COMMITS {
        let before = sent.load(Ordering::SeqCst);
        let shown = Lake::open(&store).await.requests().await;
        let after = sent.load(Ordering::SeqCst);
        // One more may have been committed and not been counted yet.
        assert!(before <= shown && shown <= after + 1, "{shown} of {before} to {after}");
        times += 1;
    }
    times
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cold_scrapes_are_right_while_checkpoints_come_and_go() {
    let (store, sent) = (memory(), Arc::new(AtomicU64::new(0)));
    let writer = Lake::open(&store).await;
    let made = [(); 2].map(|()| tokio::spawn(make_checkpoints(store.clone(), sent.clone())));
    let scraped = [(); 2].map(|()| tokio::spawn(scrape_cold(store.clone(), sent.clone())));
    for id in 0..COMMITS {
        assert_eq!(writer.sent(&events([id])).await, (1, 0));
        sent.fetch_add(1, Ordering::SeqCst);
    }
    for work in made.into_iter().chain(scraped) {
        assert!(work.await.unwrap() > 0);
    }
    assert_eq!(Lake::open(&store).await.requests().await, COMMITS);
    assert_eq!(verified(&store).await, COMMITS);
}

#[tokio::test]
async fn a_totals_snapshot_is_of_the_version_up_to_which_it_adds_up() {
    let store = memory();
    let app = Lake::open(&store).await;
    app.sent(&events([1])).await;
    app.snapshot_totals().await;
    let totals = TotalsStore::new(store.clone(), app.clock.clone(), sql_version()).unwrap();
    let rollup = Rollup::new(Arc::new(app.engine()), Some(totals), 1 << 20, Telemetry::new());
    app.sent(&events([2])).await;
    let older = app.snapshot().await;
    app.sent(&events([3])).await;
    // A scrape joins the totals snapshot with the newer version, and then nobody finds it again.
    let (turn, org_id) = (rollup.turn(ACME).await, OrgId::parse(ACME).unwrap());
    rollup.show(turn, &org_id, &app.snapshot().await, NOON, |_| ()).await.unwrap();
    for mark in marks(&store).await {
        delete(&store, &mark).await;
    }
    rollup.snapshot_totals(&older, NOON).await.unwrap();
    assert_eq!(marks(&store).await.len(), 1);
    assert_eq!(Lake::open(&store).await.requests().await, 3);
}

#[tokio::test]
async fn on_a_disk_it_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let location = ArchiveLocation::Local(folder.path().join("archive"));
    let store = location.create().unwrap();
    let app = Lake::open(&store).await;
    for round in 0..5 {
        send(&app, round..round + 1).await;
        app.snapshot_totals().await;
    }
    assert_eq!(versions(&store).await, (vec![3, 4, 5], vec![3, 4, 5]));
    send(&app, 5..7).await;
    assert_like_full(&store, "in memory").await;
    let again = location.open().unwrap();
    assert_same(&cold(&again, NOON).await, &cold(&store, NOON).await, "opened again");
}
