//! The text of a regular expression of PostgreSQL as one of Rust, and what has no such text.
//!
//! PostgreSQL takes the longest of several alternatives, Rust the first that matches. That is the same
//! where no alternative begins with one before it, or where a match ends with the text anyway.

use datafusion::error::Result;

use super::alternatives::{OnePlace, PatternGroup};
use super::refusal::{quoted, refused};

/// How often a repeated place is looked at.
const TIMES_MAX: usize = 64;

/// Classes that have characters beyond ASCII in PostgreSQL, and in Rust under other names.
const CLASSES: [(&str, &str); 4] = [
    (":alpha:]", r"\p{Alphabetic}"),
    (":alnum:]", r"\p{Alphabetic}0-9"),
    (":upper:]", r"\p{Uppercase}"),
    (":lower:]", r"\p{Lowercase}"),
];

/// What a pattern is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PatternUse {
    /// Whether anything matches.
    Found,
    /// What matches.
    Extent,
    /// What matches, and which part each group has in it.
    Groups,
}

/// The same pattern for Rust.
///
/// # Errors
/// A pattern that would match something else.
pub(super) fn rust_pattern(text: &str, asked: PatternUse) -> Result<String> {
    let mut scan = PatternScan {
        text,
        at: 0,
        made: String::new(),
        groups: vec![PatternGroup::default()],
        asked,
    };
    while let Some(char) = scan.next() {
        scan.take(char)?;
    }
    let mut whole = scan.groups.pop().unwrap_or_default();
    whole.end(text, text.len());
    scan.check(&whole)?;
    if asked != PatternUse::Found && whole.greedy && whole.lazy && !ends_with_text(text) {
        return Err(refused(&format!(
            "{} has greedy and other quantifiers, of which PostgreSQL makes one; end it with $, or write \
             [^x]* for .*?",
            quoted(text)
        )));
    }
    Ok(scan.made)
}

struct PatternScan<'a> {
    text: &'a str,
    at: usize,
    made: String,
    groups: Vec<PatternGroup>,
    asked: PatternUse,
}

