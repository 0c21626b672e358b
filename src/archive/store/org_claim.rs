//! The record that claims an organisation's name: its spelling.
//!
//! It is text and no object, which programs from before seals compare as it is. So its seal stands in
//! white space: a line break before the text, and behind it the checksum, two bits a character.

use super::sealed::digest;

/// White space of JSON, by two bits.
const BLANKS: [u8; 4] = *b" \t\n\r";

/// What is stored of a name at `path`.
pub(in crate::archive) fn seal(path: &str, name: &str) -> Vec<u8> {
    // An organisation's name has nothing that JSON escapes.
    let mut bytes = format!("\n\"{name}\"").into_bytes();
    for byte in digest(path, &bytes) {
        for shift in [6, 4, 2, 0] {
            bytes.extend(BLANKS.get(usize::from(byte >> shift & 3)));
        }
    }
    bytes
}

/// The name that is stored at `path`, and whether it is sealed; `None` if it is not what was stored.
pub(in crate::archive) fn open(path: &str, bytes: &[u8]) -> Option<(String, bool)> {
    let name: String = serde_json::from_slice(bytes).ok()?;
    let is_sealed = bytes == seal(path, &name);
    // As programs from before seals wrote it. What a seal was cut from begins otherwise.
    let is_unsealed = bytes == format!("\"{name}\"").as_bytes();
    (is_sealed || is_unsealed).then_some((name, is_sealed))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "access/orgs/acme.json";

    #[test]
    fn a_name_is_read_back_also_by_programs_from_before_seals() {
        let bytes = seal(PATH, "Acme");
        assert_eq!(open(PATH, &bytes), Some(("Acme".to_owned(), true)));
        assert_eq!(serde_json::from_slice::<String>(&bytes).unwrap(), "Acme");
        assert_eq!(open(PATH, b"\"Acme\""), Some(("Acme".to_owned(), false)));
    }

    #[test]
    fn every_flip_every_cut_and_another_path_are_damage() {
        let bytes = seal(PATH, "Acme");
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open(PATH, &flipped), None, "{bit}");
        }
        for (start, end) in (0..bytes.len()).map(|end| (0, end)).chain([(1, 7), (1, bytes.len())]) {
            let cut = &bytes[start..end];
            assert!(open(PATH, cut).is_none() || cut == b"\"Acme\"", "{start}..{end}");
        }
        assert_eq!(open("access/orgs/other.json", &bytes), None);
    }
}
