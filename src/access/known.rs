//! A server's cache of the records of keys in use.
//!
//! A record is trusted if it was read, or seen unchanged, less than [`TRUST`] ago. So a revoked key
//! is refused within five seconds on every replica, whichever program revoked it. A task looks more
//! often than that, so a request seldom waits for a read ([`super::watch`]). The same task reports
//! when keys in use expire.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use lru::LruCache;
use parking_lot::Mutex;

use super::last_use;
use super::stored::{self, READS};
use super::watch::{Demand, EVERY, IN_USE, KeyCount, WatchScope};
use super::{AccessError, HashedKey, Holder, Identity, KeyRecord};
use crate::archive::{ACCESS_KEYS, Records, access_key_hash};
use crate::clock::{Clock, Micros, SECOND};
use crate::telemetry::KeyExpiries;

/// How long a record is trusted after it was last read or seen unchanged.
const TRUST: Duration = Duration::from_secs(4);
/// A delay, because a server that has just started has requests to answer first.
const VOUCH_AFTER: Duration = Duration::from_secs(3);
/// Records kept in memory.
pub const KNOWN_KEYS_MAX: NonZeroUsize = NonZeroUsize::new(65_536).unwrap();
/// A key that is unused for longer is assumed to be replaced, and its expiry is not reported. Two
/// days, so that a client that comes once a day counts.
const LATELY: Duration = Duration::from_secs(2 * 86_400);
/// Uses that are noted between two looks, so that a look is not late.
const NOTED_AT_ONCE_MAX: usize = 256;
/// The largest number of keys whose expiry is reported.
const EXPIRIES_MAX: usize = 1_000;

#[derive(Debug, Clone)]
struct KnownKey {
    record: KeyRecord,
    /// Who holds the key; `None` if the record is of nobody.
    holder: Option<Holder>,
    /// Changes when the record does.
    mark: String,
    /// When the record was last read or seen unchanged, by the clock that includes sleep.
    at: Duration,
    /// When a request last used the key, by the same clock.
    used_at: Duration,
    /// The hour of use that the archive has been told of.
    noted: Option<Micros>,
}

impl KnownKey {
    fn new(record: KeyRecord, mark: String, at: Duration) -> Self {
        Self { holder: record.holder(), record, mark, at, used_at: at, noted: None }
    }

    fn identity(&self, now: Micros) -> Option<Identity> {
        let holder = self.holder.clone().filter(|_| self.record.is_valid(now))?;
        Some(Identity { holder, expires_at_us: self.record.expires_at_us })
    }
}

/// The records of keys that were used, as last read or seen unchanged.
#[derive(Debug)]
pub(super) struct KnownKeys {
    pub(super) records: Records,
    pub(super) clock: Arc<dyn Clock>,
    known: Mutex<LruCache<HashedKey, KnownKey>>,
}

/// Keeps the cached records fresh and `expiries` up to date, for ever.
pub(super) async fn watch(shared: Arc<KnownKeys>, expiries: KeyExpiries) {
    let began = shared.clock.elapsed();
    let (mut listed, mut looked_at, mut vouched) = (KeyCount::not_yet(began), began, false);
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
            // Records become stale by themselves. Requests then read them, and report the error.
            Err(error) => tracing::warn!(%error, "cannot watch the access keys"),
        }
        looked_at = at;
        shared.note_uses(at).await;
        expiries.set(shared.expiries());
    }
}

impl KnownKeys {
    /// An empty cache.
    pub(super) fn new(records: Records, clock: Arc<dyn Clock>) -> Self {
        Self { records, clock, known: Mutex::new(LruCache::new(KNOWN_KEYS_MAX)) }
    }

    /// Who holds a key by its cached record, if that is fresh. The inner `None` is an invalid
    /// key.
    pub(super) fn trusted(&self, hash: HashedKey, asked_at: Duration) -> Option<Option<Identity>> {
        let mut known = self.known.lock();
        let known = known.get_mut(&hash)?;
        if asked_at.saturating_sub(known.at) >= TRUST {
            return None;
        }
        known.used_at = asked_at;
        Some(known.identity(self.clock.now()))
    }

