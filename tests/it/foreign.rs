//! Tests of commits of other programs: those that move events between files change no number; those
//! that change events are refused, and named.

mod damage;
mod deep;
mod deltalake;
pub mod int96;
mod orgs;
mod rules;
mod settings;
mod shapes;

use std::sync::Arc;

use object_store::{ObjectStore, ObjectStoreExt as _};
use serde_json::{Value, json};
use tempfile::tempdir;
use tokenlake::app::AppError;
use tokenlake::clock::{Clock as _, DAY, HOUR, SystemClock};
use tokenlake::error::Kind;

use crate::support::event::{ACME, Event, NOON, events};
use crate::support::foreign::{commit, copy, live, rewrite};
use crate::support::lake::{Lake, settings, verified};
use crate::support::process::{Server, key, tokenlake};
use crate::support::store::memory;
use crate::support::table::log_checkpoint;
use crate::support::{client, readers};

/// An archive with three files on two dates, some of it in the hour that the window cuts.
async fn three_files() -> Arc<dyn ObjectStore> {
    let store = memory();
    let app = Lake::open(&store).await;
    let start = NOON - DAY;
    let edge = [start + 1, start + HOUR / 4, start + HOUR / 4 * 3];
    let edge = ["a", "b", "c"].iter().zip(edge).map(|(id, ts)| Event::new(id).at(ts));
    let of_both: Vec<_> = edge.chain(events(0..10)).collect();
    app.sent(&of_both).await;
    app.sent(&events(10..15)).await;
    store
}

#[tokio::test]
async fn a_rewrite_changes_no_byte_of_a_scrape_also_when_the_old_files_are_gone() {
    let store = three_files().await;
    let (warm, cut) = (Lake::open(&store).await, Lake::open(&store).await);
    cut.clock.set(NOON + HOUR / 2);
    let (before, before_cut) = (warm.scrape(ACME).await, cut.scrape(ACME).await);
    assert_ne!(before, before_cut, "the window cuts the hour");
    let old = rewrite(&store).await;
    assert_eq!(old.len(), 3);
    assert_eq!(warm.scrape(ACME).await, before);
    assert_eq!(Lake::open(&store).await.scrape(ACME).await, before);
    for file in old {
        store.delete(&file.place().as_str().into()).await.unwrap();
    }
    assert_eq!(warm.scrape(ACME).await, before);
    assert_eq!(cut.scrape(ACME).await, before_cut);
    // The warm one knew the edge's old files; this instant makes it read rows.
    warm.clock.set(NOON + HOUR / 2);
    assert_eq!(warm.scrape(ACME).await, before_cut);
    let fresh = Lake::open(&store).await;
    assert_eq!(fresh.scrape(ACME).await, before);
    assert_eq!(fresh.app.archive().current().file_count(), 3);
}

#[tokio::test]
async fn a_rewrite_that_does_not_say_how_many_events_it_has_is_counted() {
    let store = three_files().await;
    let warm = Lake::open(&store).await;
    let before = warm.scrape(ACME).await;
    let file = live(&store).await.1.remove(1);
    let mut uncounted = copy(&store, &file).await.add(false);
    uncounted["add"]["stats"] = json!("{}");
    commit(&store, &[uncounted, file.remove(false)]).await;
    assert_eq!(warm.scrape(ACME).await, before);
    assert_eq!(warm.sent(&events(14..16)).await, (1, 1));
    assert_eq!(Lake::open(&store).await.requests().await, 19);
}

#[tokio::test]
async fn files_without_statistics_that_are_gone_were_counted_by_those_who_went_on() {
    for with_checkpoint in [false, true] {
        let store = three_files().await;
        let warm = Lake::open(&store).await;
        let file = live(&store).await.1.remove(1);
        let uncounted = copy(&store, &file).await;
        let mut add = uncounted.add(false);
        add["add"].as_object_mut().unwrap().remove("stats");
        commit(&store, &[add, file.remove(false)]).await;
        warm.sent(&events(20..21)).await;
        if with_checkpoint {
            let version = live(&store).await.0;
            log_checkpoint(&store, version).await.unwrap();
        }
        // Another program moves its rows on, and the file is deleted.
        let moved = copy(&store, &uncounted).await;
        commit(&store, &[moved.add(false), uncounted.remove(false)]).await;
        assert_eq!(warm.requests().await, 19);
        store.delete(&uncounted.place().as_str().into()).await.unwrap();
        // Nobody vouches for that so far.
        Lake::try_open(&store, settings()).await.unwrap_err();
        warm.sent(&events(21..22)).await;
        let cold = Lake::open(&store).await;
        assert_eq!((warm.requests().await, cold.requests().await), (20, 20), "{with_checkpoint}");
        assert_eq!(cold.sent(&events(19..23)).await, (2, 2));
        assert_eq!(verified(&store).await, 22);
    }
}

