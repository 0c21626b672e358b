//! Patterns of names: `*` is any text, `#` is one digit, all else is itself.

/// A pattern, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Box<str>);

impl Pattern {
    /// Any text is a pattern; case is ignored.
    pub(super) fn new(text: &str) -> Self {
        Self(text.to_lowercase().into())
    }

    /// Its text.
    pub(super) fn text(&self) -> &str {
        &self.0
    }

    /// Whether it matches all of a name in lower case.
    ///
    /// The last `*` alone is ever tried again, so that the time is at most the product of the lengths.
    pub(super) fn matches(&self, name: &str) -> bool {
        let (mut pattern, mut name) = (self.0.as_bytes(), name.as_bytes());
        let mut again: Option<(&[u8], &[u8])> = None;
        loop {
            match (pattern.split_first(), name.split_first()) {
                (Some((b'*', rest)), _) => {
                    again = Some((rest, name));
                    pattern = rest;
                    continue;
                }
                (Some((wanted, rest)), Some((byte, others))) if fits(*wanted, *byte) => {
                    (pattern, name) = (rest, others);
                    continue;
                }
                (None, None) => return true,
                _ => {}
            }
            let Some((rest, from)) = again else { return false };
            let Some((_, from)) = from.split_first() else { return false };
            again = Some((rest, from));
            (pattern, name) = (rest, from);
        }
    }
}

fn fits(wanted: u8, byte: u8) -> bool {
    wanted == byte || wanted == b'#' && byte.is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn stars_are_any_text_and_hashes_digits() {
        let cases = [
            ("*", "", true),
            ("*", "gpt", true),
            ("*tts*", "gemini-tts", true),
            ("*-tts", "gemini-tts-1", false),
            ("claude-opus-5-########", "claude-opus-5-20260101", true),
            ("claude-opus-5-########", "claude-opus-5-2026010", false),
            ("a*b*c", "axxbyybzc", true),
            ("a*b*c", "axxbyy", false),
            ("A#", "a7", true),
            ("a#", "a٣", false),
            ("", "", true),
            ("", "a", false),
        ];
        for (pattern, name, matched) in cases {
            assert_eq!(Pattern::new(pattern).matches(name), matched, "{pattern} {name}");
        }
    }

    #[test]
    fn a_hostile_pattern_takes_little_time() {
        let pattern = Pattern::new(&format!("{}b", "a*".repeat(100)));
        assert!(!pattern.matches(&"a".repeat(250)));
    }

    /// The same by trying everything.
    fn by_search(pattern: &[u8], name: &[u8]) -> bool {
        match pattern.split_first() {
            None => name.is_empty(),
            Some((b'*', rest)) => (0..=name.len()).any(|at| by_search(rest, &name[at..])),
            Some((wanted, rest)) => name
                .split_first()
                .is_some_and(|(byte, others)| fits(*wanted, *byte) && by_search(rest, others)),
        }
    }

    proptest! {
        #[test]
        fn agrees_with_a_search(pattern in "[ab1*#]{0,8}", name in "[ab1]{0,8}") {
            let found = by_search(pattern.as_bytes(), name.as_bytes());
            prop_assert_eq!(Pattern::new(&pattern).matches(&name), found);
        }
    }
}
