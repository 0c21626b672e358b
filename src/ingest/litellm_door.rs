//! The door of LiteLLM's generic callback: one object, a list, or objects on lines of their own,
//! under any JSON content type. It answers as that of events does.

use super::content::ContentKind;
use super::door::{Answer, Door, Headers};
use super::error::IngestError;
use super::events::Events;
use super::limits::EVENTS_MAX;
use super::receipt::Receipt;
use super::{json, litellm, ndjson};
use crate::event::{EventBatchBuilder, excerpt, json_split, json_text};
use crate::media::ContentType;

/// The door.
#[derive(Debug)]
pub(super) struct LiteLlm;

impl Door for LiteLlm {
    fn path(&self) -> &'static str {
        "/v1/litellm"
    }

    fn kind(&self, headers: &dyn Headers) -> Result<ContentKind, IngestError> {
        let sent = String::from_utf8_lossy(headers.get("content-type").unwrap_or_default());
        let content_type = ContentType::of(&sent);
        let name = content_type.name().to_ascii_lowercase();
        if name.contains("json") && content_type.is_utf8() {
            return Ok(ContentKind::LiteLlm);
        }
        let accepted = "application/json or application/x-ndjson".to_owned();
        Err(IngestError::UnsupportedType { sent: excerpt(&sent), accepted })
    }

    fn answer(
        &self,
        headers: &dyn Headers,
        receipt: &Receipt,
    ) -> Result<Answer, serde_json::Error> {
        Events.answer(headers, receipt)
    }

    fn refusal(&self, headers: &dyn Headers, status: u16, message: &str) -> Answer {
        Events.refusal(headers, status, message)
    }
}

/// Reads a whole body.
pub(super) fn decode(body: &[u8], builder: &mut EventBatchBuilder) -> Result<(), IngestError> {
    let mut all_read = true;
    if body.trim_ascii_start().starts_with(b"[") {
        json::each(body, |index, object| match object {
            Ok(object) => all_read &= push(builder, index, object),
            Err(error) => {
                all_read = false;
                builder.reject(index, None, json::not_utf8(error));
            }
        })?;
    } else if json_split::members(body, json_text::MEMBERS_MAX).is_some() {
        all_read = push(builder, 0, json::utf8(body)?);
    } else {
        return lines(body, builder);
    }
    json::not_all_broken(body, builder, all_read)
}

fn lines(body: &[u8], builder: &mut EventBatchBuilder) -> Result<(), IngestError> {
    let mut any_read = false;
    for (index, line) in ndjson::lines(body).filter(|line| *line != Ok("")).enumerate() {
        if index == EVENTS_MAX {
            return Err(IngestError::TooManyEvents);
        }
        match line {
            Ok(line) => any_read |= push(builder, index, line),
            Err(line) => builder.reject(index, None, json::not_utf8(line.error)),
        }
    }
    if any_read {
        return Ok(());
    }
    json_text::whole(json::utf8(body)?).map_err(|error| json::not_json(&error))?;
    Err(IngestError::NotEvents("it is neither an object nor a list"))
}

/// Adds the call in one object, if it was one; false if the object cannot be read.
fn push(builder: &mut EventBatchBuilder, index: usize, object: &str) -> bool {
    let read = litellm::fields(object);
    match &read {
        Ok(Some(fields)) => builder.push(index, fields),
        Ok(None) => {}
        Err(error) => builder.reject(index, None, error.clone()),
    }
    read.is_ok()
}