#[tokio::test]
async fn events_that_moved_to_foreign_files_are_still_known() {
    let store = three_files().await;
    let warm = Lake::open(&store).await;
    assert_eq!(warm.sent(&events(9..12)).await, (0, 3));
    for file in rewrite(&store).await {
        store.delete(&file.place().as_str().into()).await.unwrap();
    }
    assert_eq!(warm.sent(&events(8..16)).await, (1, 7));
    assert_eq!(Lake::open(&store).await.sent(&events(0..17)).await, (1, 16));
    assert_eq!(warm.requests().await, 20);
}

#[tokio::test]
async fn files_that_came_and_were_rewritten_between_two_scrapes_count_once() {
    let store = three_files().await;
    let warm = Lake::open(&store).await;
    assert_eq!(warm.requests().await, 18);
    Lake::open(&store).await.sent(&events(20..25)).await;
    let old = rewrite(&store).await;
    for file in old {
        store.delete(&file.place().as_str().into()).await.unwrap();
    }
    assert_eq!(warm.requests().await, 23);
    assert_eq!(Lake::open(&store).await.requests().await, 23);
}

async fn refused(name: &str, store: &Arc<dyn ObjectStore>, actions: &[Value]) {
    let warm = Lake::open(store).await;
    warm.scrape(ACME).await;
    let entry = commit(store, actions).await;
    let check = |result: Result<String, AppError>, when: &str| {
        let error = result.expect_err(&format!("{name}, {when}"));
        assert!(matches!(error.kind(), Kind::Corrupt | Kind::Invalid), "{name}, {when}: {error}");
        assert!(error.to_string().contains(&entry), "{name}, {when}: {error}");
    };
    check(warm.try_scrape(ACME).await, "followed");
    check(warm.try_scrape(ACME).await, "followed again");
    let sent = warm.send(ACME, &events(["new"])).await;
    check(sent.map(|receipt| format!("{receipt:?}")), "sent to");
    let opened = Lake::try_open(store, settings()).await;
    check(opened.map(|_| String::new()), "opened");
    store.delete(&entry.as_str().into()).await.unwrap();
    warm.scrape(ACME).await;
}

#[tokio::test]
async fn commits_that_change_the_events_are_refused_and_named() {
    let store = three_files().await;
    let file = live(&store).await.1.remove(1);
    let mut copied = copy(&store, &file).await;
    copied.rows -= 1;
    let fewer = [copied.add(false), file.remove(false)];
    refused("a rewrite that loses an event", &store, &fewer).await;
    refused("an added file that is no change", &store, &[copied.add(false)]).await;
    refused("a removal that is no change", &store, &[file.remove(false)]).await;
    refused("a deletion", &store, &[file.remove(true)]).await;
    let overwrite = [copied.add(true), file.remove(true)];
    refused("an overwrite", &store, &overwrite).await;
    refused("a file added twice", &store, &[file.add(true)]).await;
    refused("a removal of a stranger", &store, &[copied.remove(false)]).await;
    let mut uncounted = copied.add(false);
    uncounted["add"]["stats"] = json!("{}");
    uncounted["add"]["path"] = json!(file.path.replace(".parquet", "-gone.parquet"));
    let unknown = [uncounted, file.remove(false)];
    refused("a rewrite into an unknown number", &store, &unknown).await;
    let mut vector = file.add(false);
    vector["add"]["deletionVector"] = json!({
        "storageType": "u", "pathOrInlineDv": "vBn[lx{q8@P<9BNH/isA", "offset": 1,
        "sizeInBytes": 36, "cardinality": 2,
    });
    refused("a deletion vector", &store, &[file.remove(false), vector]).await;
}

#[tokio::test]
async fn what_another_program_keeps_for_itself_changes_nothing() {
    let store = three_files().await;
    let warm = Lake::open(&store).await;
    let before = warm.scrape(ACME).await;
    let domain = json!({ "domainMetadata": {
        "domain": "other", "configuration": "{}", "removed": false,
    }});
    let transaction = json!({ "txn": { "appId": "other", "version": 7 } });
    commit(&store, &[domain, transaction]).await;
    assert_eq!(warm.scrape(ACME).await, before);
    assert_eq!(warm.sent(&events(14..16)).await, (1, 1));
    assert_eq!(Lake::open(&store).await.requests().await, 19);
}

