//! A reader of JSON one level at a time, without recursion and without parsing numbers.
//!
//! Values stay slices of the source ([`RawValue`]). So money keeps its digits, and an event that
//! breaks a rule does not stop the parse of its neighbours. Metadata is read as far as possible:
//! half a surrogate pair becomes U+FFFD. Python writes `NaN` and infinities, which are not JSON;
//! they are read as numbers, which no rule accepts.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Deserializer, Error};

use super::json_split;
use super::{FieldValue, excerpt};

/// Members of one object that are read; a bound on the memory that one event can take.
pub(crate) const MEMBERS_MAX: usize = 1 << 16;

/// Words in place of a number. The longest comes first.
const NO_NUMBERS: [&str; 3] = ["-Infinity", "Infinity", "NaN"];

/// A member of an object.
#[derive(Debug)]
pub(crate) struct Member<'a> {
    /// Its name.
    pub(crate) name: Cow<'a, str>,
    /// Whether half a surrogate pair in the name was replaced.
    is_mended: bool,
    /// The source of its value.
    pub(crate) value: &'a str,
}

/// Checks that `text` is one JSON value and nothing more; returns it without white space around it.
pub(crate) fn whole(text: &str) -> Result<&str, Error> {
    serde_json::from_str::<&RawValue>(text).map(RawValue::get)
}

/// The members of the object in `text`, in order; names may repeat.
pub(crate) fn members(text: &str) -> Result<Vec<Member<'_>>, Error> {
    let mut source = Deserializer::from_str(text);
    let read = source.deserialize_map(Members);
    let read = read.and_then(|members| source.end().map(|()| members));
    read.or_else(|error| members_with_no_numbers(text).ok_or(error))
}

/// The members of an object that is JSON except for [`NO_NUMBERS`] in it.
fn members_with_no_numbers(text: &str) -> Option<Vec<Member<'_>>> {
    if !NO_NUMBERS.iter().any(|word| text.contains(word)) {
        return None;
    }
    let parts = json_split::members(text.as_bytes(), MEMBERS_MAX)?;
    let member = |(name, value)| {
        let (name, value) = (text.get(name)?, text.get(value)?);
        let readable =
            NO_NUMBERS.contains(&value) || whole(value).is_ok() || whole(&compact(value).0).is_ok();
        let member = Member::new(whole(name).ok()?, value).ok()?;
        readable.then_some(member)
    };
    parts.into_iter().map(member).collect()
}

/// The entries of the object in `text`; names may repeat.
pub(crate) fn entries(text: &str) -> Result<Vec<(Cow<'_, str>, FieldValue<'_>)>, Error> {
    members(text)?.into_iter().map(Member::entry).collect()
}

/// The text that a JSON string denotes. An error for other JSON, and for half a surrogate pair.
pub(crate) fn text(string: &str) -> Result<Cow<'_, str>, Error> {
    // Most strings have no escapes, so that the source holds their text.
    let inner = string.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    if let Some(inner) = inner.filter(|inner| memchr::memchr(b'\\', inner.as_bytes()).is_none()) {
        return Ok(Cow::Borrowed(inner));
    }
    serde_json::from_str::<BorrowedText<'_>>(string).map(|BorrowedText(text)| text)
}

/// As [`text`], with U+FFFD for each half of a surrogate pair, and whether there was one.
fn mended_text(string: &str) -> Result<(Cow<'_, str>, bool), Error> {
    text(string).map(|text| (text, false)).or_else(|_| {
        let text = text(&with_whole_pairs(string))?.into_owned();
        Ok((Cow::Owned(text), true))
    })
}

/// JSON without the white space between its tokens, and whether anything was replaced: half
/// surrogate pairs become `\ufffd`, [`NO_NUMBERS`] become null. Numbers and names are not
/// rewritten.
fn compact(json: &str) -> (Cow<'_, str>, bool) {
    let is_plain = !json.contains([' ', '\t', '\n', '\r']) && !json.contains("\\u");
    if is_plain && !NO_NUMBERS.iter().any(|word| json.contains(word)) {
        return (Cow::Borrowed(json), false);
    }
    let (mut out, mut is_mended) = (String::with_capacity(json.len()), false);
    let mut rest = json;
    while let Some((outside, tail)) = rest.find('"').and_then(|at| rest.split_at_checked(at)) {
        is_mended |= push_outside(&mut out, outside);
        let (string, after) = tail.split_at_checked(string_length(tail)).unwrap_or((tail, ""));
        if string.contains("\\u") && text(string).is_err() {
            out.push_str(&with_whole_pairs(string));
            is_mended = true;
        } else {
            out.push_str(string);
        }
        rest = after;
    }
    is_mended |= push_outside(&mut out, rest);
    (Cow::Owned(out), is_mended)
}

