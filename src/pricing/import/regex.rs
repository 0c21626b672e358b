//! Turns the few regular expressions that tables of prices use into patterns.
//!
//! These are text, `\d`, `.*`, short classes, groups, alternatives, `?`, `{n}` and anchors. Others have
//! no patterns.

/// The most patterns of one expression.
const PATTERNS_MAX: usize = 64;
/// Bytes of the longest expression that is read, and of the longest pattern.
const BYTES_MAX: usize = 256;
/// Stands for the end of the name while patterns are made.
const END: char = '$';

/// The patterns that match the names in which an expression is found. `None` if it has none.
pub(super) fn patterns(expression: &str) -> Option<Vec<String>> {
    let (start, rest) = match expression.strip_prefix('^') {
        Some(rest) => ("", rest),
        None => ("*", expression),
    };
    whole(start, rest)
}

/// The patterns of the names that an expression `^(?!…)` alone keeps away.
pub(super) fn exceptions(expression: &str) -> Option<Vec<String>> {
    whole("", expression.strip_prefix("^(?!")?.strip_suffix(')')?)
}

fn whole(start: &str, expression: &str) -> Option<Vec<String>> {
    if expression.len() > BYTES_MAX {
        return None;
    }
    let mut parser = Parser { rest: expression };
    let made = parser.alternatives()?;
    if !parser.rest.is_empty() {
        return None;
    }
    let ended = made.into_iter().map(|made| {
        let pattern = match made.strip_suffix(END) {
            Some(pattern) => format!("{start}{pattern}"),
            None => format!("{start}{made}*"),
        };
        (!pattern.contains(END)).then(|| pattern.to_lowercase())
    });
    let mut patterns = ended.collect::<Option<Vec<_>>>()?;
    patterns.sort();
    patterns.dedup();
    Some(patterns)
}

struct Parser<'e> {
    rest: &'e str,
}

impl Parser<'_> {
    /// Up to the end of the group or of the expression.
    fn alternatives(&mut self) -> Option<Vec<String>> {
        let mut all = self.sequence()?;
        while self.take("|") {
            all.extend(self.sequence()?);
        }
        (all.len() <= PATTERNS_MAX).then_some(all)
    }

    fn sequence(&mut self) -> Option<Vec<String>> {
        let mut all = vec![String::new()];
        while !self.rest.is_empty() && !self.rest.starts_with(['|', ')']) {
            let atom = self.repeated()?;
            let joined =
                all.iter().flat_map(|start| atom.iter().map(move |end| start.clone() + end));
            all = joined.take(PATTERNS_MAX + 1).collect();
            if all.len() > PATTERNS_MAX || all.iter().any(|text| text.len() > BYTES_MAX) {
                return None;
            }
        }
        Some(all)
    }

    /// An atom with what follows it of `?` and `{n}`.
    fn repeated(&mut self) -> Option<Vec<String>> {
        let mut atom = self.atom()?;
        if self.take("?") {
            atom.push(String::new());
        } else if self.take("{") {
            let (count, rest) = self.rest.split_once('}')?;
            self.rest = rest;
            let [only] = atom.as_slice() else { return None };
            let count = count.parse::<usize>().ok()?;
            let fits = count <= BYTES_MAX && only.len().saturating_mul(count) <= BYTES_MAX;
            atom = fits.then(|| vec![only.repeat(count)])?;
        }
        (!self.rest.starts_with(['*', '+', '{', '?'])).then_some(atom)
    }

    fn atom(&mut self) -> Option<Vec<String>> {
        if self.take(".*") {
            return Some(vec!["*".to_owned()]);
        }
        if self.take("\\d") || self.take("[0-9]") {
            return Some(vec!["#".to_owned()]);
        }
        if self.take("(?:") || !self.rest.starts_with("(?") && self.take("(") {
            let inner = self.alternatives();
            return inner.filter(|_| self.take(")"));
        }
        if self.take("[") {
            let (class, rest) = self.rest.split_once(']')?;
            self.rest = rest;
            let ranged =
                class.get(1..).is_some_and(|inner| inner.trim_end_matches('-').contains('-'));
            let plain = !ranged && !class.is_empty() && !class.contains(['^', '\\', '*', '#', END]);
            return plain.then(|| class.chars().map(String::from).collect());
        }
        if self.take("$") {
            return Some(vec![END.to_string()]);
        }
        let escaped = self.take("\\");
        let char = self.rest.chars().next()?;
        self.rest = self.rest.get(char.len_utf8()..)?;
        let meant =
            if escaped { char.is_ascii_punctuation() } else { !".^*+?{}[]()".contains(char) };
        (meant && !['*', '#', END].contains(&char)).then(|| vec![char.to_string()])
    }

    fn take(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tables_use_becomes_patterns() {
        let cases: [(&str, &[&str]); 8] = [
            (r"^claude-opus-5[-@]\d{8}$", &["claude-opus-5-########", "claude-opus-5@########"]),
            (r"^gpt-5\.4-\d{4}-\d{2}-\d{2}$", &["gpt-5.4-####-##-##"]),
            (r"^gemini-3\.5-flash-\d", &["gemini-3.5-flash-#*"]),
            (r"^o[134]", &["o1*", "o3*", "o4*"]),
            (
                r"^(typesafe/)?jev-1(-\d{2})?$",
                &["jev-1", "jev-1-##", "typesafe/jev-1", "typesafe/jev-1-##"],
            ),
            ("sonar", &["*sonar*"]),
            (r"^a\[fast=true\]$", &["a[fast=true]"]),
            ("^(?:a|b)c.*d$", &["ac*d", "bc*d"]),
        ];
        for (expression, wanted) in cases {
            assert_eq!(patterns(expression).unwrap(), wanted, "{expression}");
        }
        let wanted = ["*-tts", "*-tts-*"];
        assert_eq!(exceptions(r"^(?!.*-[tT][tT][sS](?:$|-))").unwrap(), wanted);
    }

    #[test]
    fn what_has_no_patterns_is_none() {
        for expression in [
            "^(?!x)a", "a+", "a.b", "[a-z]", "[^a]", r"\w", "(a", "a)", "a{2,3}", "a$b", "a*", "#",
            "", "(?=a)",
        ] {
            let found = patterns(expression);
            assert!(found.is_none() || expression.is_empty(), "{expression}: {found:?}");
        }
        for hostile in [
            "(a|b)".repeat(20),
            "(".repeat(100_000),
            "((((a{99}){99}){99}){99}){99}".to_owned(),
            "a{99999999999999999999}".to_owned(),
            "(a{200}){2}".to_owned(),
        ] {
            assert_eq!(patterns(&hostile), None);
        }
    }
}
