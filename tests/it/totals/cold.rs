//! Tests of the reads of a process that starts on an archive with a totals snapshot, and of which
//! processes make snapshots.

use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;
use tokenlake::app::AppSettings;
use tokenlake::archive::{FollowSettings, TotalsStore};
use tokenlake::clock::{DAY, HOUR, SECOND};
use tokenlake::event::OrgId;
use tokenlake::rollup::{Rollup, UsageView};
use tokenlake::sql::{Engine, sql_version};
use tokenlake::telemetry::Telemetry;

use crate::stores::{CountingStore, Op, Verb};
use crate::support::event::NOON;
use crate::support::lake::{Lake, settings};
use crate::support::store::{data_files, log_entry, memory};
use crate::support::totals::{
    ORGS, assert_like_full, assert_same, cold, full, marks, objects, send, times, versions,
};

/// An archive of 6 versions and the checkpoint of the last.
async fn with_checkpoint() -> Arc<dyn ObjectStore> {
    let store = memory();
    let app = Lake::open(&store).await;
    send(&app, 0..6).await;
    app.snapshot_totals().await;
    store
}

/// A process that starts over a store that counts from then on.
async fn counted(store: &Arc<dyn ObjectStore>) -> (Lake, Arc<CountingStore>) {
    let counting = CountingStore::new(store.clone());
    let app = Lake::open(&(counting.clone() as Arc<dyn ObjectStore>)).await;
    counting.take();
    (app, counting)
}

fn paths(ops: &[Op]) -> Vec<(Verb, &str)> {
    ops.iter().map(|op| (op.verb, op.path.as_ref())).collect()
}

#[tokio::test]
async fn with_nothing_since_a_cold_scrape_reads_the_checkpoint_and_no_data_file() {
    let store = with_checkpoint().await;
    let expected = full(&store, NOON).await;
    let (mark, object) = (marks(&store).await.remove(0), objects(&store).await.remove(0));
    let folder = mark.rsplit_once('/').unwrap().0;
    let (cold, counting) = counted(&store).await;
    assert_eq!(cold.body(ORGS[0]).await, expected[0]);
    let (next, entry) = (log_entry(7), log_entry(6));
    // Its footer, then its rows.
    let read = [(Verb::GetRanges, object.as_str()); 2];
    // What is listed counts beside the entry that is known.
    let listed = [(Verb::List, folder), (Verb::Head, &entry)];
    let found = listed.into_iter().chain([(Verb::Get, mark.as_str()), (Verb::Get, &entry)]);
    // That nothing is new counts beside the entry that is known, and the one that it names.
    let before = log_entry(5);
    let looked = [(Verb::Get, next.as_str()), (Verb::Get, &entry), (Verb::Get, &before)];
    let all: Vec<_> = looked.into_iter().chain(found).chain(read).collect();
    assert_eq!(paths(&counting.take()), all);
    let looked = [(Verb::Get, next.as_str()), (Verb::Head, &entry)];
    for (org, expected) in ORGS.iter().zip(&expected).skip(1) {
        assert_eq!(cold.body(org).await, *expected);
        let all: Vec<_> = looked.into_iter().chain([(Verb::GetRanges, object.as_str())]).collect();
        assert_eq!(paths(&counting.take()), all);
    }
}

#[tokio::test]
async fn of_the_data_files_a_cold_scrape_reads_those_that_came_since() {
    let store = with_checkpoint().await;
    let old = data_files(&store).await;
    send(&Lake::open(&store).await, 6..8).await;
    let new: Vec<_> =
        data_files(&store).await.into_iter().filter(|path| !old.contains(path)).collect();
    let expected = full(&store, NOON).await;
    let (cold, counting) = counted(&store).await;
    let mut read = Vec::new();
    for (org, expected) in ORGS.iter().zip(&expected) {
        assert_eq!(cold.body(org).await, *expected);
        let ops = counting.take();
        let files = ops.iter().filter(|op| op.path.as_ref().ends_with(".parquet"));
        let files = files.filter(|op| op.path.as_ref().starts_with("events/"));
        read.push(files.map(|op| op.path.to_string()).collect::<Vec<_>>());
    }
    // Two organisations have sent since, and each new file is of one of them.
    assert_eq!((read[2].len(), read[3].len()), (0, 0));
    let mut read: Vec<_> = read.into_iter().flatten().collect();
    read.sort();
    assert_eq!(read, new);
}

#[tokio::test]
async fn a_checkpoint_of_a_version_is_made_once() {
    let store = with_checkpoint().await;
    let (other, counting) = counted(&store).await;
    other.snapshot_totals().await;
    assert!(!counting.take().iter().any(Op::is_write));
    assert_eq!(versions(&store).await, (vec![6], vec![6]));
}

