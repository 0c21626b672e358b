//! Fingerprints of events: keyed 128-bit hashes of (`org_id`, `event_id`), and the small filter
//! of them that travels in a data file's tags.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use siphasher::sip128::{Hasher128, SipHasher13};
use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

/// The fingerprint of an event's identity.
pub type EventHash = u128;

/// A set of fingerprints.
pub type IdSet = HashSet<EventHash, QuickHash>;

/// For maps whose keys an attacker cannot choose: see `Quick`.
pub type QuickHash = BuildHasherDefault<Quick>;

/// A cheap hash without a key. A fingerprint is a keyed hash already, so half of it serves as its
/// hash. Names of organisations are safe too, because they come from the operator, who creates
/// their keys or imports their events.
#[derive(Debug, Default, Clone, Copy)]
pub struct Quick(u64);

impl Hasher for Quick {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0.rotate_left(5) ^ u64::from(*byte)).wrapping_mul(SPREAD);
        }
    }

    fn write_u128(&mut self, hash: u128) {
        #[allow(clippy::cast_possible_truncation, reason = "a half of the hash is meant")]
        let half = hash as u64;
        self.0 = half;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// An odd number without pattern, which spreads bits upward.
const SPREAD: u64 = 0x517c_c1b7_2722_0a95;

/// Hashes identities with the archive's own key, so that senders cannot prepare collisions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct IdHasher {
    key: [u8; 16],
}

impl std::fmt::Debug for IdHasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IdHasher(..)")
    }
}

impl IdHasher {
    /// A hasher with the archive's key.
    pub fn new(key: [u8; 16]) -> Self {
        Self { key }
    }

    /// The fingerprint of an event.
    pub fn hash(&self, org_id: &str, event_id: &str) -> EventHash {
        self.of_org(org_id).hash(event_id)
    }

    /// A hasher of one organisation's events.
    pub fn of_org(&self, org_id: &str) -> OrgIdHasher {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        hasher.write(org_id.as_bytes());
        // No org_id contains this byte, so two different pairs never become the same bytes.
        hasher.write_u8(0xff);
        OrgIdHasher(hasher)
    }
}

/// An [`IdHasher`] for the events of one organisation.
#[derive(Clone, Copy)]
pub struct OrgIdHasher(SipHasher13);

impl OrgIdHasher {
    /// The fingerprint of an event.
    pub fn hash(&self, event_id: &str) -> EventHash {
        let mut hasher = self.0;
        hasher.write(event_id.as_bytes());
        hasher.finish128().as_u128()
    }
}

/// Bits for each id: with 14 probes, about one false answer in 15,000 look-ups.
const BITS_PER_ID: usize = 20;
const PROBES: u64 = 14;
/// Files with more events carry no filter: log entries must stay small.
pub(in crate::archive) const IDS_MAX: usize = 4_096;

/// A Bloom filter of the ids in one data file (Bloom 1970; double hashing after Kirsch and
/// Mitzenmacher 2006). Its text form is base64 of the bits, lowest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdFilter {
    bits: Vec<u8>,
}

impl IdFilter {
    /// The filter of `ids`; `None` if there are none, or too many for a tag.
    pub fn of(ids: &[EventHash]) -> Option<Self> {
        if ids.is_empty() || ids.len() > IDS_MAX {
            return None;
        }
        let mut filter = Self { bits: vec![0; (ids.len() * BITS_PER_ID).div_ceil(8)] };
        for id in ids {
            for (byte, mask) in filter.probes(*id).collect::<Vec<_>>() {
                if let Some(slot) = filter.bits.get_mut(byte) {
                    *slot |= mask;
                }
            }
        }
        Some(filter)
    }

    /// False only if the file does not hold `id`.
    pub fn may_hold(&self, id: EventHash) -> bool {
        self.probes(id).all(|(byte, mask)| self.bits.get(byte).is_some_and(|bits| bits & mask != 0))
    }

    fn probes(&self, id: EventHash) -> impl Iterator<Item = (usize, u8)> + use<> {
        let bits = (self.bits.len() as u64) * 8;
        #[allow(clippy::cast_possible_truncation, reason = "the two halves of the hash are meant")]
        let (first, step) = (id as u64, ((id >> 64) as u64) | 1);
        (0..PROBES).map(move |probe| {
            let bit = first.wrapping_add(probe.wrapping_mul(step)) % bits.max(1);
            (usize::try_from(bit / 8).unwrap_or(usize::MAX), 1 << (bit % 8))
        })
    }

    /// The filter as text for a tag.
    pub fn to_text(&self) -> String {
        STANDARD_NO_PAD.encode(&self.bits)
    }

    /// Reads a tag; `None` if it is not one of ours, which only costs a look into the file.
    pub fn from_text(text: &str) -> Option<Self> {
        let bits = STANDARD_NO_PAD.decode(text).ok()?;
        (!bits.is_empty()).then_some(Self { bits })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_id_is_ever_missed(ids in prop::collection::vec(any::<u128>(), 1..300)) {
            let filter = IdFilter::of(&ids).unwrap();
            let read = IdFilter::from_text(&filter.to_text()).unwrap();
            prop_assert!(ids.iter().all(|id| read.may_hold(*id)));
        }
    }

    #[test]
    fn few_strangers_pass() {
        let hasher = IdHasher::new([7; 16]);
        let hash = |i: u32| hasher.hash("acme", &i.to_string());
        let filter = IdFilter::of(&(0..1000).map(hash).collect::<Vec<_>>()).unwrap();
        let passed = (1_000..101_000).map(hash).filter(|id| filter.may_hold(*id)).count();
        assert!(passed < 50, "{passed} of 100,000 strangers passed");
    }

    #[test]
    fn a_pair_is_not_its_concatenation() {
        let hasher = IdHasher::new([7; 16]);
        assert_ne!(hasher.hash("ab", "c"), hasher.hash("a", "bc"));
    }

    #[test]
    fn big_files_have_no_filter() {
        assert_eq!(IdFilter::of(&vec![1; IDS_MAX + 1]), None);
    }
}
