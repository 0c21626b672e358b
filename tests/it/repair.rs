//! Tests of `tokenlake repair` after anything that another program can do to the table, on every
//! server, with and without a checkpoint of the log.

mod later;
mod meanwhile;
mod program;

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use object_store::{ObjectStore, ObjectStoreExt as _};
use serde_json::{Value, json};
use tokenlake::archive::{Judge, Ledgers, Repairs, TotalsStore};
use tokenlake::clock::{DAY, HOUR};
use tokenlake::maintain::{Repair, RepairError, Repaired, Way};
use tokenlake::rollup::Rollup;
use tokenlake::sql::{Engine, sql_version};
use tokenlake::telemetry::Telemetry;

use crate::support::event::{ACME, Event, NOON, events, requests, value};
use crate::support::foreign::{File, commit, copy, live};
use crate::support::foreign_files::{TODAY, append, put, rows, with_column};
use crate::support::lake::{Lake, ManualClock, settings, verified};
use crate::support::store::{log_entry, memory, paths, read};
use crate::support::table::{clean_log, log_checkpoint};

/// What repairs the archive in a store.
pub fn repair(store: &Arc<dyn ObjectStore>) -> Repair {
    let clock = Arc::new(ManualClock::at(NOON));
    let engine = Arc::new(Engine::new(store.clone()).unwrap());
    let totals = TotalsStore::new(store.clone(), clock.clone(), sql_version()).unwrap();
    Repair {
        repairs: Repairs::new(store.clone(), clock).unwrap(),
        judge: Judge::new(store.clone()),
        ledgers: Ledgers::new(store.clone()),
        rollup: Rollup::new(engine, Some(totals), 8 << 20, Telemetry::new()),
    }
}

pub async fn repaired(store: &Arc<dyn ObjectStore>, way: Way) -> Repaired {
    repair(store).run(way, false).await.unwrap()
}

/// Three files on two dates, with two models.
async fn three_files() -> Arc<dyn ObjectStore> {
    let store = memory();
    let app = Lake::open(&store).await;
    let old = ["a", "b", "c"].map(|id| Event::new(id).at(NOON - DAY + HOUR).model("old"));
    app.sent(&old.into_iter().chain(events(0..10)).collect::<Vec<_>>()).await;
    app.sent(&events(10..15)).await;
    store
}

/// Without the entry that says who took events away, nobody can take them back or accept that.
#[tokio::test]
async fn a_deletion_that_was_cleaned_out_of_the_log_is_refused_in_true_words() {
    let store = three_files().await;
    let warm = Lake::open(&store).await;
    let files = live(&store).await.1;
    let entry = commit(&store, &[files[1].remove(true)]).await;
    let version = live_version(&entry) + 1;
    append_raw(&store, version, &[]).await;
    log_checkpoint(&store, version).await.unwrap();
    clean_log(&store, version).await;
    let cold = Lake::try_open(&store, settings()).await.unwrap_err();
    let repairing = repair(&store).run(Way::Accept, true).await.unwrap_err();
    let warm = warm.try_scrape(ACME).await.unwrap_err();
    for error in [cold.to_string(), repairing.to_string(), warm.to_string()] {
        assert!(error.contains("18 were vouched for at version 2"), "{error}");
        assert!(error.contains(&entry) && error.contains("is gone"), "{error}");
        assert!(error.ends_with("from a backup, then: tokenlake repair"), "{error}");
    }
}

/// What another program may do, by name: all of it is refused.
async fn breaking(store: &Arc<dyn ObjectStore>) -> Vec<(&'static str, Vec<Value>)> {
    let files = live(store).await.1;
    let (first, file) = (&files[0], &files[1]);
    let copied = copy(store, file).await;
    let fewer = File { rows: copied.rows - 1, ..copied.clone() };
    let mut vector = file.add(false);
    vector["add"]["deletionVector"] = json!({
        "storageType": "u", "pathOrInlineDv": "vBn[lx{q8@P<9BNH/isA", "offset": 1,
        "sizeInBytes": 36, "cardinality": 2,
    });
    let upgrade = json!({ "protocol": {
        "minReaderVersion": 1, "minWriterVersion": 7, "writerFeatures": ["appendOnly"],
    }});
    vec![
        ("a deletion", vec![file.remove(true)]),
        ("a deletion of all", files.iter().map(|file| file.remove(true)).collect()),
        ("an overwrite", vec![copied.add(true), file.remove(true), first.remove(true)]),
        ("a rewrite that loses an event", vec![fewer.add(false), file.remove(false)]),
        ("events that came twice", vec![copied.add(false)]),
        ("a removal of a stranger", vec![copied.add(false), fewer.remove(false)]),
        ("a deletion vector", vec![file.remove(false), vector]),
        ("an upgrade of the protocol", vec![upgrade]),
    ]
}

