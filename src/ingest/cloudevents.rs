//! Events as CloudEvents 1.0: structured, in batches, and in binary mode over HTTP headers.
//!
//! The event is the CloudEvent's `data`. Its context lends an identity (`source` and `id`) and a
//! time where the data has none; everything else in it describes the transport and is ignored.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::IngestError;
use super::json::{self, Fields, Unreadable};
use super::json_text::{self, Member};
use crate::event::{EventBatchBuilder, FieldValue, excerpt};

/// The headers of a CloudEvent in binary mode, as sent: still quoted and percent-encoded.
#[derive(Clone, Copy, Debug, Default)]
pub struct BinaryCloudEvent<'a> {
    /// `ce-specversion`
    pub specversion: Option<&'a str>,
    /// `ce-id`
    pub id: Option<&'a str>,
    /// `ce-source`
    pub source: Option<&'a str>,
    /// `ce-time`
    pub time: Option<&'a str>,
}

/// What a CloudEvent says about its data.
struct Context<'a> {
    id: Cow<'a, str>,
    source: Cow<'a, str>,
    time: Option<Cow<'a, str>>,
}

/// Reads a body that is one CloudEvent.
pub(super) fn decode_structured(
    body: &[u8],
    builder: &mut EventBatchBuilder,
) -> Result<(), IngestError> {
    let envelope = whole(body)?;
    if !envelope.starts_with('{') {
        return Err(IngestError::NotEvents("a CloudEvent is an object"));
    }
    push_envelope(builder, 0, envelope);
    Ok(())
}

/// Reads a body that is an array of CloudEvents.
pub(super) fn decode_batch(
    body: &[u8],
    builder: &mut EventBatchBuilder,
) -> Result<(), IngestError> {
    let text = json::utf8(body)?;
    if json::starts_array(text) {
        return json::each(text, |index, envelope| push_envelope(builder, index, envelope));
    }
    whole(body)?;
    Err(IngestError::NotEvents("a batch of CloudEvents is an array"))
}

/// Reads a body that is the data of the CloudEvent in `headers`.
pub(super) fn decode_binary(
    headers: &BinaryCloudEvent<'_>,
    body: &[u8],
    builder: &mut EventBatchBuilder,
) -> Result<(), IngestError> {
    let data = whole(body)?;
    match headers.context() {
        Ok(context) => push_data(builder, 0, context, data),
        Err(error) => builder.reject(0, None, error),
    }
    Ok(())
}

fn whole(body: &[u8]) -> Result<&str, IngestError> {
    let text = json::utf8(body)?;
    json_text::whole(text).map_err(|error| IngestError::NotJson(error.to_string()))
}

fn push_envelope(builder: &mut EventBatchBuilder, index: usize, envelope: &str) {
    let read = json::distinct(envelope).map_err(|unreadable| unreadable.error);
    let read = read.and_then(|members| Ok((Context::of(&members)?, data(&members)?)));
    match read {
        Ok((context, data)) => push_data(builder, index, context, &data),
        Err(error) => builder.reject(index, None, error),
    }
}

fn push_data(builder: &mut EventBatchBuilder, index: usize, context: Context<'_>, data: &str) {
    match json::fields(data) {
        Ok(fields) => builder.push(index, &context.complete(fields)),
        Err(Unreadable { event_id, error }) => {
            builder.reject(index, event_id.as_deref(), format!("data: {error}"));
        }
    }
}

/// The source of the event in an envelope, as JSON in `data` or as its bytes in `data_base64`.
fn data<'a>(members: &[Member<'a>]) -> Result<Cow<'a, str>, String> {
    match (json::member(members, "data"), attribute(members, "data_base64")?) {
        (Some(data), None) => Ok(Cow::Borrowed(data)),
        (None, Some(encoded)) => {
            let bytes = STANDARD.decode(encoded.as_bytes());
            let bytes = bytes.map_err(|error| format!("data_base64: {error}"))?;
            let text = String::from_utf8(bytes).map_err(|error| format!("data_base64: {error}"))?;
            let data = json_text::whole(&text).map_err(|error| format!("data_base64: {error}"))?;
            Ok(Cow::Owned(data.to_owned()))
        }
        (Some(_), Some(_)) => Err("data: given in data_base64 too".to_owned()),
        (None, None) => Err("data: missing".to_owned()),
    }
}

