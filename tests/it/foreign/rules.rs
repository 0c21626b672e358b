//! Tests of other programs' files that break the rules of the columns, or contain events twice:
//! they are named, none of their events count, and everything else goes on.

use std::sync::Arc;

use arrow::array::AsArray as _;
use arrow::array::{
    ArrayRef, Decimal128Array, Int64Array, StringArray, TimestampMicrosecondArray, new_null_array,
};
use arrow::compute::{max_string, min_string};
use arrow::datatypes::DataType;
use object_store::ObjectStore;
use serde_json::json;
use tokenlake::clock::{DAY, HOUR};
use tokenlake::error::Kind;
use tokenlake::event::Dimension;
use tokenlake::maintain::compact::{CompactSettings, Compactor};

use crate::compact::{NO_GRACE, compact, live_files};
use crate::support::event::{ACME, Event, NOON, events, requests};
use crate::support::foreign::{commit, copy, live};
use crate::support::foreign_files::{TODAY, add_with_stats, append, put, rows, with_column};
use crate::support::lake::{Lake, verified, verify};
use crate::support::store::memory;

/// Nine events of ours, and one of another organisation.
pub(super) async fn ours() -> Arc<dyn ObjectStore> {
    let store = memory();
    let app = Lake::open(&store).await;
    app.sent(&events(0..5)).await;
    app.sent(&events(5..9)).await;
    app.send("zeta", &events(["g"])).await.unwrap();
    store
}

/// The message of `result`, which must be a refusal that names the file and the way out.
pub(super) fn refusal<T: std::fmt::Debug>(
    result: Result<T, tokenlake::app::AppError>,
    name: &str,
) -> String {
    let error = result.expect_err(name);
    assert_eq!(error.kind(), Kind::Corrupt, "{name}: {error}");
    let text = error.to_string();
    assert!(text.contains("theirs.parquet"), "{name}: {text}");
    assert!(text.contains("tokenlake repair") && !text.contains("backup"), "{name}: {text}");
    text
}

/// A file of another program is refused with `words`, by those who know it and those who do not.
async fn refused(name: &str, store: &Arc<dyn ObjectStore>, warm: &Lake, words: &str) {
    let before = warm.try_scrape("zeta").await.ok();
    for _ in 0..2 {
        let text = refusal(warm.try_scrape(ACME).await, name);
        assert!(text.contains(words), "{name}: {text}");
    }
    let cold = Lake::open(store).await;
    assert_eq!(
        refusal(cold.try_scrape(ACME).await, name),
        refusal(warm.try_scrape(ACME).await, name)
    );
    for app in [warm, &cold] {
        if !words.contains("without org_id") {
            let other = app.scrape("zeta").await;
            assert_eq!(Some(other), before, "{name}: what it is not in goes on");
        }
        // Its ids are known all the same, and so ingest goes on, also of its date.
        assert_eq!(app.sent(&events(["4"])).await, (0, 1), "{name}");
        let error = app.app.snapshot_totals().await;
        refusal(error, name);
    }
    assert_eq!(cold.sent(&events([name])).await, (1, 0), "{name}");
    let report = verify(store).await;
    let named = report.differences.iter().filter(|line| line.contains(words));
    assert!(named.count() > 0, "{name}: {:?}", report.differences);
    let found = cold.app.archive().judge().judge(&cold.app.archive().newest().await.unwrap()).await;
    let found = found.unwrap();
    assert_eq!(found.len(), 1, "{name}: {found:?}");
    assert!(found[0].file.path.contains("theirs") && found[0].reason.contains(words));
    // It is not made ours, and its neighbours are merged without it.
    compact(&cold).await;
    let left = Lake::open(store).await;
    let left: Vec<_> = left.app.archive().current().files().cloned().collect();
    assert_eq!(left.iter().filter(|file| !file.is_ours()).count(), 1, "{name}");
    assert_eq!(left.len(), 2, "{name}");
    // Nothing of it can be folded away.
    warm.clock.set(NOON + 20 * DAY);
    refusal(warm.expire(2).await, name);
}

