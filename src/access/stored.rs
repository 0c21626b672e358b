//! The records of keys in the archive: reads, checks and revokes them.
//!
//! A record without a seal was written by a program from before seals, and a flipped bit in it may
//! go unnoticed. So its checksum is stored in a separate object, the voucher, when it is first
//! read. Such programs change a record only to revoke it. So a record that differs from its voucher
//! and is not revoked is damaged.

use futures::{StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};

use super::{AccessError, KeyRecord};
use crate::archive::{
    ACCESS_KEYS, ArchiveError, Record, Records, SealState, Stored, access_key, access_key_hash,
    key_voucher, vouched_for,
};
use crate::clock::Micros;
use crate::error::Kind;

/// Records that are read concurrently.
pub(super) const READS: usize = 16;
/// Hex digits of a key's id.
const ID_CHARS: usize = 16;

/// The voucher for a record without a seal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Voucher {
    /// The checksum of the record's bytes.
    record: String,
}

impl Record for Voucher {}

/// The id of the key with this hash (lower-case hex).
pub(super) fn id(hash: &str) -> String {
    hash.chars().take(ID_CHARS).collect()
}

/// The hashes (lower-case hex) of all keys.
///
/// # Errors
/// Unavailable.
pub(super) async fn hashes(records: &Records) -> Result<Vec<String>, AccessError> {
    let found = records.list(ACCESS_KEYS).await?;
    Ok(found.iter().filter_map(|found| access_key_hash(&found.path)).map(str::to_owned).collect())
}

/// Reads the record of the key with a hash, and its mark; `None` if there is no record. A record
/// equal to `known` is not checked again.
///
/// # Errors
/// Unavailable, or a damaged record.
pub(super) async fn read(
    records: &Records,
    hash: &str,
    known: Option<&KeyRecord>,
) -> Result<Option<(KeyRecord, String)>, AccessError> {
    let read = async {
        let stored = records.get::<KeyRecord>(&access_key(hash)).await?;
        if let Some(stored) = stored.as_ref().filter(|stored| known != Some(&stored.record)) {
            check(records, hash, stored).await?;
        }
        Ok(stored.map(|Stored { record, mark, .. }| (record, mark)))
    };
    read.await.map_err(|error: ArchiveError| match error.kind() {
        Kind::Corrupt => AccessError::Record { id: id(hash), error },
        _ => error.into(),
    })
}

/// Checks that a record without a seal matches its voucher, and creates the voucher if there is
/// none.
async fn check(
    records: &Records,
    hash: &str,
    stored: &Stored<KeyRecord>,
) -> Result<(), ArchiveError> {
    let SealState::Unsealed(digest) = &stored.form else { return Ok(()) };
    let path = key_voucher(hash);
    match records.get::<Voucher>(&path).await? {
        Some(voucher) if voucher.record.record == *digest => Ok(()),
        Some(_) if stored.record.revoked_at_us.is_some() => Ok(()),
        Some(_) => {
            let reason = "it differs from the record that was first read";
            Err(ArchiveError::corrupt(access_key(hash).as_ref(), reason))
        }
        None => {
            // A process that may only read the store is answered all the same; the next writer
            // vouches.
            if let Err(error) = records.put_new(&path, &Voucher { record: digest.clone() }).await {
                tracing::debug!(%error, "cannot vouch for an access key's record yet");
            }
            Ok(())
        }
    }
}

/// Creates vouchers for all records without a seal, once in an archive's life. Records that such
/// programs create later get theirs when they are first used.
///
/// # Errors
/// Unavailable.
pub(super) async fn vouch_for_all(records: &Records) -> Result<(), AccessError> {
    let done = vouched_for();
    if matches!(records.get::<Voucher>(&done).await, Ok(Some(_))) {
        return Ok(());
    }
    let hashes = hashes(records).await?;
    if hashes.is_empty() {
        return Ok(());
    }
    let reads = hashes.into_iter().map(|hash| async move {
        match read(records, &hash, None).await {
            // The key's next use reports the damage.
            Err(AccessError::Record { .. }) | Ok(_) => Ok(()),
            Err(error) => Err(error),
        }
    });
    futures::stream::iter(reads).buffer_unordered(READS).try_collect::<()>().await?;
    Ok(records.put(&done, &Voucher { record: String::new() }).await?)
}

/// Revokes the one key whose hash begins with `id`. A key that is revoked already keeps its first
/// revocation time. A damaged record is replaced by one that only says "revoked".
///
/// # Errors
/// [`AccessError::NoSuchKey`] unless exactly one key has the id; Unavailable.
pub(super) async fn revoke(records: &Records, id: &str, now: Micros) -> Result<(), AccessError> {
    let hashes = hashes(records).await?;
    let mut matching = hashes.iter().filter(|hash| id.len() >= ID_CHARS && hash.starts_with(id));
    // A key given in place of its id must not reach a log.
    let shown = if id.starts_with("td_live_") { "td_live_…" } else { id };
    let no_such_key = || AccessError::NoSuchKey(shown.to_owned());
    let hash = matching.next().filter(|_| matching.next().is_none()).ok_or_else(no_such_key)?;
    let record = match read(records, hash, None).await {
        Ok(Some((record, _))) => record,
        Ok(None) => return Err(no_such_key()),
        Err(AccessError::Record { .. }) => KeyRecord::only_revoked(now),
        Err(error) => return Err(error),
    };
    let revoked_at_us = record.revoked_at_us.or(Some(now));
    Ok(records.put(&access_key(hash), &KeyRecord { revoked_at_us, ..record }).await?)
}