/// Adds text from outside strings, compacted; true if it held one of [`NO_NUMBERS`].
fn push_outside(out: &mut String, outside: &str) -> bool {
    if !NO_NUMBERS.iter().any(|word| outside.contains(word)) {
        out.extend(outside.split_ascii_whitespace());
        return false;
    }
    let nulls = NO_NUMBERS.iter().fold(outside.to_owned(), |text, word| text.replace(word, "null"));
    out.extend(nulls.split_ascii_whitespace());
    true
}

/// The same JSON string with `\ufffd` for each unpaired surrogate.
fn with_whole_pairs(string: &str) -> String {
    let mut out = String::with_capacity(string.len());
    let mut rest = string;
    while let Some((before, tail)) = rest.find('\\').and_then(|at| rest.split_at_checked(at)) {
        out.push_str(before);
        let length = escape_length(tail);
        let (escape, after) = tail.split_at_checked(length).unwrap_or((tail, ""));
        let alone = length == ESCAPE_BYTES && matches!(utf16_unit(escape), Some(0xd800..0xe000));
        out.push_str(if alone { "\\ufffd" } else { escape });
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Bytes of `\ud83d`.
const ESCAPE_BYTES: usize = 6;

/// Bytes of the escape that `text` begins with; a whole surrogate pair counts as one escape.
fn escape_length(text: &str) -> usize {
    let low = || text.get(ESCAPE_BYTES..).and_then(utf16_unit);
    match utf16_unit(text) {
        None => 2,
        Some(0xd800..0xdc00) if matches!(low(), Some(0xdc00..0xe000)) => 2 * ESCAPE_BYTES,
        Some(_) => ESCAPE_BYTES,
    }
}

/// The UTF-16 unit that is escaped at the beginning of `text`, if there is one.
fn utf16_unit(text: &str) -> Option<u16> {
    u16::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok()
}

/// Bytes of the string that `json` starts with, quotes included.
fn string_length(json: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in json.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    json.len()
}

impl<'a> Member<'a> {
    /// Makes a member from the sources of its name and value.
    fn new(name: &'a str, value: &'a str) -> Result<Self, Error> {
        let (name, is_mended) = mended_text(name)?;
        Ok(Self { name, is_mended, value })
    }

    /// Its name and its value. A nested value stays JSON text, so that nothing recurses.
    pub(crate) fn entry(self) -> Result<(Cow<'a, str>, FieldValue<'a>), Error> {
        let value = field_value(self.value)
            .map_err(|error| Error::custom(format_args!("{}: {error}", excerpt(&self.name))))?;
        Ok((self.name, if self.is_mended { value.into_mended() } else { value }))
    }
}

/// The value whose source is `json`, which has already been parsed as JSON.
pub(crate) fn field_value(json: &str) -> Result<FieldValue<'_>, Error> {
    let mended = |(text, is_mended), as_is: fn(_) -> _| {
        if is_mended { FieldValue::Mended(text) } else { as_is(text) }
    };
    Ok(match json.bytes().next() {
        Some(b'"') => mended(mended_text(json)?, FieldValue::Text),
        Some(b'{' | b'[') => mended(compact(json), FieldValue::Json),
        Some(b't' | b'f') => FieldValue::Bool(json == "true"),
        Some(b'n') => FieldValue::Null,
        _ => FieldValue::Number(Cow::Borrowed(json)),
    })
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<Member<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        // A name with half a surrogate pair is a JSON string, but not valid text.
        while let Some(name) = map.next_key::<&'de RawValue>()? {
            if members.len() == MEMBERS_MAX {
                return Err(A::Error::custom(format_args!("more than {MEMBERS_MAX} members")));
            }
            let value = map.next_value::<&'de RawValue>()?.get();
            members.push(Member::new(name.get(), value).map_err(A::Error::custom)?);
        }
        Ok(members)
    }
}

