//! Tests that results before and after a compaction are the same, byte for byte.

use std::collections::BTreeMap;
use std::sync::Arc;

use object_store::ObjectStore;
use proptest::prelude::*;
use tokenlake::archive::DataFile;
use tokenlake::clock::{DAY, HOUR};

use super::{compact, live_files, vacuum};
use crate::support::event::{Event, NOON};
use crate::support::foreign;
use crate::support::lake::{Lake, verified};
use crate::support::store::{data_files, memory, read};

const ORGS: [&str; 3] = ["acme", "umbrella", "Zed"];

/// Rows of a file as text, whole.
async fn rows_of(store: &Arc<dyn ObjectStore>, file: &DataFile) -> Vec<String> {
    let bytes = bytes::Bytes::from(read(store, &file.path_in_archive()).await);
    let options = parquet::arrow::arrow_reader::ArrowReaderOptions::new()
        .with_schema(tokenlake::event::schema());
    let reader =
        parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new_with_options(
            bytes, options,
        );
    let mut rows = Vec::new();
    for batch in reader.unwrap().build().unwrap().map(Result::unwrap) {
        for row in 0..batch.num_rows() {
            rows.push(format!("{:?}", batch.slice(row, 1).columns()));
        }
    }
    rows
}

/// All rows, sorted, by date.
async fn all_rows(store: &Arc<dyn ObjectStore>) -> BTreeMap<String, Vec<String>> {
    let app = Lake::open(store).await;
    let mut rows: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for file in app.app.archive().current().files() {
        rows.entry(file.date.to_string()).or_default().extend(rows_of(store, file).await);
    }
    rows.values_mut().for_each(|rows| rows.sort_unstable());
    rows
}

/// What each organisation is shown, but for the version.
async fn bodies(app: &Lake) -> Vec<String> {
    let mut bodies = Vec::new();
    for org in ORGS {
        let body = app.body(org).await;
        bodies.extend(body.lines().filter(|line| !line.contains("_version{")).map(str::to_owned));
    }
    bodies
}

fn batch() -> impl Strategy<Value = (usize, Vec<Event>)> {
    let model = prop::sample::select(vec!["gpt-4o", "GPT-4o", "o1", "unknown"]);
    let cost = prop::sample::select(vec!["0.25", "0.000000000001", "17.5"]);
    let event = (0..40_u8, 0..30_i64, model, cost, "\\PC{0,12}").prop_map(
        |(id, hours, model, cost, note)| {
            Event::new(id).at(NOON - hours * HOUR - 7).model(model).cost(cost).note(note)
        },
    );
    (0..ORGS.len(), prop::collection::vec(event, 1..6))
}

async fn hold(batches: Vec<(usize, Vec<Event>)>, foreign_after: Option<usize>) {
    let store = memory();
    let app = Lake::open(&store).await;
    for (number, (org, events)) in batches.iter().enumerate() {
        app.send(ORGS[*org], events).await.unwrap();
        if foreign_after == Some(number) {
            foreign::rewrite(&store).await;
        }
    }
    app.scrape(ORGS[0]).await;
    let (shown, rows, events) =
        (bodies(&app).await, all_rows(&store).await, verified(&store).await);
    compact(&app).await;
    assert_eq!(bodies(&app).await, shown);
    vacuum(&app).await;
    assert_eq!(data_files(&store).await.len(), live_files(&store).await);
    assert_eq!(bodies(&app).await, shown);
    let fresh = Lake::open(&store).await;
    assert_eq!(bodies(&fresh).await, shown);
    assert_eq!(all_rows(&store).await, rows);
    assert_eq!(verified(&store).await, events);
    // Of an hour that the window now cuts, rows are read from the new file.
    let later = NOON + DAY - 20 * HOUR;
    for replica in [&app, &fresh] {
        replica.clock.set(later);
    }
    assert_eq!(bodies(&app).await, bodies(&fresh).await);
    for (org, events) in &batches {
        let receipt = fresh.send(ORGS[*org], events).await.unwrap();
        assert_eq!((receipt.accepted, receipt.duplicates), (0, events.len()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, max_shrink_iters: 100, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn compaction_changes_nothing_that_is_seen(
        batches in prop::collection::vec(batch(), 8..30),
        foreign_after in prop::option::of(0..30_usize),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(hold(batches, foreign_after));
    }
}

#[tokio::test]
async fn files_become_few_and_sorted_and_carry_their_sums() {
    let store = memory();
    let app = Lake::open(&store).await;
    for id in 0..20_u32 {
        let org = ORGS[id as usize % ORGS.len()];
        app.send(org, &[Event::new(id).at(NOON - i64::from(id))]).await.unwrap();
    }
    assert_eq!(compact(&app).await, 1);
    let snapshot = Lake::open(&store).await.app.archive().current();
    let files: Vec<_> = snapshot.files().collect();
    assert_eq!((files.len(), files[0].rows), (1, Some(20)));
    let version = tokenlake::sql::sql_version();
    assert!(files[0].stored_partial(&version).is_some(), "it carries no partial");
    assert!(files[0].lossless(&version).is_some_and(|plain| plain.calls && plain.model));
    assert_eq!(files[0].org_bounds(), Some(("Zed", "umbrella")));
    let keys: Vec<_> = rows_of(&store, files[0]).await;
    assert_eq!(keys.len(), 20);
    assert_eq!(app.telemetry("tokenlake_rewrites_total"), 1);
    assert_eq!(app.telemetry("tokenlake_rewritten_files_total"), 20);
    // Nothing is left to do, and nothing is done.
    let before = snapshot.version();
    assert_eq!((compact(&app).await, app.app.archive().current().version()), (0, before));
}

/// More rows than fit into a filter of the log: the file itself is asked.
#[tokio::test]
async fn ids_in_a_large_file_are_found_by_its_own_filter_and_in_memory() {
    let store = memory();
    let app = Lake::open(&store).await;
    let batch = |number: u32| {
        (0..600).map(move |id| Event::new(format!("{number}-{id}"))).collect::<Vec<_>>()
    };
    for number in 0..9 {
        assert_eq!(app.sent(&batch(number)).await, (600, 0));
    }
    assert_eq!(compact(&app).await, 1);
    assert_eq!(vacuum(&app).await, 9);
    assert_eq!(live_files(&store).await, 1);
    let reads = app.telemetry("tokenlake_dedupe_file_reads_total");
    for number in 0..9 {
        assert_eq!(app.sent(&batch(number)).await, (0, 600));
    }
    assert_eq!(app.sent(&[Event::new("new")]).await, (1, 0));
    let after = app.telemetry("tokenlake_dedupe_file_reads_total");
    assert_eq!(after, reads, "rows that were only moved are not read again");
    for dedupe_bytes_max in [0, 512 << 20] {
        let mut settings = crate::support::lake::settings();
        settings.writer.dedupe_bytes_max = dedupe_bytes_max;
        let fresh = Lake::try_open(&store, settings).await.unwrap();
        for number in 0..9 {
            assert_eq!(fresh.sent(&batch(number)).await, (0, 600), "{dedupe_bytes_max} bytes");
        }
    }
    assert_eq!(verified(&store).await, 9 * 600 + 1);
}
