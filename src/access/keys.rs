//! The access keys of an archive: making, listing and revoking them, and checking a request's.
//!
//! A check is answered from memory while the record was read or seen unchanged less than
//! [`TRUST`] ago; a task lists the records' marks more often than that, so that a scrape seldom
//! waits for it and a revoked key is refused within five seconds on every replica. The same task
//! tells when keys in use expire.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use lru::LruCache;
use parking_lot::Mutex;
use tokio_util::task::AbortOnDropHandle;

use super::{AccessError, Caller, HashedKey, KeyRecord, PlainKey, Scopes};
use crate::archive::{ACCESS_KEYS, Records, access_key, access_key_hash};
use crate::clock::{Clock, Micros, SECOND};
use crate::event::OrgId;
use crate::telemetry::KeyExpiries;

/// How long a record counts as unchanged since it was last looked at.
const TRUST: Duration = Duration::from_secs(4);
/// How often the marks are listed.
const WATCH: Duration = Duration::from_millis(1_500);
/// Records kept in memory.
const KNOWN_MAX: NonZeroUsize = NonZeroUsize::new(65_536).unwrap();
/// Records that are read side by side.
const READS: usize = 16;
/// A key that was not used for longer was replaced: its expiry is nobody's concern. Whoever comes
/// once a day is in use.
const IN_USE: Duration = Duration::from_secs(2 * 86_400);
/// Keys whose expiry is told.
const EXPIRIES_MAX: usize = 1_000;
/// Hex digits of a key's id.
const ID_CHARS: usize = 16;

/// A key to be made.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// Whom it speaks for.
    pub org_id: OrgId,
    /// What it allows.
    pub scopes: Scopes,
    /// A name for people.
    pub name: Option<String>,
    /// When it expires.
    pub expires_at_us: Option<Micros>,
}

/// A key in a list; nothing secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedKey {
    /// What `revoke` takes.
    pub id: String,
    /// Its record.
    pub record: KeyRecord,
}

#[derive(Debug, Clone)]
struct Known {
    record: KeyRecord,
    /// Whom it stands for; `None` if its record makes no sense.
    caller: Option<Arc<Caller>>,
    /// Changes when the record does.
    mark: String,
    /// When it was last known to be so, by the clock that counts sleep.
    at: Duration,
    /// When a request last came with it, by the same clock.
    used_at: Duration,
}

impl Known {
    fn new(record: KeyRecord, mark: String, at: Duration) -> Self {
        Self { caller: record.caller().map(Arc::new), record, mark, at, used_at: at }
    }

    fn caller(&self, now: Micros) -> Option<Arc<Caller>> {
        self.caller.clone().filter(|_| self.record.is_valid(now))
    }
}

#[derive(Debug)]
struct Shared {
    records: Records,
    clock: Arc<dyn Clock>,
    known: Mutex<LruCache<HashedKey, Known>>,
}

/// The access keys of one archive.
#[derive(Debug)]
pub struct AccessKeys {
    shared: Arc<Shared>,
    _watch: Option<AbortOnDropHandle<()>>,
}

impl AccessKeys {
    /// Keys for a command that ends soon.
    pub fn new(records: Records, clock: Arc<dyn Clock>) -> Self {
        let known = Mutex::new(LruCache::new(KNOWN_MAX));
        Self { shared: Arc::new(Shared { records, clock, known }), _watch: None }
    }

    /// Keys for a server: changes are watched for, and `expiries` is kept true.
    pub fn watched(records: Records, clock: Arc<dyn Clock>, expiries: KeyExpiries) -> Self {
        let keys = Self::new(records, clock);
        let watch = tokio::spawn(watch(keys.shared.clone(), expiries));
        Self { _watch: Some(AbortOnDropHandle::new(watch)), ..keys }
    }

    /// Makes a key; it works at once everywhere.
    ///
    /// # Errors
    /// Conflict if the organisation's name differs only in case from one that stands.
    pub async fn create(&self, new: NewKey) -> Result<PlainKey, AccessError> {
        let Shared { records, clock, .. } = &*self.shared;
        records.claim_org(&new.org_id).await?;
        let key = PlainKey::generate();
        let record = KeyRecord {
            org_id: new.org_id.as_str().to_owned(),
            scopes: new.scopes,
            name: new.name,
            created_at_us: clock.now(),
            expires_at_us: new.expires_at_us,
            revoked_at_us: None,
        };
        records.put(&access_key(&key.hash().to_hex()), &record).await?;
        Ok(key)
    }

    /// All keys, oldest first.
    ///
    /// # Errors
    /// Unavailable or Corrupt.
    pub async fn list(&self) -> Result<Vec<ListedKey>, AccessError> {
        let records = &self.shared.records;
        let mut keys = Vec::new();
        for found in records.list(ACCESS_KEYS).await? {
            let Some(id) = access_key_hash(&found.path).and_then(|hash| hash.get(..ID_CHARS))
            else {
                continue;
            };
            if let Some(record) = records.get(&found.path).await? {
                keys.push(ListedKey { id: id.to_owned(), record });
            }
        }
        keys.sort_by(|a, b| (a.record.created_at_us, &a.id).cmp(&(b.record.created_at_us, &b.id)));
        Ok(keys)
    }

