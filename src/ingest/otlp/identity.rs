//! The ids of calls: the same whenever, however and beside whatever a record is sent.

use std::borrow::Cow;

use sha2::{Digest as _, Sha256};

use super::names::Field;
use super::record::{AttributeSource, AttributeValue, OtlpRecord, RecordContext};
use super::words::Producer;
use super::{json, proto};
use crate::event::TEXT_BYTES_MAX;

/// The id of the event that a record becomes: that of the provider's answer, else of the span, else a
/// hash of the record.
pub(super) fn event_id<'r>(
    producer: Producer,
    context: &RecordContext<'_>,
    record: &'r OtlpRecord<'_>,
) -> Cow<'r, str> {
    let id = match producer {
        Producer::Sdk => given(record, Field::ResponseId).or_else(|| span(record)),
        // What agents log has the ids of the span around it, which all its calls share.
        Producer::Codex | Producer::GeminiCli => given(record, Field::ResponseId),
        Producer::ClaudeCode => given(record, Field::RequestId).or_else(|| in_session(record)),
    };
    let id = id.unwrap_or_else(|| Cow::Owned(hash(context, record)));
    if id.len() <= TEXT_BYTES_MAX { id } else { Cow::Owned(hex::encode(Sha256::digest(&*id))) }
}

fn given<'r>(record: &'r OtlpRecord<'_>, field: Field) -> Option<Cow<'r, str>> {
    record.found.get(field).map(|value| match value.text() {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        text => text,
    })
}

/// The ids of a span, one after the other.
fn span(record: &OtlpRecord<'_>) -> Option<Cow<'static, str>> {
    let (trace, span) = record.trace_id.zip(record.span_id)?;
    Some(Cow::Owned(hex::encode(trace) + &hex::encode(span)))
}

/// What tells Claude Code's events apart.
fn in_session(record: &OtlpRecord<'_>) -> Option<Cow<'static, str>> {
    let text = |field| record.found.get(field).map(AttributeValue::text);
    let (session, sequence) = (text(Field::Session)?, text(Field::EventSequence)?);
    Some(Cow::Owned(format!("{session} {sequence} {}", text(Field::EventTime)?)))
}

/// A hash of what a record says, in any order of its attributes.
fn hash(context: &RecordContext<'_>, record: &OtlpRecord<'_>) -> String {
    let scope = ("scope", Cow::Borrowed(context.scope.as_ref()));
    let name = ("name", Cow::Borrowed(record.name.as_ref()));
    let time = ("time", Cow::Owned(record.time_ns.to_string()));
    let other = ("other time", Cow::Owned(record.other_time_ns.to_string()));
    let span = ("span", span(record).unwrap_or_default());
    let mut sum = 0_u128;
    for (part, text) in [scope, name, time, other, span] {
        sum = sum.wrapping_add(digest(b"record", part.as_bytes(), text.as_bytes()));
    }
    // A sum does not depend on the order.
    let mut add = |name: &[u8], value: &AttributeValue<'_>| {
        sum = sum.wrapping_add(digest(b"attribute", name, value.text().as_bytes()));
    };
    match record.source {
        AttributeSource::Message(message, number) => {
            proto::each_attribute(message, number, |name, value| add(name, &value));
        }
        AttributeSource::Array(array) => {
            json::each_attribute(array, |name, value| add(&name, &value))
        }
    }
    hex::encode(sum.to_be_bytes())
}

/// 128 bits of a hash over a kind, a name and a text, each told apart by its length.
fn digest(kind: &[u8], name: &[u8], text: &[u8]) -> u128 {
    let mut hash = Sha256::new();
    for part in [kind, name, text] {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    let hash = hash.finalize();
    hash.first_chunk().copied().map_or(0, u128::from_be_bytes)
}