/// The description of the table as version 0 has it.
async fn description(store: &Arc<dyn ObjectStore>) -> (Value, Value) {
    let entry = crate::support::store::read(store, &crate::support::store::log_entry(0)).await;
    let lines: Vec<Value> = String::from_utf8(entry)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |key: &str| lines.iter().find(|line| line.get(key).is_some()).unwrap().clone();
    (of("protocol"), of("metaData"))
}

#[tokio::test]
async fn a_table_whose_description_no_longer_fits_is_refused() {
    let store = three_files().await;
    let (protocol, metadata) = description(&store).await;
    let upgrade = json!({ "protocol": {
        "minReaderVersion": 3, "minWriterVersion": 7,
        "readerFeatures": ["deletionVectors"], "writerFeatures": ["deletionVectors"],
    }});
    refused("a protocol upgrade", &store, std::slice::from_ref(&upgrade)).await;
    refused("an upgrade with its description", &store, &[upgrade, metadata.clone()]).await;
    let mut newer = metadata.clone();
    newer["metaData"]["configuration"]["tokenlake.format"] = json!("3");
    refused("a newer format", &store, &[protocol.clone(), newer.clone()]).await;
    refused("a newer format alone", &store, &[newer]).await;
    let mut rekeyed = metadata.clone();
    rekeyed["metaData"]["configuration"]["tokenlake.hashKey"] = json!("0".repeat(32));
    refused("another key of ids", &store, &[rekeyed]).await;
    let mut replaced = metadata;
    replaced["metaData"]["id"] = json!("00000000-0000-0000-0000-000000000000");
    refused("another table", &store, &[replaced]).await;
}

#[tokio::test]
async fn a_setting_changed_by_another_program_is_taken() {
    let store = three_files().await;
    let warm = Lake::open(&store).await;
    let before = warm.scrape(ACME).await;
    let (_, mut metadata) = description(&store).await;
    metadata["metaData"]["configuration"]["delta.logRetentionDuration"] = json!("interval 30 days");
    commit(&store, &[metadata]).await;
    assert_eq!(warm.scrape(ACME).await, before);
    assert_eq!(warm.sent(&events(14..16)).await, (1, 1));
    let fresh = Lake::open(&store).await;
    assert_eq!(fresh.requests().await, 19);
    assert_eq!(fresh.sent(&events(15..17)).await, (1, 1));
}

/// A table on a disk after all that happens to one: ingest, a backfill, compaction and expiry.
#[test]
fn other_programs_read_the_same_rows_and_sums() {
    let (archive, folder) = (tempdir().unwrap(), tempdir().unwrap());
    let archive = archive.path();
    let [acme, globex] = ["acme", "globex"].map(|org| key(archive, org));
    let server = Server::start(archive);
    let now = SystemClock.now();
    let line = |org: &str, id: u64, days: i64| {
        let event = json!({
            "event_id": format!("{org}-{id}"), "ts": now - days * DAY - 1, "provider": "OpenAI",
            "model": if id.is_multiple_of(3) { None } else { Some("gpt-4o") }, "input_tokens": id + 7,
            "cached_input_tokens": 3, "output_tokens": 5, "source": "test", "org_id": org,
            "cost_usd": if id.is_multiple_of(4) { None } else { Some("0.000000000125") },
            "attributes": { "team": "a \"b\"", "more": id },
        });
        format!("{event}\n")
    };
    for number in 0..12 {
        for (org, key) in [("acme", &acme), ("globex", &globex)] {
            let body = line(org, number, 0) + &line(org, 100 + number, 2);
            let url = server.url("/v1/events");
            let answer = client::post(&url, key, "application/x-ndjson", body);
            assert_eq!(answer.json()["accepted"], 2, "{}", answer.text());
        }
    }
    let rows =
        (200..700).map(|id| line(["acme", "globex"][id as usize % 2], id, id as i64 % 9 * 10));
    let input = folder.path().join("a.ndjson");
    std::fs::write(&input, rows.collect::<String>()).unwrap();
    for args in [
        &["backfill", "--org", "*", input.to_str().unwrap()][..],
        &["compact"],
        &["expire", "--older-than", "60d"],
    ] {
        let done = tokenlake(archive, args);
        assert_eq!(done.status, 0, "{done:?}");
    }
    readers::assert_read_alike(archive);
    assert_eq!(tokenlake(archive, &["verify"]).status, 0);
}
