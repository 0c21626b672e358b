//! `POST /v1/events`: events in.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;

use super::Shared;
use super::answers::Held;
use super::body::{drain, read};
use super::error::HttpError;
use super::observe::observed;
use super::request::{caller, joined, within};
use super::shares::Reserved;
use crate::access::Scope;
use crate::app::{AppError, Receipt};
use crate::event::{Decoded, OrgId};
use crate::ingest::{BinaryCloudEvent, ContentKind, IngestError};

/// How long a request may wait for storage, to be answered within ten seconds.
const STORE_WAIT: Duration = Duration::from_millis(9_500);
/// Bodies up to this size are decoded where they are; larger ones off the network's threads.
const INLINE_BYTES_MAX: usize = 16 * 1024;
/// The media type of answers.
const JSON: &str = "application/json";

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
        if let Err(error) = &answered
            && !asks_first
        {
            drain(body, error).await;
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
    let asked = caller(&shared.app, &headers, Scope::EventsWrite);
    let start = Instant::now();
    let org_id = within(STORE_WAIT, asked).await?.org_id.clone();
    let turn = shared.posts.begin(&org_id)?;
    let asking = start.elapsed();
    let content_type =
        headers.get(CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let kind = match cloud_event(&headers) {
        None => ContentKind::from_content_type(content_type.as_deref())?,
        Some(_) => ContentKind::of_cloud_event(content_type.as_deref())?,
    };
    let bytes_max = shared.app.settings().body_bytes_max;
    let memory = shared.bodies.reserve(&org_id, announced(&headers, bytes_max)?).await?;
    let too_large = || IngestError::TooLarge { max_bytes: bytes_max }.into();
    let body = read(shared.app.telemetry(), body, bytes_max, too_large).await?;
    let start = Instant::now();
    // What a body grows to has memory of its own, so that bodies that are being read, however
    // slowly, do not wait for those that are being decoded.
    let grown = if headers.contains_key(CONTENT_ENCODING) { bytes_max } else { 0 };
    let memory = [memory, shared.decoding.reserve(&org_id, grown).await?];
    let decoded = decode(shared, &org_id, kind, headers, body, memory);
    let (decoded, memory) = within(STORE_WAIT.saturating_sub(asking), decoded).await?;
    let events = decoded.events();
    let wait = STORE_WAIT.saturating_sub(asking + start.elapsed());
    let receipt = within(wait, async { Ok(shared.app.commit(&org_id, decoded).await?) }).await?;
    drop(memory);
    let all_bad = events > 0 && receipt.rejected() == events;
    let status = if all_bad { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let (told, memory) = told(shared, &org_id, receipt)?;
    let response = (status, [(CONTENT_TYPE, JSON)], told).into_response();
    Ok(Held::new((turn, memory)).until_taken(response))
}

/// The answer, and the memory that it takes. Where there is none, what is wrong with events is left
/// out: those that are good stand in the archive, so that it is no time to refuse.
fn told(
    shared: &Shared,
    org_id: &OrgId,
    receipt: Receipt,
) -> Result<(Vec<u8>, Option<Held>), HttpError> {
    let text = |receipt: &Receipt| {
        let text = serde_json::to_vec(receipt);
        text.map_err(|error| AppError::Internal(error.to_string()))
    };
    let whole = text(&receipt)?;
    if let Some(held) = shared.answers.try_hold(org_id, whole.len()) {
        return Ok((whole, Some(held)));
    }
    shared.app.telemetry().overload.answers_without_memory.inc();
    Ok((text(&receipt.without_reasons())?, None))
}

/// The bytes that a body announces; the largest body where it does not.
fn announced(headers: &HeaderMap, bytes_max: usize) -> Result<usize, HttpError> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    match announced {
        Some(bytes) if bytes > bytes_max => {
            Err(IngestError::TooLarge { max_bytes: bytes_max }.into())
        }
        announced => Ok(announced.unwrap_or(bytes_max)),
    }
}

async fn decode(
    shared: &Arc<Shared>,
    org_id: &OrgId,
    kind: ContentKind,
    headers: HeaderMap,
    body: Bytes,
    memory: [Reserved; 2],
) -> Result<(Decoded, [Reserved; 2]), HttpError> {
    let (app, org) = (shared.app.clone(), org_id.clone());
    let large = body.len() > INLINE_BYTES_MAX || headers.contains_key(CONTENT_ENCODING);
    let work = move || {
        // Held until the work is done, also when the client has gone and nobody waits for it.
        let memory = memory;
        let (encoding, event) = (joined(&headers, CONTENT_ENCODING), cloud_event(&headers));
        let decoded = app.decode(&org, kind, event, encoding.as_deref(), body)?;
        let bytes = decoded.batch.record_batch().get_array_memory_size();
        let memory = shrunk(memory, bytes + decoded.rejection_bytes());
        Ok::<_, IngestError>((decoded, memory))
    };
    if !large {
        return Ok(work()?);
    }
    let decoder = shared.decoders.turn(org_id).await;
    let decoded = tokio::task::spawn_blocking(move || {
        let _decoder = decoder;
        work()
    });
    let decoded = decoded.await;
    Ok(decoded.map_err(|error| AppError::Internal(error.to_string()))??)
}

/// What events, and what is wrong with others, take until they are committed, of what their body was
/// given.
fn shrunk([mut body, mut grown]: [Reserved; 2], bytes: usize) -> [Reserved; 2] {
    grown.shrink(bytes);
    body.shrink(bytes.saturating_sub(grown.bytes()));
    [body, grown]
}

/// The headers of a CloudEvent in binary mode, if it has any that one must have.
fn cloud_event(headers: &HeaderMap) -> Option<BinaryCloudEvent<'_>> {
    let header = |name: &str| headers.get(name).map(HeaderValue::as_bytes);
    let event = BinaryCloudEvent {
        specversion: header("ce-specversion"),
        id: header("ce-id"),
        source: header("ce-source"),
        time: header("ce-time"),
    };
    let required = [event.specversion, event.id, event.source];
    required.iter().any(Option::is_some).then_some(event)
}
