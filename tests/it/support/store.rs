//! The objects of an archive in this process.

use std::sync::Arc;

use futures::TryStreamExt as _;
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt as _};

/// An empty store.
pub fn memory() -> Arc<dyn ObjectStore> {
    Arc::new(InMemory::new())
}

/// The paths below `prefix`, sorted.
pub async fn paths(store: &Arc<dyn ObjectStore>, prefix: &str) -> Vec<String> {
    let found = store.list(Some(&prefix.into()));
    let mut paths: Vec<_> =
        found.map_ok(|object| object.location.to_string()).try_collect().await.unwrap();
    paths.sort();
    paths
}

/// The paths of the data files, sorted.
pub async fn data_files(store: &Arc<dyn ObjectStore>) -> Vec<String> {
    let mut paths = paths(store, "events").await;
    paths.retain(|path| path.ends_with(".parquet") && !path.contains("_delta_log"));
    paths
}

/// The path of a log entry.
pub fn log_entry(version: u64) -> String {
    format!("events/_delta_log/{version:020}.json")
}

/// Deletes the note of the newest commit, which programs from before it never wrote.
pub async fn forget_newest(store: &Arc<dyn ObjectStore>) {
    match store.delete(&"_head.json".into()).await {
        Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
        Err(error) => panic!("{error}"),
    }
}

/// The bytes of an object.
pub async fn read(store: &Arc<dyn ObjectStore>, path: &str) -> Vec<u8> {
    store.get(&path.into()).await.unwrap().bytes().await.unwrap().into()
}

/// Puts an object, over an older one.
pub async fn write(store: &Arc<dyn ObjectStore>, path: &str, bytes: Vec<u8>) {
    store.put(&path.into(), bytes.into()).await.unwrap();
}
