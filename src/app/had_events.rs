//! Organisations that are known to have had an event, and up to which version none of others was found. No
//! event is ever undone, so nothing is forgotten but for want of room.

use std::num::NonZeroUsize;

use lru::LruCache;
use parking_lot::Mutex;

use crate::event::OrgId;

/// Organisations that are remembered.
const KNOWN_MAX: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

/// What is known of organisations, by their names in lower case.
#[derive(Debug)]
pub(super) struct HadEvents {
    known: Mutex<LruCache<String, OrgId>>,
    /// The versions whose rows were searched in vain.
    searched: Mutex<LruCache<String, u64>>,
}

impl HadEvents {
    /// None is known yet.
    pub(super) fn new() -> Self {
        let (known, searched) = (LruCache::new(KNOWN_MAX), LruCache::new(KNOWN_MAX));
        Self { known: Mutex::new(known), searched: Mutex::new(searched) }
    }

    /// The organisation with a name in lower case, if it is known to have had an event.
    pub(super) fn get(&self, lowercase: &str) -> Option<OrgId> {
        self.known.lock().get(lowercase).cloned()
    }

    /// Remembers an organisation.
    pub(super) fn put(&self, org_id: &OrgId) {
        self.searched.lock().pop(&org_id.lowercase());
        self.known.lock().put(org_id.lowercase(), org_id.clone());
    }

    /// The last version whose rows have none of an organisation's.
    pub(super) fn searched(&self, org_id: &OrgId) -> Option<u64> {
        self.searched.lock().get(&org_id.lowercase()).copied()
    }

    /// The rows of a version have none of an organisation's.
    pub(super) fn put_searched(&self, org_id: &OrgId, version: u64) {
        self.searched.lock().put(org_id.lowercase(), version);
    }
}
