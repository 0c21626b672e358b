//! The names of organisations that this process knows to be claimed.

use std::collections::HashSet;
use std::hash::Hasher as _;

use parking_lot::Mutex;
use siphasher::sip128::{Hasher128 as _, SipHasher13};

use crate::archive::{Archive, ArchiveError};
use crate::event::OrgId;

/// Names that are remembered: those of two generations.
pub const CLAIMED_MAX: usize = 2 * GENERATION;
/// Names of a generation.
const GENERATION: usize = 200_000;

/// The names of organisations that have been claimed.
#[derive(Debug)]
pub struct NameClaims {
    /// What names are hashed with. Nobody who chooses names knows it.
    keys: (u64, u64),
    known: Mutex<Generations>,
}

/// Hashes of names. Names that are asked for stay: a full set becomes the older one, and a name that is
/// found there moves on.
#[derive(Debug, Default)]
struct Generations {
    newer: HashSet<u128>,
    older: HashSet<u128>,
}

impl Default for NameClaims {
    fn default() -> Self {
        Self { keys: (rand::random(), rand::random()), known: Mutex::default() }
    }
}

impl NameClaims {
    /// Makes sure that an organisation's name is claimed in the archive.
    ///
    /// # Errors
    /// As [`Archive::claim_org`].
    pub async fn claim(&self, archive: &Archive, org_id: &OrgId) -> Result<(), ArchiveError> {
        let name = self.hash(org_id);
        if !self.known.lock().has(name) {
            archive.claim_org(org_id).await?;
            self.known.lock().remember(name);
        }
        Ok(())
    }

    fn hash(&self, org_id: &OrgId) -> u128 {
        let mut hasher = SipHasher13::new_with_keys(self.keys.0, self.keys.1);
        hasher.write(org_id.as_str().as_bytes());
        hasher.finish128().as_u128()
    }
}

impl Generations {
    fn has(&mut self, name: u128) -> bool {
        if self.newer.contains(&name) {
            return true;
        }
        let is_older = self.older.contains(&name);
        if is_older {
            self.remember(name);
        }
        is_older
    }

    fn remember(&mut self, name: u128) {
        if self.newer.len() >= GENERATION {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_used_stay_and_no_more_than_so_many() {
        let mut known = Generations::default();
        let used = u128::MAX;
        known.remember(used);
        let mut most = 0;
        for name in 0..5 * GENERATION as u128 {
            known.remember(name);
            if name % 1_000 == 0 {
                assert!(known.has(used), "{name}");
            }
            most = most.max(known.newer.len() + known.older.len());
        }
        assert!(most <= CLAIMED_MAX, "{most}");
        assert!(!known.has(0), "a name that nobody asks for is forgotten");
    }

    #[test]
    fn as_many_names_as_a_generation_has_are_known_however_often_they_are_asked_for() {
        let mut known = Generations::default();
        let names = || 0..GENERATION as u128;
        names().for_each(|name| known.remember(name));
        for _ in 0..3 {
            assert!(names().all(|name| known.has(name)));
        }
    }

    #[test]
    fn names_have_hashes_of_their_own() {
        let claims = NameClaims::default();
        let names = (0..1_000).map(|number| OrgId::parse(&format!("org-{number}")).unwrap());
        let hashes: HashSet<_> = names.map(|name| claims.hash(&name)).collect();
        assert_eq!(hashes.len(), 1_000);
    }
}
