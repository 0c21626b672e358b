//! Tests of the partials that data files carry: other readers do not see them, one made by other
//! SQL is not used, and a wrong one is found.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use object_store::ObjectStore;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use serde_json::{Value, json};
use tokenlake::sql::sql_version;

use crate::support::event::{ACME, Event, NOON, events};
use crate::support::foreign::{File, as_older, commit, live};
use crate::support::lake::{Lake, verified, verify};
use crate::support::store::{log_entry, memory, read, write};

const TAG: &str = "tokenlake.partial";
/// Bytes that one checksum covers.
const BLOCK_BYTES: usize = 64 * 1024;

/// An archive of two versions, of a file each, and what is shown of it.
async fn two_files() -> (Arc<dyn ObjectStore>, String) {
    let store = memory();
    let app = Lake::open(&store).await;
    app.sent(&events(0..40)).await;
    let others: Vec<_> = events(40..60).into_iter().map(|event| event.model("haiku")).collect();
    app.sent(&others).await;
    let body = app.body(ACME).await;
    (store, body)
}

async fn cold(store: &Arc<dyn ObjectStore>) -> String {
    Lake::open(store).await.body(ACME).await
}

/// What the log says of the file that came with `version`: its path in the archive, the version of
/// the SQL, and its partial's place.
async fn carried(store: &Arc<dyn ObjectStore>, version: u64) -> (String, String, [usize; 2]) {
    let entry = String::from_utf8(read(store, &log_entry(version)).await).unwrap();
    let actions = entry.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let adds: Vec<_> = actions.filter_map(|action| action.get("add").cloned()).collect();
    assert_eq!(adds.len(), 1);
    let tag = adds[0]["tags"][TAG].as_str().unwrap();
    let [sql, start, end, _] = tag.split(' ').collect::<Vec<_>>().try_into().unwrap();
    let place = [start, end].map(|at| at.parse().unwrap());
    (format!("events/{}", adds[0]["path"].as_str().unwrap()), sql.to_owned(), place)
}

#[tokio::test]
async fn other_readers_see_the_rows_and_nothing_else() {
    let (store, _) = two_files().await;
    for (version, rows) in [(1, 40), (2, 20)] {
        let (path, sql, [start, end]) = carried(&store, version).await;
        let bytes = bytes::Bytes::from(read(&store, &path).await);
        assert_eq!(sql, &*sql_version());
        assert!(start < end && end < bytes.len());
        assert!(bytes[start..end].starts_with(b"PAR1") && bytes[start..end].ends_with(b"PAR1"));
        let metadata = SerializedFileReader::new(bytes.clone()).unwrap().metadata().clone();
        for column in metadata.row_groups().iter().flat_map(|group| group.columns()) {
            let (from, length) = column.byte_range();
            assert!((from + length) as usize <= start, "{}", column.column_path());
        }
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
        assert_eq!(reader.schema().fields(), tokenlake::event::schema().fields());
        let read = reader.build().unwrap().map(|rows| rows.unwrap().num_rows());
        assert_eq!(read.sum::<usize>(), rows);
    }
    assert_eq!(verified(&store).await, 60);
}

#[tokio::test]
async fn a_partial_by_other_sql_is_not_used() {
    let (store, expected) = two_files().await;
    for version in [1, 2] {
        let entry = String::from_utf8(read(&store, &log_entry(version)).await).unwrap();
        let other = as_older(&entry).replace(&*sql_version(), "0000000000000000");
        assert_ne!(other, as_older(&entry));
        write(&store, &log_entry(version), other.into()).await;
    }
    assert_eq!(cold(&store).await, expected);
    assert_eq!(verified(&store).await, 60);
}

/// The bytes of the partial of the file that came with `version`.
async fn partial(store: &Arc<dyn ObjectStore>, version: u64) -> Vec<u8> {
    let (path, _, [start, end]) = carried(store, version).await;
    read(store, &path).await[start..end].to_vec()
}

