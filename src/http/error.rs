//! Maps kinds of errors to status codes; nothing else does.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};

use crate::access::AccessError;
use crate::app::AppError;
use crate::archive::ArchiveError;
use crate::error::Kind;
use crate::exposition::UnknownCollector;
use crate::ingest::{Answer, IngestError};
use crate::usage::UsageError;
use crate::worker::WorkerError;

/// An error to be sent: `{"error":"…"}`.
#[derive(Debug)]
pub(super) struct HttpError {
    status: StatusCode,
    message: String,
    /// Whether trying again soon may help.
    retry: bool,
}

/// The store's own error names endpoints and buckets, so clients do not get it.
const STORAGE_AWAY: &str = "storage is unavailable; try again in a moment";

/// The answer if a query's worker process fails by a defect; the log has the details.
const QUERY_BROKE: &str =
    "internal error in the worker process of the query; please report it with the server's log";

/// Limits a message, so that text quoted from a request does not make the answer as long.
const MESSAGE_BYTES_MAX: usize = 4 * 1024;

/// An answer with `message` as its error.
pub(super) fn plain(status: StatusCode, message: &str) -> HttpError {
    let retry = status == StatusCode::SERVICE_UNAVAILABLE;
    HttpError { status, message: message.to_owned(), retry }
}

impl HttpError {
    /// Whether trying again soon may help, as when storage is unreachable or slow.
    pub(super) fn is_unavailable(&self) -> bool {
        self.retry
    }

    /// Whether the credential is invalid, or does not allow the request.
    pub(super) fn is_of_access(&self) -> bool {
        matches!(self.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
    }

    /// Whether the client was too slow.
    pub(super) fn is_timeout(&self) -> bool {
        self.status == StatusCode::REQUEST_TIMEOUT
    }

    /// The same error, with 503 in place of 500.
    pub(super) fn unavailable(self) -> Self {
        match self.status {
            StatusCode::INTERNAL_SERVER_ERROR => {
                Self { status: StatusCode::SERVICE_UNAVAILABLE, ..self }
            }
            _ => self,
        }
    }
}

fn status(kind: Kind) -> StatusCode {
    match kind {
        Kind::Invalid => StatusCode::BAD_REQUEST,
        Kind::Unauthenticated => StatusCode::UNAUTHORIZED,
        Kind::Forbidden => StatusCode::FORBIDDEN,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::Unavailable | Kind::Corrupt => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl HttpError {
    /// The response, with the body that `body` makes of a status and a message.
    pub(super) fn respond(self, body: impl FnOnce(u16, &str) -> Answer) -> Response {
        let message =
            match self.message.split_at(self.message.floor_char_boundary(MESSAGE_BYTES_MAX)) {
                (whole, "") => Cow::Borrowed(whole),
                (start, _) => Cow::Owned(format!("{start}…")),
            };
        let mut response = response(body(self.status.as_u16(), &message));
        let status = response.status();
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // A door may say that it is worth another try.
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl IntoResponse for HttpError {
    fn into_response(self) -> Response {
        self.respond(Answer::error)
    }
}

/// The response that an answer is sent as.
pub(super) fn response(Answer { status, content_type, body, trailers }: Answer) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let head = [(CONTENT_TYPE, content_type)];
    if trailers.is_empty() {
        return (status, head, body).into_response();
    }
    let trailers = trailers.into_iter().filter_map(|(name, value)| {
        Some((HeaderName::from_static(name), HeaderValue::from_str(&value).ok()?))
    });
    let trailers: HeaderMap = trailers.collect();
    let body = Full::new(Bytes::from(body)).with_trailers(async move { Some(Ok(trailers)) });
    (status, head, Body::new(body)).into_response()
}

impl From<AppError> for HttpError {
    fn from(error: AppError) -> Self {
        let kind = match &error {
            // A table that this program must not use is a matter for the operator, not the client.
            AppError::Archive(error) if error.kind() == Kind::Invalid => Kind::Corrupt,
            error => error.kind(),
        };
        let status = match &error {
            AppError::TooManyDates(_) | AppError::Worker(WorkerError::Exceeded(_)) => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            _ => status(kind),
        };
        if status.is_server_error() {
            tracing::warn!(%error, status = status.as_u16(), "request failed");
        }
        let message = match &error {
            // Before the caller is known, nothing about the archive is revealed.
            AppError::Access(AccessError::Archive(_)) => STORAGE_AWAY.to_owned(),
            AppError::Archive(ArchiveError::Unavailable { .. })
            | AppError::Worker(WorkerError::Unavailable(_)) => STORAGE_AWAY.to_owned(),
            // The message of a failed worker may quote data that it was working on.
            AppError::Worker(WorkerError::Broken(_)) => QUERY_BROKE.to_owned(),
            error => error.to_string(),
        };
        Self { status, message, retry: kind == Kind::Unavailable }
    }
}

impl From<AccessError> for HttpError {
    fn from(error: AccessError) -> Self {
        AppError::Access(error).into()
    }
}

impl From<UsageError> for HttpError {
    fn from(error: UsageError) -> Self {
        AppError::Usage(error).into()
    }
}

impl From<IngestError> for HttpError {
    fn from(error: IngestError) -> Self {
        let status = match &error {
            IngestError::TooLarge { .. } | IngestError::TooManyEvents => {
                StatusCode::PAYLOAD_TOO_LARGE
            }
            IngestError::UnsupportedType { .. }
            | IngestError::UnsupportedEncoding(_)
            | IngestError::BinaryNdjson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            error => status(error.kind()),
        };
        Self { status, message: error.to_string(), retry: false }
    }
}

impl From<UnknownCollector> for HttpError {
    fn from(error: UnknownCollector) -> Self {
        Self { status: status(error.kind()), message: error.to_string(), retry: false }
    }
}