#[tokio::test]
async fn what_breaks_a_rule_of_the_columns_is_refused_and_named() {
    let good = rows(ACME, &events(["x", "y"]));
    let ints = |values: [i64; 2]| Arc::new(Int64Array::from(values.to_vec())) as ArrayRef;
    let texts = |values: [&str; 2]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
    let nulls = |to: &DataType| new_null_array(to, 2);
    let times = |values: [i64; 2]| {
        Arc::new(TimestampMicrosecondArray::from(values.to_vec()).with_timezone("UTC")) as ArrayRef
    };
    let costs = |values: [i128; 2]| {
        let costs = Decimal128Array::from(values.to_vec());
        Arc::new(costs.with_precision_and_scale(18, 12).unwrap()) as ArrayRef
    };
    let floats =
        |values: [f64; 2]| Arc::new(arrow::array::Float64Array::from(values.to_vec())) as ArrayRef;
    let bytes = arrow::array::BinaryArray::from(vec![&b"openai"[..], &b"\xc3\x28"[..]]);
    for (column, values, words) in [
        ("input_tokens", ints([1, -1_000_000]), "input_tokens is not from 0"),
        ("output_tokens", ints([1, 1_000_000_000_001]), "output_tokens is not from 0"),
        ("cached_input_tokens", ints([3, 4]), "cached_input_tokens is more than its input_tokens"),
        ("input_tokens", nulls(&DataType::Int64), "without input_tokens"),
        ("event_id", nulls(&DataType::Utf8), "without event_id"),
        ("event_id", texts(["x", ""]), "event_id is not 1 to 256 bytes"),
        ("event_id", texts(["x", "x"]), "1 of its events are in it twice"),
        ("event_type", nulls(&DataType::Utf8), "without event_type"),
        ("org_id", texts([ACME, "no name"]), "org_id is not 1 to 128"),
        ("org_id", texts([ACME, "ACME"]), "differ only in case"),
        ("org_id", texts([ACME, "Zeta"]), "only in case"),
        ("org_id", nulls(&DataType::Utf8), "without org_id"),
        ("ts", times([NOON, NOON - DAY]), "another date than its event_date"),
        (
            "ts",
            nulls(&DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, None)),
            "without ts",
        ),
        ("cost_usd", costs([0, -1]), "cost_usd is not from 0"),
        ("cost_usd", floats([0.5, 0.1]), "12 decimal places do not hold exactly"),
        ("provider", Arc::new(bytes), "its column provider holds invalid UTF-8"),
    ] {
        let name = format!("{column} {words}");
        let store = ours().await;
        let warm = Lake::open(&store).await;
        assert_eq!(warm.requests().await, 9);
        let theirs = with_column(&good, column, &values);
        let file = put(&store, TODAY, "theirs", &theirs).await;
        // Its organisations are bounded, as other writers do.
        let orgs = theirs.column_by_name("org_id").unwrap();
        let bound = |of: Option<&str>| json!({ "org_id": of });
        let stats = json!({
            "numRecords": 2,
            "minValues": bound(min_string(orgs.as_string::<i32>())),
            "maxValues": bound(max_string(orgs.as_string::<i32>())),
        });
        commit(&store, &[add_with_stats(&file, &stats)]).await;
        refused(&name, &store, &warm, words).await;
    }
}

#[tokio::test]
async fn events_that_stand_already_are_refused_and_named() {
    let words = "of its events are in the table already";
    let late = |ids: [&str; 2]| ids.map(|id| Event::new(id).at(NOON - HOUR));
    for (name, ids) in [("two", ["3", "4"]), ("one", ["x", "0"])] {
        let store = ours().await;
        let warm = Lake::open(&store).await;
        assert_eq!(warm.requests().await, 9);
        append(&store, "theirs", &rows(ACME, &late(ids))).await;
        refused(name, &store, &warm, words).await;
    }
    // A copy of a live file, which brings in all of it again.
    let store = ours().await;
    let warm = Lake::open(&store).await;
    assert_eq!(warm.requests().await, 9);
    let file = live(&store).await.1.remove(0);
    let copied = copy(&store, &file).await;
    commit(&store, &[copied.add(true)]).await;
    let orgs = [ACME, "zeta"];
    let failed = async |app: &Lake| {
        let mut failed = 0;
        for org in orgs {
            failed += usize::from(app.try_scrape(org).await.is_err());
        }
        failed
    };
    assert_eq!((failed(&warm).await, failed(&Lake::open(&store).await).await), (1, 1));
}

