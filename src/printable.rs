//! Text of others on its way to a terminal or a log.
//!
//! Names of keys, organisations, models and files, and what stores and libraries say, may hold
//! characters that move a cursor, change a terminal, begin a line of a log, or turn the order of
//! what is read around. They are shown as JSON writes them, which is no other value within JSON.

use std::borrow::Cow;

/// The text in one line, without such characters.
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, is_harmful)
}

/// The text without such characters, but for ends of lines and tabs.
pub fn printable_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |char| is_harmful(char) && char != '\n' && char != '\t')
}

/// True for characters that do something, or that are read otherwise than they stand.
pub fn is_harmful(char: char) -> bool {
    char.is_control()
        || matches!(
            char,
            // Ends of lines and of paragraphs, and marks of direction.
            '\u{2028}'
                | '\u{2029}'
                | '\u{61c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
        )
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
}
