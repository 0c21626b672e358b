//! Events as plain JSON: one, an array, or `{"events":[…]}`.

use std::borrow::Cow;

use super::json_text::{self, Member};
use super::{EVENTS_MAX, IngestError};
use crate::event::{EventBatchBuilder, FieldValue, excerpt};

/// The named values of one event.
pub(super) type Fields<'a> = Vec<(Cow<'a, str>, FieldValue<'a>)>;

/// An event that cannot be read as named values, with its id where that can be told.
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
    let text = utf8(body)?;
    if starts_array(text) {
        return each(text, |index, event| push(builder, index, event));
    }
    let event = json_text::whole(text).map_err(|error| IngestError::NotJson(error.to_string()))?;
    if !event.starts_with('{') {
        return Err(IngestError::NotEvents("it is neither an object nor an array"));
    }
    match list(event) {
        None => push(builder, 0, event),
        Some(events) if starts_array(events) => {
            return each(events, |index, event| push(builder, index, event));
        }
        Some(_) => return Err(IngestError::NotEvents("\"events\" is not an array")),
    }
    Ok(())
}

/// Takes one event from the source of its object, or rejects it.
pub(super) fn push(builder: &mut EventBatchBuilder, index: usize, event: &str) {
    match fields(event) {
        Ok(fields) => builder.push(index, &fields),
        Err(Unreadable { event_id, error }) => builder.reject(index, event_id.as_deref(), error),
    }
}

/// The named values of the event in `event`.
pub(super) fn fields(event: &str) -> Result<Fields<'_>, Unreadable<'_>> {
    let members = distinct(event)?;
    let event_id = member(&members, "event_id").and_then(|id| json_text::text(id).ok());
    let fields = members.into_iter().map(|(name, value)| {
        let value = match name.as_ref() {
            "attributes" if value.starts_with('{') => attributes(value),
            _ => field_value(value),
        };
        match value {
            Ok(value) => Ok((name, value)),
            Err(error) => Err(format!("{}: {error}", excerpt(&name))),
        }
    });
    fields.collect::<Result<_, _>>().map_err(|error| Unreadable { event_id, error })
}

/// The members of an object, none of them twice.
pub(super) fn distinct(object: &str) -> Result<Vec<Member<'_>>, Unreadable<'_>> {
    if !object.starts_with('{') {
        return Err(format!("{} is not an object", excerpt(object)).into());
    }
    let members = json_text::members(object).map_err(|error| format!("cannot be read: {error}"))?;
    let Some(name) = json_text::repeated(&members).map(excerpt) else { return Ok(members) };
    let event_id = member(&members, "event_id").and_then(|id| json_text::text(id).ok());
    Err(Unreadable { event_id, error: format!("{name}: given more than once") })
}

/// The source of the first member with this name, unless it is null.
pub(super) fn member<'a>(members: &[Member<'a>], name: &str) -> Option<&'a str> {
    let found = members.iter().find(|(found, _)| found == name);
    found.map(|(_, value)| *value).filter(|value| *value != "null")
}

/// Calls `push` with each element of an array, as far as a request may reach.
pub(super) fn each<'a>(
    array: &'a str,
    mut push: impl FnMut(usize, &'a str),
) -> Result<(), IngestError> {
    let bounded = |index, event| {
        if index < EVENTS_MAX {
            push(index, event);
        }
    };
    match json_text::each_element(array, bounded) {
        Err(error) => Err(IngestError::NotJson(error.to_string())),
        Ok(count) if count > EVENTS_MAX => Err(IngestError::TooManyEvents),
        Ok(_) => Ok(()),
    }
}

/// The text of a body that must be UTF-8 as a whole.
pub(super) fn utf8(body: &[u8]) -> Result<&str, IngestError> {
    std::str::from_utf8(body).map_err(|error| IngestError::NotJson(error.to_string()))
}

/// Whether JSON text begins as an array.
pub(super) fn starts_array(text: &str) -> bool {
    text.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('[')
}

/// The value of `events` in an object that is no event itself.
fn list(object: &str) -> Option<&str> {
    let members = json_text::members(object).ok()?;
    match member(&members, "event_id") {
        None => member(&members, "events"),
        Some(_) => None,
    }
}

fn attributes(object: &str) -> Result<FieldValue<'_>, String> {
    let members = distinct(object).map_err(|unreadable| unreadable.error)?;
    let entries = members.into_iter().map(|(name, value)| match field_value(value) {
        Ok(value) => Ok((name, value)),
        Err(error) => Err(format!("{}: {error}", excerpt(&name))),
    });
    entries.collect::<Result<_, _>>().map(FieldValue::Map)
}

/// The value whose source is `json`, which has been parsed before.
fn field_value(json: &str) -> Result<FieldValue<'_>, String> {
    let value = match json.bytes().next() {
        Some(b'"') => json_text::text(json).map(FieldValue::Text),
        Some(b'{' | b'[') => json_text::compact(json).map(FieldValue::Json),
        Some(b't' | b'f') => Ok(FieldValue::Bool(json == "true")),
        Some(b'n') => Ok(FieldValue::Null),
        _ => Ok(FieldValue::Number(Cow::Borrowed(json))),
    };
    value.map_err(|error| error.to_string())
}
