//! Commits that only move events between files, as our compaction or another program's makes them:
//! written by hand, so that they share no code with the program.

use std::sync::Arc;

use arrow::array::{RecordBatch, UInt64Array};
use arrow::compute::{concat_batches, take_record_batch};
use bytes::Bytes;
use chrono::NaiveDate;
use object_store::path::Path;
use object_store::{ObjectStore as _, ObjectStoreExt as _, PutMode};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};
use tokenlake::archive::DataFile;
use tokenlake::event;

use crate::support::lake::Lake;

/// The dates that have files, in order.
pub async fn dates(lake: &Lake) -> Vec<NaiveDate> {
    let mut dates: Vec<_> = lake.snapshot().await.files().map(|file| file.date).collect();
    dates.dedup();
    dates
}

/// Moves all events of `date` into up to `parts` new files, dealt out like cards, and commits that
/// in one entry.
pub async fn rewrite(lake: &Lake, date: NaiveDate, parts: usize) {
    let snapshot = lake.snapshot().await;
    let version = snapshot.version() + 1;
    let files: Vec<_> = snapshot.files_of(date).cloned().collect();
    let mut rows = Vec::new();
    for file in &files {
        rows.extend(read(lake, file).await);
    }
    let rows = concat_batches(&event::schema(), &rows).unwrap();
    let mut entry = vec![json!({"commitInfo": {"operation": "OPTIMIZE"}})];
    entry.extend(files.iter().map(|file| remove_action(file)));
    for part in 0..parts.min(rows.num_rows()) {
        let picked: UInt64Array =
            (0..rows.num_rows() as u64).skip(part).step_by(parts).collect::<Vec<_>>().into();
        let picked = take_record_batch(&rows, &picked).unwrap();
        entry.push(write(lake, date, &format!("moved-{version}-{part}"), &picked).await);
    }
    let lines: String = entry.iter().map(|action| format!("{action}\n")).collect();
    let path = Path::from(format!("events/_delta_log/{version:020}.json"));
    lake.store.put_opts(&path, lines.into(), PutMode::Create.into()).await.unwrap();
}

/// Deletes the objects of files that a rewrite left behind, as vacuum does.
pub async fn delete(lake: &Lake, files: &[Arc<DataFile>]) {
    for file in files {
        lake.store.delete(&Path::from(file.path_in_archive())).await.unwrap();
    }
}

async fn read(lake: &Lake, file: &DataFile) -> Vec<RecordBatch> {
    let path = Path::from(file.path_in_archive());
    let bytes = lake.store.get(&path).await.unwrap().bytes().await.unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
    reader.map(Result::unwrap).collect()
}

async fn write(lake: &Lake, date: NaiveDate, name: &str, rows: &RecordBatch) -> Value {
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, event::schema(), None).unwrap();
    writer.write(rows).unwrap();
    writer.close().unwrap();
    let path = format!("event_date={date}/{name}.parquet");
    let size = bytes.len();
    let object = Path::from(format!("events/{path}"));
    lake.store.put(&object, Bytes::from(bytes).into()).await.unwrap();
    json!({"add": {
        "path": path,
        "partitionValues": {"event_date": date.to_string()},
        "size": size,
        "modificationTime": 0,
        "dataChange": false,
        "stats": json!({"numRecords": rows.num_rows()}).to_string(),
    }})
}

fn remove_action(file: &DataFile) -> Value {
    json!({"remove": {"path": &*file.path, "deletionTimestamp": 0, "dataChange": false}})
}
