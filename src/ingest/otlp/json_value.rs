//! Single values of OTLP's JSON: names, texts, ids, times and attributes' values.

use std::borrow::Cow;

use super::nested::NestedText;
use super::record::{AttributeValue, id};
use crate::event::FieldValue;
use crate::event::json_split::{SourceCursor, SourceRange};
use crate::event::json_text;

/// What a value may be.
const KINDS: [&str; 7] = [
    "stringValue",
    "intValue",
    "doubleValue",
    "boolValue",
    "arrayValue",
    "kvlistValue",
    "bytesValue",
];

/// The source of the value that begins here.
pub(super) fn value<'a>(cursor: &mut SourceCursor<'a>) -> Option<&'a [u8]> {
    let place = cursor.value()?;
    Some(cursor.bytes(place))
}

/// Whether a name is `wanted`.
pub(super) fn is(cursor: &SourceCursor<'_>, name: SourceRange, wanted: &str) -> bool {
    name_text(cursor, name).as_ref() == wanted.as_bytes()
}

/// What the name at a place means.
pub(super) fn name_text<'a>(cursor: &SourceCursor<'a>, name: SourceRange) -> Cow<'a, [u8]> {
    unquoted(cursor.bytes(name))
}

/// What a name means. Most names have no escapes.
pub(super) fn unquoted(source: &[u8]) -> Cow<'_, [u8]> {
    if source.contains(&b'\\') {
        return Cow::Owned(text(source).unwrap_or_default().into_owned().into_bytes());
    }
    let inner = source.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    Cow::Borrowed(inner.unwrap_or(source))
}

/// The text of a string or a number. What is not UTF-8, or half of a surrogate pair, is replaced.
pub(super) fn text(source: &[u8]) -> Option<Cow<'_, str>> {
    match str::from_utf8(source) {
        Ok(source) => json_text::field_value(source).ok().and_then(scalar),
        Err(_) => {
            let source = String::from_utf8_lossy(source);
            let value = json_text::field_value(&source).ok().and_then(scalar);
            value.map(|text| Cow::Owned(text.into_owned()))
        }
    }
}

fn scalar(value: FieldValue<'_>) -> Option<Cow<'_, str>> {
    match value {
        FieldValue::Text(text) | FieldValue::Mended(text) | FieldValue::Number(text) => Some(text),
        _ => None,
    }
}

/// An id of hexadecimal digits in any case; none for what is none.
pub(super) fn hex_id<const N: usize>(source: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    hex::decode_to_slice(unquoted(source).as_ref(), &mut bytes).ok()?;
    id(&bytes)
}

/// Nanoseconds; 0 for what is none.
pub(super) fn time(source: &[u8]) -> u64 {
    let text = text(source).unwrap_or_default();
    text.parse().or_else(|_| whole(&text).parse()).unwrap_or(0)
}

/// The value in an `AnyValue`; none if it is null or broken.
pub(super) fn any_value(source: &[u8]) -> Option<AttributeValue<'_>> {
    let (kind, inner) = kind(source)?;
    single(kind, inner).or_else(|| match kind {
        "bytesValue" => Some(AttributeValue::Nested(text(inner).map(Cow::into_owned))),
        "arrayValue" | "kvlistValue" => {
            Some(AttributeValue::Nested(NestedText::of(|nested| write(nested, source))))
        }
        _ => None,
    })
}

/// As [`any_value`], but none if it is a list, a map or bytes.
pub(super) fn single_value(source: &[u8]) -> Option<AttributeValue<'_>> {
    let (kind, inner) = kind(source)?;
    single(kind, inner)
}

/// What a value is, and the source of that: the last of its members.
fn kind(source: &[u8]) -> Option<(&'static str, &[u8])> {
    let mut last = None;
    SourceCursor::of(source).object(|cursor, name| {
        let name = name_text(cursor, name);
        let inner = value(cursor)?;
        let known = KINDS.into_iter().find(|kind| kind.as_bytes() == name.as_ref());
        let known = known.filter(|_| inner != b"null");
        last = known.map(|kind| (kind, inner)).or(last);
        Some(())
    })?;
    last
}

fn single<'a>(kind: &str, source: &'a [u8]) -> Option<AttributeValue<'a>> {
    let text = || text(source);
    match kind {
        "stringValue" => text().map(AttributeValue::Text),
        "intValue" => text().map(int),
        "doubleValue" => text().map(double),
        "boolValue" => match source {
            b"true" | b"\"true\"" => Some(AttributeValue::Bool(true)),
            b"false" | b"\"false\"" => Some(AttributeValue::Bool(false)),
            _ => None,
        },
        _ => None,
    }
}

/// Writes the value in an `AnyValue`.
fn write(nested: &mut NestedText, source: &[u8]) -> Option<()> {
    match kind(source) {
        Some(("arrayValue", list)) => nested.within(["[", "]"], |nested| {
            each(list, |element| {
                nested.next()?;
                write(nested, element)
            })
        }),
        Some(("kvlistValue", map)) => nested.within(["{", "}"], |nested| {
            each(map, |attribute| {
                let [name, of_name] = key_value(&mut SourceCursor::of(attribute))?;
                let name = text(name.unwrap_or(b"\"\"")).unwrap_or_default();
                nested.next_named(&name)?;
                write(nested, of_name.unwrap_or_default())
            })
        }),
        Some(("bytesValue", bytes)) => nested.quoted(&text(bytes)?),
        kind => nested.single(kind.and_then(|(kind, inner)| single(kind, inner)).as_ref()),
    }
}

/// The sources of the name and the value in a `KeyValue`.
pub(super) fn key_value<'a>(cursor: &mut SourceCursor<'a>) -> Option<[Option<&'a [u8]>; 2]> {
    let (mut key, mut of_key) = (None, None);
    cursor.object(|cursor, name| {
        let (is_key, is_value) = (is(cursor, name.clone(), "key"), is(cursor, name, "value"));
        let place = value(cursor)?;
        if is_key {
            key = Some(place);
        } else if is_value {
            of_key = Some(place);
        }
        Some(())
    })?;
    Some([key, of_key])
}

/// Calls `visit` with the source of each of the `values` of a list or a map; none if it is broken.
fn each<'a>(source: &'a [u8], mut visit: impl FnMut(&'a [u8]) -> Option<()>) -> Option<()> {
    SourceCursor::of(source).object(|cursor, name| {
        if is(cursor, name, "values") && cursor.peek()? == b'[' {
            return cursor.array(|cursor| visit(value(cursor)?));
        }
        cursor.value().map(drop)
    })
}

/// An integer; text where it is none.
fn int(text: Cow<'_, str>) -> AttributeValue<'_> {
    let int = text.parse().or_else(|_| whole(&text).parse());
    int.map_or(AttributeValue::Text(text), AttributeValue::Int)
}

fn double(text: Cow<'_, str>) -> AttributeValue<'_> {
    text.parse().map_or(AttributeValue::Text(text), AttributeValue::Double)
}

/// A number in full, so that `5.0` and `5e0` read as `5`.
fn whole(text: &str) -> String {
    text.parse::<f64>().map(|number| number.to_string()).unwrap_or_default()
}
