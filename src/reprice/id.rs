//! The ids of corrections that a reprice makes.
//!
//! The id tells the event and how many such corrections it had before. Two runs that know the same
//! corrections of an event make the same id, whatever their tables say, and the table takes one of
//! them: so nobody's correction is added to one that it did not know.

use sha2::{Digest as _, Sha256};

use crate::clock::Micros;

const START: &str = "reprice-";
/// Bytes of the hash in an id.
const HASH_BYTES: usize = 16;

/// The id of the correction of an event that has had `ordinal` of them before.
pub(super) fn correction_id(event_id: &str, ts: Micros, ordinal: u32) -> String {
    // An id may be used again on another date, so the time is part of what is told apart.
    let mut hash = Sha256::new();
    hash.update(ts.to_le_bytes());
    hash.update(event_id.as_bytes());
    let hash: [u8; 32] = hash.finalize().into();
    let hash = hex::encode(hash.get(..HASH_BYTES).unwrap_or(&hash));
    format!("{START}{hash}-{ordinal}")
}

/// How many corrections of the event there were before this one; none if no reprice made it.
pub(super) fn ordinal_of(id: &str, event_id: &str, ts: Micros) -> Option<u32> {
    let (_, ordinal) = id.strip_prefix(START)?.split_once('-')?;
    let ordinal = ordinal.parse().ok()?;
    (correction_id(event_id, ts, ordinal) == id).then_some(ordinal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_event_time_and_ordinal_and_fits() {
        let long = "x".repeat(256);
        let id = correction_id(&long, 7, u32::MAX);
        assert!(id.len() < 64, "{id}");
        assert_eq!(ordinal_of(&id, &long, 7), Some(u32::MAX));
        for (event, ts, ordinal) in [("y", 7, 0), ("x", 8, 0), ("x", 7, 1)] {
            assert_ne!(correction_id("x", 7, 0), correction_id(event, ts, ordinal));
        }
        let id = correction_id("x", 7, 3);
        for (id, event, ts) in [
            (id.as_str(), "y", 7),
            (id.as_str(), "x", 8),
            (&id.replace("-3", "-4"), "y", 7),
            (&id.replace("-3", "-03"), "x", 7),
            (&id.replace("-3", "-+3"), "x", 7),
            ("call-1-credit", "x", 7),
            ("reprice-", "x", 7),
        ] {
            assert_eq!(ordinal_of(id, event, ts), None, "{id}");
        }
    }
}
