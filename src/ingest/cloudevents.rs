//! The decoder of CloudEvents 1.0: structured, in batches, and in binary mode over HTTP headers.
//!
//! The event is the CloudEvent's `data`. If the data has no id or time, the context supplies them:
//! an id from `source` and `id`, and the time. Everything else in the context describes the
//! transport and is ignored.

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;

use super::IngestError;
use super::json::{self, Fields, Unreadable};
use crate::event::json_text::{self, Member};
use crate::event::{EventBatchBuilder, FieldValue, excerpt};

/// Base64 as CloudEvents define it; the padding may be missing, since some senders omit it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The member that holds data as bytes.
const DATA_BASE64: &str = "data_base64";

/// The headers of a CloudEvent in binary mode, as sent: still quoted and percent-encoded, and
/// possibly not ASCII.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BinaryCloudEvent {
    /// `ce-specversion`
    pub specversion: Option<Bytes>,
    /// `ce-id`
    pub id: Option<Bytes>,
    /// `ce-source`
    pub source: Option<Bytes>,
    /// `ce-time`
    pub time: Option<Bytes>,
}

/// The attributes of a CloudEvent that describe its data.
struct Context<'a> {
    id: Cow<'a, str>,
    source: Cow<'a, str>,
    time: Option<FieldValue<'a>>,
}

/// Reads a body that is one CloudEvent.
pub(super) fn decode_structured(
    body: &[u8],
    builder: &mut EventBatchBuilder,
) -> Result<(), IngestError> {
    let envelope = json::utf8(body)?.trim_ascii();
    if !envelope.starts_with('{') {
        json_text::whole(envelope).map_err(|error| json::not_json(&error))?;
        return Err(IngestError::NotEvents("a CloudEvent is an object"));
    }
    let members = json_text::members(envelope).map_err(|error| json::not_json(&error))?;
    push_members(builder, 0, &members);
    Ok(())
}

/// Reads a body that is an array of CloudEvents.
pub(super) fn decode_batch(
    body: &[u8],
    builder: &mut EventBatchBuilder,
) -> Result<(), IngestError> {
    if body.trim_ascii_start().starts_with(b"[") {
        let mut all_read = true;
        json::each(body, |index, envelope| match envelope.map(json::members) {
            Ok(Ok(members)) => push_members(builder, index, &members),
            Ok(Err(Unreadable { error, .. })) => {
                all_read = false;
                builder.reject(index, None, error);
            }
            Err(error) => {
                all_read = false;
                builder.reject(index, None, json::not_utf8(error));
            }
        })?;
        return json::not_all_broken(body, builder, all_read);
    }
    json_text::whole(json::utf8(body)?).map_err(|error| json::not_json(&error))?;
    Err(IngestError::NotEvents("a batch of CloudEvents is an array"))
}

/// Reads a body that is the data of the CloudEvent in `headers`.
pub(super) fn decode_binary(
    headers: &BinaryCloudEvent,
    body: &[u8],
    builder: &mut EventBatchBuilder,
) -> Result<(), IngestError> {
    let data = json::utf8(body)?.trim_ascii();
    let read = if data.starts_with('{') {
        json_text::members(data).map(drop)
    } else {
        json_text::whole(data).map(drop)
    };
    read.map_err(|error| json::not_json(&error))?;
    match headers.context() {
        Ok(context) => push_data(builder, 0, context, data),
        Err(error) => builder.reject(0, None, error),
    }
    Ok(())
}

fn push_members(builder: &mut EventBatchBuilder, index: usize, members: &[Member<'_>]) {
    let read = once(members).and_then(|()| Ok((Context::of(members)?, data(members)?)));
    match read {
        Ok((context, data)) => push_data(builder, index, context, &data),
        Err(error) => builder.reject(index, None, error),
    }
}

/// Checks that each member that is read occurs once; an extension may occur twice.
fn once(members: &[Member<'_>]) -> Result<(), String> {
    for name in ["specversion", "id", "source", "time", "data", DATA_BASE64] {
        if members.iter().filter(|member| member.name == name).nth(1).is_some() {
            return Err(format!("{name}: given more than once"));
        }
    }
    Ok(())
}

fn push_data(builder: &mut EventBatchBuilder, index: usize, context: Context<'_>, data: &str) {
    match json::fields(data) {
        Ok(fields) => builder.push(index, &context.complete(fields)),
        Err(Unreadable { event_id, error }) => {
            builder.reject(index, event_id.as_deref(), format!("data: {error}"));
        }
    }
}

/// The JSON text of the event in an envelope: `data`, or the bytes in `data_base64`.
fn data<'a>(members: &[Member<'a>]) -> Result<Cow<'a, str>, String> {
    match (json::member(members, "data"), attribute(members, DATA_BASE64)?) {
        (Some(data), None) => Ok(object_in_text(data).unwrap_or(Cow::Borrowed(data))),
        (None, Some(encoded)) => {
            let bytes = BASE64.decode(encoded.as_bytes());
            let bytes = bytes.map_err(|error| format!("data_base64: {error}"))?;
            let text = String::from_utf8(bytes).map_err(|error| format!("data_base64: {error}"))?;
            Ok(Cow::Owned(text.trim_ascii().to_owned()))
        }
        (Some(_), Some(_)) => Err("data: given in data_base64 too".to_owned()),
        (None, None) => Err("data: missing".to_owned()),
    }
}

