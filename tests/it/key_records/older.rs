//! Tests of records by programs from before seals, and of such replicas next to ours.

use serde::{Deserialize, Serialize};
use tokenlake::access::AccessKeys;
use tokenlake::archive::Records;
use tokenlake::clock::Clock as _;
use tokenlake::event::OrgId;
use tokenlake::telemetry::Telemetry;

use super::{Keys, flipped};
use crate::support::event::NOON;
use crate::support::store::{paths, read, write};

/// A record as such programs have it.
#[derive(Debug, Serialize, Deserialize)]
struct Older {
    org_id: String,
    scopes: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    created_at_us: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at_us: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revoked_at_us: Option<i64>,
}

/// Reads a record as such a program does.
async fn older(keys: &Keys, path: &str) -> Older {
    serde_json::from_slice(&read(&keys.store, path).await).unwrap()
}

/// Writes a record as such a program does.
async fn write_older(keys: &Keys, path: &str, record: &Older) -> Vec<u8> {
    let bytes = serde_json::to_vec(record).unwrap();
    write(&keys.store, path, bytes.clone()).await;
    bytes
}

/// All records as such a program would have written them.
async fn make_older() -> Keys {
    let keys = Keys::make().await;
    for (path, _) in keys.made.values() {
        write_older(&keys, path, &older(&keys, path).await).await;
    }
    keys
}

#[tokio::test]
async fn older_programs_read_what_we_write_and_what_they_revoke_is_revoked() {
    let keys = Keys::make().await;
    let (path, key) = &keys.made["all"];
    assert!(keys.caller(key).await.is_ok());
    let mut record = older(&keys, path).await;
    assert_eq!((record.org_id.as_str(), record.scopes.len()), ("Team1", 3));
    assert_eq!((record.name.as_deref(), record.expires_at_us), (Some("a"), None));
    record.revoked_at_us = Some(NOON);
    let revoked = write_older(&keys, path, &record).await;
    assert!(keys.caller(key).await.is_err());
    for bit in 0..revoked.len() * 8 {
        write(&keys.store, path, flipped(&revoked, bit)).await;
        assert!(keys.caller(key).await.is_err(), "{bit}");
    }
    let claim = read(&keys.store, "access/orgs/team1.json").await;
    assert_eq!(serde_json::from_slice::<String>(&claim).unwrap(), "Team1");
}

#[tokio::test]
async fn a_record_without_a_seal_goes_on_and_once_read_no_bit_makes_it_grant_more() {
    let keys = make_older().await;
    let valid = ["all", "other", "narrow"];
    for (kind, (_, key)) in &keys.made {
        assert_eq!(keys.caller(key).await.is_ok(), valid.contains(kind), "{kind}");
    }
    // What is not valid may become so by a flip.
    assert_eq!(paths(&keys.store, "access/vouched").await.len(), keys.made.len());
    for (kind, (path, key)) in &keys.made {
        let whole = read(&keys.store, path).await;
        for bit in 0..whole.len() * 8 {
            let what = format!("{kind}, bit {bit}");
            assert!(keys.try_with(path, key, flipped(&whole, bit), &what).await, "{what}");
        }
        let other = read(&keys.store, &keys.made["other"].0).await;
        assert!(keys.try_with(path, key, other, kind).await || *kind == "other", "{kind}");
        let voucher = path.replace("/keys/", "/vouched/");
        let whole = read(&keys.store, &voucher).await;
        let before = keys.caller(key).await.ok();
        write(&keys.store, &voucher, flipped(&whole, 100)).await;
        assert!(keys.caller(key).await.ok().is_none_or(|caller| Some(caller) == before));
        write(&keys.store, &voucher, whole).await;
    }
    // Such a program revokes it; we do, too.
    let (path, key) = &keys.made["narrow"];
    let mut record = older(&keys, path).await;
    record.revoked_at_us = Some(NOON);
    write_older(&keys, path, &record).await;
    assert!(keys.caller(key).await.is_err());
    let commands = AccessKeys::new(Records::new(keys.store.clone()), keys.clock.clone());
    let (path, key) = &keys.made["all"];
    commands.revoke(path.trim_start_matches("access/keys/").get(..16).unwrap()).await.unwrap();
    assert!(keys.caller(key).await.is_err());
    assert!(older(&keys, path).await.revoked_at_us.is_some());
    assert!(commands.list().await.unwrap().iter().all(|key| key.record.is_ok()));
}

#[tokio::test]
async fn a_record_without_a_seal_that_no_program_wrote_grants_nothing() {
    let keys = make_older().await;
    let (path, key) = &keys.made["all"];
    let whole = String::from_utf8(read(&keys.store, path).await).unwrap();
    for (from, to) in [
        ("{\"org_id\"", "{ \"org_id\""),
        ("}", ",\"only_on\":\"Monday\"}"),
        ("}", ",\"revoked_at_qs\":1}"),
        ("\"name\":\"a\"", "\"name\":null"),
    ] {
        let changed = whole.replacen(from, to, 1);
        assert_ne!(changed, whole, "{from}");
        assert!(keys.try_with(path, key, changed.into_bytes(), to).await, "{to}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_vouches_for_all_records_without_a_seal_once() {
    let keys = make_older().await;
    let expiries = Telemetry::new().key_expiries.clone();
    let records = Records::new(keys.store.clone());
    let server = AccessKeys::watched(records, keys.clock.clone(), expiries);
    for _ in 0..10 {
        keys.clock.set(keys.clock.now() + 1_000_000);
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    // All of them, and that it was done.
    assert_eq!(paths(&keys.store, "access/vouched").await.len(), keys.made.len() + 1);
    let (path, key) = &keys.made["all"];
    let whole = String::from_utf8(read(&keys.store, path).await).unwrap();
    let moved = whole.replace("Team1", "team3").into_bytes();
    assert!(keys.try_with(path, key, moved, "another organisation").await);
    assert!(server.authenticate(key).await.is_ok());
}

#[tokio::test]
async fn a_claim_without_a_seal_is_sealed_when_it_is_used() {
    let keys = Keys::make().await;
    let (path, records) = ("access/orgs/team1.json", Records::new(keys.store.clone()));
    let sealed = read(&keys.store, path).await;
    write(&keys.store, path, b"\"Team1\"".to_vec()).await;
    records.claim_org(&OrgId::parse("team1").unwrap()).await.unwrap_err();
    assert_eq!(read(&keys.store, path).await, b"\"Team1\"");
    records.claim_org(&OrgId::parse("Team1").unwrap()).await.unwrap();
    assert_eq!(read(&keys.store, path).await, sealed);
}