/// The text of one attribute of an envelope; null is absent.
fn attribute<'a>(members: &[Member<'a>], name: &str) -> Result<Option<Cow<'a, str>>, String> {
    match json::member(members, name) {
        None => Ok(None),
        Some(value) if value.starts_with('"') => {
            json_text::text(value).map(Some).map_err(|error| format!("{name}: {error}"))
        }
        Some(value) => Err(format!("{name}: {} is not text", excerpt(value))),
    }
}

impl<'a> Context<'a> {
    fn of(members: &[Member<'a>]) -> Result<Self, String> {
        Self::check(|name| attribute(members, name))
    }

    /// Reads the context through `attribute`, which finds an attribute by name.
    fn check(
        attribute: impl Fn(&str) -> Result<Option<Cow<'a, str>>, String>,
    ) -> Result<Self, String> {
        let required = |name: &str| {
            let text = attribute(name)?.filter(|text| !text.is_empty());
            text.ok_or_else(|| format!("{name}: missing, but a CloudEvent has one"))
        };
        let specversion = required("specversion")?;
        if specversion != "1.0" {
            return Err(format!("specversion: {} is not 1.0", excerpt(&specversion)));
        }
        Ok(Self { id: required("id")?, source: required("source")?, time: attribute("time")? })
    }

    /// Adds what the data lacks.
    fn complete<'f>(self, mut fields: Fields<'f>) -> Fields<'f>
    where
        'a: 'f,
    {
        let lacks = |fields: &Fields<'_>, column: &str| {
            !fields.iter().any(|(name, value)| name == column && *value != FieldValue::Null)
        };
        if lacks(&fields, "event_id") {
            let event_id = format!("{} {}", self.source, self.id);
            fields.push(("event_id".into(), FieldValue::Text(event_id.into())));
        }
        if let Some(time) = self.time.filter(|_| lacks(&fields, "ts")) {
            fields.push(("ts".into(), FieldValue::Text(time)));
        }
        fields
    }
}

impl<'a> BinaryCloudEvent<'a> {
    fn context(&self) -> Result<Context<'a>, String> {
        Context::check(|name| {
            let value = match name {
                "specversion" => self.specversion,
                "id" => self.id,
                "source" => self.source,
                _ => self.time,
            };
            value.map(header_text).transpose().map_err(|error| format!("ce-{name}: {error}"))
        })
    }
}

/// The text that a header means: out of its quotes if it has any, then percent-decoded once.
fn header_text(value: &str) -> Result<Cow<'_, str>, String> {
    let value = unquoted(value.trim());
    if !value.contains('%') {
        return Ok(value);
    }
    let broken = || "a % is not followed by two hex digits".to_owned();
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let (byte, tail) = match tail {
            [high, low, tail @ ..] if *first == b'%' => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, tail),
                _ => return Err(broken()),
            },
            _ if *first == b'%' => return Err(broken()),
            _ => (*first, tail),
        };
        bytes.push(byte);
        rest = tail;
    }
    String::from_utf8(bytes).map(Cow::Owned).map_err(|error| error.to_string())
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// A quoted string of HTTP without its quotes and backslashes; anything else as it is.
fn unquoted(value: &str) -> Cow<'_, str> {
    let inner = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    let Some(inner) = inner else { return Cow::Borrowed(value) };
    let mut text = String::with_capacity(inner.len());
    let mut escaped = false;
    for c in inner.chars() {
        escaped = c == '\\' && !escaped;
        if !escaped {
            text.push(c);
        }
    }
    Cow::Owned(text)
}
