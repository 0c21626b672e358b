//! The place of a value in a row: `usage.prompt_tokens` is the column of that name or, if there is
//! none, the member `prompt_tokens` of the object `usage`.

use std::borrow::Cow;

use arrow::datatypes::{DataType, Fields as ArrowFields};

use crate::event::json_text;
use crate::event::{FieldValue, NamedValue, excerpt};
use crate::ingest;

/// The value in this place, which may be null; `None` if there is no such place.
///
/// `source` is the JSON that the entries were read from, if there is any. An object among them may have
/// been mended for the attributes: with null in place of `NaN`, and a whole character in place of half a
/// one. A number or an id must not be read from that.
///
/// # Errors
/// If there are two values in this place, or an object on the way cannot be read.
pub(super) fn value_at<'a>(
    entries: &[NamedValue<'a>],
    source: Option<&str>,
    place: &str,
) -> Result<Option<FieldValue<'a>>, String> {
    let mut named = entries.iter().filter(|(name, _)| name == place);
    if let Some((_, value)) = named.next() {
        return match named.next() {
            None => Ok(Some(value.clone())),
            Some(_) => Err(format!("{}: given more than once", excerpt(place))),
        };
    }
    for (name, rest) in ways(place) {
        let object = entries.iter().find(|(known, _)| known == name);
        let Some((_, object)) = object else { continue };
        let source = || source.and_then(|source| source_of(source, name));
        if let Some(found) = inside(name, object, source, rest)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The names that a place may begin with, each with the rest: names may contain dots too.
fn ways(place: &str) -> impl Iterator<Item = (&str, &str)> {
    place.match_indices('.').filter_map(|(at, dot)| {
        let (name, rest) = (place.get(..at)?, place.get(at + dot.len()..)?);
        (!name.is_empty() && !rest.is_empty()).then_some((name, rest))
    })
}

/// The source of a member of the object in `json`.
fn source_of<'j>(json: &'j str, name: &str) -> Option<&'j str> {
    let members = json_text::members(json).ok()?;
    members.into_iter().find(|member| member.name == name).map(|member| member.value)
}

fn inside<'s>(
    name: &str,
    object: &FieldValue<'_>,
    source: impl Fn() -> Option<&'s str>,
    place: &str,
) -> Result<Option<FieldValue<'static>>, String> {
    let within = |text: &str| -> Result<_, String> {
        let members = ingest::fields(text).map_err(|error| format!("{name}: {error}"))?;
        Ok(value_at(&members, Some(text), place)?.map(owned))
    };
    match object {
        FieldValue::Map(entries) => {
            let mended = entries.iter().any(|(_, value)| matches!(value, FieldValue::Mended(_)));
            let source = if mended { source() } else { None };
            Ok(value_at(entries, source, place)?.map(owned))
        }
        FieldValue::Json(text) if text.starts_with('{') => within(text),
        FieldValue::Mended(text) if text.starts_with('{') => within(source().unwrap_or(text)),
        // Cells of CSV and columns of text may hold objects. Anything that is not an object is just
        // text.
        FieldValue::Text(text) if text.trim_start().starts_with('{') => {
            match ingest::fields(text) {
                Ok(members) => Ok(value_at(&members, Some(text), place)?.map(owned)),
                Err(_) => Ok(None),
            }
        }
        _ => Ok(None),
    }
}

/// An owned copy of the value.
pub(super) fn owned(value: FieldValue<'_>) -> FieldValue<'static> {
    let text = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
    match value {
        FieldValue::Null => FieldValue::Null,
        FieldValue::Text(value) => FieldValue::Text(text(value)),
        FieldValue::Mended(value) => FieldValue::Mended(text(value)),
        FieldValue::Number(value) => FieldValue::Number(text(value)),
        FieldValue::Bool(value) => FieldValue::Bool(value),
        FieldValue::Json(value) => FieldValue::Json(text(value)),
        FieldValue::Map(entries) => {
            let entry = |(name, value)| (text(name), owned(value));
            FieldValue::Map(entries.into_iter().map(entry).collect())
        }
    }
}

/// Whether rows have a value in a place, judged before they are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Has {
    No,
    /// Each row's map or text decides.
    Maybe,
    Yes,
}

