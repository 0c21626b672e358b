//! Tests of organisations in files of other programs: each is claimed in the spelling that came first.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use object_store::ObjectStore;
use tokenlake::archive::{ArchiveError, Records};
use tokenlake::event::OrgId;

use super::rules::{ours, refusal};
use crate::compact::compact;
use crate::support::event::{ACME, events, requests};
use crate::support::foreign_files::{append, rows, with_column};
use crate::support::lake::{Lake, verify};

fn org(name: &str) -> OrgId {
    OrgId::parse(name).unwrap()
}

/// The name of an organisation stands from the first file on that has it, whoever wrote that.
#[tokio::test]
async fn an_organisation_of_another_program_is_claimed_in_its_spelling() {
    let store = ours().await;
    let warm = Lake::open(&store).await;
    append(&store, "first", &rows("foreign", &events(["x"]))).await;
    assert_eq!(requests(&warm.scrape("foreign").await), 1);
    for lake in [&warm, &Lake::open(&store).await] {
        let records = lake.app.archive().records();
        let other = records.claim_org(&org("FOREIGN")).await.unwrap_err();
        assert!(matches!(other, ArchiveError::OrgCase { .. }), "{other}");
        assert!(lake.send("Foreign", &events(["y"])).await.is_err());
        assert_eq!(
            lake.app.tenants().await.unwrap(),
            BTreeSet::from([ACME, "foreign", "zeta"].map(org))
        );
    }
    append(&store, "theirs", &rows("Foreign", &events(["z"]))).await;
    let cold = Lake::open(&store).await;
    for lake in [&warm, &cold] {
        // The file may hold either, since its log entry tells no bounds.
        for name in ["Foreign", "foreign"] {
            let text = refusal(lake.try_scrape(name).await, "the other spelling");
            assert!(text.contains("only in case"), "{text}");
        }
    }
    assert!(verify(&store).await.differences.iter().any(|line| line.contains("only in case")));
}

/// Also where nobody asks for it; where it was never claimed, because an older program counted it; and of
/// a file that is merged into one of ours.
#[tokio::test]
async fn an_organisation_that_nobody_asks_for_is_claimed_too() {
    let claimed = async |store: &Arc<dyn ObjectStore>| {
        let records = Records::new(store.clone());
        records.spelling("foreign").await.unwrap()
    };
    let store = ours().await;
    append(&store, "first", &rows("Foreign", &events(["x", "y"]))).await;
    let lake = Lake::open(&store).await;
    let (snapshot, reads) = (lake.snapshot().await, lake.engine());
    reads.judge().check_all(&snapshot, snapshot.files(), None).await.unwrap();
    assert_eq!(claimed(&store).await, None, "who reads alone claims nothing");
    let (engine, mut noted) = (lake.engine().noting(), HashSet::new());
    engine.judge().note_all(&*lake.snapshot().await, &mut noted).await.unwrap();
    assert_eq!((claimed(&store).await.as_deref(), noted.len()), (Some("Foreign"), 1));
    let store = ours().await;
    append(&store, "first", &rows("Foreign", &events(["x", "y"]))).await;
    let lake = Lake::open(&store).await;
    assert!(compact(&lake).await > 0);
    assert_eq!(claimed(&store).await.as_deref(), Some("Foreign"));
}

/// A file that nobody may count leaves its names to others.
#[tokio::test]
async fn a_file_that_breaks_a_rule_claims_nothing() {
    let store = ours().await;
    let warm = Lake::open(&store).await;
    let amounts = Arc::new(Int64Array::from(vec![-1, 1])) as ArrayRef;
    let theirs = with_column(&rows("foreign", &events(["x", "y"])), "input_tokens", &amounts);
    append(&store, "theirs", &theirs).await;
    refusal(warm.try_scrape("foreign").await, "tokens below zero");
    let mut noted = HashSet::new();
    warm.engine().noting().judge().note_all(&*warm.snapshot().await, &mut noted).await.unwrap();
    assert_eq!(noted.len(), 1, "it is not read again and again");
    warm.app.archive().records().claim_org(&org("Foreign")).await.unwrap();
}