/// An id is looked for on the neighbouring dates too.
#[tokio::test]
async fn events_that_stand_on_the_next_date_are_refused() {
    let store = ours().await;
    let midnight = NOON.div_euclid(DAY) * DAY;
    let yesterday = Event::new("4").at(midnight - HOUR);
    let file = put(&store, "2026-03-09", "theirs", &rows(ACME, &[yesterday])).await;
    commit(&store, &[file.add(true)]).await;
    let cold = Lake::open(&store).await;
    assert!(refusal(cold.try_scrape(ACME).await, "yesterday").contains("1 of its events"));
    let before = Event::new("4").at(midnight - 25 * HOUR);
    let store = ours().await;
    let file = put(&store, "2026-03-08", "theirs", &rows(ACME, &[before])).await;
    commit(&store, &[file.add(true)]).await;
    assert_eq!(Lake::open(&store).await.requests().await, 10, "further away it is another event");
}

/// Of two foreign files with an event in common, both are refused, whichever was known first; and
/// each counts once the other is gone.
#[tokio::test]
async fn two_foreign_files_may_not_share_an_event() {
    let store = ours().await;
    let warm = Lake::open(&store).await;
    append(&store, "first", &rows(ACME, &events(["x", "y"]))).await;
    assert_eq!(warm.requests().await, 11);
    let other = append(&store, "theirs", &rows(ACME, &events(["z", "x"]))).await;
    let cold = Lake::open(&store).await;
    for app in [&warm, &cold] {
        let error = app.try_scrape(ACME).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Corrupt, "{error}");
        assert!(error.to_string().contains("1 of its events are"), "{error}");
        assert_eq!(requests(&app.scrape("zeta").await), 1);
    }
    let newest = cold.app.archive().newest().await.unwrap();
    assert_eq!(cold.app.archive().judge().judge(&newest).await.unwrap().len(), 2);
    // As if it had never been there: the entry that brought it in was the last.
    let entry = crate::support::store::log_entry(newest.version());
    for path in [entry.as_str(), &other.place()] {
        object_store::ObjectStoreExt::delete(&store, &path.into()).await.unwrap();
    }
    let opened = Lake::open(&store).await;
    assert_eq!(opened.requests().await, 11);
    assert_eq!(verified(&store).await, 12);
    assert!(compact(&opened).await > 0);
    assert_eq!(live_files(&store).await, 1);
}

/// Files are chosen by their bounds in the log, so these must hold.
#[tokio::test]
async fn bounds_that_do_not_hold_are_refused() {
    let good = rows(ACME, &events(["x", "y"]));
    for (bounds, words) in [
        (json!({ "ts": ["2026-03-10T11:00:00.5Z", "2026-03-10T12:00:00Z"] }), "bounds of ts"),
        (json!({ "org_id": ["acme", "acme"], "rows": 3 }), "another number of rows"),
    ] {
        let store = ours().await;
        let warm = Lake::open(&store).await;
        assert_eq!(warm.requests().await, 9);
        let file = put(&store, TODAY, "theirs", &good).await;
        let of = |at: usize| {
            let bounds = bounds.as_object().unwrap().iter().filter(|(_, pair)| pair.is_array());
            bounds
                .map(|(name, pair)| (name.clone(), pair[at].clone()))
                .collect::<serde_json::Map<_, _>>()
        };
        let count = bounds["rows"].as_u64().unwrap_or(2);
        let stats = json!({ "numRecords": count, "minValues": of(0), "maxValues": of(1) });
        commit(&store, &[add_with_stats(&file, &stats)]).await;
        let text = refusal(warm.try_scrape(ACME).await, words);
        assert!(text.contains(words), "{text}");
        assert!(verify(&store).await.difference_count > 0);
    }
}