async fn is_refused(name: &str, app: &Lake, entry: &str) {
    let error = app.try_scrape(ACME).await.expect_err(name).to_string();
    assert!(error.contains(entry) && error.contains("tokenlake repair"), "{name}: {error}");
    app.send(ACME, &events(["new"])).await.expect_err(name);
}

#[tokio::test]
async fn what_another_program_did_is_taken_back() {
    for at in 0..breaking(&three_files().await).await.len() {
        for with_checkpoint in [false, true] {
            let store = three_files().await;
            let (name, actions) = breaking(&store).await.remove(at);
            let name = format!("{name}, with a checkpoint: {with_checkpoint}");
            let warm = Lake::open(&store).await;
            let before = warm.scrape(ACME).await;
            let entry = commit(&store, &actions).await;
            let version = live_version(&entry);
            if with_checkpoint && log_checkpoint(&store, version).await.is_err() {
                continue;
            }
            is_refused(&name, &warm, &entry).await;
            let dry = repair(&store).run(Way::Undo, true).await.unwrap();
            assert_eq!(dry.good_version, version - 1, "{name}");
            assert!(dry.refused.unwrap().contains(&entry), "{name}");
            is_refused(&name, &warm, &entry).await;
            repaired(&store, Way::Undo).await;
            assert_eq!(warm.scrape(ACME).await, before, "{name}");
            let cold = Lake::open(&store).await;
            assert_eq!(cold.scrape(ACME).await, before, "{name}");
            assert_eq!(warm.sent(&events(9..17)).await, (2, 6), "{name}");
            assert_eq!(cold.sent(&events(0..18)).await, (1, 17), "{name}");
            assert_eq!(requests(&warm.scrape(ACME).await), 21, "{name}");
            assert_eq!(verified(&store).await, 21, "{name}");
            let nothing = repaired(&store, Way::Undo).await;
            assert!(nothing.refused.is_none(), "{name}");
        }
    }
}

fn live_version(entry: &str) -> u64 {
    let name = entry.rsplit_once('/').unwrap().1;
    name.strip_suffix(".json").unwrap().parse().unwrap()
}

#[tokio::test]
async fn what_was_only_appended_in_between_stays() {
    let store = three_files().await;
    let other = memory();
    let before = Lake::open(&store).await;
    let files = live(&store).await.1;
    let entry = commit(&store, &[files[1].remove(true)]).await;
    // Rows of another archive are a file that nobody here knows.
    Lake::open(&other).await.sent(&events(["x", "y"])).await;
    let foreign = live(&other).await.1.remove(0);
    crate::support::store::write(&store, &foreign.place(), read(&other, &foreign.place()).await)
        .await;
    append_raw(&store, live_version(&entry) + 1, &[foreign.add(true)]).await;
    is_refused("a deletion and an append", &before, &entry).await;
    let done = repaired(&store, Way::Undo).await;
    assert_eq!((done.restored, done.removed), (1, 0));
    assert_eq!(done.commits.len(), 2);
    assert_eq!(before.requests().await, 20);
    assert_eq!(Lake::open(&store).await.sent(&events(["x", "14", "z"])).await, (1, 2));
    assert_eq!(verified(&store).await, 21);
}

/// Puts an entry of another program at a version.
async fn append_raw(store: &Arc<dyn ObjectStore>, version: u64, actions: &[Value]) {
    let info = json!({ "commitInfo": { "operation": "WRITE", "engineInfo": "Other/1.0" } });
    let lines: Vec<_> = std::iter::once(&info).chain(actions).map(Value::to_string).collect();
    let entry = lines.join("\n") + "\n";
    crate::support::store::write(store, &log_entry(version), entry.into()).await;
}

