//! The record that claims an organisation's name, in one spelling.
//!
//! The record is a JSON string rather than an object, because programs from before seals compare it
//! as such. So its seal is white space: a line break before the string, and the checksum after it,
//! two bits per character.

use super::sealed::digest;

/// The white space characters of JSON. Each encodes two bits.
const BLANKS: [u8; 4] = *b" \t\n\r";

/// The bytes to store at `path` for `name`.
pub(in crate::archive) fn seal(path: &str, name: &str) -> Vec<u8> {
    // An organisation's name contains no character that JSON escapes.
    let mut bytes = format!("\n\"{name}\"").into_bytes();
    for byte in digest(path, &bytes) {
        for shift in [6, 4, 2, 0] {
            bytes.extend(BLANKS.get(usize::from(byte >> shift & 3)));
        }
    }
    bytes
}

/// The name in `bytes`, which were read from `path`, and whether they are sealed; `None` if they
/// are damaged.
pub(in crate::archive) fn open(path: &str, bytes: &[u8]) -> Option<(String, bool)> {
    let name: String = serde_json::from_slice(bytes).ok()?;
    let is_sealed = bytes == seal(path, &name);
    // The form of programs from before seals. A sealed record that lost its end is neither: it
    // begins with a line break.
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
