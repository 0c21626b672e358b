//! When keys were last used, to the hour: a record for each key, written once an hour at the most.

use std::collections::HashMap;

use futures::{StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};

use super::AccessError;
use super::stored::{READS, id};
use crate::archive::{Record, Records, Stored, USES, access_key_hash, key_use};
use crate::clock::{HOUR, Micros};
use crate::error::Kind;

/// The record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LastUse {
    /// Where the hour begins, in microseconds since 1970.
    hour_us: Micros,
}

impl Record for LastUse {}

/// The hour of an instant.
pub(super) fn hour(at: Micros) -> Micros {
    at - at.rem_euclid(HOUR)
}

/// Notes that the key with a hash was used in an hour, at `now`.
///
/// # Errors
/// Unavailable.
pub(super) async fn note(
    records: &Records,
    hash: &str,
    hour_us: Micros,
    now: Micros,
) -> Result<(), AccessError> {
    let path = key_use(hash);
    // Of a past hour another server may have noted a later one.
    if hour_us < hour(now) {
        let noted = records.get::<LastUse>(&path).await;
        if noted.is_ok_and(|noted| noted.is_some_and(|noted| noted.record.hour_us >= hour_us)) {
            return Ok(());
        }
    }
    Ok(records.put(&path, &LastUse { hour_us }).await?)
}

/// When each key was last used, by the keys' hashes: the hour, or why it cannot be read.
///
/// # Errors
/// Unavailable.
pub(super) async fn all(
    records: &Records,
) -> Result<HashMap<String, Result<Micros, AccessError>>, AccessError> {
    let listed = records.list(USES).await?;
    let hashes = listed.iter().filter_map(|found| access_key_hash(&found.path)).map(str::to_owned);
    let hashes: Vec<_> = hashes.collect();
    let reads = hashes.into_iter().map(|hash| async move {
        match records.get::<LastUse>(&key_use(&hash)).await {
            Ok(found) => Ok(found.map(|Stored { record, .. }| (hash, Ok(record.hour_us)))),
            Err(error) if error.kind() == Kind::Corrupt => {
                let error = AccessError::LastUse { id: id(&hash), error };
                Ok(Some((hash, Err(error))))
            }
            Err(error) => Err(error.into()),
        }
    });
    let reads = futures::stream::iter(reads).buffer_unordered(READS);
    reads.try_filter_map(async |found| Ok(found)).try_collect().await
}