    /// Revokes a key; the time of the first revocation stands.
    ///
    /// # Errors
    /// [`AccessError::NoSuchKey`] unless exactly one key has the id.
    pub async fn revoke(&self, id: &str) -> Result<(), AccessError> {
        let Shared { records, clock, .. } = &*self.shared;
        let found = records.list(ACCESS_KEYS).await?;
        let mut matching = found.into_iter().map(|found| found.path).filter(|path| {
            id.len() >= ID_CHARS && access_key_hash(path).is_some_and(|hash| hash.starts_with(id))
        });
        // A key given in place of its id must not reach a log.
        let shown = if id.starts_with("td_live_") { "td_live_…" } else { id };
        let no_such_key = || AccessError::NoSuchKey(shown.to_owned());
        let path = matching.next().filter(|_| matching.next().is_none()).ok_or_else(no_such_key)?;
        let mut record: KeyRecord = records.get(&path).await?.ok_or_else(no_such_key)?;
        if record.revoked_at_us.is_none() {
            record.revoked_at_us = Some(clock.now());
            records.put(&path, &record).await?;
        }
        Ok(())
    }

    /// Finds out who sends `token`.
    ///
    /// # Errors
    /// [`AccessError::Unauthenticated`]; Unavailable or Corrupt if the record cannot be read.
    pub async fn authenticate(&self, token: &str) -> Result<Arc<Caller>, AccessError> {
        let Shared { clock, known, .. } = &*self.shared;
        let hash = PlainKey::parse(token).ok_or(AccessError::Unauthenticated)?.hash();
        let asked_at = clock.elapsed();
        let trusted = known
            .lock()
            .get_mut(&hash)
            .filter(|known| asked_at.saturating_sub(known.at) < TRUST)
            .map(|known| {
                known.used_at = asked_at;
                known.caller(clock.now())
            });
        if let Some(caller) = trusted {
            return caller.ok_or(AccessError::Unauthenticated);
        }
        // Boxed: every request would pay for the size of what seldom happens.
        Box::pin(self.read(hash, asked_at)).await
    }

    async fn read(&self, hash: HashedKey, asked_at: Duration) -> Result<Arc<Caller>, AccessError> {
        let Shared { records, clock, known } = &*self.shared;
        let read = records.get_marked(&access_key(&hash.to_hex())).await?;
        let (record, mark) = read.ok_or(AccessError::Unauthenticated)?;
        let fresh = Known::new(record, mark, asked_at);
        let caller = fresh.caller(clock.now()).ok_or(AccessError::Unauthenticated);
        known.lock().put(hash, fresh);
        caller
    }
}

async fn watch(shared: Arc<Shared>, expiries: KeyExpiries) {
    loop {
        tokio::time::sleep(WATCH).await;
        if shared.known.lock().is_empty() {
            continue;
        }
        if let Err(error) = shared.look().await {
            // Records grow stale by themselves; requests then read them, and say what is wrong.
            tracing::warn!(%error, "cannot watch the access keys");
        }
        expiries.set(shared.expiries());
    }
}

impl Shared {
    /// Confirms what is unchanged and reads again what is not.
    async fn look(&self) -> Result<(), AccessError> {
        let at = self.clock.elapsed();
        let listed = self.records.list(ACCESS_KEYS).await?;
        let marks: std::collections::HashMap<_, _> = listed
            .iter()
            .filter_map(|found| Some((access_key_hash(&found.path)?, &found.mark)))
            .collect();
        let mut changed = Vec::new();
        for (hash, known) in self.known.lock().iter_mut() {
            match marks.get(hash.to_hex().as_str()) {
                Some(mark) if known.mark == **mark => known.at = at,
                _ => changed.push(*hash),
            }
        }
        let reads = changed.into_iter().map(|hash| self.read_again(hash));
        let mut reads = futures::stream::iter(reads).buffer_unordered(READS);
        while let Some(read) = reads.next().await {
            if let Err(error) = read {
                tracing::warn!(%error, "cannot read an access key's record");
            }
        }
        Ok(())
    }

    async fn read_again(&self, hash: HashedKey) -> Result<(), AccessError> {
        let at = self.clock.elapsed();
        let read = self.records.get_marked(&access_key(&hash.to_hex())).await?;
        let mut known = self.known.lock();
        match read {
            Some((record, mark)) => {
                let used_at = known.peek(&hash).map_or(at, |known| known.used_at);
                drop(known.put(hash, Known { used_at, ..Known::new(record, mark, at) }));
            }
            None => drop(known.pop(&hash)),
        }
        Ok(())
    }

    /// The valid keys in use that expire, by their ids, the soonest first, in seconds since 1970.
    fn expiries(&self) -> Vec<(String, i64)> {
        let (now, at) = (self.clock.now(), self.clock.elapsed());
        let in_use =
            |known: &Known| known.record.is_valid(now) && at.saturating_sub(known.used_at) < IN_USE;
        let mut soonest: Vec<_> = self
            .known
            .lock()
            .iter()
            .filter(|(_, known)| in_use(known))
            .filter_map(|(hash, known)| Some((known.record.expires_at_us?, *hash)))
            .collect();
        soonest.sort_unstable_by_key(|(expires_at_us, _)| *expires_at_us);
        soonest.truncate(EXPIRIES_MAX);
        let named = soonest.into_iter().filter_map(|(expires_at_us, hash)| {
            Some((hash.to_hex().get(..ID_CHARS)?.to_owned(), expires_at_us.div_euclid(SECOND)))
        });
        named.collect()
    }
}
