//! Tests of readers that follow the Delta protocol and know nothing of tokenlake: they replay the
//! log and read the Parquet files as they are.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array as _, AsArray as _};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use object_store::ObjectStore;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use tokenlake::clock::DAY;

use super::{compact, vacuum};
use crate::support::event::{Event, NOON};
use crate::support::lake::Lake;
use crate::support::store::{log_entry, memory, read};

/// The actions of all entries, with their versions.
async fn actions(store: &Arc<dyn ObjectStore>, newest: u64) -> Vec<(u64, Value)> {
    let mut actions = Vec::new();
    for version in 0..=newest {
        let text = String::from_utf8(read(store, &log_entry(version)).await).unwrap();
        actions.extend(text.lines().map(|line| (version, serde_json::from_str(line).unwrap())));
    }
    actions
}

/// Live files by path, as the log alone has them.
fn replayed(actions: &[(u64, Value)]) -> BTreeMap<String, Value> {
    let mut live = BTreeMap::new();
    for (version, action) in actions {
        if let Some(add) = action.get("add") {
            let path = add["path"].as_str().unwrap().to_owned();
            assert!(live.insert(path, add.clone()).is_none(), "version {version} adds it again");
        } else if let Some(remove) = action.get("remove") {
            let path = remove["path"].as_str().unwrap();
            assert!(live.remove(path).is_some(), "version {version} removes what is not there");
            assert!(remove["deletionTimestamp"].is_i64(), "{remove}");
        }
    }
    live
}

/// Rows and input tokens of a file, which is what the log says it is.
async fn read_file(store: &Arc<dyn ObjectStore>, add: &Value) -> (usize, i64) {
    let bytes = read(store, &format!("events/{}", add["path"].as_str().unwrap())).await;
    assert_eq!(add["size"], bytes.len());
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes)).unwrap();
    let day = chrono::NaiveDate::parse_from_str(
        add["partitionValues"]["event_date"].as_str().unwrap(),
        "%Y-%m-%d",
    );
    let day = day.unwrap().and_hms_opt(0, 0, 0).unwrap().and_utc().timestamp_micros();
    let (mut rows, mut tokens, mut last) = (0, 0, None);
    for batch in reader.build().unwrap().map(Result::unwrap) {
        rows += batch.num_rows();
        let column = |name| batch.column_by_name(name).unwrap();
        tokens += column("input_tokens").as_primitive::<Int64Type>().values().iter().sum::<i64>();
        let times = column("ts").as_primitive::<TimestampMicrosecondType>();
        let orgs = column("org_id").as_string::<i32>();
        assert_eq!(orgs.null_count(), 0);
        for (org, ts) in orgs.iter().flatten().zip(times.values()) {
            assert!((day..day + DAY).contains(ts), "{ts} is of another date");
            let key = Some((org.to_owned(), *ts));
            assert!(last <= key, "{last:?} stands before {key:?}");
            last = key;
        }
    }
    let stats: Value = serde_json::from_str(add["stats"].as_str().unwrap()).unwrap();
    assert_eq!(stats["numRecords"], rows);
    (rows, tokens)
}

#[tokio::test]
async fn a_reader_that_knows_the_protocol_alone_finds_the_same_rows() {
    let store = memory();
    let app = Lake::open(&store).await;
    for (id, org) in (0..40_i64).zip(["b", "a", "C"].into_iter().cycle()) {
        let event = Event::new(id).at(NOON - id % 4 * DAY / 2 - id);
        app.send(org, &[event]).await.unwrap();
    }
    let rewrites = compact(&app).await;
    assert!(rewrites >= 2);
    assert!(vacuum(&app).await > 30);
    let newest = Lake::open(&store).await.app.archive().current().version();
    let actions = actions(&store, newest).await;
    let live = replayed(&actions);
    let (mut rows, mut tokens) = (0, 0);
    for add in live.values() {
        let file = read_file(&store, add).await;
        (rows, tokens) = (rows + file.0, tokens + file.1);
    }
    assert_eq!((rows, tokens), (40, 40 * 3));
    // No commit that moves events says that it changes them, nor is it a blind append.
    let rewritten = |version| {
        let of = actions.iter().filter(move |(at, _)| *at == version);
        of.map(|(_, action)| action).any(|action| action.get("remove").is_some())
    };
    let mut seen = 0;
    for version in (0..=newest).filter(|version| rewritten(*version)) {
        seen += 1;
        for (_, action) in actions.iter().filter(|(at, _)| *at == version) {
            match action.get("commitInfo") {
                Some(info) => assert_eq!(info["isBlindAppend"], false),
                None if action.get("txn").is_some() => {}
                None => {
                    let change = action.get("add").or(action.get("remove")).unwrap();
                    assert_eq!(change["dataChange"], false, "{action}");
                }
            }
        }
    }
    assert_eq!(seen, rewrites);
}
