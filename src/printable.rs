//! What people read: untrusted text, escaped for a terminal or a log, and counts.
//!
//! Names of keys, organisations, models and files, and messages of stores and libraries, may hold
//! characters that move a cursor, change a terminal, begin a new log line, or reverse the order of
//! the text. They are shown as JSON escapes. Within JSON text the escape denotes the same value.

use std::borrow::Cow;
use std::fmt::Display;

/// The text on one line, without such characters.
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, is_harmful)
}

/// The text without such characters, except line ends and tabs.
pub fn printable_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |char| is_harmful(char) && char != '\n' && char != '\t')
}

/// True for control characters, and for characters that change how text around them is read.
pub fn is_harmful(char: char) -> bool {
    char.is_control()
        || matches!(
            char,
            // Line and paragraph separators, and direction marks.
            '\u{2028}'
                | '\u{2029}'
                | '\u{61c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
        )
}

/// A number with its noun: `1 row`, `2 rows`.
pub fn counted<N: Copy + Display + PartialEq + From<u8>>(number: N, noun: &str) -> String {
    let ending = if number == N::from(1) { "" } else { "s" };
    format!("{number} {noun}{ending}")
}

fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_escaped) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        if is_escaped(char) {
            shown.push_str(&format!("\\u{:04x}", u32::from(char)));
        } else {
            shown.push(char);
        }
    }
    shown.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_a_cursor_or_turns_text_around_is_shown_as_json_shows_it() {
        for (text, shown) in [
            ("acme é 日本 👩 \"\\", "acme é 日本 👩 \"\\"),
            ("\u{1b}[2Jx", "\\u001b[2Jx"),
            ("a\nb\tc\r", "a\\u000ab\\u0009c\\u000d"),
            ("\u{9b}31m\u{7f}", "\\u009b31m\\u007f"),
            ("\u{202e}gpj.exe", "\\u202egpj.exe"),
        ] {
            assert_eq!(printable(text), shown);
        }
        assert_eq!(printable_lines("a\nb\t\u{7}"), "a\nb\t\\u0007");
        let json = serde_json::to_string("x\u{9b}\u{202e}y").unwrap();
        let again: String = serde_json::from_str(&printable_lines(&json)).unwrap();
        assert_eq!(again, "x\u{9b}\u{202e}y");
    }

    #[test]
    fn one_is_one() {
        let shown = [0_u64, 1, 2].map(|number| counted(number, "row"));
        assert_eq!(shown, ["0 rows", "1 row", "2 rows"]);
    }
}