/// Text, borrowed from the source if it has no escapes.
#[derive(serde::Deserialize)]
struct BorrowedText<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn compact_keeps_all_but_white_space() {
        let cases = [
            ("[1,2]", "[1,2]"),
            (
                "{ \"a b\" :\t[ 1.50 , \"x \\\" [ y\" ] ,\r\n\"c\\\\\" : 1e400 }",
                "{\"a b\":[1.50,\"x \\\" [ y\"],\"c\\\\\":1e400}",
            ),
            ("[ \"\\ud83d\\ude00\", \"é  \u{2003}\" ]", "[\"\\ud83d\\ude00\",\"é  \u{2003}\"]"),
        ];
        for (json, compacted) in cases {
            assert_eq!(compact(json), (compacted.into(), false));
        }
        let mended = [
            ("[\"\\ud83d\"]", "[\"\\ufffd\"]"),
            ("{\"\\udc00\": 1}", "{\"\\ufffd\":1}"),
            ("[\"\\\\\", \"\\ud83dx\"]", "[\"\\\\\",\"\\ufffdx\"]"),
            ("[\"\\ud83d\\ud83d\\ude00\\n\\ude00\"]", "[\"\\ufffd\\ud83d\\ude00\\n\\ufffd\"]"),
            ("[NaN,-Infinity, Infinity ,\"NaN\"]", "[null,null,null,\"NaN\"]"),
        ];
        for (json, compacted) in mended {
            assert_eq!(compact(json), (compacted.into(), true));
            assert!(whole(compacted).is_ok());
        }
    }

    #[test]
    fn half_a_surrogate_pair_is_replaced_in_names_and_texts() {
        let text = r#"{"a\ud83d":"\\ud83d \udc00","b":1,"\ud83d\ude00":"\ud83dx"}"#;
        let read = entries(text).unwrap();
        let expected = [
            ("a\u{fffd}", FieldValue::Mended("\\ud83d \u{fffd}".into())),
            ("b", FieldValue::Number("1".into())),
            ("\u{1f600}", FieldValue::Mended("\u{fffd}x".into())),
        ];
        assert_eq!(read, expected.map(|(name, value)| (name.into(), value)));
        // The value of a broken name counts as mended, too.
        let read = entries(r#"{"\udc00":true,"\udc01":null}"#).unwrap();
        assert_eq!(read[0].1, FieldValue::Mended("true".into()));
        assert_eq!(read[1].1, FieldValue::Null);
    }

    #[test]
    fn what_is_no_number_is_read_and_all_else_that_is_broken_is_not() {
        let text = r#"{"a":NaN, "b" : -Infinity,"c":[1, {"d":Infinity}],"e":"NaN"}"#;
        let read = entries(text).unwrap();
        let expected = [
            ("a", FieldValue::Number("NaN".into())),
            ("b", FieldValue::Number("-Infinity".into())),
            ("c", FieldValue::Mended("[1,{\"d\":null}]".into())),
            ("e", FieldValue::Text("NaN".into())),
        ];
        assert_eq!(read, expected.map(|(name, value)| (name.into(), value)));
        for text in [
            r#"{"a":NaN,"b":nope}"#,
            r#"{"a":NaN,"b":[1,]}"#,
            r#"{"a":NaN,"b":"x}"#,
            r#"{"a":NaNs}"#,
            r#"{"a":nan}"#,
            r#"{"a":NaN,}"#,
            r#"{"a":NaN} x"#,
            r#"{"a" NaN}"#,
        ] {
            assert!(members(text).is_err(), "{text}");
        }
    }

    #[test]
    fn deep_nesting_takes_no_stack() {
        let deep = format!("{}{}", "[".repeat(1_000_000), " ]".repeat(1_000_000));
        assert_eq!(whole(&deep).unwrap(), deep);
        assert_eq!(compact(&deep).0.len(), 2_000_000);
    }

    #[test]
    fn members_are_bounded() {
        let object = |count: usize| format!("{{{}}}", vec!["\"a\":0"; count].join(","));
        assert_eq!(members(&object(MEMBERS_MAX)).unwrap().len(), MEMBERS_MAX);
        assert!(members(&object(MEMBERS_MAX + 1)).is_err());
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::from),
            "[ \\\\\"a\u{e9}\n\u{1}]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            let member = ("[ \"a-c]{0,3}", inner.clone());
            prop_oneof![
                prop::collection::vec(inner, 0..4).prop_map(Value::from),
                prop::collection::vec(member, 0..4)
                    .prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn compact_undoes_pretty(value in value()) {
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            prop_assert_eq!(compact(&pretty).0, value.to_string());
        }

        #[test]
        fn any_string_becomes_text(pieces in prop::collection::vec("[a\u{e9}]|\\\\[n\"\\\\]|\\\\u[d0][8c][0-9a-f]{2}", 0..8)) {
            let string = format!("\"{}\"", pieces.concat());
            let (read, is_mended) = mended_text(&string).unwrap();
            prop_assert_eq!(is_mended, text(&string).is_err());
            prop_assert_eq!(string.matches("\\ufffd").count(), 0);
            let replaced = read.contains('\u{fffd}');
            prop_assert!(!is_mended || replaced);
        }
    }
}