/// An object that was sent as its JSON text.
fn object_in_text(data: &str) -> Option<Cow<'_, str>> {
    let text = json_text::text(data).ok().filter(|_| data.starts_with('"'))?;
    text.trim_start().starts_with('{').then(|| Cow::Owned(text.trim_ascii().to_owned()))
}

/// The text of one attribute of an envelope. A number, which YAML turns some texts into, is taken
/// as written. Null counts as absent.
fn attribute<'a>(members: &[Member<'a>], name: &str) -> Result<Option<Cow<'a, str>>, String> {
    let Some(value) = json::member(members, name) else { return Ok(None) };
    // Half a surrogate pair is not mended here: it is part of an identity.
    match value.bytes().next() {
        Some(b'"') => json_text::text(value).map(Some).map_err(|error| format!("{name}: {error}")),
        Some(b'0'..=b'9' | b'-') if name != DATA_BASE64 => Ok(Some(Cow::Borrowed(value))),
        _ => Err(format!("{name}: {} is not text", excerpt(value))),
    }
}

impl<'a> Context<'a> {
    fn of(members: &[Member<'a>]) -> Result<Self, String> {
        let time = json::member(members, "time").map(json_text::field_value).transpose();
        let time = time.map_err(|error| format!("time: {error}"))?;
        Self::check(|name| attribute(members, name), time)
    }

    /// Reads the context through `attribute`, which looks up an attribute by name.
    fn check(
        attribute: impl Fn(&str) -> Result<Option<Cow<'a, str>>, String>,
        time: Option<FieldValue<'a>>,
    ) -> Result<Self, String> {
        let required = |name: &str| {
            let text = attribute(name)?.filter(|text| !text.is_empty());
            text.ok_or_else(|| format!("{name}: missing, but a CloudEvent has one"))
        };
        let specversion = required("specversion")?;
        if specversion != "1.0" {
            return Err(format!("specversion: {} is not 1.0", excerpt(&specversion)));
        }
        Ok(Self { id: required("id")?, source: required("source")?, time })
    }

    /// Adds the id and the time if the data has none.
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
            fields.push(("ts".into(), time));
        }
        fields
    }
}

impl BinaryCloudEvent {
    fn context(&self) -> Result<Context<'_>, String> {
        fn text<'a>(name: &str, value: &'a Option<Bytes>) -> Result<Option<Cow<'a, str>>, String> {
            let value = value.as_deref();
            value.map(header_text).transpose().map_err(|error| format!("ce-{name}: {error}"))
        }
        let attribute = |name: &str| {
            let value = match name {
                "specversion" => &self.specversion,
                "id" => &self.id,
                _ => &self.source,
            };
            text(name, value)
        };
        Context::check(attribute, text("time", &self.time)?.map(FieldValue::Text))
    }
}

/// The text of a header, unquoted if it is quoted, then percent-decoded once. The specification
/// wants bytes that are not ASCII to be encoded. If they are not, the header is read as UTF-8,
/// otherwise as ISO 8859-1, which HTTP once used.
fn header_text(value: &[u8]) -> Result<Cow<'_, str>, String> {
    let value = match std::str::from_utf8(value) {
        Ok(value) => unquoted(value.trim()),
        Err(_) => {
            let text: String = value.iter().map(|byte| char::from(*byte)).collect();
            Cow::Owned(unquoted(text.trim()).into_owned())
        }
    };
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

/// A quoted string of HTTP without its quotes and backslashes; any other text unchanged.
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
