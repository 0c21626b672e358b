//! The step before a commit: what it lets in keeps its room until the commit is done, and what goes
//! wrong with the commit is the archive's fault, not the step's.

use std::sync::Arc;

use object_store::ObjectStore;
use tempfile::tempdir;
use tokenlake::admission::Admitted;
use tokenlake::app::AppSettings;
use tokenlake::archive::ArchiveError;
use tokenlake::backfill::{self, BackfillError, Inputs, Job};
use tokenlake::error::Kind;
use tokenlake::event::{OrgId, OrgRule};
use tokenlake::ingest::ContentKind;

use crate::stores::{Fault, FaultyStore, Op, Verb};
use crate::support::event::{ACME, Event, NOON};
use crate::support::lake::{Lake, settings};
use crate::support::store::memory;

const RENAMED: &str = "tokenlake_models_renamed_total";

async fn capped(store: &Arc<dyn ObjectStore>) -> Lake {
    let settings = AppSettings { series_max: Some(1), ..settings() };
    Lake::try_open(store, settings).await.unwrap()
}

/// Lets in an event of `model`, and commits nothing.
async fn admitted(app: &Lake, model: &str) -> Admitted {
    let org = OrgId::parse(ACME).unwrap();
    let body = Event::new(model).model(model).line();
    let decoded = app.app.decode(&org, &ContentKind::Ndjson, body.as_bytes()).unwrap();
    app.app.admission().admit(&org, decoded.batch, None, NOON).await.unwrap()
}

#[tokio::test]
async fn the_room_of_a_new_series_is_kept_until_after_its_commit() {
    let app = capped(&memory()).await;
    let mut first = admitted(&app, "a").await;
    let batches = first.take_batches();
    drop(admitted(&app, "b").await);
    assert_eq!(app.telemetry(RENAMED), 1, "the only room is taken, though nothing is committed");
    let outcome = app.app.archive().submit_part(batches, None).await.unwrap();
    drop(admitted(&app, "c").await);
    assert_eq!(app.telemetry(RENAMED), 2, "it is still taken");
    first.committed(&outcome);
    drop(admitted(&app, "d").await);
    drop(admitted(&app, "a").await);
    assert_eq!(app.telemetry(RENAMED), 3, "it is taken by what the table has");
}

#[tokio::test]
async fn the_room_of_a_series_that_was_not_committed_is_free_again() {
    let app = capped(&memory()).await;
    let mut first = admitted(&app, "a").await;
    drop(first.take_batches());
    drop(first);
    drop(admitted(&app, "b").await);
    assert_eq!(app.telemetry(RENAMED), 0);
}

#[tokio::test]
async fn a_name_that_clashes_is_not_let_in() {
    let app = capped(&memory()).await;
    app.sent(&[Event::new(1)]).await;
    let event = Event::new(2).line();
    let other = OrgId::parse("ACME").unwrap();
    let decoded = app.app.decode(&other, &ContentKind::Ndjson, event.as_bytes()).unwrap();
    let refused = app.app.admission().admit(&other, decoded.batch, None, NOON).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::Conflict, "{refused}");
}

/// Pauses between tries take no time here.
#[tokio::test(start_paused = true)]
async fn a_backfill_whose_commit_fails_says_what_the_archive_says() {
    let folder = tempdir().unwrap();
    let input = folder.path().join("in.ndjson");
    std::fs::write(&input, Event::new(1).line()).unwrap();
    for series_max in [None, Some(10)] {
        let full: Arc<dyn ObjectStore> = FaultyStore::new(memory(), |op: &Op| {
            let is_data = op.verb == Verb::Put && op.path.as_ref().ends_with(".parquet");
            is_data.then_some(Fault::FailBefore)
        });
        let app = Lake::try_open(&full, AppSettings { series_max, ..settings() }).await.unwrap();
        let settings = backfill::JobSettings {
            org_rule: OrgRule::Only(OrgId::parse(ACME).unwrap()),
            maps: Vec::new(),
            defaults: Vec::new(),
            delimiter: None,
            rejects: None,
            held_bytes_max: 1 << 20,
            spill_folder: folder.path().to_owned(),
            now: NOON,
            prices: None,
        };
        let inputs = Inputs::find(&[input.to_str().unwrap().to_owned()], None).await.unwrap();
        let admission = Some(app.app.admission().clone());
        let job = Job::new(admission, inputs, settings, Arc::default()).await.unwrap();
        let error = job.run(std::future::pending()).await.error.unwrap();
        assert_eq!(error.kind(), Kind::Unavailable, "{error}");
        let BackfillError::Archive(error) = error else { panic!("{error:?}") };
        assert!(matches!(error, ArchiveError::Unavailable { .. }), "{error:?}");
    }
}
