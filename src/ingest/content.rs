//! The kinds of bodies that are read.

use super::BinaryCloudEvent;
use super::otlp::{Encoding, OtlpSignal};

/// What a body holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContentKind {
    /// One event, an array, or `{"events":[…]}`.
    Json,
    /// One event per line.
    Ndjson,
    /// One CloudEvent in structured mode.
    CloudEvent,
    /// An array of CloudEvents.
    CloudEventBatch,
    /// The data of one CloudEvent in binary mode, of which the headers say the rest.
    BinaryCloudEvent(Box<BinaryCloudEvent>),
    /// Spans, log records or measurements of OTLP.
    Otlp(OtlpSignal, Encoding),
    /// What LiteLLM posts: one object, an array, or one object per line.
    LiteLlm,
}
