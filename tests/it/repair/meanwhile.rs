//! Tests of a repair beside which the table goes on: nothing that is sound is taken back.

use std::sync::Arc;

use object_store::ObjectStore;
use tokenlake::maintain::Way;

use super::{repaired, three_files};
use crate::stores::{Switch, SwitchedStore, SwitchingStore, Verb, copy_of};
use crate::support::foreign::{commit, live};
use crate::support::lake::{Lake, settings, verified};
use crate::support::store::log_entry;

/// Moves the events of the newest date into one file, as a server does.
async fn merge(store: &Arc<dyn ObjectStore>) {
    let app = Lake::open(store).await;
    let snapshot = app.snapshot().await;
    let newest = snapshot.files().map(|file| file.date).max().unwrap();
    let files: Vec<_> = snapshot.files_of(newest).cloned().collect();
    assert!(files.len() > 1);
    app.app.archive().rewrite(&files).await.unwrap().unwrap();
    app.app.close().await;
}

/// Where a repair finds `before` until it has asked so often for the entry of a version, and `after`
/// from then on.
fn turning(
    before: &Arc<dyn ObjectStore>,
    after: &Arc<dyn ObjectStore>,
    version: u64,
    asks: usize,
) -> Arc<dyn ObjectStore> {
    let store = SwitchingStore::switching(SwitchedStore::new(before.clone()));
    let at = |to: &Arc<dyn ObjectStore>| {
        let (path, to) = (log_entry(version), to.clone());
        Switch { verbs: &[Verb::Get], path, to, later: None }
    };
    store.switch_at((0..asks).map(|_| at(before)).chain([at(after)]));
    store
}

async fn is_sound(store: &Arc<dyn ObjectStore>, asks: usize) {
    let app = Lake::try_open(store, settings()).await;
    let app = app.unwrap_or_else(|error| panic!("after {asks} looks: {error}"));
    assert_eq!((app.requests().await, verified(store).await), (18, 18), "{asks}");
}

#[tokio::test]
async fn what_a_server_commits_while_a_repair_looks_stays() {
    for asks in 0..4 {
        let before = three_files().await;
        let after = copy_of(&before).await;
        merge(&after).await;
        let version = live(&before).await.0 + 1;
        repaired(&turning(&before, &after, version, asks), Way::Undo).await;
        is_sound(&after, asks).await;
        assert_eq!(live(&after).await.0, version, "{asks}");
    }
}

#[tokio::test]
async fn what_came_after_the_repair_of_another_stays() {
    for asks in 0..5 {
        let before = three_files().await;
        let (good, files) = live(&before).await;
        commit(&before, &[files[1].remove(true)]).await;
        let after = copy_of(&before).await;
        repaired(&after, Way::Undo).await;
        merge(&after).await;
        repaired(&turning(&before, &after, good + 1, asks), Way::Undo).await;
        is_sound(&after, asks).await;
        assert_eq!(live(&after).await.0, good + 3, "{asks}");
    }
}
