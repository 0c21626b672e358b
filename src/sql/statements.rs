//! Parts of SQL text, found outside of quotes and comments: statements, which end at a `;`, and what is in
//! parentheses.

/// The whole statements of a text, and the text after the last `;`.
#[derive(Debug, PartialEq, Eq)]
pub struct Statements<'a> {
    /// The statements without their `;`, and without empty ones.
    pub whole: Vec<&'a str>,
    /// Empty if nothing is left.
    pub rest: &'a str,
}

/// Splits a text.
pub fn split_statements(text: &str) -> Statements<'_> {
    let mut whole = Vec::new();
    let (mut start, mut has_code) = (0, false);
    let mut at = 0;
    while let Some(char) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let end = at + span(text.get(at..).unwrap_or_default(), char);
        if char == ';' {
            if has_code {
                whole.extend(text.get(start..at).map(str::trim));
            }
            (start, has_code) = (end, false);
        } else if !char.is_whitespace() && !is_comment(text.get(at..).unwrap_or_default()) {
            has_code = true;
        }
        at = end;
    }
    let rest = if has_code { text.get(start..).unwrap_or_default().trim() } else { "" };
    Statements { whole, rest }
}

/// What is in the parentheses that a text begins with, and what follows them. None if it begins otherwise,
/// or they have no end.
pub fn in_parentheses(text: &str) -> Option<(&str, &str)> {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(char) = text.get(at..)?.chars().next() {
        match char {
            '(' => depth += 1,
            _ if depth == 0 => return None,
            ')' if depth == 1 => return Some((text.get(1..at)?, text.get(at + 1..)?)),
            ')' => depth -= 1,
            _ => {}
        }
        at += span(text.get(at..)?, char);
    }
    None
}

/// Bytes of the unit that begins here: a character, a quoted text or a comment.
fn span(text: &str, first: char) -> usize {
    let until = |end: &str, from: usize| {
        let found = text.get(from..).and_then(|rest| rest.find(end));
        found.map_or(text.len(), |found| from + found + end.len())
    };
    match first {
        // A doubled quote ends one text and begins the next, which comes to the same.
        'e' | 'E' if text.get(1..2) == Some("'") => escaped(text),
        '\'' => until("'", 1),
        '"' => until("\"", 1),
        '$' => dollar_quote(text).map_or(1, |quote| until(quote, quote.len())),
        // The rest of a word is passed over with it, so that its end begins nothing.
        char if is_word(char) => text.find(|char| !is_word(char)).unwrap_or(text.len()),
        '-' if text.starts_with("--") => until("\n", 2),
        '/' if text.starts_with("/*") => until("*/", 2),
        char => char.len_utf8(),
    }
}

fn is_word(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

/// Bytes of a text such as `E'it\'s'`, in which a backslash takes the meaning of the next character.
fn escaped(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(2) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'\'' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// `$$` or `$tag$` at the begin of a text.
fn dollar_quote(text: &str) -> Option<&str> {
    let tag = text.get(1..)?;
    let end = tag.find('$')?;
    let is_tag = tag.get(..end)?.chars().all(is_word)
        && !tag.starts_with(|char: char| char.is_ascii_digit());
    if is_tag { text.get(..end + 2) } else { None }
}

fn is_comment(text: &str) -> bool {
    text.starts_with("--") || text.starts_with("/*")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parentheses_are_found_with_what_is_in_them() {
        let text = "(a ')' (b) \"(\" /* ) */) c";
        assert_eq!(in_parentheses(text), Some(("a ')' (b) \"(\" /* ) */", " c")));
        for none in ["", "a (b)", "(a", "(')'", " (a)"] {
            assert_eq!(in_parentheses(none), None, "{none}");
        }
    }

    #[test]
    fn statements_end_at_semicolons_outside_of_quotes_and_comments() {
        let of = |text| {
            let Statements { whole, rest } = split_statements(text);
            (whole.join("|"), rest)
        };
        assert_eq!(of("select 1; select 2 ;\n"), ("select 1|select 2".into(), ""));
        assert_eq!(
            of("select ';', \"a;b\", 'it''s;'"),
            (String::new(), "select ';', \"a;b\", 'it''s;'")
        );
        assert_eq!(
            of("-- a; b\nselect 1 /* ; */; -- end;"),
            ("-- a; b\nselect 1 /* ; */".into(), "")
        );
        assert_eq!(of(";; -- nothing\n;"), (String::new(), ""));
        for whole in
            ["select E'it\\'s; '", "select $$;'$$", "select $a$ $; $$ $a$, 1", "select type'x;'"]
        {
            let text = format!("{whole}; 2");
            let Statements { whole: seen, rest } = split_statements(&text);
            assert_eq!((seen, rest), (vec![whole], "2"));
        }
        assert_eq!(of("select $1; select 2"), ("select $1".into(), "select 2"));
        assert_eq!(of("select 'ü; offen"), (String::new(), "select 'ü; offen"));
    }
}