#[tokio::test]
async fn windows_of_any_clock_are_those_of_a_full_build() {
    let store = with_checkpoint().await;
    let app = Lake::open(&store).await;
    for (rounds, made_at) in [(6..8, NOON), (8..9, NOON + 3 * DAY), (9..11, NOON)] {
        send(&app, rounds).await;
        for now in times() {
            let minutes = (now - NOON) / (60 * SECOND);
            let (shown, expected) = (cold(&store, now).await, full(&store, now).await);
            assert_same(&shown, &expected, &format!("{minutes} minutes after noon"));
        }
        // The next is made from this one, with the clock where it may be by then.
        app.clock.set(made_at);
        app.snapshot_totals().await;
        app.clock.set(NOON);
    }
}

#[tokio::test]
async fn a_checkpoint_made_after_the_clock_was_set_back_serves() {
    let store = with_checkpoint().await;
    // The window's ends cut no hour that has events.
    let (app, now) = (Lake::open(&store).await, NOON - 3 * DAY - 5 * HOUR);
    send(&app, 6..7).await;
    app.clock.set(now);
    app.snapshot_totals().await;
    let (cold, counting) = counted(&store).await;
    cold.clock.set(now);
    assert_eq!(cold.body(ORGS[0]).await, full(&store, now).await[0]);
    let ops = counting.take();
    let files = ops.iter().filter(|op| op.path.as_ref().starts_with("events/event_date="));
    assert_eq!(files.count(), 0, "{ops:?}");
}

#[tokio::test]
async fn a_scrape_that_was_overtaken_starts_where_the_checkpoint_meets_the_log() {
    let store = with_checkpoint().await;
    let app = Lake::open(&store).await;
    let early = app.app.archive().newest().await.unwrap();
    send(&app, 6..9).await;
    let late = app.app.archive().newest().await.unwrap();
    let rollup = |totals| {
        let engine = Arc::new(Engine::new(store.clone()).unwrap());
        Rollup::new(engine, totals, 1 << 20, Telemetry::new())
    };
    let totals = TotalsStore::new(store.clone(), app.clock.clone(), sql_version()).unwrap();
    let (cold, full) = (rollup(Some(totals)), rollup(None));
    for (org, snapshot) in [(ORGS[0], &late), (ORGS[1], &early), (ORGS[1], &late)] {
        let mut shown = Vec::new();
        for (rollup, snapshot) in [(&cold, snapshot), (&full, &late)] {
            let org = OrgId::parse(org).unwrap();
            let turn = rollup.turn(org.as_str()).await;
            let see = |view: &UsageView<'_>| {
                (view.archive_version, view.rolling_cost, view.series.clone())
            };
            shown.push(rollup.show(turn, &org, snapshot, NOON, see).await.unwrap());
        }
        assert_eq!(shown[0], shown[1], "{org} at {}", snapshot.version());
    }
}

/// A process that makes checkpoints by itself.
async fn on_duty(store: &Arc<dyn ObjectStore>) -> Lake {
    let settings = AppSettings {
        totals_work_max: Some(4),
        follow: FollowSettings {
            interval: Some(Duration::from_millis(20)),
            ..FollowSettings::default()
        },
        ..settings()
    };
    Lake::try_open(store, settings).await.unwrap()
}

/// Waits for a checkpoint of a version after `after`.
async fn until_made(store: &Arc<dyn ObjectStore>, after: u64) {
    for _ in 0..1_000 {
        if versions(store).await.0.last().is_some_and(|made| *made > after) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no checkpoint after version {after}");
}

#[tokio::test]
async fn a_process_makes_checkpoints_as_it_commits() {
    let store = memory();
    let app = on_duty(&store).await;
    send(&app, 0..4).await;
    until_made(&store, 0).await;
    assert_like_full(&store, "made by itself").await;
    let made = versions(&store).await.0;
    send(&app, 4..8).await;
    until_made(&store, made[0]).await;
    assert_like_full(&store, "made by itself").await;
}

#[tokio::test]
async fn a_process_that_never_commits_makes_checkpoints_too() {
    let store = memory();
    let writer = Lake::open(&store).await;
    send(&writer, 0..4).await;
    let _replica = on_duty(&store).await;
    // Of what there is, and of what it follows.
    until_made(&store, 0).await;
    assert_eq!(versions(&store).await, (vec![4], vec![4]));
    send(&writer, 4..8).await;
    until_made(&store, 4).await;
    assert_like_full(&store, "made by itself").await;
}
