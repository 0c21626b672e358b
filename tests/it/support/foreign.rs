//! Actions of another program on the table: commits written by hand, by the Delta protocol.

use std::sync::Arc;

use object_store::ObjectStore;
use serde_json::{Value, json};

use super::lake::Lake;
use super::store::{log_entry, read, write};

/// A live file as a log entry names it.
#[derive(Clone, Debug)]
pub struct File {
    pub path: String,
    pub date: String,
    pub size: u64,
    pub rows: u64,
}

impl File {
    /// The path relative to the archive.
    pub fn place(&self) -> String {
        format!("events/{}", self.path)
    }

    /// The action that adds it. The statistics are as short as the protocol allows, and there are
    /// no tags: no filter of ids and no checksums.
    pub fn add(&self, data_change: bool) -> Value {
        json!({ "add": {
            "path": self.path, "partitionValues": { "event_date": self.date }, "size": self.size,
            "modificationTime": 1_773_144_000_000_u64, "dataChange": data_change,
            "stats": json!({ "numRecords": self.rows }).to_string(),
        }})
    }

    /// The action that removes it.
    pub fn remove(&self, data_change: bool) -> Value {
        json!({ "remove": {
            "path": self.path, "deletionTimestamp": 1_773_144_000_000_u64,
            "dataChange": data_change, "extendedFileMetadata": true,
            "partitionValues": { "event_date": self.date }, "size": self.size,
        }})
    }
}

/// The live files of the newest version, and its number.
pub async fn live(store: &Arc<dyn ObjectStore>) -> (u64, Vec<File>) {
    let app = Lake::open(store).await;
    let snapshot = app.app.archive().current();
    let files = snapshot.files().map(|file| File {
        path: file.path.to_string(),
        date: file.date.to_string(),
        size: file.size_bytes,
        rows: file.rows.unwrap(),
    });
    (snapshot.version(), files.collect())
}

/// A log entry as programs wrote it that knew neither links, checksums of entries and actions, nor
/// how many events there have ever been.
pub fn as_older(entry: &str) -> String {
    let lines = entry.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let counts = |line: &Value| {
        let app = line.pointer("/txn/appId").and_then(Value::as_str);
        app.is_some_and(|app| app.starts_with("tokenlake.events"))
    };
    let mut lines: Vec<_> = lines.filter(|line| !counts(line)).collect();
    let actions = lines.len() - 1;
    for line in &mut lines {
        if let Some(info) = line.get_mut("commitInfo").and_then(Value::as_object_mut) {
            info.remove("tokenlakeBefore");
            info.remove("tokenlakeCrc32");
            info.insert("tokenlakeActions".to_owned(), actions.into());
        }
        for place in ["/add/tags", "/metaData/configuration"] {
            if let Some(sealed) = line.pointer_mut(place).and_then(Value::as_object_mut) {
                sealed.remove("tokenlake.seal");
            }
        }
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Commits `actions` as the next version, whose path it gives.
pub async fn commit(store: &Arc<dyn ObjectStore>, actions: &[Value]) -> String {
    let entry = log_entry(live(store).await.0 + 1);
    let info = json!({ "commitInfo": { "operation": "OPTIMIZE", "engineInfo": "Other/1.0" } });
    let lines: Vec<_> = std::iter::once(&info).chain(actions).map(Value::to_string).collect();
    write(store, &entry, (lines.join("\n") + "\n").into()).await;
    entry
}

/// Copies a live file to another name of the same date.
pub async fn copy(store: &Arc<dyn ObjectStore>, file: &File) -> File {
    let (folder, name) = file.path.rsplit_once('/').unwrap();
    let copied = File { path: format!("{folder}/other-{name}"), ..file.clone() };
    write(store, &copied.place(), read(store, &file.place()).await).await;
    copied
}

/// Rewrites every live file into a copy, as another program's compaction would; gives the files
/// that are live no more.
pub async fn rewrite(store: &Arc<dyn ObjectStore>) -> Vec<File> {
    let (_, files) = live(store).await;
    let mut actions = Vec::new();
    for file in &files {
        actions.push(copy(store, file).await.add(false));
        actions.push(file.remove(false));
    }
    commit(store, &actions).await;
    files
}
