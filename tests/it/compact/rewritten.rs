//! Tests of readers at a version whose files other processes have rewritten and removed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures::TryStreamExt as _;
use object_store::{ObjectStore, ObjectStoreExt as _};
use tokenlake::app::AppSettings;
use tokenlake::archive::{Archive, ArchiveError, ArchiveLocation, Snapshot};
use tokenlake::sql::RowFormat;
use tokenlake::worker::WorkerSettings;

use super::races::{files, filled};
use super::{compact, until, vacuum};
use crate::stores::{Fault, FaultyStore, Verb};
use crate::support::event::{ACME, events};
use crate::support::lake::{Lake, caller, settings, verified};
use crate::support::store::{data_files, memory};

/// An app that stood still while the eight files of its version were rewritten and deleted. It is to
/// read files, and not what a vacuum added up before it deleted them.
async fn stood_still(store: &Arc<dyn ObjectStore>, settings: AppSettings) -> Lake {
    let app = filled(store, 8).await;
    let settings = AppSettings { staleness_max: Duration::from_secs(3_600), ..settings };
    let still = Lake::try_open(store, settings).await.unwrap();
    assert!(compact(&app).await > 0);
    assert!(vacuum(&app).await >= 8);
    let checkpoints: Vec<_> = store.list(Some(&"checkpoints".into())).try_collect().await.unwrap();
    assert!(!checkpoints.is_empty());
    for object in checkpoints {
        store.delete(&object.location).await.unwrap();
    }
    still
}

/// The files of its version are gone: it looks for a newer one before it says that they are missing.
#[tokio::test]
async fn a_reader_that_stood_still_across_a_vacuum_goes_on_at_the_newest_version() {
    assert_eq!(stood_still(&memory(), settings()).await.requests().await, 8);
}

#[tokio::test]
async fn a_query_that_stood_still_across_a_vacuum_goes_on_at_the_newest_version() {
    let folder = tempfile::tempdir().unwrap();
    let location = ArchiveLocation::Local(folder.path().join("archive"));
    let worker = WorkerSettings {
        program: env!("CARGO_BIN_EXE_tokenlake").into(),
        archive: location.to_string(),
        memory_bytes: 512 << 20,
        timeout: Duration::from_secs(30),
        running_max: 1,
    };
    let settings = AppSettings { worker: Some(worker), ..settings() };
    let still = stood_still(&location.create().unwrap(), settings).await;
    let query = "SELECT count(DISTINCT event_id) AS n FROM events".to_owned();
    let reply = still.app.sql(&caller(ACME), query, RowFormat::Csv).await.unwrap();
    let rows: Vec<_> = reply.into_stream().try_collect().await.unwrap();
    assert_eq!(rows.concat(), b"n\n8\n");
}

/// How many events a version has, by its files.
async fn count(archive: &Archive, snapshot: &Snapshot) -> Result<usize, ArchiveError> {
    let mut events = 0;
    for file in snapshot.files() {
        events += archive.event_hashes(file).await?.len();
    }
    Ok(events)
}

#[tokio::test]
async fn files_that_are_rewritten_again_and_again_are_not_said_to_be_missing() {
    let store = memory();
    let still = stood_still(&store, settings()).await;
    let (app, tries) = (Lake::open(&store).await, AtomicU64::new(0));
    let archive = still.app.archive();
    let read = |snapshot: Arc<Snapshot>| async {
        let snapshot = snapshot;
        let nth = tries.fetch_add(1, Ordering::SeqCst);
        if nth < 3 {
            compact(&app).await;
            vacuum(&app).await;
            for id in 0..8 {
                app.sent(&events([100 * (nth + 1) + id])).await;
            }
        }
        count(archive, &snapshot).await
    };
    let counted = archive.at_newest(archive.current(), read).await.unwrap();
    assert_eq!((counted, tries.into_inner()), (8 + 3 * 8, 4));
}

#[tokio::test]
async fn what_is_missing_is_said_at_once_however_many_versions_come() {
    let store = memory();
    let (app, tries) = (filled(&store, 8).await, AtomicU64::new(0));
    let still = Lake::open(&store).await;
    let lost = data_files(&store).await.remove(3);
    store.delete(&lost.clone().into()).await.unwrap();
    let archive = still.app.archive();
    let read = |snapshot: Arc<Snapshot>| async {
        let snapshot = snapshot;
        let id = 100 + tries.fetch_add(1, Ordering::SeqCst);
        app.sent(&events([id])).await;
        count(archive, &snapshot).await
    };
    let error = archive.at_newest(archive.current(), read).await.unwrap_err().to_string();
    assert!(error.starts_with(&format!("{lost} is damaged or missing")), "{error}");
    assert_eq!(tries.into_inner(), 1);
}

#[tokio::test]
async fn verify_begins_anew_where_files_are_rewritten_before_it_reads_them() {
    let inner = files(12).await;
    let met = Arc::new(AtomicBool::new(false));
    let begun = met.clone();
    let slow: Arc<dyn ObjectStore> = FaultyStore::new(inner.clone(), move |op| {
        let read = matches!(op.verb, Verb::Get | Verb::GetRanges);
        let file = read && op.path.as_ref().starts_with("events/event_date=");
        let first = file && !begun.swap(true, Ordering::SeqCst);
        first.then_some(Fault::Delay(Duration::from_secs(1)))
    });
    let app = Lake::open(&inner).await;
    let (events, deleted) = tokio::join!(verified(&slow), async {
        until(&met).await;
        assert_eq!(compact(&app).await, 1);
        vacuum(&app).await
    });
    assert_eq!((events, deleted), (12, 12));
}
