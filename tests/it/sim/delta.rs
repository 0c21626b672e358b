//! The table as another program sees it: read from the log's entries in the bucket alone, and
//! written by hand.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};
use tokenlake::event;

use super::book::Events;
use super::place::Place;
use crate::support::foreign::File;
use crate::support::store::log_entry;

/// The table as of a version.
#[derive(Debug, Default)]
pub struct Table {
    next: u64,
    /// The live files as they came: the names are random.
    pub live: Vec<File>,
    /// Rows of files of which the log does not say so.
    rows: HashMap<String, u64>,
    /// Files that went.
    pub gone: Vec<File>,
    /// Events of one organisation that a file has, and no others, where another program wrote it.
    pub own: HashMap<String, (usize, Events)>,
    written: u64,
}

impl Table {
    /// Takes in what is new.
    pub async fn follow(&mut self, place: &Place) {
        while let Some(entry) = place.read(&log_entry(self.next)).await {
            for line in entry.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                self.apply(&serde_json::from_slice(line).unwrap());
            }
            self.next += 1;
        }
    }

    fn apply(&mut self, action: &Value) {
        if let Some(path) = action.pointer("/remove/path").and_then(Value::as_str)
            && let Some(at) = self.live.iter().position(|file| file.path == path)
        {
            self.gone.push(self.live.remove(at));
        }
        let Some(add) = action.get("add") else { return };
        let text = |key: &str| add[key].as_str().unwrap_or_default();
        let stats: Value = serde_json::from_str(text("stats")).unwrap_or_default();
        let path = text("path").to_owned();
        let told = stats["numRecords"].as_u64();
        let file = File {
            date: add["partitionValues"]["event_date"].as_str().unwrap().to_owned(),
            size: add["size"].as_u64().unwrap(),
            rows: told.or_else(|| self.rows.get(&path).copied()).unwrap(),
            path,
        };
        // A repair brings files back.
        self.gone.retain(|gone| gone.path != file.path);
        self.live.push(file);
    }

    /// True if there is a version.
    pub fn is_there(&self) -> bool {
        self.next > 0
    }

    /// The newest version that is known.
    pub fn newest(&self) -> u64 {
        self.next - 1
    }

    /// Commits actions as the next version, which it gives.
    pub async fn commit(&mut self, place: &Place, operation: &str, actions: &[Value]) -> u64 {
        let version = self.next;
        let info = json!({ "commitInfo": { "operation": operation, "engineInfo": "Other/1.0" } });
        let lines = std::iter::once(&info).chain(actions).map(|action| format!("{action}\n"));
        place.create(&log_entry(version), lines.collect::<String>().into()).await;
        self.follow(place).await;
        version
    }

    /// Writes rows of one date to a new file.
    pub async fn write(&mut self, place: &Place, date: &str, batches: &[RecordBatch]) -> File {
        let rows = concat_batches(&event::schema(), batches).unwrap();
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, event::schema(), None).unwrap();
        writer.write(&rows).unwrap();
        writer.close().unwrap();
        self.written += 1;
        let path = format!("event_date={date}/other-{}.parquet", self.written);
        let (date, size) = (date.to_owned(), bytes.len() as u64);
        let file = File { path, date, size, rows: rows.num_rows() as u64 };
        self.rows.insert(file.path.clone(), file.rows);
        place.create(&file.place(), bytes.into()).await;
        file
    }

    /// Copies a live file to another name.
    pub async fn copy(&mut self, place: &Place, file: &File) -> File {
        let rows = rows(place, file).await;
        self.write(place, &file.date, &rows).await
    }

    /// The action that adds a file, with or without statistics.
    pub fn add(file: &File, data_change: bool, with_statistics: bool) -> Value {
        let mut add = file.add(data_change);
        if !with_statistics {
            add["add"].as_object_mut().unwrap().remove("stats");
        }
        add
    }
}

/// The rows of a file.
pub async fn rows(place: &Place, file: &File) -> Vec<RecordBatch> {
    let bytes = place.read(&file.place()).await.unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
    let rows: Vec<_> = reader.map(Result::unwrap).collect();
    // Every program writes the table's own columns.
    let schema = event::schema();
    let rows = rows
        .into_iter()
        .map(|rows| RecordBatch::try_new(Arc::clone(&schema), rows.columns().to_vec()).unwrap());
    rows.collect()
}
