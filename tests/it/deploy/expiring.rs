//! Tests of the expiry times of keys in use, as the alert reads them from the telemetry.

use std::time::Duration;

use tokenlake::access::{ListedKey, NewKey, Scopes};
use tokenlake::clock::{DAY, SECOND};
use tokenlake::event::OrgId;

use crate::support::event::{ACME, NOON};
use crate::support::lake::Lake;
use crate::support::store::memory;

const TOLD_MAX: Duration = Duration::from_secs(20);
const NAME: &str = "tokenlake_access_key_expiry_timestamp_seconds{key=";

async fn key(app: &Lake, days: Option<i64>) -> String {
    let org_id = OrgId::parse(ACME).unwrap();
    let expires_at_us = days.map(|days| NOON + days * DAY);
    let new = NewKey {
        org_id,
        scopes: Scopes::or_usual(Vec::new()),
        name: None,
        expires_at_us,
        bound: None,
    };
    app.app.keys().create(new).await.unwrap().reveal().to_owned()
}

/// Waits until the telemetry tells so many keys; gives the times.
async fn told(app: &Lake, count: usize) -> Vec<i64> {
    let looked = async {
        loop {
            let text = app.app.telemetry().encode().unwrap();
            let found: Vec<_> = text.lines().filter_map(|line| line.strip_prefix(NAME)).collect();
            if found.len() == count {
                let time = |line: &&str| line.rsplit_once(' ').unwrap().1.parse().unwrap();
                return found.iter().map(time).collect();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(TOLD_MAX, looked).await.unwrap_or_else(|_| panic!("not {count} keys"))
}

#[tokio::test]
async fn keys_in_use_that_expire_are_told_and_no_others() {
    let app = Lake::open(&memory()).await;
    let [first, second, third] = [key(&app, Some(30)), key(&app, Some(10)), key(&app, Some(20))];
    let (first, second, third) = (first.await, second.await, third.await);
    let endless = key(&app, None).await;
    key(&app, Some(5)).await;
    for used in [&first, &second, &third, &endless] {
        app.app.authenticate(used).await.unwrap();
    }
    let day = |days: i64| (NOON + days * DAY) / SECOND;
    assert_eq!(told(&app, 3).await, [day(10), day(20), day(30)]);
    let list = app.app.keys().list().await.unwrap();
    let expires_at = |key: &ListedKey| key.record.as_ref().unwrap().expires_at_us;
    let revoked = list.iter().find(|key| expires_at(key) == Some(NOON + 20 * DAY)).unwrap();
    let text = app.app.telemetry().encode().unwrap();
    assert!(text.contains(&format!("{NAME}\"{}\"}} {}", revoked.id, day(20))), "{text}");
    app.app.keys().revoke(&revoked.id).await.unwrap();
    assert_eq!(told(&app, 2).await, [day(10), day(30)]);
    // After two days without a request, a key is nobody's; after its expiry, too.
    app.clock.set(NOON + DAY);
    app.app.authenticate(&first).await.unwrap();
    app.clock.set(NOON + 2 * DAY + DAY / 2);
    assert_eq!(told(&app, 1).await, [day(30)]);
    app.app.authenticate(&second).await.unwrap();
    assert_eq!(told(&app, 2).await, [day(10), day(30)]);
    app.clock.set(NOON + 10 * DAY);
    app.app.authenticate(&first).await.unwrap();
    assert_eq!(told(&app, 1).await, [day(30)]);
}
