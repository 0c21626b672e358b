//! `POST /v1/events`: receives events.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;

use super::answers::Held;
use super::body::{drain, read};
use super::error::HttpError;
use super::observe::observed;
use super::request::{caller, joined, within};
use super::shared::Shared;
use super::shares::{DecoderTurn, Reserved};
use crate::access::Scope;
use crate::app::{AppError, Receipt};
use crate::event::{Decoded, OrgId};
use crate::ingest::EVENTS_MAX;
use crate::ingest::{BinaryCloudEvent, ContentKind, IngestError};

/// How long a request may wait for storage, so that it is answered within ten seconds.
const STORE_WAIT: Duration = Duration::from_millis(9_500);
/// Bodies up to this size are decoded on the network's threads, larger ones on others.
const INLINE_BYTES_MAX: usize = 16 * 1024;
/// No valid event has a shorter text.
const EVENT_BYTES_MIN: usize = r#"{"event_id":"a","ts":1}"#.len();
/// Memory of a row in addition to its text and its organisation's name.
const ROW_BYTES: usize = 192;
/// The media type of answers.
const JSON: &str = "application/json";

/// `POST /v1/events`.
pub(super) async fn post(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    // The client sent `Expect: 100-continue`; reading the body would send the 100.
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

/// The answer, and the memory that it takes. If there is none left, the reasons of rejections are
/// left out: the valid events are already durable, so it is too late to refuse the request.
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

/// The announced size of a body, or the largest size if none is announced.
fn announced(headers: &HeaderMap, bytes_max: usize) -> Result<usize, HttpError> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    match announced {
        Some(bytes) if bytes > bytes_max => {
            Err(IngestError::TooLarge { max_bytes: bytes_max }.into())
        }
        announced => Ok(announced.unwrap_or(bytes_max)),
    }
}

/// Decodes a body's events, and returns them with the memory that they take until they are
/// committed. Decompressed and decoded data has a separate budget, so that bodies that are being
/// read, however slowly, do not wait for bodies that are being decoded.
async fn decode(
    shared: &Arc<Shared>,
    org_id: &OrgId,
    kind: ContentKind,
    headers: HeaderMap,
    body: Bytes,
    read: Reserved,
) -> Result<(Decoded, Memory), HttpError> {
    let is_packed = headers.contains_key(CONTENT_ENCODING);
    let is_large = is_packed || body.len() > INLINE_BYTES_MAX;
    let turn = if is_large { shared.decoders.turn(org_id).await } else { None };
    let (body, turn, unpacked) = if is_packed {
        let (body, turn) = unpack(shared, org_id, &headers, body, turn).await?;
        let bytes = body.len();
        (body, turn, bytes)
    } else {
        (body, turn, 0)
    };
    // Reserved all at once: two requests that each hold a part would wait for each other.
    let grown = shared.decoding.reserve(org_id, unpacked + row_bytes(&body, org_id)).await?;
    let memory = Memory { grown, read };
    let (app, org) = (shared.app.clone(), org_id.clone());
    let work = move || {
        // Held until the work is done, even if the client has disconnected.
        let (mut memory, _turn) = (memory, turn);
        let decoded = app.decode(&org, kind, cloud_event(&headers), None, body)?;
        let bytes = decoded.batch.record_batch().get_array_memory_size();
        memory.shrink(bytes + decoded.rejection_bytes());
        Ok::<_, IngestError>((decoded, memory))
    };
    if is_large { off_the_network(work).await } else { Ok(work()?) }
}

/// The decompressed body.
async fn unpack(
    shared: &Arc<Shared>,
    org_id: &OrgId,
    headers: &HeaderMap,
    body: Bytes,
    turn: Option<DecoderTurn>,
) -> Result<(Bytes, Option<DecoderTurn>), HttpError> {
    let app = shared.app.clone();
    let memory = shared.decoding.reserve(org_id, app.settings().body_bytes_max).await?;
    let coding = joined(headers, CONTENT_ENCODING).map(Cow::into_owned);
    let work = move || {
        let _memory = memory;
        Ok((app.decompress(coding.as_deref(), body)?, turn))
    };
    off_the_network(work).await
}

/// Runs work on a thread that may block.
async fn off_the_network<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, IngestError> + Send + 'static,
) -> Result<T, HttpError> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.map_err(|error| AppError::Internal(error.to_string()))??)
}

/// How much more memory than its text the rows of a body may take: none, unless its events are very
/// short. Each `{` counts as a row, because an event is an object.
fn row_bytes(body: &[u8], org_id: &OrgId) -> usize {
    let rows = memchr::memchr_iter(b'{', body).count();
    let rows = rows.min(EVENTS_MAX).min(body.len() / EVENT_BYTES_MIN);
    let bytes = rows.saturating_mul(ROW_BYTES + org_id.as_str().len());
    bytes.saturating_sub(body.len())
}

/// Memory reserved for a body's events until they are committed.
struct Memory {
    /// For the decompressed and decoded data.
    grown: Reserved,
    read: Reserved,
}

impl Memory {
    /// Releases all but `bytes`.
    fn shrink(&mut self, bytes: usize) {
        self.grown.shrink(bytes);
        self.read.shrink(bytes.saturating_sub(self.grown.bytes()));
    }
}

/// The headers of a CloudEvent in binary mode, if any of the required ones is present.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::OrgRule;
    use crate::ingest::decode;

    /// How much larger than their content columns may have grown.
    const SLACK: usize = 2;

    #[test]
    fn rows_take_no_more_than_was_counted_before_they_were_there() {
        for org in ["a", &"o".repeat(128)] {
            let org_id = OrgId::parse(org).unwrap();
            for event in [
                r#"{"event_id":"NUMBER","ts":1714557600,"provider":"p","model":"m"}"#,
                r#"{"event_id":"NUMBER","ts":"2024-05-01T10:00:00Z","provider":"openai","model":"gpt","input_tokens":10,"attributes":{"a":"b","c":"d"}}"#,
            ] {
                let events = (0..20_000).map(|n| event.replace("NUMBER", &format!("{n:05}")));
                let body = events.collect::<Vec<_>>().join("\n");
                let (kind, rule) = (ContentKind::Ndjson, OrgRule::Only(org_id.clone()));
                let now = 1_800_000_000_000_000;
                let decoded = decode(kind, None, body.as_bytes(), rule, now).unwrap();
                assert_eq!(decoded.batch.len(), 20_000);
                let bytes = decoded.batch.record_batch().get_array_memory_size();
                let counted = body.len() + row_bytes(body.as_bytes(), &org_id);
                assert!(bytes <= SLACK * counted, "{bytes} and {counted} for {event}");
            }
        }
    }

    #[test]
    fn bad_events_need_no_more_than_the_shortest_good_ones_of_the_same_bytes() {
        let (bad, org) = ("{},".repeat(1 << 20), OrgId::parse("acme").unwrap());
        let bytes = row_bytes(bad.as_bytes(), &org);
        assert!(bytes < 10 * bad.len(), "{bytes}");
    }

    #[test]
    fn usual_events_need_no_more_than_their_text() {
        let event = r#"{"event_id":"b6f8b0b2-3f0e-4a5c-9a3c-2d2f1f7a9f10","ts":"2024-05-01T10:00:00Z","provider":"openai","model":"gpt-4o-mini","input_tokens":1024,"output_tokens":512,"cached_input_tokens":0,"cost_usd":"0.0123","source":"gateway-1"}"#;
        assert_eq!(row_bytes(event.as_bytes(), &OrgId::parse("acme").unwrap()), 0);
    }
}
