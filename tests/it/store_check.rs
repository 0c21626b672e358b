//! Tests that a store unfit for an archive is recognised before an event is lost to it.

use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;
use tokenlake::archive::{ArchiveError, StoreCheck};
use tokenlake::clock::{Clock as _, DAY, SECOND, SystemClock};
use tokenlake::error::Kind;
use tokenlake::maintain::{CheckReport, check_access, check_writing};

use crate::stores::{CountingStore, Fault, FaultyStore, LenientStore, Op, Verb};
use crate::support::store::{memory, paths};

async fn findings(store: &Arc<dyn ObjectStore>, now: i64) -> Vec<String> {
    let check = StoreCheck::new(store.clone());
    let mut found = vec![check_access(&check).await];
    check_writing(&check, now, |finding| found.push(finding)).await;
    check.clean().await.unwrap();
    assert_eq!(paths(store, "doctor").await, [""; 0]);
    found.iter().map(CheckReport::to_string).collect()
}

#[tokio::test]
async fn a_sound_store_passes_and_nothing_is_left_in_it() {
    let store = memory();
    let found = findings(&store, SystemClock.now()).await;
    assert_eq!(found.len(), 4);
    assert!(found.iter().all(|line| line.starts_with("ok ")), "{found:#?}");
    assert_eq!(paths(&store, "").await, [""; 0]);
}

#[tokio::test]
async fn a_store_that_replaces_what_a_put_wants_to_be_new_is_refused() {
    let store: Arc<dyn ObjectStore> = LenientStore::new(memory());
    let error = StoreCheck::new(store.clone()).conditional_put().await.unwrap_err();
    assert!(matches!(error, ArchiveError::UnfitStore(_)), "{error:?}");
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(error.to_string().contains("If-None-Match"), "{error}");
    let found = findings(&store, SystemClock.now()).await;
    let failed: Vec<_> = found.iter().filter(|line| line.starts_with("failed ")).collect();
    assert_eq!(failed.len(), 1, "{found:#?}");
    assert!(failed[0].starts_with("failed conditional put: "), "{}", failed[0]);
}

#[tokio::test]
async fn a_clock_that_is_off_is_named_with_its_side() {
    let store = memory();
    for (off, side) in [(DAY, "86400 s ahead of"), (-120 * SECOND, "behind")] {
        let found = findings(&store, SystemClock.now() + off).await;
        let clock = found.iter().find(|line| line.contains(" clock: ")).unwrap();
        assert!(clock.starts_with("failed ") && clock.contains("NTP"), "{clock}");
        let near = side.replace("86400", "86399");
        assert!(clock.contains(side) || clock.contains(&near), "{clock}");
    }
    // Nothing expires by a clock that runs ahead; one that is behind expires less.
    let check = StoreCheck::new(store);
    check.clock_not_ahead(SystemClock.now() + DAY).await.unwrap_err();
    check.clock_not_ahead(SystemClock.now() - DAY).await.unwrap();
}

#[tokio::test]
async fn a_store_that_is_away_or_read_only_is_told_from_one_that_is_unfit() {
    let away: Arc<dyn ObjectStore> = FaultyStore::new(memory(), |_| Some(Fault::FailBefore));
    let error = StoreCheck::new(away.clone()).conditional_put().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    let access = check_access(&StoreCheck::new(away)).await.to_string();
    assert!(access.starts_with("failed credentials: ") && access.contains("AWS_"), "{access}");
    let fails = |op: &Op| op.is_write().then_some(Fault::FailBefore);
    let read_only: Arc<dyn ObjectStore> = FaultyStore::new(memory(), fails);
    let check = StoreCheck::new(read_only);
    assert!(check_access(&check).await.to_string().starts_with("ok "));
    assert_eq!(check.conditional_put().await.unwrap_err().kind(), Kind::Unavailable);
}

#[tokio::test]
async fn a_lost_answer_of_the_first_put_is_not_taken_for_a_refusal_to_be_missed() {
    // The store's own retry finds the object: nobody has won, and that proves nothing bad.
    for fault in [Fault::ExistsAfter, Fault::Delay(Duration::from_millis(5))] {
        let inner = memory();
        let store: Arc<dyn ObjectStore> =
            FaultyStore::new(inner, move |op: &Op| (op.verb == Verb::Put).then_some(fault));
        StoreCheck::new(store).conditional_put().await.unwrap();
    }
}

#[tokio::test]
async fn a_wrong_read_is_seen() {
    let damaged: Arc<dyn ObjectStore> =
        FaultyStore::new(memory(), |op: &Op| (op.verb == Verb::Get).then_some(Fault::Damage));
    let error = StoreCheck::new(damaged).objects().await.unwrap_err();
    assert!(error.to_string().contains("reads differently"), "{error}");
}

#[tokio::test]
async fn a_check_touches_its_own_folder_alone() {
    let store = CountingStore::new(memory());
    let opened: Arc<dyn ObjectStore> = store.clone();
    let check = StoreCheck::new(opened);
    check_writing(&check, SystemClock.now(), |_| ()).await;
    let folder = format!("{}/", check.folder());
    let ops = store.take();
    let writes: Vec<_> = ops.iter().filter(|op| op.is_write()).collect();
    assert!(writes.len() > 5);
    assert!(writes.iter().all(|op| op.path.as_ref().starts_with(&folder)), "{writes:#?}");
}
