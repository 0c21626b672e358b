//! The decoding of one request's bytes into checked events and rejections.
//!
//! A [`Door`] says of a request of which kind its body is. Two steps follow, each of which bounds what
//! it makes out of its input: [`decompress`] undoes the transfer's `Content-Encoding`, [`decode`] reads
//! one of the formats that [`ContentKind`] names. Its sender is answered by the door again.
//! An [`IngestError`] means that the body as a whole cannot be taken; a bad event in a good body is
//! a rejection in [`Decoded`]. No parser here recurses, so nesting costs no stack; only what is kept of a
//! list or a map is written level by level, to a bound (`otlp/nested.rs`). Pure: no I/O.

mod body;
mod call;
mod cloudevents;
mod content;
mod door;
mod error;
mod events;
mod grpc;
mod grpc_door;
mod history;
mod json;
mod json_object;
mod json_plain;
mod limits;
mod litellm;
mod litellm_door;
mod ndjson;
mod otlp;
mod otlp_door;
mod receipt;
mod tokens;

pub use crate::event::Decoded;
pub use body::decompress;
pub use cloudevents::BinaryCloudEvent;
pub use content::ContentKind;
pub use door::{Answer, Door, Headers};
pub use error::IngestError;
pub use history::{History, HistoryFormat, Rows};
pub use json_plain::FieldNames;
pub use limits::{EVENTS_MAX, REJECTIONS_MAX};
pub use ndjson::NotUtf8;
pub use otlp::{Encoding, Kept, OtlpSignal, calls_max};
pub use receipt::Receipt;

use std::borrow::Cow;

use self::events::Events;
use self::grpc_door::Grpc;
use self::litellm_door::LiteLlm;
use self::otlp_door::Otlp;
use crate::event::{EventBatchBuilder, FieldValue, Slots};

/// All doors.
pub static DOORS: [&dyn Door; 8] = [
    &Events,
    &Otlp(OtlpSignal::Traces),
    &Otlp(OtlpSignal::Logs),
    &Otlp(OtlpSignal::Metrics),
    &Grpc(OtlpSignal::Traces),
    &Grpc(OtlpSignal::Logs),
    &Grpc(OtlpSignal::Metrics),
    &LiteLlm,
];

/// Reads the events of one body, already decompressed, by the rules of `builder`.
pub fn decode(
    kind: &ContentKind,
    body: &[u8],
    builder: EventBatchBuilder,
) -> Result<Decoded, IngestError> {
    decode_keeping(kind, body, &Kept::default(), builder)
}

/// As [`decode`]; of formats that know far more attributes than are stored, those in `kept` are kept
/// too.
///
/// # Errors
/// As [`decode`].
pub fn decode_keeping(
    kind: &ContentKind,
    body: &[u8],
    kept: &Kept<'_>,
    builder: EventBatchBuilder,
) -> Result<Decoded, IngestError> {
    let mut builder = builder.rejections_max(REJECTIONS_MAX);
    let read = read(kind, body, kept, &mut builder);
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
    kind: &ContentKind,
    body: &[u8],
    kept: &Kept<'_>,
    builder: &mut EventBatchBuilder,
) -> Result<(), IngestError> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    match kind {
        ContentKind::Json => json::decode(body, builder),
        ContentKind::Ndjson => ndjson::decode(body, builder),
        ContentKind::CloudEvent => cloudevents::decode_structured(body, builder),
        ContentKind::CloudEventBatch => cloudevents::decode_batch(body, builder),
        ContentKind::BinaryCloudEvent(event) => cloudevents::decode_binary(event, body, builder),
        ContentKind::Otlp(signal, encoding) => {
            otlp_door::decode(*signal, *encoding, body, kept, builder)
        }
        ContentKind::LiteLlm => litellm_door::decode(body, builder),
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
pub fn fill_plain<'a>(event: &'a str, names: &mut FieldNames<'a>, slots: &mut Slots<'a>) -> bool {
    json_plain::fill(event, names, slots)
}

/// The lines of a text, without white space around them. The text after the last line end counts as
/// a line too, even if it is empty.
pub fn lines(text: &[u8]) -> impl Iterator<Item = Result<&str, NotUtf8<'_>>> {
    ndjson::lines(text)
}

#[cfg(test)]
mod tests;