#[tokio::test]
async fn a_deletion_that_is_accepted_lets_no_counter_fall() {
    for with_totals in [false, true] {
        let store = three_files().await;
        let warm = Lake::open(&store).await;
        let before = warm.scrape(ACME).await;
        if with_totals {
            warm.snapshot_totals().await;
        }
        let mut files = live(&store).await.1;
        files.retain(|file| file.rows != 5);
        commit(&store, &[files[0].remove(true), files[1].remove(true)]).await;
        if with_totals {
            // The files are gone from the store, too: only the totals tell what they held.
            for file in &files {
                store.delete(&file.place().as_str().into()).await.unwrap();
            }
            let error = repair(&store).run(Way::Undo, false).await.unwrap_err();
            assert!(matches!(error, RepairError::Gone { count: 2, .. }), "{error}");
            assert!(error.to_string().contains("--accept"), "{error}");
        }
        repaired(&store, Way::Accept).await;
        for app in [&warm, &Lake::open(&store).await] {
            let after = app.scrape(ACME).await;
            let counters = |text: &str| -> Vec<String> {
                let lines = text.lines().filter(|line| line.contains("_total{"));
                lines.map(str::to_owned).collect()
            };
            assert_eq!(counters(&after), counters(&before), "{with_totals}");
            // The window tells what is there.
            assert_ne!(after, before);
            assert_eq!(value(&after, r#"llm_cost_usd_rolling_24h{org_id="acme"}"#), "1.25");
        }
        assert_eq!(warm.sent(&events(13..17)).await, (2, 2));
        assert_eq!(warm.requests().await, 20);
        assert_eq!(verified(&store).await, 7);
    }
}

#[tokio::test]
async fn what_is_told_by_nothing_cannot_be_accepted() {
    let store = three_files().await;
    let files = live(&store).await.1;
    commit(&store, &[files[1].remove(true)]).await;
    store.delete(&files[1].place().as_str().into()).await.unwrap();
    let before = paths(&store, "").await;
    for dry_run in [true, false] {
        let error = repair(&store).run(Way::Accept, dry_run).await.unwrap_err();
        assert!(matches!(error, RepairError::Untold(_)), "{error}");
        assert!(error.to_string().contains(&files[1].path), "{error}");
    }
    assert_eq!(paths(&store, "").await, before, "nothing is changed");
}

#[tokio::test]
async fn events_that_came_twice_are_taken_out_where_the_rest_is_accepted() {
    let store = three_files().await;
    let warm = Lake::open(&store).await;
    let before = warm.scrape(ACME).await;
    let file = live(&store).await.1.remove(1);
    let copied = copy(&store, &file).await;
    commit(&store, &[copied.add(false)]).await;
    let done = repaired(&store, Way::Accept).await;
    assert_eq!((done.restored, done.removed), (0, 1));
    assert_eq!(warm.scrape(ACME).await, before);
    assert_eq!(Lake::open(&store).await.scrape(ACME).await, before);
    assert_eq!(verified(&store).await, 18);
}

/// As by another optimizer that does not know that the first ten events are in another file by now.
#[tokio::test]
async fn of_a_file_that_came_twice_in_part_the_rest_stays() {
    for more in [0..0, 8..12] {
        let store = three_files().await;
        let warm = Lake::open(&store).await;
        let before = warm.scrape(ACME).await;
        let file = live(&store).await.1.into_iter().find(|file| file.rows == 5).unwrap();
        let merged = rows(ACME, &events((0..15).chain(more.clone())));
        let merged = put(&store, TODAY, "merged", &merged).await;
        commit(&store, &[merged.add(false), file.remove(false)]).await;
        let there = paths(&store, "").await;
        let dry = repair(&store).run(Way::Accept, true).await.unwrap();
        assert_eq!(paths(&store, "").await, there, "{more:?}: nothing is changed");
        let done = repaired(&store, Way::Accept).await;
        for done in [dry, done] {
            let counts = (done.restored, done.removed, done.rewritten);
            assert_eq!(counts, (0, 1, 1), "{more:?}");
        }
        for app in [&warm, &Lake::open(&store).await] {
            assert_eq!(app.scrape(ACME).await, before, "{more:?}");
        }
        assert_eq!(warm.sent(&events(9..17)).await, (2, 6), "{more:?}");
        assert_eq!(Lake::open(&store).await.sent(&events(0..17)).await, (0, 17), "{more:?}");
        assert_eq!(verified(&store).await, 20, "{more:?}");
    }
}

#[tokio::test]
async fn a_repair_is_followed_from_every_version_before_it() {
    let store = three_files().await;
    let files = live(&store).await.1;
    let early = Lake::open(&store).await;
    let entry = commit(&store, &[files[1].remove(true)]).await;
    let stuck = Lake::open_waiting(&store).await;
    is_refused("deletion", &stuck, &entry).await;
    repaired(&store, Way::Undo).await;
    let after = Lake::open(&store).await;
    after.sent(&events(20..22)).await;
    for app in [&early, &stuck, &after, &Lake::open(&store).await] {
        assert_eq!(app.requests().await, 20);
    }
    // A second one, after which the table is opened at the log's checkpoint.
    let files = live(&store).await.1;
    commit(&store, &[files[0].remove(true)]).await;
    repaired(&store, Way::Undo).await;
    after.requests().await;
    let version = live(&store).await.0;
    log_checkpoint(&store, version).await.unwrap();
    for app in [&early, &stuck, &after, &Lake::open(&store).await] {
        assert_eq!(app.requests().await, 20);
    }
    assert_eq!(verified(&store).await, 20);
}

#[tokio::test]
async fn a_command_does_not_open_what_a_server_waits_for() {
    let store = three_files().await;
    let files = live(&store).await.1;
    let entry = commit(&store, &[files[1].remove(true)]).await;
    let error = Lake::try_open(&store, settings()).await.unwrap_err().to_string();
    assert!(error.contains(&entry) && error.contains("tokenlake repair"), "{error}");
    is_refused("deletion", &Lake::open_waiting(&store).await, &entry).await;
}

#[tokio::test]
async fn a_file_that_breaks_a_rule_is_taken_out_and_its_neighbours_stay() {
    for way in [Way::Undo, Way::Accept] {
        let store = three_files().await;
        let warm = Lake::open(&store).await;
        let before = warm.scrape(ACME).await;
        let negative: ArrayRef = Arc::new(Int64Array::from(vec![-1, 5]));
        let broken = with_column(&rows(ACME, &events(["p", "q"])), "input_tokens", &negative);
        append(&store, "broken", &broken).await;
        append(&store, "sound", &rows(ACME, &events(["r"]))).await;
        warm.try_scrape(ACME).await.unwrap_err();
        let dry = repair(&store).run(way, true).await.unwrap();
        assert!(dry.refused.is_none() && dry.unfit[0].contains("broken.parquet"), "{dry:?}");
        let done = repaired(&store, way).await;
        assert_eq!((done.restored, done.removed), (0, 1), "{way:?}");
        assert_eq!(warm.requests().await, 19, "{way:?}");
        assert_ne!(warm.scrape(ACME).await, before);
        assert_eq!(Lake::open(&store).await.requests().await, 19, "{way:?}");
        assert_eq!(warm.sent(&events(["p", "r"])).await, (1, 1), "{way:?}");
        assert_eq!(verified(&store).await, 20, "{way:?}");
    }
}

#[tokio::test]
async fn of_two_files_with_the_same_events_the_later_one_is_taken_out() {
    let store = three_files().await;
    let warm = Lake::open(&store).await;
    append(&store, "z-first", &rows(ACME, &events(["p", "q"]))).await;
    assert_eq!(warm.requests().await, 20);
    append(&store, "a-second", &rows(ACME, &events(["q", "r"]))).await;
    warm.try_scrape(ACME).await.unwrap_err();
    let done = repaired(&store, Way::Undo).await;
    assert!(done.unfit[0].contains("a-second.parquet"), "{done:?}");
    assert_eq!(done.removed, 1);
    assert_eq!(warm.requests().await, 20);
    assert_eq!(warm.sent(&events(["q", "r"])).await, (1, 1));
    assert_eq!(verified(&store).await, 21);
}
