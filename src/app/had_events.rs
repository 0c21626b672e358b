//! Organisations that are known to have had an event. No event is ever undone, so none is forgotten but
//! for want of room.

use std::num::NonZeroUsize;

use lru::LruCache;
use parking_lot::Mutex;

use crate::event::OrgId;

/// Organisations that are remembered.
const KNOWN_MAX: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

/// Organisations that have had an event, by their names in lower case.
#[derive(Debug)]
pub(super) struct HadEvents {
    known: Mutex<LruCache<String, OrgId>>,
}

impl HadEvents {
    /// None is known yet.
    pub(super) fn new() -> Self {
        Self { known: Mutex::new(LruCache::new(KNOWN_MAX)) }
    }

    /// The organisation with a name in lower case, if it is known to have had an event.
    pub(super) fn get(&self, lowercase: &str) -> Option<OrgId> {
        self.known.lock().get(lowercase).cloned()
    }

    /// Remembers an organisation.
    pub(super) fn put(&self, lowercase: String, org_id: OrgId) {
        self.known.lock().put(lowercase, org_id);
    }
}
