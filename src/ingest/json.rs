//! The decoder of plain JSON: one event, an array, or `{"events":[…]}`.

use std::borrow::Cow;
use std::str::Utf8Error;

use super::IngestError;
use super::limits::EVENTS_MAX;
use crate::event::json_text::{self, Member};
use crate::event::{EventBatchBuilder, FieldValue, excerpt, json_split};

/// The named values of one event.
pub(super) type Fields<'a> = Vec<(Cow<'a, str>, FieldValue<'a>)>;

/// An event that cannot be read as named values, with its id if that is readable.
#[derive(Debug)]
pub(super) struct Unreadable<'a> {
    pub(super) event_id: Option<Cow<'a, str>>,
    pub(super) error: String,
}

impl From<String> for Unreadable<'_> {
    fn from(error: String) -> Self {
        Self { event_id: None, error }
    }
}

/// Reads a whole body.
pub(super) fn decode(body: &[u8], builder: &mut EventBatchBuilder) -> Result<(), IngestError> {
    match body.trim_ascii_start().first() {
        Some(b'[') => return list_of(body, body, builder),
        Some(b'{') => {}
        _ => {
            json_text::whole(utf8(body)?).map_err(|error| not_json(&error))?;
            return Err(IngestError::NotEvents("it is neither an object nor an array"));
        }
    }
    match list(body)? {
        Some(events) if events.starts_with(b"[") => list_of(events, body, builder),
        Some(_) => Err(IngestError::NotEvents("\"events\" is not an array")),
        None => {
            let members = json_text::members(utf8(body)?).map_err(|error| not_json(&error))?;
            push_fields(builder, 0, of_members(members));
            Ok(())
        }
    }
}

/// Adds the events of the array in a body.
fn list_of(events: &[u8], body: &[u8], builder: &mut EventBatchBuilder) -> Result<(), IngestError> {
    let mut all_read = true;
    each(events, |index, event| {
        all_read &= match event {
            Ok(event) => push(builder, index, event),
            Err(error) => {
                builder.reject(index, None, not_utf8(error));
                false
            }
        };
    })?;
    not_all_broken(body, builder, all_read)
}

/// Adds one event from the JSON text of its object, or rejects it; false if it could not be read.
pub(super) fn push(builder: &mut EventBatchBuilder, index: usize, event: &str) -> bool {
    push_fields(builder, index, fields(event))
}

fn push_fields(
    builder: &mut EventBatchBuilder,
    index: usize,
    fields: Result<Fields<'_>, Unreadable<'_>>,
) -> bool {
    match fields {
        Ok(fields) => {
            builder.push(index, &fields);
            true
        }
        Err(Unreadable { event_id, error }) => {
            builder.reject(index, event_id.as_deref(), error);
            false
        }
    }
}

/// The error for an array element that is not UTF-8.
pub(super) fn not_utf8(error: Utf8Error) -> String {
    format!("the event is not UTF-8: {error}")
}

/// The named values of the event in `event`. Names may repeat.
pub(super) fn fields(event: &str) -> Result<Fields<'_>, Unreadable<'_>> {
    of_members(members(event)?)
}

/// The members of an object.
pub(super) fn members(object: &str) -> Result<Vec<Member<'_>>, Unreadable<'_>> {
    if !object.starts_with('{') {
        return Err(format!("{} is not an object", excerpt(object)).into());
    }
    json_text::members(object).map_err(|error| Unreadable {
        event_id: broken_id(object),
        error: format!("cannot be read: {error}"),
    })
}

/// The id of an event whose JSON is broken elsewhere.
fn broken_id(object: &str) -> Option<Cow<'_, str>> {
    let members = json_split::members(object.as_bytes(), json_text::MEMBERS_MAX)?;
    let (_, id) =
        members.into_iter().find(|(name, _)| object.get(name.clone()) == Some("\"event_id\""))?;
    json_text::text(object.get(id)?).ok()
}

