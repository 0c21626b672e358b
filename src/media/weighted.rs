//! Names with parameters, and lists of them with weights: the shared grammar of `Accept`,
//! `Accept-Encoding` and `Content-Type`.
//!
//! Source: RFC 9110, sections 5.6.1 (lists), 5.6.6 (parameters) and 12.4.2 (weights). One pass, so
//! a header of any length takes linear time; nothing is allocated.

/// The weight of an element that states none.
pub(super) const WEIGHT_MAX: u16 = 1000;

/// One element of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element<'a> {
    /// The text before the parameters.
    pub name: &'a str,
    /// Thousandths; 0 means "not acceptable".
    pub weight: u16,
    /// All of it.
    text: &'a str,
}

impl<'a> Element<'a> {
    /// The value of a parameter, whose name may be in any case; the last one, if it is there twice.
    pub fn parameter(&self, name: &str) -> Option<&'a str> {
        let (_, parameters) = name_and_parameters(self.text);
        let named = parameters.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        named.filter_map(|(_, value)| value.map(unquote)).last()
    }
}

/// The elements of a list, in order; empty ones and those with an invalid weight are skipped.
pub fn elements(list: &str) -> impl Iterator<Item = Element<'_>> {
    split_unquoted(list, ',').filter_map(element)
}

fn element(text: &str) -> Option<Element<'_>> {
    let (name, parameters) = name_and_parameters(text);
    if name.is_empty() {
        return None;
    }
    let mut element = Element { name, weight: WEIGHT_MAX, text };
    for (key, value) in parameters {
        if let Some(value) = value.filter(|_| key.eq_ignore_ascii_case("q")) {
            element.weight = weight(value)?;
        }
    }
    Some(element)
}

/// What stands before the parameters, and each of them: its name, and its value as it was sent, if
/// it has one.
pub(super) fn name_and_parameters(
    text: &str,
) -> (&str, impl Iterator<Item = (&str, Option<&str>)>) {
    let mut parts = split_unquoted(text, ';').map(trim);
    let name = parts.next().unwrap_or_default();
    let parameters = parts.map(|part| match part.split_once('=') {
        Some((key, value)) => (trim(key), Some(trim(value))),
        None => (part, None),
    });
    (name, parameters)
}

/// `0`, `0.5`, `1.000`: at most three places, at most 1.
fn weight(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(3);
    let thousandths = digits.fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    match (whole, thousandths) {
        ("0", _) => Some(thousandths),
        ("1", 0) => Some(WEIGHT_MAX),
        _ => None,
    }
}

/// Splits where `separator` is outside of a quoted string.
fn split_unquoted(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |char| {
        if escaped {
            escaped = false;
            return false;
        }
        match char {
            '"' => quoted = !quoted,
            '\\' => escaped = quoted,
            _ => return char == separator && !quoted,
        }
        false
    })
}

/// A quoted string means what its text means as a token.
pub(super) fn unquote(value: &str) -> &str {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(list: &str) -> Vec<(&str, Option<&str>, u16)> {
        elements(list).map(|of| (of.name, of.parameter("version"), of.weight)).collect()
    }

    #[test]
    fn elements_are_read_with_their_parameters() {
        assert_eq!(
            parsed("a/b;version=1.0.0;escaping=x;q=0.6 ,\tc ; VERSION=\"2\" ; Q=0.25;;d"),
            [("a/b", Some("1.0.0"), 600), ("c", Some("2"), 250)]
        );
    }

    #[test]
    fn quoted_separators_do_not_separate() {
        assert_eq!(parsed(r#"a;x="1,2;q=0\",";q=0.5,b"#), [("a", None, 500), ("b", None, 1000)]);
    }

    #[test]
    fn weights_follow_the_grammar() {
        for (text, thousandths) in
            [("0", 0), ("0.", 0), ("0.001", 1), ("0.5", 500), ("1", 1000), ("1.000", 1000)]
        {
            assert_eq!(weight(text), Some(thousandths), "{text}");
        }
        for text in
            ["", ".5", "1.001", "1.5", "2", "-1", "+1", "0.1234", "0,5", "1e0", "nan", "0.½"]
        {
            assert_eq!(weight(text), None, "{text}");
        }
    }

    #[test]
    fn broken_elements_are_skipped_alone() {
        assert_eq!(parsed(",, ,a;q=2,b;q=,;q=1,c;q=0.1"), [("c", None, 100)]);
    }

    proptest! {
        #[test]
        fn any_list_is_read(list in "\\PC*|[a*/;,=\"\\\\q01. ]*") {
            for element in elements(&list) {
                prop_assert!(element.weight <= WEIGHT_MAX && !element.name.is_empty());
                element.parameter("version");
            }
        }
    }
}
