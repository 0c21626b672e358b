//! `POST /v1/events`: events in.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::sync::SemaphorePermit;

use super::Shared;
use super::error::{HttpError, plain};
use super::observe::observed;
use super::request::{caller, joined, within};
use crate::access::Scope;
use crate::app::AppError;
use crate::event::{Decoded, OrgId};
use crate::ingest::{BinaryCloudEvent, ContentKind, IngestError};

/// How long a request may wait for storage, to be answered within ten seconds.
const STORE_WAIT: Duration = Duration::from_millis(9_500);
/// How long a request waits for memory for its body.
const MEMORY_WAIT: Duration = Duration::from_secs(1);
/// What is read of a refused body, and for how long.
const DRAINED_BYTES_MAX: usize = 128 << 20;
const DRAIN_WAIT: Duration = Duration::from_secs(10);
/// How long a client may take to send its body.
const BODY_WAIT: Duration = Duration::from_secs(60);
/// Bodies up to this size are decoded where they are; larger ones off the network's threads.
const INLINE_BYTES_MAX: usize = 16 * 1024;

/// `POST /v1/events`.
pub(super) async fn post(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    // Such a client asks first: to read its body would be to ask for it.
    let asks_first = headers.contains_key(EXPECT);
    let work = async {
        let mut body = body;
        let answered = answer(&shared, headers, &mut body).await;
        if answered.is_err() && !asks_first {
            drain(body).await;
        }
        answered
    };
    observed(shared.app.telemetry(), "/v1/events", &Method::POST, work).await
}

async fn answer(
    shared: &Arc<Shared>,
    headers: HeaderMap,
    body: &mut Body,
) -> Result<Response, HttpError> {
    let start = Instant::now();
    let asked = caller(&shared.app, &headers, Scope::EventsWrite);
    let org_id = within(STORE_WAIT, asked).await?.org_id.clone();
    let wait = STORE_WAIT.saturating_sub(start.elapsed());
    let content_type =
        headers.get(CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let kind = ContentKind::from_content_type(content_type.as_deref())?;
    let bytes_max = shared.app.settings().body_bytes_max;
    let _memory = reserve(shared, &headers, bytes_max).await?;
    let body = read(body, bytes_max).await?;
    let decoded = decode(shared, &org_id, kind, headers, body).await?;
    let events = decoded.events();
    let receipt = within(wait, async { Ok(shared.app.commit(&org_id, decoded).await?) }).await?;
    let all_bad = events > 0 && receipt.rejected.len() == events;
    let status = if all_bad { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok((status, Json(receipt)).into_response())
}

/// Reads what is left of a refused body, up to a bound. A client that sends all of its request
/// before it reads would else find the connection reset, and never see why it was refused.
async fn drain(mut body: Body) {
    let read = async {
        let mut left = DRAINED_BYTES_MAX;
        while let Some(Ok(frame)) = body.frame().await {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            left = left.saturating_sub(bytes);
            if left == 0 {
                return;
            }
        }
    };
    // A client that is too slow for this is cut off, as one that sends too much is.
    let _ = tokio::time::timeout(DRAIN_WAIT, read).await;
}

/// Memory for the body: what it announces, and the largest body once more where it may grow.
async fn reserve<'a>(
    shared: &'a Shared,
    headers: &HeaderMap,
    bytes_max: usize,
) -> Result<SemaphorePermit<'a>, HttpError> {
    let announced =
        headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > bytes_max) {
        return Err(IngestError::TooLarge { max_bytes: bytes_max }.into());
    }
    let grown = if headers.contains_key(CONTENT_ENCODING) { bytes_max } else { 0 };
    let kib = announced
        .unwrap_or(bytes_max)
        .saturating_add(grown)
        .div_ceil(1024)
        .min(super::BODIES_KIB_MAX);
    let permits = shared.bodies.acquire_many(u32::try_from(kib).unwrap_or(u32::MAX));
    match tokio::time::timeout(MEMORY_WAIT, permits).await {
        Ok(Ok(permit)) => Ok(permit),
        _ => Err(plain(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many requests at once; try again in a second",
        )),
    }
}

async fn read(body: &mut Body, bytes_max: usize) -> Result<Bytes, HttpError> {
    let collected = tokio::time::timeout(BODY_WAIT, Limited::new(body, bytes_max).collect()).await;
    match collected {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            Err(IngestError::TooLarge { max_bytes: bytes_max }.into())
        }
        Ok(Err(error)) => {
            Err(plain(StatusCode::BAD_REQUEST, &format!("the body broke off: {error}")))
        }
        Err(_) => Err(plain(StatusCode::REQUEST_TIMEOUT, "the body took more than a minute")),
    }
}

async fn decode(
    shared: &Arc<Shared>,
    org_id: &OrgId,
    kind: ContentKind,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Decoded, HttpError> {
    let (shared, org_id) = (shared.clone(), org_id.clone());
    let large = body.len() > INLINE_BYTES_MAX || headers.contains_key(CONTENT_ENCODING);
    let work = move || {
        let encoding = joined(&headers, CONTENT_ENCODING);
        shared.app.decode(&org_id, kind, cloud_event(&headers), encoding.as_deref(), body)
    };
    if !large {
        return Ok(work()?);
    }
    let decoded = tokio::task::spawn_blocking(work).await;
    Ok(decoded.map_err(|error| AppError::Internal(error.to_string()))??)
}

/// The headers of a CloudEvent in binary mode, if it is one.
fn cloud_event(headers: &HeaderMap) -> Option<BinaryCloudEvent<'_>> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let event = BinaryCloudEvent {
        specversion: header("ce-specversion"),
        id: header("ce-id"),
        source: header("ce-source"),
        time: header("ce-time"),
    };
    (event.specversion.is_some() || event.id.is_some()).then_some(event)
}
