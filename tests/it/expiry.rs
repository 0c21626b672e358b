//! Tests of retention: events are deleted, counters stay, and no expired event is ever accepted
//! again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use object_store::{ObjectStore, ObjectStoreExt as _};
use tokenlake::app::AppSettings;
use tokenlake::archive::WriterSettings;
use tokenlake::backfill::{self, Inputs, Job};
use tokenlake::clock::{DAY, HOUR};
use tokenlake::error::Kind;
use tokenlake::event::{OrgId, OrgRule};

use crate::stores::{CountingStore, Fault, FaultyStore, Op, Verb, at_write};
use crate::support::event::{ACME, Event, NOON, events, requests};
use crate::support::foreign::{File, copy, live};
use crate::support::lake::{Lake, settings, verify};
use crate::support::store::{data_files, log_entry, memory, paths, read, write};

const ORGS: [&str; 3] = [ACME, "Umbrella", "z.wayne"];

fn old(id: &str, days: i64) -> Event {
    Event::new(id).at(NOON - days * DAY).cost("0.000000000001")
}

/// Events of five dates, of an organisation with old and new ones, one with old ones alone, and one
/// whose latest events are in no counter.
async fn five_dates() -> (Arc<dyn ObjectStore>, Lake) {
    let store = memory();
    let app = Lake::open(&store).await;
    for days in [40, 31, 5, 1] {
        app.send(ACME, &[old(&format!("a{days}"), days), old(&format!("b{days}"), days)])
            .await
            .unwrap();
    }
    app.sent(&events(0..3)).await;
    app.send(ORGS[1], &[old("x", 40).model("HAIKU"), old("y", 35).cost("7.5")]).await.unwrap();
    app.send(ORGS[2], &[old("x", 40), old("y", 34).model("unknown")]).await.unwrap();
    (store, app)
}

/// What a process shows of every organisation, but for the version.
async fn shown(app: &Lake) -> Vec<String> {
    let mut bodies = Vec::new();
    for org in ORGS {
        let body = app.body(org).await;
        let lines = body.lines().filter(|line| !line.starts_with("llm_archive_version"));
        bodies.push(lines.collect::<Vec<_>>().join("\n"));
    }
    bodies
}

async fn cold(store: &Arc<dyn ObjectStore>) -> Vec<String> {
    shown(&Lake::open(store).await).await
}