fn of_members(members: Vec<Member<'_>>) -> Result<Fields<'_>, Unreadable<'_>> {
    let event_id = member(&members, "event_id").and_then(|id| json_text::text(id).ok());
    let fields = members.into_iter().map(|member| {
        if member.name == "attributes"
            && let Some(entries) = entries(member.value)
        {
            return Ok((member.name, FieldValue::Map(entries)));
        }
        member.entry()
    });
    let fields = fields.collect::<Result<_, _>>();
    fields.map_err(|error| Unreadable { event_id, error: format!("cannot be read: {error}") })
}

/// The entries of an object; `None` for other values, and for an object with too many members.
fn entries(value: &str) -> Option<Fields<'_>> {
    value.starts_with('{').then(|| json_text::entries(value).ok()).flatten()
}

/// The source of the first member with this name, unless it is null.
pub(super) fn member<'a>(members: &[Member<'a>], name: &str) -> Option<&'a str> {
    let found = members.iter().find(|member| member.name == name);
    found.map(|member| member.value).filter(|value| *value != "null")
}

/// Calls `push` with each element of an array, up to [`EVENTS_MAX`]. An element may be broken, as
/// long as brackets and quotes still delimit the array.
pub(super) fn each<'a>(
    array: &'a [u8],
    mut push: impl FnMut(usize, Result<&'a str, Utf8Error>),
) -> Result<(), IngestError> {
    // Most arrays are valid UTF-8, and one check of the whole is faster than many of short texts.
    let whole = std::str::from_utf8(array).ok();
    let bounded = |index, place: json_split::SourceRange| {
        if index < EVENTS_MAX {
            let text = whole.and_then(|whole| whole.get(place.clone())).map(Ok);
            let checked = || std::str::from_utf8(array.get(place).unwrap_or_default());
            push(index, text.unwrap_or_else(checked));
        }
    };
    match json_split::each_element(array, bounded) {
        None => {
            let error = json_text::whole(utf8(array)?).err();
            let error = error.map(|error| not_json(&error));
            Err(error.unwrap_or(IngestError::NotEvents("it is not an array")))
        }
        Some(count) if count > EVENTS_MAX => Err(IngestError::TooManyEvents),
        Some(_) => Ok(()),
    }
}

/// If no event was accepted and some could not even be read, the body must at least be JSON.
pub(super) fn not_all_broken(
    body: &[u8],
    builder: &EventBatchBuilder,
    all_read: bool,
) -> Result<(), IngestError> {
    if builder.is_empty() && !all_read {
        json_text::whole(utf8(body)?).map_err(|error| not_json(&error))?;
    }
    Ok(())
}

/// The text of a body that must be entirely UTF-8.
pub(super) fn utf8(body: &[u8]) -> Result<&str, IngestError> {
    std::str::from_utf8(body).map_err(|error| IngestError::NotJson(error.to_string()))
}

/// The error for a body that is not JSON.
pub(super) fn not_json(error: &serde_json::Error) -> IngestError {
    IngestError::NotJson(error.to_string())
}

/// The value of `events` in an object that is not an event itself.
///
/// # Errors
/// If there are two of them: the events of one would be lost.
fn list(object: &[u8]) -> Result<Option<&[u8]>, IngestError> {
    let Some(members) = json_split::members(object, json_text::MEMBERS_MAX) else {
        return Ok(None);
    };
    if values(object, &members, "event_id").next().is_some() {
        return Ok(None);
    }
    let mut lists = values(object, &members, "events");
    match (lists.next(), lists.next()) {
        (_, Some(_)) => Err(IngestError::NotEvents("\"events\" is given more than once")),
        (list, None) => Ok(list),
    }
}

/// The sources of the members of this name that are not null.
fn values<'o>(
    object: &'o [u8],
    members: &[(json_split::SourceRange, json_split::SourceRange)],
    name: &str,
) -> impl Iterator<Item = &'o [u8]> {
    let named = move |place: &json_split::SourceRange| {
        let source = object.get(place.clone()).and_then(|name| str::from_utf8(name).ok());
        source.and_then(|source| json_text::text(source).ok()).is_some_and(|text| text == name)
    };
    let found = members.iter().filter(move |(place, _)| named(place));
    let found = found.filter_map(move |(_, place)| object.get(place.clone()));
    found.filter(|value| *value != b"null")
}