impl PatternScan<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn next(&mut self) -> Option<char> {
        let char = self.rest().chars().next()?;
        self.at += char.len_utf8();
        Some(char)
    }

    fn skip(&mut self, word: &str) -> bool {
        let found = self.rest().starts_with(word);
        if found {
            self.at += word.len();
            self.made.push_str(word);
        }
        found
    }

    fn place(&mut self, place: OnePlace) {
        if let Some(group) = self.groups.last_mut() {
            group.last.places.push(place);
        }
    }

    fn take(&mut self, char: char) -> Result<()> {
        match char {
            '\\' => return self.escape(),
            '[' => return self.bracket(),
            '(' => self.open(),
            ')' => return self.close(),
            '|' => {
                let end = self.at - 1;
                if let Some(group) = self.groups.last_mut() {
                    group.end(self.text, end);
                    group.start = self.at;
                    group.before.push(std::mem::take(&mut group.last));
                }
                self.made.push('|');
            }
            '*' | '+' | '?' | '{' => self.quantifier(char),
            '^' => self.made.push('^'),
            '$' => {
                self.place(OnePlace::End);
                self.made.push('$');
            }
            '.' => {
                self.place(OnePlace::Any);
                self.made.push('.');
            }
            char => {
                self.place(OnePlace::Char(char));
                self.made.push(char);
            }
        }
        Ok(())
    }

    fn escape(&mut self) -> Result<()> {
        let Some(char) = self.next() else {
            self.made.push('\\');
            return Ok(());
        };
        let same = ['\\', char].iter().collect::<String>();
        let (made, place) = match char {
            'y' => (r"\b", None),
            'Y' => (r"\B", None),
            'm' => (r"\b{start}", None),
            'M' => (r"\b{end}", None),
            'Z' => (r"\z", Some(OnePlace::End)),
            'b' | 'B' => {
                return Err(refused(&format!(
                    "\\{char} is no edge of a word to PostgreSQL; write \\y for an edge, \\Y for none"
                )));
            }
            'd' => ("[0-9]", Some(OnePlace::Digit)),
            'D' => ("[^0-9]", Some(OnePlace::Any)),
            'w' => (same.as_str(), Some(OnePlace::Word)),
            's' => (same.as_str(), Some(OnePlace::Space)),
            'A' => (same.as_str(), None),
            char if char.is_alphanumeric() => (same.as_str(), Some(OnePlace::Open)),
            char => (same.as_str(), Some(OnePlace::Char(char))),
        };
        self.made.push_str(made);
        if let Some(place) = place {
            self.place(place);
        }
        Ok(())
    }

    /// `[…]`, in which `[`, `&&`, `--` and `~~` are nothing special to PostgreSQL.
    fn bracket(&mut self) -> Result<()> {
        let start = self.at - 1;
        self.made.push('[');
        self.skip("^");
        if self.rest().starts_with(']') {
            self.at += 1;
            self.made.push_str(r"\]");
        }
        while let Some(char) = self.next() {
            match char {
                ']' => {
                    self.made.push(']');
                    break;
                }
                '[' if self.rest().starts_with(':') => {
                    let end =
                        self.rest().find(":]").map_or(self.text.len(), |end| self.at + end + 2);
                    let class = self.text.get(self.at..end).unwrap_or_default();
                    match CLASSES.iter().find(|(name, _)| *name == class) {
                        Some((_, made)) => self.made.push_str(made),
                        None => self.made.extend(["[", class]),
                    }
                    self.at = end;
                }
                '[' | '&' | '~' => self.made.extend(['\\', char]),
                '-' if self.rest().starts_with('-') => {
                    return Err(refused(
                        "[…--…] has a range that ends with -; write - as the last one",
                    ));
                }
                '\\' if self.rest().starts_with('d') => {
                    self.at += 1;
                    self.made.push_str("0-9");
                }
                '\\' => {
                    let next = self.next();
                    self.made.push('\\');
                    self.made.extend(next);
                }
                char => self.made.push(char),
            }
        }
        self.place(OnePlace::of_bracket(self.text.get(start..self.at).unwrap_or_default()));
        Ok(())
    }

    fn open(&mut self) {
        self.made.push('(');
        let captures = !self.rest().starts_with('?');
        if !captures {
            // What follows up to here is no quantifier: (?:…), (?i).
            while let Some(char) = self.next() {
                self.made.push(char);
                if !matches!(char, '?' | 'a'..='z' | '-') {
                    break;
                }
            }
            if self.made.ends_with(')') {
                return;
            }
        }
        self.groups.push(PatternGroup { captures, start: self.at, ..PatternGroup::default() });
    }

    fn close(&mut self) -> Result<()> {
        self.made.push(')');
        let Some(mut group) = (self.groups.len() > 1).then(|| self.groups.pop()).flatten() else {
            return Ok(());
        };
        group.end(self.text, self.at - 1);
        self.check(&group)?;
        let optional = ["?", "*", "{0"].iter().any(|none| self.rest().starts_with(none));
        let repeated = optional || self.rest().starts_with(['+', '{']);
        if (group.captures || group.captures_inside) && optional && self.asked == PatternUse::Groups
        {
            return Err(no_part(self.text));
        }
        if let Some(outer) = self.groups.last_mut() {
            outer.captures_inside |= group.captures || group.captures_inside;
            outer.greedy |= group.greedy;
            outer.lazy |= group.lazy;
            if group.before.is_empty() && !repeated {
                outer.last.places.extend(group.last.places);
            } else {
                outer.last.places.push(OnePlace::Open);
            }
        }
        Ok(())
    }

    fn quantifier(&mut self, char: char) {
        self.made.push(char);
        let mut times: Option<usize> = None;
        if char == '{' {
            let end = self.rest().find('}').map_or(0, |end| end + 1);
            let inside = self.rest().get(..end).unwrap_or_default().to_owned();
            times = inside.trim_end_matches('}').parse::<usize>().ok();
            times = times.filter(|times| *times <= TIMES_MAX);
            self.at += end;
            self.made.push_str(&inside);
        }
        let lazy = self.skip("?");
        let Some(group) = self.groups.last_mut() else { return };
        match (group.last.places.pop(), times) {
            (Some(place), Some(times)) => group.last.places.extend(vec![place; times]),
            (place, _) => {
                // There is one at least.
                group.last.places.extend(place.filter(|_| char == '+'));
                group.last.places.push(OnePlace::Open);
                group.lazy |= lazy;
                group.greedy |= !lazy;
            }
        }
    }

    /// Refuses alternatives of which Rust may take another one.
    fn check(&self, group: &PatternGroup) -> Result<()> {
        if self.asked == PatternUse::Found || group.before.is_empty() {
            return Ok(());
        }
        if group.captures_inside && self.asked == PatternUse::Groups {
            return Err(no_part(self.text));
        }
        // A match that ends with the text has one length.
        let ends = self.rest().trim_start_matches(')') == "$";
        if !ends && group.is_ambiguous() {
            return Err(refused(&format!(
                "PostgreSQL takes the longest alternative in {}, and here it is the first; write longer \
                 ones first, or use ~",
                quoted(self.text)
            )));
        }
        Ok(())
    }
}

