//! The doors by which events come in over HTTP. A door is a path, the kinds of bodies that it reads,
//! and the answers that it sends.
//!
//! A new protocol is a file next to `events`, and a line in `mod.rs`, which lists the doors. All
//! steps between, from the caller's key to the commit, are the same for all doors.

use std::fmt::Debug;

use bytes::Bytes;

use super::content::ContentKind;
use super::error::IngestError;
use super::receipt::Receipt;

/// The headers of a request.
pub trait Headers {
    /// The first value of the header with this name, which is in lower case.
    fn get(&self, name: &str) -> Option<&[u8]>;
}

/// A path at which events are taken.
pub trait Door: Debug + Sync {
    /// Where it is.
    fn path(&self) -> &'static str;

    /// What the body of a request is, by what its headers say.
    ///
    /// # Errors
    /// The body is of no kind that is read here; nothing of it has to be read.
    fn kind(&self, headers: &dyn Headers) -> Result<ContentKind, IngestError>;

    /// The message in a body, and how it is compressed, where its protocol has frames.
    ///
    /// # Errors
    /// The body is not what the protocol sends.
    fn message(
        &self,
        _headers: &dyn Headers,
        body: Bytes,
    ) -> Result<(Bytes, Option<String>), IngestError> {
        Ok((body, None))
    }

    /// What the sender of a request is told of its events, once they are committed.
    ///
    /// # Errors
    /// A defect in writing it.
    fn answer(&self, headers: &dyn Headers, receipt: &Receipt)
    -> Result<Answer, serde_json::Error>;

    /// What the sender of a request is told that fails as a whole: `status` is what HTTP calls it.
    fn refusal(&self, headers: &dyn Headers, status: u16, message: &str) -> Answer;
}

/// What is sent back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code of HTTP.
    pub status: u16,
    /// The value of `Content-Type`.
    pub content_type: &'static str,
    /// The body.
    pub body: Vec<u8>,
    /// What is sent after the body, as headers are before it.
    pub trailers: Vec<(&'static str, String)>,
}

impl Answer {
    /// An answer without trailers.
    pub fn of(status: u16, content_type: &'static str, body: Vec<u8>) -> Self {
        Self { status, content_type, body, trailers: Vec::new() }
    }

    /// `{"error":"…"}`, as all of tokenlake's own endpoints have it.
    pub fn error(status: u16, message: &str) -> Self {
        let body = serde_json::json!({ "error": message }).to_string().into_bytes();
        Self::of(status, "application/json", body)
    }
}
