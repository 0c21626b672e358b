//! Tests of valid files of other programs, in any shape: every way of reading shows the same as if
//! the events had been sent to us.

use std::sync::Arc;

use arrow::array::{Array as _, AsArray as _};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::DataType;
use futures::TryStreamExt as _;
use object_store::ObjectStore;
use serde_json::json;
use tokenlake::archive::WriterSettings;
use tokenlake::clock::{DAY, HOUR};
use tokenlake::sql::Console;

use super::int96;
use crate::compact::{compact, live_files};
use crate::support::event::{ACME, Event, NOON, events};
use crate::support::foreign::{File, commit};
use crate::support::foreign_files::{
    SHAPES, Shape, TODAY, add_untold, add_with_stats, append, put, rows,
};
use crate::support::lake::{Lake, settings, verified};
use crate::support::store::{memory, write};

/// Events of ours, some of them in the hour that a window cuts.
async fn ours() -> Arc<dyn ObjectStore> {
    let store = memory();
    let app = Lake::open(&store).await;
    app.sent(&events(0..3)).await;
    app.send("globex", &events(["g"])).await.unwrap();
    store
}

/// Events of another program: four of one hour, out of order, and one of the window's other end.
fn theirs() -> Vec<Event> {
    let start = NOON - 11 * HOUR;
    let at = |id: u32, minutes: i64| Event::new(format!("x{id}")).at(start + minutes * HOUR / 60);
    vec![at(3, 40), at(1, 10), at(4, 50).cost("0.5"), at(2, 20).model("Mini"), at(5, 600)]
}

/// The same archive, had the events been sent to us.
async fn as_if_sent() -> Arc<dyn ObjectStore> {
    let store = ours().await;
    assert_eq!(Lake::open(&store).await.sent(&theirs()).await, (5, 0));
    store
}

const QUERIES: [&str; 5] = [
    "SELECT org_id, event_id, event_type, ts, provider, model, input_tokens, output_tokens, \
        cost_usd, event_date FROM events ORDER BY org_id, event_id",
    "SELECT org_id, model, count(*), sum(input_tokens), sum(cost_usd), max(ts) FROM events \
        WHERE ts >= '2026-03-10T01:20:00Z' AND event_date = '2026-03-10' GROUP BY 1, 2 ORDER BY 1, 2",
    "SELECT count(*) FROM events",
    "SELECT event_id FROM events WHERE event_id = 'x2' OR cost_usd > 0.4 ORDER BY 1 LIMIT 3",
    "SELECT * FROM usage_hourly ORDER BY org_id, hour, provider, model",
];

async fn answers(store: &Arc<dyn ObjectStore>) -> Vec<String> {
    let console = Console::new(store.clone()).unwrap();
    let app = Lake::open(store).await;
    let files: Vec<_> = app.app.archive().current().files().cloned().collect();
    let mut answers = Vec::new();
    for org in [None, Some("acme"), Some("globex"), Some("nobody")] {
        for query in QUERIES {
            let answer = console.query(&files, org, query).await.unwrap();
            let (schema, batches) = (answer.schema.clone(), answer.batches);
            let batches: Vec<_> = batches.try_collect().await.unwrap();
            let batch = concat_batches(&schema, &batches).unwrap();
            let columns = batch.columns().iter().map(|column| {
                let texts = cast(column, &DataType::Utf8).unwrap();
                let texts = texts.as_string::<i32>();
                (0..texts.len())
                    .map(|row| texts.is_valid(row).then(|| texts.value(row).to_owned()))
                    .collect::<Vec<_>>()
            });
            answers.push(format!("{org:?} {query}: {:?}", columns.collect::<Vec<_>>()));
        }
    }
    answers
}

/// Scrapes at instants in which the window cuts the hours of the events.
async fn scrapes(app: &Lake) -> Vec<String> {
    let mut scrapes = Vec::new();
    for ahead in [0, 13 * HOUR + HOUR / 4, 13 * HOUR + HOUR / 2, 23 * HOUR, 2 * DAY] {
        app.clock.set(NOON + ahead);
        for org in ["acme", "globex"] {
            scrapes.push(app.scrape(org).await);
        }
    }
    app.clock.set(NOON);
    scrapes
}

/// Everything that reads the file finds the events in it.
async fn reads_alike(name: &str, store: &Arc<dyn ObjectStore>, warm: &Lake) {
    let expected = as_if_sent().await;
    let expected_scrapes = scrapes(&Lake::open(&expected).await).await;
    assert_eq!(scrapes(warm).await, expected_scrapes, "{name}, warm");
    let cold = Lake::open(store).await;
    assert_eq!(scrapes(&cold).await, expected_scrapes, "{name}, cold");
    assert_eq!(answers(store).await, answers(&expected).await, "{name}, by SQL");
    let forgetful = settings();
    let writer = WriterSettings { dedupe_bytes_max: 0, ..forgetful.writer.clone() };
    let forgetful = tokenlake::app::AppSettings { writer, ..forgetful };
    let forgetful = Lake::try_open(store, forgetful).await.unwrap();
    for app in [warm, &cold, &forgetful] {
        assert_eq!(app.sent(&theirs()).await, (0, 5), "{name}: ids are known");
        // The next date looks at this one too.
        let late = theirs()[4].clone().at(NOON + 4 * 60_000_000);
        assert_eq!(app.sent(&[late]).await, (0, 1), "{name}");
    }
    assert_eq!(verified(store).await, 9, "{name}");
    cold.snapshot_totals().await;
    assert_eq!(scrapes(&Lake::open(store).await).await, expected_scrapes, "{name}: totals");
}