#[tokio::test]
async fn no_byte_of_a_scrape_changes_when_events_expire() {
    let (store, app) = five_dates().await;
    let behind = Lake::open(&store).await;
    let before = shown(&behind).await;
    let expiry = app.expire(30).await.unwrap();
    let json = serde_json::to_string(&expiry).unwrap();
    assert_eq!(json, r#"{"floor":"2026-02-08","dates":4,"files":6,"events":8}"#);
    for days in [30, 400, 40_000] {
        let again = app.expire(days).await.unwrap();
        let counts = (again.floor, again.dates, again.files, again.events);
        assert_eq!(counts, (expiry.floor, 0, 0, 0), "{days} days");
    }
    assert_eq!(shown(&app).await, before, "warm");
    assert_eq!(shown(&behind).await, before, "behind");
    assert_eq!(cold(&store).await, before, "cold");
    assert_eq!(live(&store).await.1.len(), 3);
    // And once more: what expires is added to what has expired.
    app.expire(2).await.unwrap();
    assert_eq!((shown(&app).await, cold(&store).await), (before.clone(), before));
    let report = verify(&store).await;
    assert_eq!((report.differences, report.events), (Vec::new(), 5));
}

#[tokio::test]
async fn a_floor_and_its_ledger_survive_checkpoints_of_the_log() {
    let (store, app) = five_dates().await;
    let before = shown(&app).await;
    app.expire(30).await.unwrap();
    let writer = WriterSettings { checkpoint_every: 1, ..WriterSettings::default() };
    let other = Lake::try_open(&store, AppSettings { writer, ..settings() }).await.unwrap();
    other.expire(6).await.unwrap();
    let (version, _) = live(&store).await;
    let checkpoint = format!("events/_delta_log/{version:020}.checkpoint.parquet");
    for _ in 0..500 {
        if store.head(&checkpoint.as_str().into()).await.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Nothing but the checkpoint is left to tell.
    for version in 0..=version {
        store.delete(&log_entry(version).as_str().into()).await.unwrap();
    }
    let opened = Lake::open(&store).await;
    assert_eq!(opened.app.archive().current().floor().unwrap().to_string(), "2026-03-04");
    assert_eq!(shown(&opened).await, before);
    let receipt = opened.send(ACME, &[old("late", 7)]).await.unwrap();
    assert_eq!((receipt.accepted, receipt.rejected.len()), (0, 1));
}

#[tokio::test]
async fn cold_starts_from_checkpoints_of_totals_count_what_expired_once() {
    let (store, app) = five_dates().await;
    app.snapshot_totals().await;
    app.sent(&[old("late", 40), old("later", 33)]).await;
    let before = shown(&app).await;
    let files = data_files(&store).await;
    app.expire(30).await.unwrap();
    // From the checkpoint, and files that came since and have expired.
    assert_eq!(cold(&store).await, before, "joined");
    let left: Vec<_> = live(&store).await.1.iter().map(File::place).collect();
    for file in files.iter().filter(|file| !left.contains(file)) {
        store.delete(&file.as_str().into()).await.unwrap();
    }
    // Those files are gone: from the ledger and the live files.
    assert_eq!(cold(&store).await, before, "from the ledger");
    // From a checkpoint that has what expired.
    app.snapshot_totals().await;
    app.sent(&events(10..12)).await;
    let before = shown(&app).await;
    assert_eq!(cold(&store).await, before, "from a later checkpoint");
    for object in paths(&store, "checkpoints").await {
        store.delete(&object.as_str().into()).await.unwrap();
    }
    assert_eq!(cold(&store).await, before, "without one");
    assert_eq!(verify(&store).await.differences, [""; 0]);
}

#[tokio::test]
async fn events_before_the_floor_are_refused_and_their_neighbours_taken() {
    let (store, app) = five_dates().await;
    let behind = Lake::open(&store).await;
    app.expire(30).await.unwrap();
    let floor = NOON.div_euclid(DAY) * DAY - 30 * DAY;
    let sent = [
        old("a40", 40),
        Event::new("at").at(floor),
        Event::new("before").at(floor - 1),
        Event::new("now"),
        // The same id on two dates: the one that is refused is not what makes the other a repeat.
        Event::new("twice").at(floor - HOUR),
        Event::new("twice").at(floor + HOUR),
        Event::new("0"),
    ];
    // This one has not followed: it loses a race to the expiry.
    let receipt = behind.send(ACME, &sent).await.unwrap();
    assert_eq!(behind.telemetry("tokenlake_commit_conflicts_total"), 1);
    assert_eq!((receipt.accepted, receipt.duplicates), (3, 1));
    let rejected: Vec<_> =
        receipt.rejected.iter().map(|one| (one.index, one.event_id.as_deref().unwrap())).collect();
    assert_eq!(rejected, [(0, "a40"), (2, "before"), (4, "twice")]);
    let reason =
        "ts: before the floor 2026-02-08; older events have expired and are no longer taken";
    assert!(receipt.rejected.iter().all(|one| one.error == reason), "{receipt:?}");
    assert_eq!(behind.telemetry("tokenlake_events_rejected_total"), 3);
    // This one knows the floor.
    let receipt = app.send(ACME, &sent).await.unwrap();
    assert_eq!((receipt.accepted, receipt.duplicates, receipt.rejected.len()), (0, 4, 3));
    assert_eq!(requests(&app.scrape(ACME).await), 14);
    assert_eq!(verify(&store).await.differences, [""; 0]);
}

/// The log's next entry after those of [`five_dates`].
async fn next_entry(store: &Arc<dyn ObjectStore>) -> String {
    log_entry(live(store).await.0 + 1)
}

/// A store whose first put of `path` meets a fault.
fn faulty(inner: &Arc<dyn ObjectStore>, path: String, fault: Fault) -> Arc<dyn ObjectStore> {
    let met = AtomicBool::new(false);
    FaultyStore::new(inner.clone(), move |op: &Op| {
        let first = op.verb == Verb::Put && op.path.as_ref() == path;
        (first && !met.swap(true, Ordering::SeqCst)).then_some(fault)
    })
}

const SLOW: Fault = Fault::Delay(Duration::from_millis(600));

#[tokio::test]
async fn late_events_that_come_first_are_folded_too() {
    let (inner, app) = five_dates().await;
    let slow = faulty(&inner, next_entry(&inner).await, SLOW);
    let expirer = Lake::open(&slow).await;
    let (expiry, sent) = tokio::join!(expirer.expire(30), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        app.sent(&[old("late", 36), Event::new("new")]).await
    });
    assert_eq!(sent, (2, 0));
    assert_eq!(expiry.unwrap().events, 9);
    assert_eq!(requests(&app.scrape(ACME).await), 13);
    assert_eq!(shown(&app).await, cold(&inner).await);
    assert_eq!(verify(&inner).await.differences, [""; 0]);
}

#[tokio::test]
async fn a_backfill_that_loses_to_an_expiry_refuses_what_has_gone_and_takes_the_rest() {
    let (inner, app) = five_dates().await;
    let folder = tempfile::tempdir().unwrap();
    let (input, kept) = (folder.path().join("in.ndjson"), folder.path().join("rejects.ndjson"));
    let lines = [old("late", 36), old("kept", 20)].map(|event| event.line() + "\n");
    std::fs::write(&input, lines.concat()).unwrap();
    let slow = faulty(&inner, next_entry(&inner).await, SLOW);
    let writer = Lake::open(&slow).await;
    let inputs = Inputs::find(&[input.to_str().unwrap().to_owned()], None).await.unwrap();
    let org_rule = OrgRule::Only(OrgId::parse(ACME).unwrap());
    let settings = backfill::JobSettings {
        rejects: Some(kept.clone()),
        held_bytes_max: 1 << 20,
        ..backfill::JobSettings::new(org_rule, NOON)
    };
    let admission = Some(writer.app.admission().clone());
    let job = Job::new(admission, inputs, settings, Arc::default()).await.unwrap();
    let (outcome, expiry) = tokio::join!(job.run(std::future::pending()), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        app.expire(30).await
    });
    assert_eq!(expiry.unwrap().events, 8);
    let summary = serde_json::to_value(outcome.summary).unwrap();
    let expected = serde_json::json!({
        "read": 2, "accepted": 1, "duplicates": 0, "rejected": 1, "files": 1,
    });
    assert_eq!((outcome.error.map(|error| error.to_string()), summary), (None, expected));
    let kept = std::fs::read_to_string(kept).unwrap();
    assert!(kept.contains("late") && kept.contains("before the floor 2026-02-08"), "{kept}");
    assert_eq!(requests(&app.scrape(ACME).await), 12);
    assert_eq!(verify(&inner).await.differences, [""; 0]);
}

