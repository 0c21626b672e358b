//! Tests of a log whose newest entries were deleted: a starting process does not treat the rest as
//! complete.

use std::sync::Arc;
use std::time::Duration;

use object_store::{ObjectStore, ObjectStoreExt as _};
use tokenlake::app::AppError;
use tokenlake::archive::{Archive, ArchiveError};
use tokenlake::maintain::{RepairError, Way};

use crate::repair::{repair, repaired};
use crate::stores::copy_of;
use crate::support::event::{NOON, events};
use crate::support::lake::{Lake, ManualClock, settings, verified};
use crate::support::store::{log_entry, memory, paths, read, write};
use crate::support::table::log_checkpoint;

const NOTE: &str = "_head.json";

/// An archive with three commits of two events, whose process has ended.
async fn ended() -> Arc<dyn ObjectStore> {
    let store = memory();
    let app = Lake::open(&store).await;
    for id in [0, 2, 4] {
        app.sent(&events(id..id + 2)).await;
    }
    app.app.close().await;
    store
}

async fn delete(store: &Arc<dyn ObjectStore>, version: u64) {
    store.delete(&log_entry(version).as_str().into()).await.unwrap();
}

async fn copy_files(from: &Arc<dyn ObjectStore>, to: &Arc<dyn ObjectStore>) {
    for path in paths(from, "events").await.iter().filter(|path| path.ends_with(".parquet")) {
        write(to, path, read(from, path).await).await;
    }
}

async fn refusal(store: &Arc<dyn ObjectStore>) -> String {
    match Lake::try_open(store, settings()).await {
        Ok(_) => panic!("it was opened"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn a_log_that_ends_early_is_not_opened_until_that_is_accepted() {
    for lost in [vec![3], vec![2, 3]] {
        let store = ended().await;
        if lost.len() == 2 {
            log_checkpoint(&store, 1).await.unwrap();
        }
        for version in &lost {
            delete(&store, *version).await;
        }
        let error = refusal(&store).await;
        assert!(error.contains(&log_entry(lost[0])), "{error}");
        assert!(error.contains("version 3 was committed"), "{error}");
        assert!(error.contains("tokenlake repair --accept"), "{error}");
        let cut = repair(&store).run(Way::Undo, false).await.unwrap_err();
        assert!(matches!(cut, RepairError::Cut(_)), "{cut}");
        let before = paths(&store, "").await;
        let dry = repair(&store).run(Way::Accept, true).await.unwrap();
        assert!(dry.refused.is_some_and(|reason| reason.contains("version 3 was committed")));
        assert_eq!(paths(&store, "").await, before);
        repaired(&store, Way::Accept).await;
        let left = 6 - 2 * lost.len() as u64;
        let app = Lake::open(&store).await;
        assert_eq!(app.requests().await, left);
        // What was in the lost commits is sent again.
        assert_eq!(app.sent(&events(0..6)).await, (2 * lost.len(), usize::try_from(left).unwrap()));
        assert_eq!(verified(&store).await, 6);
        app.app.close().await;
        assert_eq!(Lake::open(&store).await.requests().await, 6);
    }
}

#[tokio::test]
async fn a_log_that_is_gone_is_not_made_anew() {
    let store = ended().await;
    for path in paths(&store, "events").await {
        store.delete(&path.as_str().into()).await.unwrap();
    }
    let error = refusal(&store).await;
    assert!(error.contains("it is empty, and version 3 was committed"), "{error}");
    let clock = Arc::new(ManualClock::at(NOON));
    assert!(Archive::exists(store.clone(), clock).await.unwrap());
    assert_eq!(paths(&store, "events").await, [""; 0]);
}

#[tokio::test]
async fn another_entry_is_not_the_one_that_was_noted() {
    let store = ended().await;
    let other = copy_of(&store).await;
    delete(&other, 3).await;
    write(&other, NOTE, Vec::new()).await;
    let app = Lake::open(&other).await;
    app.sent(&events(["other"])).await;
    write(&store, &log_entry(3), read(&other, &log_entry(3)).await).await;
    copy_files(&other, &store).await;
    let error = refusal(&store).await;
    assert!(error.contains("not the entry that was committed"), "{error}");
}

#[tokio::test]
async fn a_damaged_note_tells_nothing_and_is_written_anew() {
    let store = ended().await;
    let note = read(&store, NOTE).await;
    for end in [0, note.len() / 2, note.len() - 1] {
        write(&store, NOTE, note[..end].to_vec()).await;
        let app = Lake::open(&store).await;
        assert_eq!(app.requests().await, 6);
    }
    for bit in 0..note.len() * 8 {
        let mut flipped = note.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        write(&store, NOTE, flipped).await;
        match Lake::try_open(&store, settings()).await {
            Ok(app) => assert_eq!(app.requests().await, 6),
            // It may pass for one of a newer program.
            Err(error) => {
                let AppError::Archive(ArchiveError::NewerRecord { path }) = error else {
                    panic!("{bit}: {error}")
                };
                assert_eq!(path, NOTE);
            }
        }
    }
    write(&store, NOTE, Vec::new()).await;
    let app = Lake::open(&store).await;
    app.sent(&events(["new"])).await;
    app.app.close().await;
    assert_eq!(read(&store, NOTE).await.len(), note.len());
    delete(&store, 4).await;
    refusal(&store).await;
}

/// A process that is killed has noted its first commit, and those that are a few seconds old.
#[tokio::test(start_paused = true)]
async fn a_process_notes_its_commits_while_it_runs() {
    let store = memory();
    let app = Lake::open(&store).await;
    let wait = |seconds| tokio::time::sleep(Duration::from_secs(seconds));
    app.sent(&events([0])).await;
    wait(1).await;
    let first = read(&store, NOTE).await;
    app.sent(&events([1])).await;
    wait(1).await;
    assert_eq!(read(&store, NOTE).await, first, "two commits within seconds are two puts");
    wait(5).await;
    assert_ne!(read(&store, NOTE).await, first);
    let copy = copy_of(&store).await;
    delete(&copy, 2).await;
    refusal(&copy).await;
    // Programs from before notes go on without one.
    let quiet = copy_of(&store).await;
    app.sent(&events([2])).await;
    let entry = read(&store, &log_entry(3)).await;
    copy_files(&store, &quiet).await;
    write(&quiet, &log_entry(3), entry).await;
    assert_eq!(Lake::open(&quiet).await.requests().await, 3);
}
