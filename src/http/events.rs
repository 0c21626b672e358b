//! Events in: what is the same for all doors, from a body to its commit.

use std::borrow::Cow;
use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use axum::response::Response;
use bytes::Bytes;

use super::answers::HeldUntilSent;
use super::body::read;
use super::endpoint::{Endpoint, Request};
use super::error::{HttpError, response};
use super::request::joined;
use super::shared::Shared;
use super::shares::{DecoderTurn, Reserved, Turns};
use crate::access::{Caller, Scope};
use crate::app::AppError;
use crate::event::{Decoded, OrgId};
use crate::ingest::{Answer, ContentKind, Door, EVENTS_MAX, IngestError, Receipt, calls_max};

/// Bodies up to this size are decoded on the network's threads, larger ones on others.
const INLINE_BYTES_MAX: usize = 16 * 1024;
/// No valid event has a shorter text.
const EVENT_BYTES_MIN: usize = r#"{"event_id":"a","ts":1}"#.len();
/// Memory of a row in addition to its text and its organisation's name.
const ROW_BYTES: usize = 192;

/// `POST` to a door.
#[derive(Debug, Clone, Copy)]
pub(super) struct Events(pub(super) &'static dyn Door);

impl Endpoint for Events {
    const SCOPE: Scope = Scope::EventsWrite;

    fn path(self) -> &'static str {
        self.0.path()
    }

    fn turns(shared: &Shared) -> &Turns {
        &shared.posts
    }

    async fn answer(self, request: Request<'_>) -> Result<Response, HttpError> {
        let Request { shared, headers, body, caller, turn, mut store_wait } = request;
        let (app, org_id) = (&shared.app, &caller.org_id);
        let kind = self.0.kind(headers)?;
        let bytes_max = app.settings().body_bytes_max;
        let memory = shared.bodies.reserve(org_id, announced(headers, bytes_max)?).await?;
        let too_large = || IngestError::TooLarge { max_bytes: bytes_max }.into();
        let body = read(app.telemetry(), body, bytes_max, too_large).await?;
        let (body, coding) = self.0.message(headers, body)?;
        let coding = coding.or_else(|| joined(headers, CONTENT_ENCODING).map(Cow::into_owned));
        let decoded = decode(shared, &caller, kind, coding, body, memory);
        let (decoded, memory) = store_wait.within(decoded).await?;
        let commit = async { Ok(app.commit_as(&caller, decoded).await?) };
        let receipt = store_wait.within(commit).await?;
        drop(memory);
        let (answer, memory) = self.receipt(shared, org_id, headers, receipt)?;
        Ok(HeldUntilSent::new((turn, memory)).until_taken(response(answer)))
    }

    fn refusal(self, headers: &HeaderMap, error: HttpError) -> Response {
        error.respond(|status, message| self.0.refusal(headers, status, message))
    }
}