/// What is made of the file is ours and the same.
async fn becomes_ours(name: &str, store: &Arc<dyn ObjectStore>) {
    let expected = scrapes(&Lake::open(store).await).await;
    let (rows, app) = (answers(store).await, Lake::open(store).await);
    assert!(compact(&app).await > 0, "{name}");
    assert_eq!(live_files(store).await, 1, "{name}");
    let opened = Lake::open(store).await;
    assert!(opened.app.archive().current().files().all(|file| file.is_ours()), "{name}");
    assert_eq!(answers(store).await, rows, "{name}: rewritten");
    assert_eq!(scrapes(&opened).await, expected, "{name}: rewritten");
    assert_eq!(opened.sent(&theirs()).await, (0, 5), "{name}: rewritten");
    assert_eq!(verified(store).await, 9, "{name}: rewritten");
}

/// Its dates go, and its totals stay.
async fn expires(name: &str, store: &Arc<dyn ObjectStore>) {
    let late = |app: &Lake| app.clock.set(NOON + 20 * DAY);
    let counters = async |app: &Lake| {
        late(app);
        app.scrape(ACME).await
    };
    let app = Lake::open(store).await;
    let before = counters(&app).await;
    let gone = app.expire(2).await.unwrap();
    assert_eq!((gone.events, gone.dates), (9, 1), "{name}");
    assert_eq!(counters(&app).await, before, "{name}: expired, warm");
    assert_eq!(counters(&Lake::open(store).await).await, before, "{name}: expired, cold");
    assert_eq!(verified(store).await, 0, "{name}: expired");
}

async fn each_of(shapes: &[(&str, Shape)]) {
    for (name, shape) in shapes {
        let store = ours().await;
        let warm = Lake::open(&store).await;
        warm.scrape(ACME).await;
        append(&store, "theirs", &shape(&rows(ACME, &theirs()))).await;
        Box::pin(reads_alike(name, &store, &warm)).await;
        if name.contains("order") {
            expires(name, &store).await;
        } else {
            Box::pin(becomes_ours(name, &store)).await;
        }
    }
}

#[tokio::test]
async fn text_in_any_form_is_read_on_each_path() {
    Box::pin(each_of(&SHAPES[..6])).await;
}

#[tokio::test]
async fn numbers_in_any_form_are_read_on_each_path() {
    Box::pin(each_of(&SHAPES[6..13])).await;
}

#[tokio::test]
async fn times_and_columns_in_any_form_are_read_on_each_path() {
    Box::pin(each_of(&SHAPES[13..])).await;
}

/// Times of 96 bits, by a writer that knows nothing of Arrow.
#[tokio::test]
async fn times_of_96_bits_are_read_on_each_path() {
    let store = ours().await;
    let warm = Lake::open(&store).await;
    warm.scrape(ACME).await;
    let bytes = int96::parquet(ACME, &theirs());
    let path = format!("event_date={TODAY}/spark.parquet");
    let file = File { path, date: TODAY.into(), size: bytes.len() as u64, rows: 5 };
    write(&store, &file.place(), bytes).await;
    commit(&store, &[file.add(true)]).await;
    Box::pin(reads_alike("INT96", &store, &warm)).await;
    Box::pin(becomes_ours("INT96", &store)).await;
}

#[tokio::test]
async fn a_file_of_which_the_log_tells_nothing_is_read_on_each_path() {
    let store = ours().await;
    let warm = Lake::open(&store).await;
    warm.scrape(ACME).await;
    let file = put(&store, TODAY, "theirs", &rows(ACME, &theirs())).await;
    commit(&store, &[add_untold(&file)]).await;
    Box::pin(reads_alike("no statistics", &store, &warm)).await;
    compact(&warm).await;
    assert_eq!(verified(&store).await, 9);
    expires("no statistics", &store).await;
}

/// Bounds as Spark has them: cut to the millisecond, with an offset, and of other columns too.
#[tokio::test]
async fn bounds_in_other_forms_are_understood() {
    let store = ours().await;
    let warm = Lake::open(&store).await;
    warm.scrape(ACME).await;
    let file = put(&store, TODAY, "theirs", &rows(ACME, &theirs())).await;
    let stats = json!({
        "numRecords": 5,
        "minValues": { "org_id": "acme", "ts": "2026-03-10T02:10:00.000+01:00", "cost_usd": 0.25 },
        "maxValues": { "org_id": "acme", "ts": "2026-03-10T11:00:00.000Z", "cost_usd": 0.5 },
        "nullCount": { "org_id": 0 },
    });
    commit(&store, &[add_with_stats(&file, &stats)]).await;
    Box::pin(reads_alike("bounds", &store, &warm)).await;
    Box::pin(becomes_ours("bounds", &store)).await;
}
