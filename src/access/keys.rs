//! The access keys of an archive: creates, lists and revokes them, and checks those of requests.
//!
//! A check is answered from memory while the record in memory is fresh ([`super::known`]).

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};
use tokio_util::task::AbortOnDropHandle;

use super::key_orgs::KeyOrgs;
use super::known::{KnownKeys, watch};
use super::last_use;
use super::stored::{self, READS};
use super::{AccessError, BoundTo, Caller, Identity, KeyRecord, PlainKey, Scopes, operator_scopes};
use crate::archive::{Records, access_key};
use crate::clock::{Clock, Micros};
use crate::event::OrgId;
use crate::telemetry::KeyExpiries;

/// A key to be created.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// The caller's organisation.
    pub org_id: OrgId,
    /// What the key allows.
    pub scopes: Scopes,
    /// A name for people.
    pub name: Option<String>,
    /// When it expires.
    pub expires_at_us: Option<Micros>,
    /// The part of the organisation that it is bound to; `None` for all of it.
    pub bound: Option<BoundTo>,
}

/// An operator's key to be created.
#[derive(Debug, Clone)]
pub struct NewOperatorKey {
    /// A name for people.
    pub name: Option<String>,
    /// When it expires.
    pub expires_at_us: Option<Micros>,
}

/// An entry of the key list, without secrets.
#[derive(Debug, Clone)]
pub struct ListedKey {
    /// The id, which `revoke` takes.
    pub id: String,
    /// Its record, or the reason why the record is not valid.
    pub record: Result<KeyRecord, AccessError>,
    /// The hour in which it was last used, `None` for never, or the reason why that is not known.
    pub last_used_us: Result<Option<Micros>, AccessError>,
}

/// The access keys of one archive.
#[derive(Debug)]
pub struct AccessKeys {
    shared: Arc<KnownKeys>,
    orgs: KeyOrgs,
    _watch: Option<AbortOnDropHandle<()>>,
}

impl AccessKeys {
    /// The keys for a command, which ends soon.
    pub fn new(records: Records, clock: Arc<dyn Clock>) -> Self {
        let shared = Arc::new(KnownKeys::new(records, clock));
        Self { shared, orgs: KeyOrgs::new(), _watch: None }
    }

    /// The keys for a server. A task watches for changes and updates `expiries`.
    pub fn watched(records: Records, clock: Arc<dyn Clock>, expiries: KeyExpiries) -> Self {
        let keys = Self::new(records, clock);
        let watch = tokio::spawn(watch(keys.shared.clone(), expiries));
        Self { _watch: Some(AbortOnDropHandle::new(watch)), ..keys }
    }

    /// Creates a key, which works at once on every replica.
    ///
    /// # Errors
    /// Conflict if the organisation's name differs only in case from an existing one.
    pub async fn create(&self, new: NewKey) -> Result<PlainKey, AccessError> {
        let KnownKeys { records, clock, .. } = &*self.shared;
        records.claim_org(&new.org_id).await?;
        let record = KeyRecord {
            org_id: new.org_id.as_str().to_owned(),
            scopes: new.scopes,
            name: new.name,
            created_at_us: clock.now(),
            expires_at_us: new.expires_at_us,
            revoked_at_us: None,
            bound: new.bound,
            operator: false,
        };
        self.put(&record).await
    }

    /// Creates an operator's key, which works at once on every replica.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn create_operator(&self, new: NewOperatorKey) -> Result<PlainKey, AccessError> {
        let record = KeyRecord {
            org_id: String::new(),
            scopes: operator_scopes(),
            name: new.name,
            created_at_us: self.shared.clock.now(),
            expires_at_us: new.expires_at_us,
            revoked_at_us: None,
            bound: None,
            operator: true,
        };
        self.put(&record).await
    }

    async fn put(&self, record: &KeyRecord) -> Result<PlainKey, AccessError> {
        let key = PlainKey::generate();
        self.shared.records.put(&access_key(&key.hash().to_hex()), record).await?;
        Ok(key)
    }

    /// All keys, oldest first; those whose records are damaged come last.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn list(&self) -> Result<Vec<ListedKey>, AccessError> {
        let records = &self.shared.records;
        let hashes = stored::hashes(records).await?;
        let mut uses = last_use::all(records).await?;
        let reads = hashes.into_iter().map(|hash| async move {
            let record = match stored::read(records, &hash, None).await {
                Ok(read) => read.map(|(record, _)| Ok(record)),
                Err(error @ AccessError::Record { .. }) => Some(Err(error)),
                Err(error) => return Err(error),
            };
            Ok(record.map(|record| (hash, record)))
        });
        let reads = futures::stream::iter(reads).buffered(READS);
        let keys: Vec<_> = reads.try_filter_map(async |key| Ok(key)).try_collect().await?;
        let keys = keys.into_iter().map(|(hash, record)| {
            let last_used_us = uses.remove(&hash).transpose();
            ListedKey { id: stored::id(&hash), record, last_used_us }
        });
        let mut keys: Vec<_> = keys.collect();
        let made = |key: &ListedKey| match &key.record {
            Ok(record) => (false, record.created_at_us),
            Err(_) => (true, 0),
        };
        keys.sort_by(|a, b| (made(a), &a.id).cmp(&(made(b), &b.id)));
        Ok(keys)
    }

    /// The organisations that have a valid key.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn orgs(&self) -> Result<BTreeSet<OrgId>, AccessError> {
        let KnownKeys { records, clock, .. } = &*self.shared;
        self.orgs.valid(records, clock.now()).await
    }

    /// Revokes a key. A key that is revoked already keeps its first revocation time.
    ///
    /// # Errors
    /// [`AccessError::NoSuchKey`] unless exactly one key has the id.
    pub async fn revoke(&self, id: &str) -> Result<(), AccessError> {
        let KnownKeys { records, clock, .. } = &*self.shared;
        stored::revoke(records, id, clock.now()).await
    }

    /// The caller who sends `token`.
    ///
    /// # Errors
    /// As [`AccessKeys::identify`]; [`AccessError::Operator`].
    pub async fn authenticate(&self, token: &str) -> Result<Arc<Caller>, AccessError> {
        self.identify(token).await?.caller()
    }

    /// Identifies who sends `token`.
    ///
    /// # Errors
    /// [`AccessError::Unauthenticated`]; Unavailable or Corrupt if the record cannot be read.
    pub async fn identify(&self, token: &str) -> Result<Identity, AccessError> {
        let hash = PlainKey::parse(token).ok_or(AccessError::Unauthenticated)?.hash();
        let asked_at = self.shared.clock.elapsed();
        if let Some(identity) = self.shared.trusted(hash, asked_at) {
            return identity.ok_or(AccessError::Unauthenticated);
        }
        // Boxed, so that not every request pays for the size of a rare case.
        Box::pin(self.shared.read(hash, asked_at)).await
    }
}