    /// Who holds a key, by its record in the archive.
    pub(super) async fn read(
        &self,
        hash: HashedKey,
        asked_at: Duration,
    ) -> Result<Identity, AccessError> {
        let before = self.known.lock().peek(&hash).map(|known| (known.record.clone(), known.noted));
        let (before, noted) = before.unzip();
        let read = stored::read(&self.records, &hash.to_hex(), before.as_ref()).await?;
        let (record, mark) = read.ok_or(AccessError::Unauthenticated)?;
        let noted = noted.flatten();
        let fresh = KnownKey { noted, ..KnownKey::new(record, mark, asked_at) };
        let identity = fresh.identity(self.clock.now()).ok_or(AccessError::Unauthenticated);
        self.known.lock().put(hash, fresh);
        identity
    }

    /// Looks at the records that are due, and returns what is then known of the number of keys.
    async fn look(&self, listed: KeyCount, looked_at: Duration) -> Result<KeyCount, AccessError> {
        let at = self.clock.elapsed();
        let (known, in_use, since) = self.in_use(at, looked_at);
        let demand = Demand { known, in_use: in_use.len(), since: since.len() };
        match listed.next(demand, at) {
            WatchScope::None => {}
            WatchScope::InUse => self.read_all(in_use).await?,
            WatchScope::Since => self.read_all(since).await?,
            WatchScope::All => return self.list().await,
        }
        Ok(listed)
    }

    /// The number of cached keys, the keys in use, and those of them that were used since the last
    /// look and are due to be read.
    fn in_use(&self, at: Duration, looked_at: Duration) -> (usize, Vec<HashedKey>, Vec<HashedKey>) {
        let known = self.known.lock();
        let used = |from: Duration| {
            known
                .iter()
                .filter(move |(_, known)| known.used_at >= from)
                .map(|(hash, known)| (*hash, known))
        };
        let in_use = used(at.saturating_sub(IN_USE)).map(|(hash, _)| hash).collect();
        let old = |known: &KnownKey| at.saturating_sub(known.at) >= EVERY;
        let since = used(looked_at).filter(|(_, known)| old(known)).map(|(hash, _)| hash).collect();
        (known.len(), in_use, since)
    }

    /// Marks unchanged records as fresh, by a listing, and reads the changed ones again.
    async fn list(&self) -> Result<KeyCount, AccessError> {
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
        Ok(KeyCount::of(listed.len(), at))
    }

    /// Reads the records of some keys again. A damaged record is dropped from the cache, and the
    /// key's next use reports it.
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
                // The key may have been used meanwhile. `peek_mut` keeps its place in the LRU
                // order.
                match known.peek_mut(&hash) {
                    Some(known) => {
                        let KnownKey { used_at, noted, .. } = *known;
                        *known = KnownKey { used_at, noted, ..KnownKey::new(record, mark, at) };
                    }
                    None => drop(known.put(hash, KnownKey::new(record, mark, at))),
                }
            }
            Ok(None) | Err(AccessError::Record { .. }) => drop(known.pop(&hash)),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Tells the archive in which hour keys were last used, once for each hour. What fails is tried
    /// again at the next look.
    async fn note_uses(&self, at: Duration) {
        let now = self.clock.now();
        let unnoted = |(hash, known): (&HashedKey, &KnownKey)| {
            let ago = Micros::try_from(at.saturating_sub(known.used_at).as_micros()).ok()?;
            let hour = last_use::hour(now.saturating_sub(ago));
            let is_new = known.noted != Some(hour) && known.record.is_valid(now);
            is_new.then_some((*hash, hour))
        };
        let uses: Vec<_> =
            self.known.lock().iter().filter_map(unnoted).take(NOTED_AT_ONCE_MAX).collect();
        let notes = uses.into_iter().map(|(hash, hour)| async move {
            match last_use::note(&self.records, &hash.to_hex(), hour, now).await {
                Ok(()) => {
                    if let Some(known) = self.known.lock().peek_mut(&hash) {
                        known.noted = Some(hour);
                    }
                }
                // A process that may only read the store answers all the same.
                Err(error) => tracing::debug!(%error, "cannot note that an access key is in use"),
            }
        });
        futures::stream::iter(notes).buffer_unordered(READS).collect::<()>().await;
    }

    /// The ids of the valid keys in use that expire, the soonest first, with the time in seconds
    /// since 1970.
    fn expiries(&self) -> Vec<(String, i64)> {
        let (now, at) = (self.clock.now(), self.clock.elapsed());
        let in_use = |known: &KnownKey| {
            known.record.is_valid(now) && at.saturating_sub(known.used_at) < LATELY
        };
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
