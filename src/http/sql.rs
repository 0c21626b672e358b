//! `POST /v1/sql`: answers queries of one organisation.

use axum::body::Body;
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, VARY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use serde::Deserialize;

use super::accept::preferred;
use super::answers::HeldUntilSent;
use super::body::read;
use super::endpoint::{Endpoint, Request};
use super::error::{HttpError, plain};
use super::request::{is_plain, joined};
use super::shared::Shared;
use super::shares::Turns;
use crate::access::Scope;
use crate::media::{ContentType, one_of};
use crate::sql::RowFormat;

/// The largest body: a query and its JSON.
const BODY_BYTES_MAX: usize = 256 * 1024;
/// How many copies of a query exist while it is passed on.
const QUERY_COPIES: usize = 4;
/// Memory for rows of an answer that the client has not yet read.
const ROWS_BYTES: usize = 256 * 1024;

/// `POST /v1/sql`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sql;

impl Endpoint for Sql {
    const SCOPE: Scope = Scope::SqlRead;

    fn path(self) -> &'static str {
        "/v1/sql"
    }

    fn turns(shared: &Shared) -> &Turns {
        &shared.queries
    }

    async fn answer(self, request: Request<'_>) -> Result<Response, HttpError> {
        let Request { shared, headers, body, caller, turn, .. } = request;
        let app = &shared.app;
        let kind = BodyKind::of(headers)?;
        let format = preferred(joined(headers, ACCEPT).as_deref()).ok_or_else(not_acceptable)?;
        let too_large = || {
            let message =
                format!("the query is longer than {BODY_BYTES_MAX} bytes; ask a shorter one");
            plain(StatusCode::PAYLOAD_TOO_LARGE, &message)
        };
        let memory = query_bytes(headers) + ROWS_BYTES;
        let mut memory = shared.answers.reserve(&caller.org_id, memory).await?;
        let body = read(app.telemetry(), body, BODY_BYTES_MAX, too_large).await?;
        let query = kind.query(body)?;
        let reply = app.sql(&caller, query, format).await?;
        memory.shrink(ROWS_BYTES);
        // An error in the stream ends the connection before the body is complete, so that the client
        // notices.
        let mut response = Response::new(Body::from_stream(reply.into_stream()));
        let answer = response.headers_mut();
        answer.insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
        answer.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        answer.insert(VARY, HeaderValue::from_static("Accept, Authorization"));
        // The worker ends before the client has read its last rows.
        Ok(HeldUntilSent::new((turn, memory)).until_taken(response))
    }
}

fn not_acceptable() -> HttpError {
    let formats = one_of(&RowFormat::SERVED.map(RowFormat::media_type));
    plain(StatusCode::NOT_ACCEPTABLE, &format!("rows come as {formats}; accept one of them"))
}

/// Memory for a query until its worker has it: the body, its text, and the question made from it.
fn query_bytes(headers: &HeaderMap) -> usize {
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    announced.unwrap_or(BODY_BYTES_MAX).min(BODY_BYTES_MAX).saturating_mul(QUERY_COPIES)
}

/// How a query is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BodyKind {
    Json,
    Text,
}

/// `{"query":"…"}`.
#[derive(Debug, Deserialize)]
struct QueryBody {
    query: String,
}

impl BodyKind {
    fn of(headers: &HeaderMap) -> Result<Self, HttpError> {
        let sent = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let sent = ContentType::of(sent.unwrap_or_default());
        let kind = [("application/json", Self::Json), ("text/plain", Self::Text)];
        let kind = kind.into_iter().find(|(name, _)| sent.is(name) && sent.is_utf8());
        let kind = kind.map(|(_, kind)| kind);
        kind.filter(|_| is_plain(headers)).ok_or_else(|| {
            plain(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "send {\"query\":\"…\"} as application/json, or the query as text/plain, in UTF-8 \
                 and not compressed",
            )
        })
    }

    fn query(self, body: Bytes) -> Result<String, HttpError> {
        let wrong = |message: &str| plain(StatusCode::BAD_REQUEST, message);
        let query = match self {
            // serde would also accept a list of one text; it is not an object.
            Self::Json if body.trim_ascii_start().starts_with(b"[") => {
                return Err(wrong("the body is not {\"query\":\"…\"}: it is a list"));
            }
            Self::Json => {
                serde_json::from_slice::<QueryBody>(&body)
                    .map_err(|error| {
                        wrong(&format!("the body is not {{\"query\":\"…\"}}: {error}"))
                    })?
                    .query
            }
            Self::Text => String::from_utf8(body.into())
                .map_err(|_| wrong("the body is not UTF-8; send it in UTF-8"))?,
        };
        if query.trim().is_empty() {
            return Err(wrong("there is no query; send a SELECT"));
        }
        Ok(query)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_kinds_of_body_are_read() {
        let kind = |headers: &[(&'static str, &str)]| {
            let headers = headers.iter().map(|(name, value)| {
                (name.parse().unwrap(), HeaderValue::from_str(value).unwrap())
            });
            BodyKind::of(&headers.collect()).ok()
        };
        let of = |sent| kind(&[("content-type", sent)]);
        for sent in ["application/json", "Application/JSON; charset=UTF-8"] {
            assert_eq!(of(sent), Some(BodyKind::Json), "{sent}");
        }
        for sent in ["text/plain", "text/plain;charset=utf-8", "text/plain; charset=\"utf8\""] {
            assert_eq!(of(sent), Some(BodyKind::Text), "{sent}");
        }
        for sent in ["", "text/html", "application/x-www-form-urlencoded", "text/plain;charset=x"] {
            assert_eq!(of(sent), None, "{sent}");
        }
        assert_eq!(kind(&[]), None);
        let json = ("content-type", "application/json");
        assert_eq!(kind(&[json, ("content-encoding", "gzip")]), None);
        assert_eq!(kind(&[json, ("content-encoding", "identity")]), Some(BodyKind::Json));
    }

    #[test]
    fn what_holds_no_query_is_refused() {
        let query = |kind: BodyKind, body: &'static str| kind.query(body.into()).ok();
        assert_eq!(query(BodyKind::Json, r#"{"query":"SELECT 1"}"#).as_deref(), Some("SELECT 1"));
        assert_eq!(query(BodyKind::Text, " SELECT 1\n").as_deref(), Some(" SELECT 1\n"));
        for body in
            ["", "{}", "[]", "[\"SELECT 1\"]", "SELECT 1", r#"{"query":1}"#, r#"{"query":" "}"#]
        {
            assert_eq!(query(BodyKind::Json, body), None, "{body}");
        }
        assert_eq!(query(BodyKind::Text, " \n"), None);
        assert!(BodyKind::Text.query(Bytes::from_static(b"\xff")).is_err());
    }
}
