//! The errors for a body that cannot be read at all.

use thiserror::Error;

use crate::error::Kind;
use crate::event::EventError;

/// A body that cannot be read at all; the message says what to send instead.
#[derive(Debug, Error)]
pub enum IngestError {
    /// The body is not JSON; the text says at which place.
    #[error("the body is not JSON: {0}")]
    NotJson(String),
    /// The body does not begin as UTF-8 text; the message names its format and what to send.
    #[error("the body is not JSON: {0}")]
    NotText(&'static str),
    /// The body is JSON, but neither an event nor a list of events.
    #[error("the body holds no events: {0}")]
    NotEvents(&'static str),
    /// The body is no request of OTLP; the text says why.
    #[error("the body {0}")]
    NotOtlp(String),
    /// The body is larger than allowed, as sent or decompressed.
    #[error("the body is larger than {max_bytes} bytes; send it in smaller requests")]
    TooLarge {
        /// The limit.
        max_bytes: usize,
    },
    /// More events than [`super::EVENTS_MAX`].
    #[error("the body holds more than {} events; send them in smaller requests", super::EVENTS_MAX)]
    TooManyEvents,
    /// An unsupported content type, or none.
    #[error("unsupported content type {sent:?}; send {accepted} in UTF-8")]
    UnsupportedType {
        /// What was sent.
        sent: String,
        /// Those that are read at this path.
        accepted: String,
    },
    /// A CloudEvent in binary mode whose data is a list.
    #[error("a CloudEvent in binary mode holds one event; send it as application/json")]
    BinaryNdjson,
    /// An unsupported content coding, or too many of them.
    #[error("unsupported content encoding {0:?}; send gzip, zstd or none")]
    UnsupportedEncoding(String),
    /// The body is cut short or invalid in the coding that it claims.
    #[error("the body is not valid {coding}: {reason}")]
    BrokenEncoding {
        /// The coding, as in `Content-Encoding`.
        coding: &'static str,
        /// The decoder's message.
        reason: String,
    },
    /// The events could not be put together in a batch.
    #[error(transparent)]
    Event(#[from] EventError),
}

impl IngestError {
    /// What the caller can do.
    pub fn kind(&self) -> Kind {
        match self {
            Self::NotJson(_)
            | Self::NotText(_)
            | Self::NotEvents(_)
            | Self::NotOtlp(_)
            | Self::TooLarge { .. }
            | Self::TooManyEvents
            | Self::UnsupportedType { .. }
            | Self::BinaryNdjson
            | Self::UnsupportedEncoding(_)
            | Self::BrokenEncoding { .. } => Kind::Invalid,
            Self::Event(error) => error.kind(),
        }
    }
}
