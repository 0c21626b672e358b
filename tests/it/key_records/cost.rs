//! Tests of the requests that the watch over access keys makes: none for unused keys.

use std::sync::Arc;
use std::time::Duration;

use object_store::{ObjectStore, ObjectStoreExt as _};
use tokenlake::access::AccessKeys;
use tokenlake::archive::Records;
use tokenlake::clock::{Clock as _, SECOND};
use tokenlake::telemetry::Telemetry;

use super::new_key;
use crate::stores::{CountingStore, Op, Verb};
use crate::support::event::NOON;
use crate::support::lake::ManualClock;
use crate::support::store::memory;

struct Watched {
    inner: Arc<dyn ObjectStore>,
    counting: Arc<CountingStore>,
    clock: Arc<ManualClock>,
    server: AccessKeys,
    keys: Vec<String>,
}

impl Watched {
    /// A server over an archive with so many keys, of which some can be used.
    async fn new(count: usize, usable: usize) -> Self {
        let (inner, clock) = (memory(), Arc::new(ManualClock::at(NOON)));
        let commands = AccessKeys::new(Records::new(inner.clone()), clock.clone());
        let mut keys = Vec::new();
        for _ in 0..usable {
            let key = commands.create(new_key("acme", &[], None)).await.unwrap();
            keys.push(key.reveal().to_owned());
        }
        for number in usable..count {
            let path = format!("access/keys/{number:064x}.json");
            inner.put(&path.into(), "{}".into()).await.unwrap();
        }
        // Nothing is to be vouched for.
        let mark = "access/vouched/all.json";
        Records::new(inner.clone())
            .put(&mark.into(), &Mark { record: String::new() })
            .await
            .unwrap();
        let counting = CountingStore::new(inner.clone());
        let records = Records::new(counting.clone());
        let expiries = Telemetry::new().key_expiries.clone();
        let server = AccessKeys::watched(records, clock.clone(), expiries);
        Self { inner, counting, clock, server, keys }
    }

    /// Lets time go by.
    async fn wait(&self, seconds: i64) {
        for _ in 0..seconds * 2 {
            self.clock.set(self.clock.now() + SECOND / 2);
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// Uses the first keys.
    async fn use_keys(&self, count: usize) {
        for key in &self.keys[..count] {
            self.server.authenticate(key).await.unwrap();
        }
    }

    /// How often was read and listed since the last call.
    fn asked(&self) -> (usize, usize) {
        let ops = self.counting.take();
        let count = |verb| ops.iter().filter(|op: &&Op| op.verb == verb).count();
        (count(Verb::Get), count(Verb::List))
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Mark {
    record: String,
}

impl tokenlake::archive::Record for Mark {}

#[tokio::test(start_paused = true)]
async fn keys_that_nobody_uses_cost_nothing() {
    let watched = Watched::new(20_000, 1).await;
    watched.wait(10).await;
    // Whether all was vouched for.
    assert_eq!(watched.asked(), (1, 0));
    watched.wait(600).await;
    assert_eq!(watched.asked(), (0, 0));
    // One that is used costs a read each time, while it is in use.
    watched.use_keys(1).await;
    watched.wait(60).await;
    let (reads, lists) = watched.asked();
    assert!((38..=42).contains(&reads) && lists == 0, "{reads} reads, {lists} listings");
    watched.wait(200).await;
    watched.asked();
    watched.wait(300).await;
    assert_eq!(watched.asked(), (0, 0));
    // All are listed now and then: of those that were used lately, telemetry tells.
    watched.wait(60).await;
    assert_eq!(watched.asked().1, 1);
}

#[tokio::test(start_paused = true)]
async fn many_keys_that_are_used_cost_what_is_less() {
    // Few keys in all: one listing tells of each.
    let small = Watched::new(100, 50).await;
    small.use_keys(50).await;
    small.wait(60).await;
    let (reads, lists) = small.asked();
    assert!(reads <= 51 && (38..=42).contains(&lists), "{reads} reads, {lists} listings");
    // Few of many: each is read when it comes, and no more.
    let large = Watched::new(20_000, 50).await;
    large.use_keys(50).await;
    large.wait(15).await;
    large.asked();
    for _ in 0..4 {
        large.use_keys(50).await;
        large.wait(15).await;
    }
    assert_eq!(large.asked(), (200, 0));
    // One that always comes never waits.
    for _ in 0..40 {
        large.use_keys(1).await;
        large.wait(1).await;
    }
    let (reads, lists) = large.asked();
    assert!((15..=41).contains(&reads) && lists == 0, "{reads} reads, {lists} listings");
}

#[tokio::test(start_paused = true)]
async fn a_revocation_is_in_force_in_time_however_many_are_in_use() {
    for (count, used) in [(3, 1), (100, 50), (3_000, 50)] {
        let watched = Watched::new(count, used).await;
        for round in 0..20 {
            watched.use_keys(used).await;
            watched.wait(1).await;
            assert!(round < 20);
        }
        let commands = AccessKeys::new(Records::new(watched.inner.clone()), watched.clock.clone());
        let key = &watched.keys[0];
        let hash = tokenlake::access::PlainKey::parse(key).unwrap().hash().to_hex();
        commands.revoke(&hash).await.unwrap();
        let mut seconds = 0;
        while watched.server.authenticate(key).await.is_ok() {
            watched.wait(1).await;
            seconds += 1;
        }
        assert!(seconds <= 4, "{count} keys, {used} in use: {seconds} s");
    }
}