impl Events {
    /// The answer, and the memory that it takes. Where there is none, what is wrong with events is
    /// left out: those that are good stand in the archive, so that it is no time to refuse.
    fn receipt(
        self,
        shared: &Shared,
        org_id: &OrgId,
        headers: &HeaderMap,
        receipt: Receipt,
    ) -> Result<(Answer, Option<HeldUntilSent>), HttpError> {
        let answer = |receipt: &Receipt| {
            let answer = self.0.answer(headers, receipt);
            answer.map_err(|error| AppError::Internal(error.to_string()))
        };
        let whole = answer(&receipt)?;
        if let Some(held) = shared.answers.try_hold(org_id, whole.body.len()) {
            return Ok((whole, Some(held)));
        }
        shared.app.telemetry().overload.answers_without_memory.inc();
        Ok((answer(&receipt.without_reasons())?, None))
    }
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
    caller: &Arc<Caller>,
    kind: ContentKind,
    coding: Option<String>,
    body: Bytes,
    read: Reserved,
) -> Result<(Decoded, BodyMemory), HttpError> {
    let org_id = &caller.org_id;
    let is_large = coding.is_some() || body.len() > INLINE_BYTES_MAX;
    let turn = if is_large { shared.decoders.turn(org_id).await } else { None };
    let (body, turn, unpacked) = match coding {
        Some(coding) => {
            let (body, turn) = unpack(shared, org_id, coding, body, turn).await?;
            let bytes = body.len();
            (body, turn, bytes)
        }
        None => (body, turn, 0),
    };
    // Reserved all at once: two requests that each hold a part would wait for each other.
    let rows = row_bytes(&kind, &body, org_id);
    let grown = shared.decoding.reserve(org_id, unpacked + rows).await?;
    let memory = BodyMemory { grown, read };
    let (app, caller) = (shared.app.clone(), caller.clone());
    let work = move || {
        // Held until the work is done, even if the client has disconnected.
        let (mut memory, _turn) = (memory, turn);
        let decoded = app.decode(&*caller, &kind, &body)?;
        drop(body);
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
    coding: String,
    body: Bytes,
    turn: Option<DecoderTurn>,
) -> Result<(Bytes, Option<DecoderTurn>), HttpError> {
    let app = shared.app.clone();
    let memory = shared.decoding.reserve(org_id, app.settings().body_bytes_max).await?;
    let work = move || {
        let _memory = memory;
        Ok((app.decompress(Some(&coding), body)?, turn))
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
/// short. Each `{` counts as a row, because an event is an object. In OTLP the rows of one resource
/// share its attributes, which takes as much again as the body.
fn row_bytes(kind: &ContentKind, body: &[u8], org_id: &OrgId) -> usize {
    let (rows, text) = match kind {
        ContentKind::Otlp(_, encoding) => (calls_max(*encoding, body), 0),
        _ => {
            (memchr::memchr_iter(b'{', body).count().min(body.len() / EVENT_BYTES_MIN), body.len())
        }
    };
    let rows = rows.min(EVENTS_MAX);
    let bytes = rows.saturating_mul(ROW_BYTES + org_id.as_str().len());
    bytes.saturating_sub(text)
}

/// Memory reserved for a body's events until they are committed.
struct BodyMemory {
    /// For the decompressed and decoded data.
    grown: Reserved,
    read: Reserved,
}

impl BodyMemory {
    /// Releases all but `bytes`.
    fn shrink(&mut self, bytes: usize) {
        self.grown.shrink(bytes);
        self.read.shrink(bytes.saturating_sub(self.grown.bytes()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{EventBatchBuilder, OrgRule};
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
                let builder = EventBatchBuilder::new(rule, now);
                let decoded = decode(&kind, body.as_bytes(), builder).unwrap();
                assert_eq!(decoded.batch.len(), 20_000);
                let bytes = decoded.batch.record_batch().get_array_memory_size();
                let counted = body.len() + row_bytes(&kind, body.as_bytes(), &org_id);
                assert!(bytes <= SLACK * counted, "{bytes} and {counted} for {event}");
            }
        }
    }

    #[test]
    fn bad_events_need_no_more_than_the_shortest_good_ones_of_the_same_bytes() {
        let (bad, org) = ("{},".repeat(1 << 20), OrgId::parse("acme").unwrap());
        let bytes = row_bytes(&ContentKind::Ndjson, bad.as_bytes(), &org);
        assert!(bytes < 10 * bad.len(), "{bytes}");
    }

    #[test]
    fn usual_events_need_no_more_than_their_text() {
        let event = r#"{"event_id":"b6f8b0b2-3f0e-4a5c-9a3c-2d2f1f7a9f10","ts":"2024-05-01T10:00:00Z","provider":"openai","model":"gpt-4o-mini","input_tokens":1024,"output_tokens":512,"cached_input_tokens":0,"cost_usd":"0.0123","source":"gateway-1"}"#;
        let org = OrgId::parse("acme").unwrap();
        assert_eq!(row_bytes(&ContentKind::Ndjson, event.as_bytes(), &org), 0);
    }
}
