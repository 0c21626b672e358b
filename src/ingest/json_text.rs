//! JSON taken apart one level at a time, without recursion and without reading numbers.
//!
//! Values stay slices of the source ([`RawValue`]), so that money keeps its digits and an event
//! that breaks a rule of its own does not stop the parse of its neighbours.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Deserializer, Error};

/// Members of one object that are read; a bound on the memory that one event can take.
const MEMBERS_MAX: usize = 1 << 16;

/// A name and its value's source.
pub(super) type Member<'a> = (Cow<'a, str>, &'a str);

/// Whether `text` is one JSON value and nothing else; returns it without white space around it.
pub(super) fn whole(text: &str) -> Result<&str, Error> {
    serde_json::from_str::<&RawValue>(text).map(RawValue::get)
}

/// Calls `each` with the index and the source of every element of the array in `text`.
///
/// Returns the number of elements. When `text` turns out to be no array, elements before the
/// flaw have been seen.
pub(super) fn each_element<'a>(
    text: &'a str,
    each: impl FnMut(usize, &'a str),
) -> Result<usize, Error> {
    let mut source = Deserializer::from_str(text);
    let count = source.deserialize_seq(Elements(each))?;
    source.end().map(|()| count)
}

/// The members of the object in `text`, in order; names may repeat.
pub(super) fn members(text: &str) -> Result<Vec<Member<'_>>, Error> {
    let mut source = Deserializer::from_str(text);
    let members = source.deserialize_map(Members)?;
    source.end().map(|()| members)
}

/// A name that `members` have more than once.
pub(super) fn repeated<'m>(members: &'m [Member<'_>]) -> Option<&'m str> {
    let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_ref()).collect();
    names.sort_unstable();
    names.array_windows().find(|[one, next]| one == next).map(|[one, _]| *one)
}

/// The text that a JSON string means.
pub(super) fn text(string: &str) -> Result<Cow<'_, str>, Error> {
    serde_json::from_str::<Text<'_>>(string).map(|Text(text)| text)
}

/// JSON without the white space between its tokens; numbers and names stay as written.
///
/// Fails on a string that is no Unicode (half a surrogate pair), which the parse that only skips
/// it does not see.
pub(super) fn compact(json: &str) -> Result<Cow<'_, str>, Error> {
    if !json.contains([' ', '\t', '\n', '\r']) && !json.contains("\\u") {
        return Ok(Cow::Borrowed(json));
    }
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some((outside, tail)) = rest.find('"').and_then(|at| rest.split_at_checked(at)) {
        out.extend(outside.split_ascii_whitespace());
        let (string, after) = tail.split_at_checked(string_length(tail)).unwrap_or((tail, ""));
        if string.contains("\\u") {
            text(string)?;
        }
        out.push_str(string);
        rest = after;
    }
    out.extend(rest.split_ascii_whitespace());
    Ok(Cow::Owned(out))
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

struct Elements<F>(F);

impl<'de, F: FnMut(usize, &'de str)> Visitor<'de> for Elements<F> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<usize, A::Error> {
        let mut count = 0;
        while let Some(element) = elements.next_element::<&'de RawValue>()? {
            (self.0)(count, element.get());
            count += 1;
        }
        Ok(count)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<Member<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(Text(name)) = map.next_key()? {
            if members.len() == MEMBERS_MAX {
                return Err(A::Error::custom(format_args!("more than {MEMBERS_MAX} members")));
            }
            members.push((name, map.next_value::<&'de RawValue>()?.get()));
        }
        Ok(members)
    }
}

/// Text, borrowed from the source where it has no escapes.
#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

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
            assert_eq!(compact(json).unwrap(), compacted);
        }
        for json in ["[\"\\ud83d\"]", "{\"\\udc00\": 1}", "[\"\\\\\", \"\\ud83dx\"]"] {
            assert!(compact(json).is_err(), "{json}");
        }
    }

    #[test]
    fn deep_nesting_takes_no_stack() {
        let deep = format!("{}{}", "[".repeat(1_000_000), " ]".repeat(1_000_000));
        assert_eq!(whole(&deep).unwrap(), deep);
        assert_eq!(compact(&deep).unwrap().len(), 2_000_000);
        assert_eq!(each_element(&deep, |_, _| ()).unwrap(), 1);
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
            prop_assert_eq!(compact(&pretty).unwrap(), value.to_string());
        }
    }
}
