//! Tables long enough for a checkpoint.

use std::sync::Arc;
use std::time::Duration;

use deltalake_core::logstore::{StorageConfig, default_logstore};
use deltalake_core::{DeltaTable, DeltaTableError, checkpoints as delta_checkpoints};
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt as _};

use super::event::events;
use super::lake::Lake;
use super::store::{log_entry, paths};

/// Where Delta readers look for the newest checkpoint first.
pub const HINT: &str = "events/_delta_log/_last_checkpoint";

/// Commits one event a version until the table is at `version`; event `i` came with version
/// `i + 1`. Nothing is committed while version 100 gets its checkpoint, so it is of that version.
pub async fn long_table(store: &Arc<dyn ObjectStore>, version: u64) -> Lake {
    let app = Lake::open(store).await;
    for id in app.app.archive().current().version()..version {
        assert_eq!(app.sent(&events([id])).await, (1, 0));
        if id + 1 == 100 {
            until_checkpoint(store, 100).await;
        }
    }
    app
}

/// The paths of all checkpoints.
pub async fn checkpoints(store: &Arc<dyn ObjectStore>) -> Vec<String> {
    let mut found = paths(store, "events/_delta_log").await;
    found.retain(|path| path.contains(".checkpoint."));
    found
}

/// Waits until there is a checkpoint of `version` or later and the hint at it; gives its path.
pub async fn until_checkpoint(store: &Arc<dyn ObjectStore>, version: u64) -> String {
    let least = format!("events/_delta_log/{version:020}");
    for _ in 0..2_000 {
        let hint = paths(store, "events/_delta_log").await.iter().any(|path| path == HINT);
        let found = checkpoints(store).await.into_iter().find(|path| *path >= least);
        if let Some(found) = found.filter(|_| hint) {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("no checkpoint of version {version} or later")
}

/// Makes a checkpoint of the log as another program does.
pub async fn log_checkpoint(
    store: &Arc<dyn ObjectStore>,
    version: u64,
) -> Result<(), DeltaTableError> {
    let table = Arc::new(PrefixStore::new(store.clone(), "events"));
    let location = "memory:///events/".parse().unwrap();
    let log = default_logstore(table, store.clone(), &location, &StorageConfig::default());
    let mut table = DeltaTable::new(log);
    table.load_version(version).await?;
    delta_checkpoints::create_checkpoint(&table, None).await
}

/// Removes the entries of the log before a version, as other programs do once a checkpoint has them.
pub async fn clean_log(store: &Arc<dyn ObjectStore>, version: u64) {
    for version in 0..version {
        let _ = store.delete(&log_entry(version).as_str().into()).await;
    }
}
