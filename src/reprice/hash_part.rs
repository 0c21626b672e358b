//! Parts of the events of a date, by a hash of their identities, so that what is known of one part fits
//! into memory.

use crate::archive::EventHash;

/// The events whose hash begins with some bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HashPart {
    bits: u32,
    start: u128,
}

impl HashPart {
    /// All events.
    pub(super) const WHOLE: Self = Self { bits: 0, start: 0 };

    /// Whether an event is of this part.
    pub(super) fn contains(self, hash: EventHash) -> bool {
        hash.checked_shr(EventHash::BITS - self.bits).unwrap_or(0) == self.start
    }

    /// The two halves of the part.
    pub(super) fn halves(self) -> [Self; 2] {
        let bits = (self.bits + 1).min(EventHash::BITS);
        [0, 1].map(|last| Self { bits, start: self.start << 1 | last })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_event_is_in_one_half_of_its_part(hash: u128, turns in prop::collection::vec(0..2_usize, 0..20)) {
            let mut part = HashPart::WHOLE;
            prop_assert!(part.contains(hash));
            for turn in turns {
                let halves = part.halves();
                let within = halves.iter().filter(|half| half.contains(hash)).count();
                prop_assert_eq!(within, usize::from(part.contains(hash)));
                part = halves[turn];
            }
        }
    }
}