/// Where ids are no text at all, nobody can tell what is new on that date and its neighbours; on
/// others ingest goes on.
#[tokio::test]
async fn ids_that_are_no_text_stop_ingest_of_their_dates_alone() {
    let store = ours().await;
    let good = rows(ACME, &events(["x", "y"]));
    let floats: ArrayRef = Arc::new(arrow::array::Float64Array::from(vec![1.0, 2.0]));
    append(&store, "theirs", &with_column(&good, "event_id", &floats)).await;
    let app = Lake::open(&store).await;
    let text = refusal(app.send(ACME, &events(["new"])).await, "ids");
    assert!(text.contains("is Float64, which is not text"), "{text}");
    let old = Event::new("old").at(NOON - 5 * DAY);
    assert_eq!(app.sent(&[old]).await, (1, 0));
}

/// A query over HTTP is refused as a scrape is; what one organisation has does not stop another's.
#[tokio::test]
async fn sql_is_refused_before_it_counts() {
    let store = ours().await;
    append(&store, "theirs", &rows(ACME, &events(["3"]))).await;
    let app = Lake::open(&store).await;
    let newest = app.app.archive().newest().await.unwrap();
    let engine = Arc::new(tokenlake::sql::Engine::new(store.clone()).unwrap());
    let judge = engine.judge();
    assert!(judge.check_all(&newest, newest.files(), Some(ACME)).await.is_err());
    judge.check_all(&newest, newest.files(), Some("zeta")).await.unwrap();
    let compactor: Compactor =
        app.app.compactor(CompactSettings { target_bytes: 1 << 20, grace: NO_GRACE });
    assert!(!compactor.has_failed());
}

/// A correction alone may be below zero, however its columns are asked for, in an archive that may hold
/// corrections.
#[tokio::test]
async fn a_cost_below_zero_is_taken_of_a_correction() {
    let costs = |values: [i128; 2]| {
        let costs = Decimal128Array::from(values.to_vec());
        Arc::new(costs.with_precision_and_scale(18, 12).unwrap()) as ArrayRef
    };
    let types = |values: [&str; 2]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
    let good = rows(ACME, &events(["x", "y"]));
    for (kinds, amounts, is_taken) in [
        (["cost_correction", "api_call"], [-5, 7], true),
        (["cost_correction", "cost_correction"], [-5, 7], true),
        (["api_call", "cost_correction"], [-5, 7], false),
        (["refund", "api_call"], [-5, 7], false),
        (["cost_correction", "api_call"], [-1_000_000 * 1_000_000_000_000 - 1, 7], false),
    ] {
        let store = ours().await;
        let warm = Lake::open(&store).await;
        let new = Dimension::new("team", None, "1").unwrap();
        warm.app.archive().declare(|known| known.with(new.clone())).await.unwrap();
        let theirs = with_column(&good, "event_type", &types(kinds));
        append(&store, "theirs", &with_column(&theirs, "cost_usd", &costs(amounts))).await;
        let calls = kinds.iter().filter(|kind| **kind == "api_call").count() as u64;
        if is_taken {
            assert_eq!(warm.requests().await, 9 + calls, "{kinds:?}");
            assert_eq!(Lake::open(&store).await.requests().await, 9 + calls, "{kinds:?}");
            assert_eq!(verified(&store).await, 12, "{kinds:?}");
            compact(&warm).await;
            assert_eq!(verified(&store).await, 12, "{kinds:?}");
        } else {
            let text = refusal(warm.try_scrape(ACME).await, &format!("{kinds:?}"));
            assert!(text.contains("cost_usd is not from 0"), "{text}");
        }
    }
}

/// Nobody would count it.
#[tokio::test]
async fn a_correction_in_an_archive_from_before_corrections_is_refused() {
    let store = ours().await;
    let warm = Lake::open(&store).await;
    let types = Arc::new(StringArray::from(vec!["cost_correction", "api_call"])) as ArrayRef;
    let good = rows(ACME, &events(["x", "y"]));
    append(&store, "theirs", &with_column(&good, "event_type", &types)).await;
    let text = refusal(warm.try_scrape(ACME).await, "format 1");
    assert!(text.contains("from before corrections"), "{text}");
}
