//! The chain of the log: each entry of ours names the one before it, and carries a checksum of
//! itself.
//!
//! An entry's name does not say which log it belongs to. A restored backup, or another archive
//! copied over this one, has entries of the same names. A link tells them apart.

use std::fmt;

use uuid::Uuid;

/// The placeholder for an entry's checksum while the checksum is computed.
const BLANK: &str = "00000000";
/// The name of an entry's checksum in its `commitInfo`.
const CHECKSUM: &str = "tokenlakeCrc32";

/// Identifies one log entry among all that could have its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryLink {
    /// The writer's name for the commit; `None` if another program wrote the entry.
    commit_id: Option<Uuid>,
    /// CRC-32 of the entry's bytes.
    crc32: u32,
}

impl EntryLink {
    /// The link to an entry.
    pub fn new(commit_id: Option<Uuid>, bytes: &[u8]) -> Self {
        Self { commit_id, crc32: crc32fast::hash(bytes) }
    }

    /// Parses the text of a link; `None` if it is not a link.
    pub fn parse(text: &str) -> Option<Self> {
        let (commit_id, crc32) = text.split_once(' ')?;
        let commit_id = match commit_id {
            "-" => None,
            id => Some(Uuid::parse_str(id).ok()?),
        };
        Some(Self { commit_id, crc32: parse_crc32(crc32)? })
    }

    /// CRC-32 of the entry's bytes.
    pub fn crc32(self) -> u32 {
        self.crc32
    }
}

impl fmt::Display for EntryLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.commit_id {
            Some(id) => write!(f, "{id} {:08x}", self.crc32),
            None => write!(f, "- {:08x}", self.crc32),
        }
    }
}

/// Eight hexadecimal digits, in lower case.
pub(super) fn parse_crc32(text: &str) -> Option<u32> {
    let digits = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != BLANK.len() || !text.bytes().all(digits) {
        return None;
    }
    u32::from_str_radix(text, 16).ok()
}

/// The member of `commitInfo` for the checksum, with the placeholder in it.
pub(super) fn blank_checksum() -> (String, serde_json::Value) {
    (CHECKSUM.to_owned(), BLANK.into())
}

/// Fills in the checksum of an entry. An entry without the placeholder stays as it is.
pub(super) fn seal(entry: &mut [u8]) {
    let Some(at) = checksum_at(entry) else { return };
    let crc32 = format!("{:08x}", crc32fast::hash(entry));
    if let Some(place) = entry.get_mut(at..at + BLANK.len()) {
        place.copy_from_slice(crc32.as_bytes());
    }
}

/// Whether an entry matches its checksum; `None` if it has none.
pub(super) fn is_sealed(entry: &[u8]) -> Option<bool> {
    let at = checksum_at(entry)?;
    let (before, after) = (entry.get(..at)?, entry.get(at + BLANK.len()..)?);
    let told = std::str::from_utf8(entry.get(at..at + BLANK.len())?).ok().and_then(parse_crc32);
    let mut crc32 = crc32fast::Hasher::new();
    [before, BLANK.as_bytes(), after].iter().for_each(|bytes| crc32.update(bytes));
    Some(told == Some(crc32.finalize()))
}

/// The offset of the checksum's digits, which are in the first line.
fn checksum_at(entry: &[u8]) -> Option<usize> {
    let line = entry.split(|byte| *byte == b'\n').next()?;
    let name = format!("\"{CHECKSUM}\":\"");
    let at = memchr::memmem::find(line, name.as_bytes())? + name.len();
    (at + BLANK.len() <= line.len()).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_link_survives_its_text(id in any::<Option<u128>>(), bytes in any::<Vec<u8>>()) {
            let link = EntryLink::new(id.map(Uuid::from_u128), &bytes);
            prop_assert_eq!(EntryLink::parse(&link.to_string()), Some(link));
        }

        #[test]
        fn any_text_is_a_link_or_none(text in "[0-9a-f -]{0,50}") {
            let link = EntryLink::parse(&text);
            prop_assert!(link.is_none_or(|link| EntryLink::parse(&link.to_string()) == Some(link)));
        }
    }

    #[test]
    fn every_flipped_bit_of_a_sealed_entry_shows() {
        let mut entry =
            format!("{{\"a\":1,\"{CHECKSUM}\":\"{BLANK}\"}}\n{{\"b\":2}}\n").into_bytes();
        seal(&mut entry);
        assert_eq!(is_sealed(&entry), Some(true));
        for bit in 0..entry.len() * 8 {
            let mut flipped = entry.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(is_sealed(&flipped), Some(true), "{bit}");
        }
    }
}
