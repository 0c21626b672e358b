//! Dimensions with many values: files carry cells of them only where these are small, and what is shown is
//! the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::AsArray as _;
use arrow::datatypes::Int64Type;
use futures::TryStreamExt as _;
use object_store::ObjectStore;
use tokenlake::archive::DataFile;
use tokenlake::clock::{DAY, HOUR, Micros, SECOND};
use tokenlake::sql::{Asker, CellKind, Console};

use super::laws::{assert_law, declare, shown};
use crate::compact::{compact, vacuum};
use crate::support::event::{Event, NOON};
use crate::support::lake::{Lake, verified};
use crate::support::rewrite::{dates, rewrite};
use crate::support::scrape::{Series, assert_no_counter_fell};
use crate::support::store::memory;

/// Calls of `values` teams, each at an instant of its own, in the hours before `until`.
fn calls(first: usize, count: usize, values: usize, until: Micros, hours: i64) -> Vec<Event> {
    let call = |id: usize| {
        let ago = id as i64 * 7_919 * SECOND % (hours * HOUR);
        // Ids that no encoding makes small.
        let name = format!("{:016x}", (id as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let event = Event::new(name).at(until - ago - id as i64 % 1_000);
        let event = event.model(["a", "b", "c"][id % 3]).cost(["0.5", "0.25", "1.75"][id % 3]);
        event.team(&format!("t{}", id / 3 % values))
    };
    (first..first + count).map(call).collect()
}

async fn kind(lake: &Lake) -> CellKind {
    let snapshot = lake.snapshot().await;
    CellKind::of(snapshot.table().dimensions.iter().next().unwrap())
}

/// How many files carry cells of the dimension, and how many do not.
async fn carrying(lake: &Lake) -> [usize; 2] {
    let (kind, snapshot) = (kind(lake).await, lake.snapshot().await);
    let carries = |file: &&Arc<DataFile>| file.stored_cells(&kind.version()).is_some();
    let with = snapshot.files().filter(carries).count();
    [with, snapshot.files().count() - with]
}

/// The calls of each team, by a query.
async fn counted(lake: &Lake, query: &str) -> BTreeMap<String, i64> {
    let snapshot = lake.snapshot().await;
    let files: Vec<_> = snapshot.files().cloned().collect();
    let dimensions = snapshot.table().dimensions.as_ref().clone();
    let asker = Asker { dimensions, ..Asker::default() };
    let console = Console::new(lake.store.clone()).unwrap();
    let answer = console.answer(&files, &asker, query).await.unwrap();
    let batches: Vec<_> = answer.batches.try_collect().await.unwrap();
    let rows = batches.iter().flat_map(|batch| {
        let teams = arrow::compute::cast(batch.column(0), &arrow::datatypes::DataType::Utf8);
        let teams = teams.unwrap().as_string::<i32>().clone();
        let counts = batch.column(1).as_primitive::<Int64Type>().clone();
        let rows =
            (0..batch.num_rows()).map(|row| (teams.value(row).to_owned(), counts.value(row)));
        rows.collect::<Vec<_>>()
    });
    rows.collect()
}

/// Tables, scrapes and rows tell the same of each team.
async fn assert_counts(lake: &Lake, series: &Series) {
    let rows = "SELECT attributes['team'], count(*) FROM events GROUP BY 1";
    let cells = "SELECT value, CAST(sum(requests) AS bigint) FROM usage_by_dimension GROUP BY 1";
    let expected = counted(lake, rows).await;
    assert_eq!(counted(lake, cells).await, expected);
    let shown = series.iter().filter(|(name, _)| name.starts_with("llm_dimension_requests_total"));
    let shown = shown.map(|(name, value)| {
        let team = name.split("value=\"").nth(1).unwrap().split('"').next().unwrap();
        (team.to_owned(), value.parse().unwrap())
    });
    assert_eq!(shown.collect::<BTreeMap<_, _>>(), expected);
}

/// What a process shows that has just started.
async fn cold(lake: &Lake, cache: usize) -> Series {
    shown(&lake.replica(cache).await).await
}

#[tokio::test]
async fn values_that_are_many_are_in_no_file_and_are_shown_all_the_same() {
    let lake = Lake::open(&memory()).await;
    declare(&lake, "team").await;
    lake.sent(&calls(0, 18_000, 700, NOON, 30)).await;
    assert_eq!(carrying(&lake).await, [0, 2]);
    let mut before = shown(&lake).await;
    assert_law(&before);
    assert_counts(&lake, &before).await;
    // Windows cut hours of files with many rows, and of files with few, which came before and after somebody asked.
    for round in 1..4 {
        lake.pass(13 * 60 * SECOND + 7);
        let until = NOON + round as i64 * 13 * 60 * SECOND;
        lake.sent(&calls(round * 100_000, 60, 40, until, 2)).await;
        let series = shown(&lake).await;
        assert_law(&series);
        assert_no_counter_fell(&before, &series);
        before = series;
        for cache in [0, 64 << 20] {
            assert_eq!(cold(&lake, cache).await, before, "round {round}");
        }
        if round == 2 {
            lake.snapshot_totals().await;
        }
    }
    assert_eq!(carrying(&lake).await[0], 0);
    verified(&lake.store).await;
}

#[tokio::test]
async fn values_that_are_many_stay_over_rewrites_and_expiry() {
    let lake = Lake::open(&memory()).await;
    declare(&lake, "team").await;
    for part in 0..3 {
        lake.sent(&calls(part * 6_000, 6_000, 500, NOON - 30 * DAY, 10)).await;
        lake.sent(&calls(100_000 + part * 4_000, 4_000, 300, NOON, 10)).await;
    }
    let before = shown(&lake).await;
    assert_law(&before);
    assert!(compact(&lake).await > 0);
    vacuum(&lake).await;
    assert_eq!(carrying(&lake).await[0], 0);
    assert_eq!(cold(&lake, 64 << 20).await, before);
    assert_counts(&lake, &before).await;
    // Files of other programs are as ours.
    let [old, new] = dates(&lake).await[..] else { panic!("two dates") };
    rewrite(&lake, new, 2).await;
    assert_eq!(cold(&lake, 0).await, before);
    rewrite(&lake, old, 1).await;
    assert!(lake.expire(10).await.unwrap().events > 0);
    assert_eq!(shown(&lake).await, before);
    assert_eq!(cold(&lake, 64 << 20).await, before);
    verified(&lake.store).await;
}

#[tokio::test]
async fn values_that_are_few_are_in_files_whose_rows_are_not_read() {
    let lake = Lake::open(&memory()).await;
    declare(&lake, "team").await;
    lake.sent(&calls(0, 20_000, 3, NOON - HOUR, 3)).await;
    assert_eq!(carrying(&lake).await, [1, 0]);
    let series = shown(&lake).await;
    assert_law(&series);
    assert_counts(&lake, &series).await;
    let other = lake.replica(64 << 20).await;
    assert_eq!(shown(&other).await, series);
    let told = other.app.telemetry().encode().unwrap();
    assert!(!told.contains("dimension_files_made_total{"), "rows were read: {told}");
    verified(&lake.store).await;
}

/// Bytes of the data files.
async fn bytes(store: &Arc<dyn ObjectStore>) -> u64 {
    let objects: Vec<_> = store.list(Some(&"events".into())).try_collect().await.unwrap();
    let files = objects.iter().filter(|object| object.location.as_ref().ends_with(".parquet"));
    files.map(|object| object.size).sum()
}

#[tokio::test]
async fn files_take_at_most_a_tenth_more_for_dimensions() {
    for (count, values) in [(1, 1), (100, 3), (2_000, 200), (9_000, 3), (9_000, 60)] {
        let (plain, told) = (Lake::open(&memory()).await, Lake::open(&memory()).await);
        for name in ["team", "note", "a", "b"] {
            declare(&told, name).await;
        }
        let events = calls(0, count, values, NOON - HOUR, 5);
        plain.sent(&events).await;
        told.sent(&events).await;
        let [plain, told] = [bytes(&plain.store).await, bytes(&told.store).await];
        assert!(told * 10 <= plain * 11, "{count} events of {values} values: {plain}, {told}");
    }
}
