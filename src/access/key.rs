//! The text of an access key, and its hash.
//!
//! `td_live_`, 38 random letters and digits (226 bits), and 6 digits with the CRC-32 of all that
//! precedes them. The checksum distinguishes a key that was cut off while copying from one that was
//! revoked. It also lets secret scanners recognise a real key.

use std::fmt;

use rand::distr::{Alphanumeric, SampleString as _};
use sha2::{Digest as _, Sha256};

const PREFIX: &str = "td_live_";
const RANDOM_CHARS: usize = 38;
const CHECKSUM_CHARS: usize = 6;
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A key as its owner has it. `Debug` hides it; only [`PlainKey::reveal`] returns the text.
pub struct PlainKey(String);

impl PlainKey {
    /// A new key.
    pub fn generate() -> Self {
        let random = Alphanumeric.sample_string(&mut rand::rng(), RANDOM_CHARS);
        let start = format!("{PREFIX}{random}");
        let checksum = checksum(&start);
        Self(start + &checksum)
    }

    /// Accepts a text as a key if its form and checksum are right.
    pub fn parse(text: &str) -> Option<Self> {
        let random = text.strip_prefix(PREFIX)?;
        let length = RANDOM_CHARS + CHECKSUM_CHARS;
        if random.len() != length || !random.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return None;
        }
        let (start, end) = text.split_at_checked(text.len() - CHECKSUM_CHARS)?;
        (checksum(start) == end).then(|| Self(text.to_owned()))
    }

    /// The hash under which the key is stored. SHA-256 without salt is enough for 226 random bits.
    pub fn hash(&self) -> HashedKey {
        HashedKey(Sha256::digest(self.0.as_bytes()).into())
    }

    /// The text, to be shown to its owner.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PlainKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlainKey(..)")
    }
}

fn checksum(text: &str) -> String {
    let mut rest = crc32fast::hash(text.as_bytes());
    let mut digits = [b'0'; CHECKSUM_CHARS];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62.get((rest % 62) as usize).copied().unwrap_or(b'0');
        rest /= 62;
    }
    digits.iter().map(|digit| char::from(*digit)).collect()
}

/// The hash by which the archive knows a key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct HashedKey([u8; 32]);

impl HashedKey {
    /// Lower-case hex, for the record's path.
    pub fn to_hex(self) -> String {
        hex::encode(self.0)
    }
}

impl fmt::Debug for HashedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashedKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_key_has_the_promised_form_and_is_read_back() {
        let key = PlainKey::generate();
        let random = key.reveal().strip_prefix("td_live_").unwrap();
        assert!(random.len() >= 32 && random.chars().all(|c| c.is_ascii_alphanumeric()));
        assert_eq!(PlainKey::parse(key.reveal()).unwrap().hash(), key.hash());
        assert_ne!(PlainKey::generate().hash(), key.hash());
    }

    #[test]
    fn no_secret_is_printed() {
        let key = PlainKey::generate();
        assert_eq!(format!("{key:?} {:?}", key.hash()), "PlainKey(..) HashedKey(..)");
    }

    proptest! {
        #[test]
        fn a_changed_character_is_noticed(at in 8usize..52, to in "[0-9A-Za-z]") {
            let key = PlainKey::generate();
            let mut changed = key.reveal().to_owned();
            changed.replace_range(at..at + 1, &to);
            prop_assert_eq!(PlainKey::parse(&changed).is_some(), changed == key.reveal());
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,80}") {
            prop_assert!(PlainKey::parse(&text).is_none());
        }
    }
}
