//! What a server knows of the keys that come to it.
//!
//! What is known counts while it was read, or seen unchanged, less than [`TRUST`] ago, so that a
//! revoked key is refused within five seconds on every replica, whatever program revoked it. A task
//! looks more often than that, so that a request seldom waits for it ([`super::watch`]). The same task
//! tells when keys in use expire.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use lru::LruCache;
use parking_lot::Mutex;

use super::stored::{self, READS};
use super::watch::{Demand, EVERY, IN_USE, Listed, Look};
use super::{AccessError, Caller, HashedKey, KeyRecord};
use crate::archive::{ACCESS_KEYS, Records, access_key_hash};
use crate::clock::{Clock, Micros, SECOND};
use crate::telemetry::KeyExpiries;

/// How long a record counts as unchanged since it was last looked at.
const TRUST: Duration = Duration::from_secs(4);
/// A server that has just started has requests to answer first.
const VOUCH_AFTER: Duration = Duration::from_secs(3);
/// Records kept in memory.
pub const KNOWN_KEYS_MAX: NonZeroUsize = NonZeroUsize::new(65_536).unwrap();
/// A key that was not used for longer was replaced: its expiry is nobody's concern. Whoever comes
/// once a day is in use.
const LATELY: Duration = Duration::from_secs(2 * 86_400);
/// Keys whose expiry is told.
const EXPIRIES_MAX: usize = 1_000;

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

/// The records of keys that were used, as they were last read or seen.
#[derive(Debug)]
pub(super) struct KnownKeys {
    pub(super) records: Records,
    pub(super) clock: Arc<dyn Clock>,
    known: Mutex<LruCache<HashedKey, Known>>,
}

/// Looks at what is known, again and again, and keeps `expiries` true.
pub(super) async fn watch(shared: Arc<KnownKeys>, expiries: KeyExpiries) {
    let began = shared.clock.elapsed();
    let (mut listed, mut looked_at, mut vouched) = (Listed::not_yet(began), began, false);
    loop {
        tokio::time::sleep(EVERY).await;
        let at = shared.clock.elapsed();
        if !vouched && at.saturating_sub(began) >= VOUCH_AFTER {
            vouched = true;
            if let Err(error) = stored::vouch_for_all(&shared.records).await {
                tracing::warn!(%error, "cannot vouch for the access keys of an older tokenlake yet");
            }
        }
        if shared.known.lock().is_empty() {
            listed = listed.idle(at);
            continue;
        }
        match shared.look(listed, looked_at).await {
            Ok(now) => listed = now,
            // Records grow stale by themselves; requests then read them, and say what is wrong.
            Err(error) => tracing::warn!(%error, "cannot watch the access keys"),
        }
        looked_at = at;
        expiries.set(shared.expiries());
    }
}

impl KnownKeys {
    /// Nothing is known yet.
    pub(super) fn new(records: Records, clock: Arc<dyn Clock>) -> Self {
        Self { records, clock, known: Mutex::new(LruCache::new(KNOWN_KEYS_MAX)) }
    }

    /// Whom a key stands for, by what is known of it, if that is fresh.
    pub(super) fn trusted(
        &self,
        hash: HashedKey,
        asked_at: Duration,
    ) -> Option<Option<Arc<Caller>>> {
        let mut known = self.known.lock();
        let known = known.get_mut(&hash)?;
        if asked_at.saturating_sub(known.at) >= TRUST {
            return None;
        }
        known.used_at = asked_at;
        Some(known.caller(self.clock.now()))
    }

    /// Whom a key stands for, by its record.
    pub(super) async fn read(
        &self,
        hash: HashedKey,
        asked_at: Duration,
    ) -> Result<Arc<Caller>, AccessError> {
        let before = self.known.lock().peek(&hash).map(|known| known.record.clone());
        let read = stored::read(&self.records, &hash.to_hex(), before.as_ref()).await?;
        let (record, mark) = read.ok_or(AccessError::Unauthenticated)?;
        let fresh = Known::new(record, mark, asked_at);
        let caller = fresh.caller(self.clock.now()).ok_or(AccessError::Unauthenticated);
        self.known.lock().put(hash, fresh);
        caller
    }