#[tokio::test]
async fn a_race_lost_to_events_of_now_folds_nothing_anew() {
    let (inner, app) = five_dates().await;
    let slow = faulty(&inner, next_entry(&inner).await, SLOW);
    let expirer = Lake::open(&slow).await;
    let (expiry, sent) = tokio::join!(expirer.expire(30), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        app.sent(&[Event::new("new")]).await
    });
    assert_eq!((sent, expiry.unwrap().events), ((1, 0), 8));
    assert_eq!(paths(&inner, "ledger").await.len(), 3, "sums, starts and mark");
    assert_eq!(shown(&app).await, cold(&inner).await);
}

#[tokio::test]
async fn files_that_were_rewritten_first_go_in_their_new_form() {
    let (inner, app) = five_dates().await;
    let before = shown(&app).await;
    let (_, files) = live(&inner).await;
    let mut lines = vec![serde_json::json!({ "commitInfo": { "operation": "OPTIMIZE" } })];
    for file in &files {
        lines.extend([copy(&inner, file).await.add(false), file.remove(false)]);
    }
    let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let entry = next_entry(&inner).await;
    let expirer = Lake::open(&faulty(&inner, entry.clone(), SLOW)).await;
    let (expiry, ()) = tokio::join!(expirer.expire(30), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        write(&inner, &entry, lines.into()).await;
        // Their old form is gone before the expirer has followed.
        for file in &files {
            inner.delete(&file.place().as_str().into()).await.unwrap();
        }
    });
    assert_eq!(expiry.unwrap().events, 8);
    assert_eq!((shown(&app).await, cold(&inner).await), (before.clone(), before));
    assert_eq!(verify(&inner).await.differences, [""; 0]);
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_known_again() {
    for fault in [Fault::FailAfter, Fault::ExistsAfter] {
        let (inner, app) = five_dates().await;
        let before = shown(&app).await;
        let entry = next_entry(&inner).await;
        let expirer = Lake::open(&faulty(&inner, entry.clone(), fault)).await;
        assert_eq!(expirer.expire(30).await.unwrap().events, 8, "{fault:?}");
        assert_eq!(next_entry(&inner).await, log_entry(live(&inner).await.0 + 1));
        assert_eq!(paths(&inner, "events/_delta_log").await.last(), Some(&entry));
        assert_eq!((shown(&app).await, cold(&inner).await), (before.clone(), before));
    }
}

