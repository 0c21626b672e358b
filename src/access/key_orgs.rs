//! The organisations that have a valid key. Records that have not changed are not read again.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;

use futures::{StreamExt as _, TryStreamExt as _};
use lru::LruCache;
use parking_lot::Mutex;

use super::stored::{self, READS};
use super::{AccessError, KeyRecord};
use crate::archive::{ACCESS_KEYS, Records, access_key_hash};
use crate::clock::Micros;
use crate::event::OrgId;

/// Keys of which is known whose they are; others are read again.
const LISTED_KEYS_MAX: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

/// Whose a key is.
#[derive(Debug, Clone)]
struct KeyOrg {
    /// Changes when the record does.
    mark: String,
    /// `None` for a key that is revoked or damaged, or an operator's.
    org_id: Option<OrgId>,
    expires_at_us: Option<Micros>,
}

/// What is known of the keys since they were last listed, by their hashes.
#[derive(Debug)]
pub(super) struct KeyOrgs {
    known: Mutex<LruCache<String, KeyOrg>>,
}

impl KeyOrgs {
    /// Nothing is known yet.
    pub(super) fn new() -> Self {
        Self { known: Mutex::new(LruCache::new(LISTED_KEYS_MAX)) }
    }

    /// The organisations that have a key that is valid at `now`.
    ///
    /// # Errors
    /// Unavailable.
    pub(super) async fn valid(
        &self,
        records: &Records,
        now: Micros,
    ) -> Result<BTreeSet<OrgId>, AccessError> {
        let listed = records.list(ACCESS_KEYS).await?;
        let listed: Vec<_> = listed
            .into_iter()
            .filter_map(|found| Some((access_key_hash(&found.path)?.to_owned(), found.mark)))
            .collect();
        let reads = listed.into_iter().map(|(hash, mark)| self.key(records, hash, mark));
        let keys = futures::stream::iter(reads).buffer_unordered(READS);
        let valid = keys.try_filter_map(async |key| {
            let is_valid = key.expires_at_us.is_none_or(|at| now < at);
            Ok(key.org_id.filter(|_| is_valid))
        });
        valid.try_collect().await
    }

    async fn key(
        &self,
        records: &Records,
        hash: String,
        mark: String,
    ) -> Result<KeyOrg, AccessError> {
        let known = self.known.lock().get(&hash).filter(|known| known.mark == mark).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let read = match stored::read(records, &hash, None).await {
            Ok(read) => read,
            // `key list` tells of it.
            Err(AccessError::Record { .. }) => None,
            Err(error) => return Err(error),
        };
        let key = match read {
            None => KeyOrg { mark, org_id: None, expires_at_us: None },
            Some((record, mark)) => {
                let expires_at_us = record.expires_at_us;
                KeyOrg { mark, org_id: org_of(&record), expires_at_us }
            }
        };
        self.known.lock().put(hash, key.clone());
        Ok(key)
    }
}

fn org_of(record: &KeyRecord) -> Option<OrgId> {
    OrgId::parse(&record.org_id).ok().filter(|_| record.revoked_at_us.is_none())
}