/// Whether a match ends where the text ends.
fn ends_with_text(pattern: &str) -> bool {
    pattern.ends_with('$') && !pattern.ends_with(r"\$")
}

fn no_part(pattern: &str) -> datafusion::error::DataFusionError {
    refused(&format!(
        "a group of {} may take no part in a match, which is not supported here; ask for each by a \
         pattern of its own",
        quoted(pattern)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, asked: PatternUse) -> String {
        rust_pattern(text, asked).unwrap_or_else(|error| error.to_string())
    }

    #[test]
    fn escapes_and_brackets_are_those_of_postgresql() {
        for (text, expected) in [
            (r"\ya\Y\m\M\Z\.", r"\ba\B\b{start}\b{end}\z\."),
            (r"\d[\d_]\D", "[0-9][0-9_][^0-9]"),
            (
                "[[][]a][^]b][x&&y][[:alpha:]_][[:digit:]]",
                r"[\[][\]a][^\]b][x\&\&y][\p{Alphabetic}_][[:digit:]]",
            ),
            ("(?i)a(?:b|c)é{2,3}?", "(?i)a(?:b|c)é{2,3}?"),
            ("(a|ab)(c|bcd)*?d+", "(a|ab)(c|bcd)*?d+"),
        ] {
            assert_eq!(of(text, PatternUse::Found), expected, "{text}");
        }
        for text in [r"\bgpt", r"a\B"] {
            assert!(of(text, PatternUse::Found).contains(r"write \y"), "{text}");
        }
    }

    #[test]
    fn alternatives_are_taken_where_each_choice_is_the_same() {
        for text in [
            "(gpt-4o|gpt-4)-mini",
            "^(gpt|claude|o1)-.*",
            "-([0-9]{8}|latest|preview)",
            r"-\d{8}|-\d{4}-\d{2}",
            "a$|ab$",
            r"\s+|-+|[a-z]+|[0-9]+",
            r"^\s+|\s+$",
            "^(a|ab)$",
            "(?:a|b.*)c",
            "(ab|a)?x",
        ] {
            assert!(!of(text, PatternUse::Extent).contains("longest"), "{text}");
        }
        for text in [
            "a|ab",
            "(gpt-4|gpt-4o)-x",
            "(a|a.*)b",
            "(x(a|ab)c)+",
            "(a?|b)c",
            r"(\w|\w\d)x",
            "(A|ab)",
        ] {
            assert!(of(text, PatternUse::Extent).contains("longest alternative"), "{text}");
        }
    }

    #[test]
    fn quantifiers_are_of_one_kind_and_groups_take_part() {
        assert!(of("a+.*?b", PatternUse::Extent).contains("quantifiers"));
        for text in ["a+.*?b$", "a.*?b", "a{2}.*?b", "(a+)b*"] {
            assert!(!of(text, PatternUse::Extent).contains("quantifiers"), "{text}");
        }
        for text in ["(x)?b", "((x)y)*", "(?:(a)|(b))c", "(a)|b"] {
            assert!(of(text, PatternUse::Groups).contains("no part"), "{text}");
            assert!(!of(text, PatternUse::Extent).contains("no part"), "{text}");
        }
        assert!(!of("(a|b)(c+)", PatternUse::Groups).contains("no part"));
    }
}
