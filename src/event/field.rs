//! One value of an event as its decoder read it, before any rule is applied.

use std::borrow::Cow;

use serde_json::Value;

/// Characters of a value that an error message shows.
const EXCERPT_CHARS: usize = 40;

/// A value as sent. Numbers stay text, so that none passes through a float.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldValue<'a> {
    /// Nothing; the same as an absent field.
    Null,
    /// Text, decoded.
    Text(Cow<'a, str>),
    /// Text, or the JSON text of an array or object, in which an unreadable part was replaced. It
    /// is good enough for metadata only.
    Mended(Cow<'a, str>),
    /// A number as decimal text; or a word in place of a number, such as `NaN`.
    Number(Cow<'a, str>),
    /// A truth value.
    Bool(bool),
    /// The compact JSON text of an array or object.
    Json(Cow<'a, str>),
    /// Named values, as `attributes` should be.
    Map(Vec<(Cow<'a, str>, FieldValue<'a>)>),
}

impl<'a> FieldValue<'a> {
    /// As [`FieldValue::attribute_text`], with the value's own text.
    pub(super) fn into_attribute_text(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Null => None,
            Self::Text(text) | Self::Mended(text) | Self::Number(text) | Self::Json(text) => {
                Some(text)
            }
            Self::Bool(value) => Some(Cow::Borrowed(if value { "true" } else { "false" })),
            Self::Map(_) => Some(Cow::Owned(self.json())),
        }
    }

    /// The value of a field whose name was mended, and therefore is not a column's.
    pub(super) fn into_mended(self) -> Self {
        self.into_attribute_text().map_or(Self::Null, Self::Mended)
    }
}

impl FieldValue<'_> {
    /// The value as an attribute holds it: scalars as their text, the rest as compact JSON, and
    /// `None` for null.
    pub(super) fn attribute_text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Null => None,
            Self::Text(text) | Self::Mended(text) | Self::Number(text) | Self::Json(text) => {
                Some(Cow::Borrowed(text))
            }
            Self::Bool(value) => Some(Cow::Borrowed(if *value { "true" } else { "false" })),
            Self::Map(_) => Some(Cow::Owned(self.json())),
        }
    }

    /// Whether a part of the value was replaced.
    pub(super) fn is_mended(&self) -> bool {
        matches!(self, Self::Mended(_))
    }

    /// The value as an error message shows it.
    pub(super) fn excerpt(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Text(text) | Self::Mended(text) => format!("{:?}", cut(text)),
            Self::Number(text) | Self::Json(text) => excerpt(text),
            Self::Bool(value) => value.to_string(),
            Self::Map(_) => "an object".to_owned(),
        }
    }

    /// The value as JSON.
    pub(crate) fn json(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Text(text) | Self::Mended(text) => quoted(text),
            Self::Number(text) | Self::Json(text) => text.clone().into_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Map(entries) => {
                let entry = |(key, value): &(Cow<'_, str>, FieldValue<'_>)| {
                    format!("{}:{}", quoted(key), value.json())
                };
                format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(","))
            }
        }
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// The beginning of a text for an error message, on one line.
pub(crate) fn excerpt(text: &str) -> String {
    cut(text).replace(char::is_control, " ")
}

/// At most [`EXCERPT_CHARS`] characters; the last is `…` if there were more.
fn cut(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(EXCERPT_CHARS) {
        None => Cow::Borrowed(text),
        Some(_) => Cow::Owned(text.chars().take(EXCERPT_CHARS - 1).chain(['…']).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribute_is_text_or_compact_json() {
        let map = FieldValue::Map(vec![
            ("a\"b".into(), FieldValue::Text("x\ny".into())),
            ("n".into(), FieldValue::Number("1e3".into())),
            ("z".into(), FieldValue::Null),
            ("t".into(), FieldValue::Bool(true)),
            ("j".into(), FieldValue::Json("[1]".into())),
        ]);
        let cases = [
            (FieldValue::Null, None),
            (FieldValue::Text(" x ".into()), Some(" x ")),
            (FieldValue::Number("1.50".into()), Some("1.50")),
            (FieldValue::Bool(false), Some("false")),
            (FieldValue::Json("[1,2]".into()), Some("[1,2]")),
            (map, Some(r#"{"a\"b":"x\ny","n":1e3,"z":null,"t":true,"j":[1]}"#)),
        ];
        for (value, text) in cases {
            assert_eq!(value.attribute_text().as_deref(), text);
        }
    }

    #[test]
    fn an_excerpt_is_short_and_printable() {
        assert_eq!(FieldValue::Text("a\"\u{1b}[0m".into()).excerpt(), r#""a\"\u{1b}[0m""#);
        assert_eq!(excerpt("a\nb\"c"), "a b\"c");
        let long = FieldValue::Number("7".repeat(1000).into()).excerpt();
        assert_eq!((long.chars().count(), long.ends_with('…')), (EXCERPT_CHARS, true));
        assert_eq!(excerpt(&"é".repeat(40)), "é".repeat(40));
    }
}
