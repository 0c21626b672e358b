//! A statement about a session, read word by word.

/// A statement without the comments before it.
pub(super) fn without_comments(text: &str) -> &str {
    let text = text.trim_start();
    let rest = if text.starts_with("--") {
        text.split_once('\n').map_or("", |(_, rest)| rest)
    } else if text.starts_with("/*") {
        text.split_once("*/").map_or("", |(_, rest)| rest)
    } else {
        return text;
    };
    without_comments(rest)
}

/// The rest of a statement, read word by word.
pub(super) struct CommandWords<'a>(pub &'a str);

impl<'a> CommandWords<'a> {
    /// The next word, quoted name or sign.
    pub(super) fn word(&mut self) -> Option<&'a str> {
        let text = self.0.trim_start();
        let first = text.chars().next()?;
        let is_name = |char: char| char.is_alphanumeric() || matches!(char, '_' | '.' | '$');
        let end = match first {
            '"' | '\'' => text.get(1..)?.find(first).map_or(text.len(), |end| end + 2),
            first if is_name(first) => text.find(|char| !is_name(char)).unwrap_or(text.len()),
            first => first.len_utf8(),
        };
        let (word, rest) = text.split_at_checked(end)?;
        self.0 = rest;
        Some(word)
    }

    /// Whether the next word is this one, which then is taken.
    pub(super) fn takes(&mut self, word: &str) -> bool {
        let mut ahead = CommandWords(self.0);
        let is_next = ahead.word().is_some_and(|next| next.eq_ignore_ascii_case(word));
        if is_next {
            self.0 = ahead.0;
        }
        is_next
    }

    pub(super) fn rest(&self) -> &'a str {
        self.0.trim()
    }
}

/// A text or name without its quotes.
pub(super) fn unquoted(text: &str) -> String {
    let text = text.trim();
    for quote in ['\'', '"'] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote)) {
            return inner.replace(&quote.to_string().repeat(2), &quote.to_string());
        }
    }
    text.to_owned()
}

/// A name as it is looked up: without quotes it is in lower case.
pub(super) fn folded_name(word: &str) -> String {
    if word.starts_with('"') { unquoted(word) } else { word.to_lowercase() }
}
