//! Tests of the records that grant access: damaged ones grant no more than before; next to programs
//! from before seals, they mean the same to all.

mod cost;
mod older;

use std::collections::BTreeMap;
use std::sync::Arc;

use object_store::{ObjectStore, ObjectStoreExt as _};
use tokenlake::access::{AccessError, AccessKeys, Caller, NewKey, Scope, Scopes};
use tokenlake::archive::{ArchiveError, Records};
use tokenlake::clock::{Micros, SECOND};
use tokenlake::error::Kind;
use tokenlake::event::OrgId;

use crate::support::event::NOON;
use crate::support::lake::ManualClock;
use crate::support::store::{memory, paths, read, write};

/// Keys of every kind, by what they are for.
struct Keys {
    store: Arc<dyn ObjectStore>,
    clock: Arc<ManualClock>,
    /// The path of each one's record, and the key.
    made: BTreeMap<&'static str, (String, String)>,
}

fn new_key(org: &str, scopes: &[Scope], expires_at_us: Option<Micros>) -> NewKey {
    let scopes = Scopes::or_usual(scopes.to_vec());
    NewKey {
        org_id: OrgId::parse(org).unwrap(),
        scopes,
        name: Some("a".into()),
        expires_at_us,
        bound: None,
    }
}

impl Keys {
    async fn make() -> Self {
        let (store, clock) = (memory(), Arc::new(ManualClock::at(NOON)));
        let keys = AccessKeys::new(Records::new(store.clone()), clock.clone());
        let mut made = BTreeMap::new();
        for (kind, new) in [
            ("all", new_key("Team1", &[], None)),
            ("other", new_key("team3", &[], None)),
            ("narrow", new_key("Team1", &[Scope::MetricsRead], None)),
            ("expired", new_key("Team1", &[], Some(NOON + SECOND))),
            ("revoked", new_key("Team1", &[], None)),
        ] {
            let key = keys.create(new).await.unwrap();
            if kind == "revoked" {
                keys.revoke(&key.hash().to_hex()).await.unwrap();
            }
            let path = format!("access/keys/{}.json", key.hash().to_hex());
            made.insert(kind, (path, key.reveal().to_owned()));
        }
        clock.set(NOON + 2 * SECOND);
        Self { store, clock, made }
    }

    /// Whom a key stands for, as a process finds that was just started.
    async fn caller(&self, key: &str) -> Result<Arc<Caller>, AccessError> {
        let records = Records::new(self.store.clone());
        AccessKeys::new(records, self.clock.clone()).authenticate(key).await
    }

    /// Puts bytes in the place of a record: the key stands for the same as before, or is refused.
    /// Gives whether it is.
    async fn try_with(&self, path: &str, key: &str, bytes: Vec<u8>, what: &str) -> bool {
        let whole = read(&self.store, path).await;
        let before = self.caller(key).await.ok();
        write(&self.store, path, bytes).await;
        let after = self.caller(key).await;
        write(&self.store, path, whole).await;
        match after {
            Ok(caller) => assert_eq!(Some(caller), before, "{what}"),
            Err(error) => {
                assert!(matches!(error.kind(), Kind::Unauthenticated | Kind::Corrupt), "{error}");
                let named =
                    error.kind() == Kind::Unauthenticated || error.to_string().contains(path);
                assert!(named, "{what}: {error}");
                return true;
            }
        }
        false
    }
}

fn flipped(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    flipped[bit / 8] ^= 1 << (bit % 8);
    flipped
}

#[tokio::test]
async fn no_flipped_bit_no_cut_and_no_other_record_makes_a_key_grant_more() {
    let keys = Keys::make().await;
    for (kind, (path, key)) in &keys.made {
        let whole = read(&keys.store, path).await;
        assert_eq!(keys.caller(key).await.is_ok(), ["all", "other", "narrow"].contains(kind));
        for bit in 0..whole.len() * 8 {
            let what = format!("{kind}, bit {bit}");
            assert!(keys.try_with(path, key, flipped(&whole, bit), &what).await, "{what}");
        }
        for end in 0..whole.len() {
            let what = format!("{kind}, cut to {end}");
            assert!(keys.try_with(path, key, whole[..end].to_vec(), &what).await, "{what}");
        }
        for (other, (path_of_other, _)) in keys.made.iter().filter(|(other, _)| *other != kind) {
            let bytes = read(&keys.store, path_of_other).await;
            let what = format!("{kind}, with the record of {other}");
            assert!(keys.try_with(path, key, bytes, &what).await, "{what}");
        }
        keys.store.delete(&path.as_str().into()).await.unwrap();
        assert_eq!(keys.caller(key).await.unwrap_err().kind(), Kind::Unauthenticated);
        write(&keys.store, path, whole).await;
    }
}

#[tokio::test]
async fn a_damaged_claim_of_a_name_stands_for_no_other_spelling() {
    let keys = Keys::make().await;
    let path = "access/orgs/team1.json";
    let whole = read(&keys.store, path).await;
    let records = Records::new(keys.store.clone());
    let [own, other] = ["Team1", "team1"].map(|name| OrgId::parse(name).unwrap());
    let cuts = (0..whole.len()).map(|end| whole[..end].to_vec());
    let swapped = read(&keys.store, "access/orgs/team3.json").await;
    let damaged = (0..whole.len() * 8).map(|bit| flipped(&whole, bit)).chain(cuts).chain([swapped]);
    for bytes in damaged {
        write(&keys.store, path, bytes).await;
        for name in [&own, &other] {
            let error = records.claim_org(name).await.unwrap_err();
            assert!(matches!(error, ArchiveError::Corrupt { .. }), "{error}");
            assert!(error.to_string().contains(path), "{error}");
        }
    }
    write(&keys.store, path, whole).await;
    records.claim_org(&own).await.unwrap();
    assert!(matches!(records.claim_org(&other).await, Err(ArchiveError::OrgCase { .. })));
}

#[tokio::test]
async fn a_damaged_record_is_listed_beside_the_others_and_can_be_revoked() {
    let keys = Keys::make().await;
    let (path, key) = &keys.made["all"];
    let whole = read(&keys.store, path).await;
    write(&keys.store, path, flipped(&whole, 40)).await;
    let commands = AccessKeys::new(Records::new(keys.store.clone()), keys.clock.clone());
    let listed = commands.list().await.unwrap();
    assert_eq!((listed.len(), listed.iter().filter(|key| key.record.is_ok()).count()), (5, 4));
    let damaged = listed.iter().find(|key| key.record.is_err()).unwrap();
    let error = damaged.record.as_ref().unwrap_err().to_string();
    for word in [path.as_str(), "damaged", &format!("key revoke {}", damaged.id)] {
        assert!(error.contains(word), "{error}");
    }
    commands.revoke(&damaged.id).await.unwrap();
    assert_eq!(keys.caller(key).await.unwrap_err().kind(), Kind::Unauthenticated);
    let listed = commands.list().await.unwrap();
    let revoked = listed.iter().find(|key| key.id == damaged.id).unwrap().record.as_ref().unwrap();
    assert_eq!((revoked.status(NOON), revoked.org_id.as_str()), ("revoked", ""));
    assert_eq!(paths(&keys.store, "access/keys").await.len(), 5);
}