/// Whether rows with these columns have a value in this place.
pub(super) fn in_schema(columns: &ArrowFields, place: &str) -> Has {
    let column = |name: &str| columns.iter().find(|column| column.name() == name);
    if column(place).is_some() {
        return Has::Yes;
    }
    let inside = ways(place).map(|(name, rest)| match column(name).map(|it| it.data_type()) {
        Some(DataType::Struct(fields)) => in_schema(fields, rest),
        Some(DataType::Map(..)) => Has::Maybe,
        // Text and bytes may be the JSON of an object, in whichever form they are read.
        Some(kind) if kind.is_string() || kind.is_binary() => Has::Maybe,
        _ => Has::No,
    });
    inside.max().unwrap_or(Has::No)
}

/// Whether rows with these columns of text have a value in this place.
pub(super) fn in_header(columns: &[String], place: &str) -> Has {
    let known = |name: &str| columns.iter().any(|column| column == name);
    match known(place) {
        true => Has::Yes,
        false if ways(place).any(|(name, _)| known(name)) => Has::Maybe,
        false => Has::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(json: &str, place: &str) -> Option<FieldValue<'static>> {
        value_at(&ingest::fields(json).unwrap(), Some(json), place).unwrap().map(owned)
    }

    fn number(text: &'static str) -> Option<FieldValue<'static>> {
        Some(FieldValue::Number(text.into()))
    }

    #[test]
    fn dots_lead_into_objects_and_stand_in_names() {
        let row = r#"{"u":{"p":1,"d":{"c":2},"x.y":3},"u.p":4,"a.b":{"c.d":{"e":5}},"n":null,
            "attributes":{"t":6,"m":{"z":7}},"s":"{\"k\":8}","l":[1]}"#;
        for (place, value) in [
            ("u.p", number("4")),
            ("u.d.c", number("2")),
            ("u.x.y", number("3")),
            ("a.b.c.d.e", number("5")),
            ("attributes.t", number("6")),
            ("attributes.m.z", number("7")),
            ("s.k", number("8")),
            ("n", Some(FieldValue::Null)),
            ("n.x", None),
            ("l.0", None),
            ("u.q", None),
            ("u.", None),
            (".u", None),
            ("", None),
        ] {
            assert_eq!(at(row, place), value, "{place}");
        }
    }

    /// An attribute has null for `NaN` and U+FFFD for half a character; a number and an id are neither.
    #[test]
    fn what_attributes_mend_is_found_as_it_was_sent() {
        let row = r#"{"u":{"n":NaN,"null":null,"d":{"n":-Infinity,"id":"a\ud83d"}},"id":{"i":"\udc00"},
            "attributes":{"m":{"n":Infinity,"k":1}},"s":"{\"d\":{\"n\":NaN}}"}"#;
        let mended = |text: &'static str| Some(FieldValue::Mended(text.into()));
        for (place, value) in [
            ("u.n", number("NaN")),
            ("u.null", Some(FieldValue::Null)),
            ("u.d.n", number("-Infinity")),
            ("u.d.id", mended("a\u{fffd}")),
            ("u.d.x", None),
            ("id.i", mended("\u{fffd}")),
            ("attributes.m.n", number("Infinity")),
            ("attributes.m.k", number("1")),
            ("s.d.n", number("NaN")),
        ] {
            assert_eq!(at(row, place), value, "{place}");
        }
    }

    #[test]
    fn two_values_in_a_place_are_an_error() {
        let row = ingest::fields(r#"{"u":{"p":1,"p":2}}"#).unwrap();
        assert!(value_at(&row, None, "u.p").unwrap_err().contains("given more than once"));
    }

    #[test]
    fn a_schema_tells_what_its_structs_hold() {
        let field = |name: &str, of: DataType| arrow::datatypes::Field::new(name, of, true);
        let usage = ArrowFields::from(vec![field("p", DataType::Int64)]);
        let columns = ArrowFields::from(vec![
            field("usage", DataType::Struct(usage)),
            field("a.b", DataType::Int64),
            field("json", DataType::Utf8),
            field("view", DataType::Utf8View),
            field("bytes", DataType::BinaryView),
            field("n", DataType::Int64),
        ]);
        for (place, expected) in [
            ("usage.p", Has::Yes),
            ("usage.q", Has::No),
            ("a.b", Has::Yes),
            ("json.x", Has::Maybe),
            ("view.x", Has::Maybe),
            ("bytes.x", Has::Maybe),
            ("n.x", Has::No),
        ] {
            assert_eq!(in_schema(&columns, place), expected, "{place}");
        }
        let header = ["usage".to_owned(), "a.b".to_owned()];
        for (place, expected) in
            [("usage.p", Has::Maybe), ("a.b", Has::Yes), ("a", Has::No), ("b.c", Has::No)]
        {
            assert_eq!(in_header(&header, place), expected, "{place}");
        }
    }
}
