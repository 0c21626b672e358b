//! Corrections of which a server learns while it answers.

use std::sync::Arc;

use tokenlake::access::{Caller, Scope, Scopes};
use tokenlake::event::OrgId;
use tokenlake::ingest::ContentKind;
use tokenlake::rollup::Rollup;
use tokenlake::telemetry::Telemetry;

use crate::support::event::{ACME, Event, NOON};
use crate::support::lake::{Lake, caller};

const COST: &str = "llm_cost_usd_total";

/// Sends a correction of 2 dollars.
async fn correct(lake: &Lake) {
    let scopes = Scopes::or_usual(vec![Scope::EventsWrite, Scope::CorrectionsWrite]);
    let sender = Caller { scopes, ..caller(ACME) };
    let line = format!(
        r#"{{"event_id":"c1","event_type":"cost_correction","ts":{NOON},"provider":"openai","model":"gpt-4o","cost_usd":"2","corrects":"e1"}}"#
    );
    let decoded = lake.app.decode(&sender, &ContentKind::Ndjson, line.as_bytes()).unwrap();
    let receipt = lake.app.commit(&sender.org_id, decoded).await.unwrap();
    assert_eq!((receipt.accepted, &receipt.rejected[..]), (1, &[][..]));
}

#[tokio::test]
async fn the_first_correction_is_in_the_scrape_in_which_a_replica_learns_of_it() {
    let lake = Lake::at(NOON).await;
    let replica = lake.replica(1 << 20).await;
    lake.add(ACME, &[Event::priced("e1", NOON, "1")]).await;
    assert_eq!(replica.counter(ACME, COST).await.as_deref(), Some("1"));
    correct(&lake).await;
    assert_eq!(replica.counter(ACME, COST).await.as_deref(), Some("3"));
}

/// A scrape that has looked at the table before a commit may find sums from after it.
#[tokio::test]
async fn sums_of_a_version_that_may_hold_corrections_say_that_they_lack_them() {
    let lake = Lake::at(NOON).await;
    lake.add(ACME, &[Event::priced("e1", NOON, "1")]).await;
    let before = lake.snapshot().await;
    correct(&lake).await;
    let after = lake.snapshot().await;
    let rollup = Rollup::new(Arc::new(lake.engine()), None, 1 << 20, Telemetry::new());
    let org = OrgId::parse(ACME).unwrap();
    let mut lacked = Vec::new();
    for snapshot in [&before, &after, &before] {
        let turn = rollup.turn(ACME).await;
        let shown = rollup.show(turn, &org, snapshot, NOON, |view| view.lacks_corrections).await;
        lacked.push(shown.unwrap());
    }
    assert_eq!(lacked, [false, true, true]);
}