#[tokio::test]
async fn a_crash_at_any_write_changes_nothing_that_is_shown() {
    for fault in [Fault::CrashBefore, Fault::CrashAfter] {
        let mut crashed = 0;
        for write in 0.. {
            let (inner, app) = five_dates().await;
            let before = shown(&app).await;
            let expirer = Lake::open(&inner).await;
            let store = FaultyStore::new(inner.clone(), at_write(write, fault));
            let opened: Arc<dyn ObjectStore> = store.clone();
            let dying = Lake::open(&opened).await;
            // A put of the log that stays in doubt is tried for seconds.
            let dies = async {
                while !store.crashed() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            };
            tokio::select! {
                _ = dying.expire(30) => {}
                () = dies => {}
            }
            let context = format!("{fault:?} at write {write}");
            assert_eq!(shown(&app).await, before, "{context}");
            assert_eq!(cold(&inner).await, before, "{context}");
            let done = expirer.expire(30).await.unwrap();
            assert_eq!(done.floor.unwrap().to_string(), "2026-02-08", "{context}");
            assert_eq!(cold(&inner).await, before, "{context}");
            assert_eq!(verify(&inner).await.differences, [""; 0], "{context}");
            if !store.crashed() {
                break;
            }
            crashed += 1;
        }
        // The cells, the starts, their mark, and the log entry; and the note of it, if it is written
        // before the process ends.
        assert!((4..=5).contains(&crashed), "{crashed}");
    }
}

#[tokio::test]
async fn a_ledger_that_is_damaged_or_gone_is_an_error_and_never_a_smaller_number() {
    let (store, app) = five_dates().await;
    let before = shown(&app).await;
    app.expire(30).await.unwrap();
    for object in paths(&store, "ledger").await {
        let whole = read(&store, &object).await;
        // Nobody has asked for starts, which have a version in their name.
        let is_read = object.matches('-').count() < 4;
        for at in [0, whole.len() / 2, whole.len() - 1] {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            write(&store, &object, damaged).await;
            if is_read {
                let error = Lake::open(&store).await.try_scrape(ORGS[1]).await.unwrap_err();
                assert_eq!(error.kind(), Kind::Corrupt, "byte {at} of {object}: {error}");
                assert!(error.to_string().contains(&object), "{error}");
            }
            let report = verify(&store).await;
            assert!(report.differences.iter().any(|line| line.contains(&object)), "{report:?}");
        }
        store.delete(&object.as_str().into()).await.unwrap();
        if is_read {
            let error = Lake::open(&store).await.try_scrape(ORGS[1]).await.unwrap_err();
            assert!(error.to_string().contains(&object), "{error}");
        }
        assert!(verify(&store).await.difference_count > 0);
        assert_eq!(shown(&app).await, before, "a process that runs needs it no more");
        write(&store, &object, whole).await;
    }
    assert_eq!(verify(&store).await.differences, [""; 0]);
}

#[tokio::test]
async fn a_scrape_reads_the_ledger_once_and_a_warm_one_nothing() {
    let (inner, app) = five_dates().await;
    app.expire(30).await.unwrap();
    let store = CountingStore::new(inner.clone());
    let opened: Arc<dyn ObjectStore> = store.clone();
    let app = Lake::open(&opened).await;
    shown(&app).await;
    let of_ledger =
        |ops: Vec<Op>| ops.iter().filter(|op| op.path.as_ref().starts_with("ledger/")).count();
    // Its mark and its footer; the cells of each organisation.
    assert!(of_ledger(store.take()) <= 2 + ORGS.len());
    shown(&app).await;
    let of_log = |op: &Op| op.path.as_ref().starts_with("events/_delta_log/");
    let ops = store.take();
    assert!(ops.iter().all(of_log), "{ops:?}");
    assert_eq!(ops.len(), 2 * ORGS.len(), "each asks for the next log entry and the newest");
}
