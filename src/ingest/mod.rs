//! The decoding of one request's bytes into checked events and rejections.
//!
//! There are two steps, and each bounds its output. [`decompress`] undoes the transfer's
//! `Content-Encoding`; [`decode`] reads one of the formats that [`ContentKind`] names. An
//! [`IngestError`] means that the body cannot be read at all. A bad event in a good body is a
//! rejection in [`Decoded`]. No parser here recurses, so nesting costs no stack. Nothing here does
//! I/O.

mod body;
mod cloudevents;
mod content;
mod error;
mod json;
mod json_plain;
mod limits;
mod ndjson;

pub use crate::event::Decoded;
pub use body::decompress;
pub use cloudevents::BinaryCloudEvent;
pub use content::ContentKind;
pub use error::IngestError;
pub use json_plain::Names;
pub use limits::EVENTS_MAX;
pub use ndjson::NotUtf8;

use std::borrow::Cow;

use crate::clock::Micros;
use crate::event::{EventBatchBuilder, FieldValue, OrgRule, Slots};

/// Rejections of one request that are reported one by one; the others are counted. They are kept in
/// memory until the client has read the answer, and a small request may have a million.
pub const REJECTIONS_MAX: usize = 1_000;

/// Reads the events of one body, already decompressed, that arrived at `now`.
///
/// `binary` holds the `ce-*` headers of a CloudEvent in binary mode, whose body is the data of one
/// event. With one of the CloudEvents content types the headers are ignored.
pub fn decode(
    kind: ContentKind,
    binary: Option<BinaryCloudEvent<'_>>,
    body: &[u8],
    org_rule: OrgRule,
    now: Micros,
) -> Result<Decoded, IngestError> {
    let mut builder = EventBatchBuilder::new(org_rule, now).rejections_max(REJECTIONS_MAX);
    let read = read(kind, binary, body, &mut builder);
    match (read, body::foreign(body)) {
        (Err(IngestError::NotJson(_)), Some(what)) => Err(IngestError::NotText(what)),
        (Ok(()), Some(what)) if builder.is_empty() => Err(IngestError::NotText(what)),
        (read, _) => {
            read?;
            Ok(builder.finish()?)
        }
    }
}

fn read(
    kind: ContentKind,
    binary: Option<BinaryCloudEvent<'_>>,
    body: &[u8],
    builder: &mut EventBatchBuilder,
) -> Result<(), IngestError> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    match (kind, binary) {
        (ContentKind::Json, None) => json::decode(body, builder),
        (ContentKind::Json, Some(binary)) => cloudevents::decode_binary(&binary, body, builder),
        (ContentKind::Ndjson, None) => ndjson::decode(body, builder),
        (ContentKind::Ndjson, Some(_)) => Err(IngestError::BinaryNdjson),
        (ContentKind::CloudEvent, _) => cloudevents::decode_structured(body, builder),
        (ContentKind::CloudEventBatch, _) => cloudevents::decode_batch(body, builder),
    }
}

/// The named values of the event in the JSON text `event`, for callers without a request. A name
/// may occur twice.
///
/// # Errors
/// What is wrong, if it is not a readable object.
pub fn fields(event: &str) -> Result<Vec<(Cow<'_, str>, FieldValue<'_>)>, String> {
    json::fields(event.trim()).map_err(|unreadable| unreadable.error)
}

/// Fills `slots` with the values of the event in the JSON text `event`, the same that [`fields`]
/// returns, if it has the common plain form. False for all other text, valid or not.
pub fn fill_plain<'a>(event: &'a str, names: &mut Names<'a>, slots: &mut Slots<'a>) -> bool {
    json_plain::fill(event, names, slots)
}

/// The lines of a text, without white space around them. The text after the last line end counts as
/// a line too, even if it is empty.
pub fn lines(text: &[u8]) -> impl Iterator<Item = Result<&str, NotUtf8<'_>>> {
    ndjson::lines(text)
}

#[cfg(test)]
mod tests;
