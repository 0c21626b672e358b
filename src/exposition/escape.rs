//! The formats' escapes.
//!
//! Sources: the text-based format of Prometheus ("Line format", "Comments, help text, and type
//! information") and the ABNF of OpenMetrics 1.0. Every escaped character is ASCII, so working on
//! bytes leaves UTF-8 intact.

/// Writes the text between the quotes of a label value, in both formats; also the HELP of
/// OpenMetrics.
pub(super) fn push_quoted(out: &mut Vec<u8>, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'"' => out.extend_from_slice(br#"\""#),
            // Prometheus' lexer treats NUL as the end of its input and would fail the whole scrape.
            0 => out.extend_from_slice("\u{FFFD}".as_bytes()),
            _ => push_unquoted_byte(out, byte),
        }
    }
}

/// Writes the HELP of text 0.0.4, where a quote is not escaped.
pub(super) fn push_unquoted(out: &mut Vec<u8>, text: &str) {
    for byte in text.bytes() {
        push_unquoted_byte(out, byte);
    }
}

fn push_unquoted_byte(out: &mut Vec<u8>, byte: u8) {
    match byte {
        b'\\' => out.extend_from_slice(br"\\"),
        b'\n' => out.extend_from_slice(br"\n"),
        _ => out.push(byte),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn escaped(push: fn(&mut Vec<u8>, &str), text: &str) -> String {
        let mut out = Vec::new();
        push(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn only_the_formats_specials_are_escaped() {
        assert_eq!(
            escaped(push_quoted, "a\\b\"c\nd\r\té\u{2028}{},="),
            "a\\\\b\\\"c\\nd\r\té\u{2028}{},="
        );
        assert_eq!(escaped(push_unquoted, "a\\b\"c\nd"), "a\\\\b\"c\\nd");
    }

    #[test]
    fn nul_is_replaced() {
        assert_eq!(escaped(push_quoted, "a\0b"), "a\u{FFFD}b");
    }

    proptest! {
        #[test]
        fn a_label_value_reads_back(text in "[^\\x00]{0,40}|[\\\\\"\nn]{0,12}") {
            let written = escaped(push_quoted, &text);
            let mut read = String::new();
            let mut chars = written.chars();
            while let Some(char) = chars.next() {
                prop_assert!(char != '"' && char != '\n', "unescaped {:?}", char);
                read.push(match char {
                    '\\' => match chars.next() {
                        Some('n') => '\n',
                        Some(escaped @ ('\\' | '"')) => escaped,
                        other => panic!("no such escape: {other:?}"),
                    },
                    plain => plain,
                });
            }
            prop_assert_eq!(read, text);
        }
    }
}