/// The rows of a file, in a file that carries `partial`, and where it does.
async fn with_partial(
    store: &Arc<dyn ObjectStore>,
    file: &File,
    partial: &[u8],
) -> (Vec<u8>, [usize; 2]) {
    let bytes = bytes::Bytes::from(read(store, &file.place()).await);
    let rows = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), tokenlake::event::schema(), None).unwrap();
    rows.for_each(|rows| writer.write(&rows.unwrap()).unwrap());
    writer.flush().unwrap();
    let start = writer.bytes_written();
    writer.write_all(partial).unwrap();
    (writer.into_inner().unwrap(), [start, start + partial.len()])
}

/// Rewrites the file that came with version 1 into one with this partial, under checksums that are
/// right; gives its path.
async fn carry(store: &Arc<dyn ObjectStore>, partial: &[u8], sql: &str) -> String {
    let path = carried(store, 1).await.0;
    let (_, files) = live(store).await;
    let old = files.into_iter().find(|file| file.place() == path).unwrap();
    let (bytes, [start, end]) = with_partial(store, &old, partial).await;
    let crc32: Vec<u8> =
        bytes.chunks(BLOCK_BYTES).flat_map(|block| crc32fast::hash(block).to_le_bytes()).collect();
    let new = File {
        path: format!("event_date={}/carries.parquet", old.date),
        size: bytes.len() as u64,
        ..old.clone()
    };
    let mut add = new.add(false);
    add["add"]["tags"] = json!({
        "tokenlake.crc32": STANDARD_NO_PAD.encode(crc32), TAG: format!("{sql} {start} {end}"),
    });
    write(store, &new.place(), bytes).await;
    commit(store, &[add, old.remove(false)]).await;
    new.place()
}

#[tokio::test]
async fn sums_that_are_not_those_of_the_rows_are_found() {
    let (store, expected) = two_files().await;
    let path = carry(&store, &partial(&store, 2).await, &sql_version()).await;
    let report = verify(&store).await;
    let line = format!("{path} carries sums that are not those of its events");
    assert!(report.differences.contains(&line), "{:?}", report.differences);
    // They are believed, so scrapes are wrong too, and that is found as well.
    assert_ne!(cold(&store).await, expected);
    assert!(report.differences.iter().any(|line| line.contains("scrapes show")), "{report:?}");
}

#[tokio::test]
async fn a_rewrite_by_hand_that_carries_the_right_sums_passes() {
    let (store, expected) = two_files().await;
    let right = partial(&store, 1).await;
    carry(&store, &right, &sql_version()).await;
    assert_eq!(verified(&store).await, 60);
    let shown = cold(&store).await;
    assert_eq!(shown, expected.replace("version{org_id=\"acme\"} 2", "version{org_id=\"acme\"} 3"));
}

#[tokio::test]
async fn wrong_sums_by_other_sql_hurt_nobody() {
    let (store, expected) = two_files().await;
    carry(&store, &partial(&store, 2).await, "0000000000000000").await;
    assert_eq!(verified(&store).await, 60);
    let shown = cold(&store).await;
    assert_eq!(shown, expected.replace("version{org_id=\"acme\"} 2", "version{org_id=\"acme\"} 3"));
}

#[tokio::test]
async fn a_file_in_which_nothing_counts_is_right_too() {
    let store = memory();
    let app = Lake::open(&store).await;
    app.sent(&events(0..3)).await;
    let expected = cold(&store).await;
    let (mut lines, org) = (Vec::new(), tokenlake::event::OrgId::parse(ACME).unwrap());
    for event in [Event::new("a"), Event::new("b").at(NOON)] {
        let mut line: Value = serde_json::from_str(&event.line()).unwrap();
        line["event_type"] = json!("tool");
        lines.push(line.to_string());
    }
    let kind = tokenlake::ingest::ContentKind::Ndjson;
    let decoded = app.app.decode(&org, &kind, lines.join("\n").as_ref()).unwrap();
    assert_eq!(app.app.commit(&org, decoded).await.unwrap().accepted, 2);
    let expected = expected.replace("version{org_id=\"acme\"} 1", "version{org_id=\"acme\"} 2");
    assert_eq!(cold(&store).await, expected);
    assert_eq!(app.body(ACME).await, expected);
    app.snapshot_totals().await;
    assert_eq!(cold(&store).await, expected);
    assert_eq!(verified(&store).await, 5);
}