    /// Looks at what is to be looked at; gives what is known of the number of keys then.
    async fn look(&self, listed: Listed, looked_at: Duration) -> Result<Listed, AccessError> {
        let at = self.clock.elapsed();
        let (known, in_use, since) = self.in_use(at, looked_at);
        let demand = Demand { known, in_use: in_use.len(), since: since.len() };
        match listed.next(demand, at) {
            Look::None => {}
            Look::InUse => self.read_all(in_use).await?,
            Look::Since => self.read_all(since).await?,
            Look::All => return self.list().await,
        }
        Ok(listed)
    }

    /// How many keys are known, those in use, and those of them that were used since the last look
    /// and not read since.
    fn in_use(&self, at: Duration, looked_at: Duration) -> (usize, Vec<HashedKey>, Vec<HashedKey>) {
        let known = self.known.lock();
        let used = |from: Duration| {
            known
                .iter()
                .filter(move |(_, known)| known.used_at >= from)
                .map(|(hash, known)| (*hash, known))
        };
        let in_use = used(at.saturating_sub(IN_USE)).map(|(hash, _)| hash).collect();
        let old = |known: &Known| at.saturating_sub(known.at) >= EVERY;
        let since = used(looked_at).filter(|(_, known)| old(known)).map(|(hash, _)| hash).collect();
        (known.len(), in_use, since)
    }

    /// Confirms what is unchanged and reads again what is not.
    async fn list(&self) -> Result<Listed, AccessError> {
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
        self.read_all(changed).await?;
        Ok(Listed::of(listed.len(), at))
    }

    /// Reads the records of some keys again. One that is damaged is forgotten: the key's next use
    /// tells of it.
    async fn read_all(&self, hashes: Vec<HashedKey>) -> Result<(), AccessError> {
        let reads = hashes.into_iter().map(|hash| self.read_again(hash));
        let reads: Vec<_> = futures::stream::iter(reads).buffer_unordered(READS).collect().await;
        reads.into_iter().collect()
    }

    async fn read_again(&self, hash: HashedKey) -> Result<(), AccessError> {
        let at = self.clock.elapsed();
        let before = self.known.lock().peek(&hash).map(|known| known.record.clone());
        let read = stored::read(&self.records, &hash.to_hex(), before.as_ref()).await;
        let mut known = self.known.lock();
        match read {
            Ok(Some((record, mark))) => {
                // A use may have come meanwhile. What is not looked at keeps its place in the order.
                match known.peek_mut(&hash) {
                    Some(known) => {
                        *known = Known { used_at: known.used_at, ..Known::new(record, mark, at) };
                    }
                    None => drop(known.put(hash, Known::new(record, mark, at))),
                }
            }
            Ok(None) | Err(AccessError::Record { .. }) => drop(known.pop(&hash)),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// The valid keys in use that expire, by their ids, the soonest first, in seconds since 1970.
    fn expiries(&self) -> Vec<(String, i64)> {
        let (now, at) = (self.clock.now(), self.clock.elapsed());
        let in_use =
            |known: &Known| known.record.is_valid(now) && at.saturating_sub(known.used_at) < LATELY;
        let mut soonest: Vec<_> = self
            .known
            .lock()
            .iter()
            .filter(|(_, known)| in_use(known))
            .filter_map(|(hash, known)| Some((known.record.expires_at_us?, *hash)))
            .collect();
        soonest.sort_unstable_by_key(|(expires_at_us, _)| *expires_at_us);
        soonest.truncate(EXPIRIES_MAX);
        let named = soonest.into_iter().map(|(expires_at_us, hash)| {
            (stored::id(&hash.to_hex()), expires_at_us.div_euclid(SECOND))
        });
        named.collect()
    }
}
