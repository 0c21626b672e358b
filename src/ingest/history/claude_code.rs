//! Claude Code's transcripts: many lines of one reply, of which the last one has all its tokens.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use super::rows::{Rows, event};
use crate::event::FieldValue;
use crate::ingest::call::{Call, is_zero};
use crate::ingest::json_object::Object;
use crate::ingest::tokens::{Convention, TokenCount, Usage};

/// Replies of which another line may come. The oldest of more are taken as they are; their further
/// lines have the same id, and are duplicates.
const OPEN_MAX: usize = 16 << 10;

/// What the program writes in place of a reply.
const SYNTHETIC: &str = "<synthetic>";

/// The replies of a file that may not be whole.
#[derive(Debug, Default)]
pub(super) struct Replies {
    /// By the number of their last row.
    pub(super) open: BTreeMap<u64, (String, u64, Vec<u8>)>,
    last_rows: HashMap<String, u64>,
    rows: u64,
}

impl Replies {
    pub(super) fn row(&mut self, line: u64, row: &Object<'_>, events: &mut Rows) {
        let message = row.object("message");
        let Some((id, call)) = reply(row, &message) else { return };
        self.rows += 1;
        if let Some(earlier) = self.last_rows.insert(id.clone(), self.rows) {
            self.open.remove(&earlier);
        }
        self.open.insert(self.rows, (id, line, event(call)));
        if self.open.len() > OPEN_MAX
            && let Some((_, (id, line, event))) = self.open.pop_first()
        {
            self.last_rows.remove(&id);
            events.push((line, event));
        }
    }

    pub(super) fn end(&mut self, events: &mut Rows) {
        let open = std::mem::take(&mut self.open);
        events.extend(open.into_values().map(|(_, line, event)| (line, event)));
        self.last_rows.clear();
    }
}

/// The reply in a row, and its id: that which its log has, too, else that of the message.
fn reply<'a>(row: &Object<'a>, message: &Object<'a>) -> Option<(String, Call<'a>)> {
    message.get("usage")?;
    let is_reply = row.text("type").is_none_or(|kind| kind == "assistant");
    let model = message.text("model").filter(|model| model != SYNTHETIC)?;
    let id = row.text("requestId").or_else(|| message.text("id"))?;
    let usage = message.object("usage");
    let tokens = tokens(&usage);
    // A reported 0 means that the program has no price.
    let cost = row.text("costUSD").filter(|cost| !(is_zero(cost) && tokens.is_some()));
    let session = row.text("sessionId").map(FieldValue::Text);
    let call = Call {
        event_id: Some(id.clone()),
        ts: row.text("timestamp").map(FieldValue::Text),
        provider: Some(Cow::Borrowed("anthropic")),
        model: Some(model),
        cost,
        tier: usage.text("service_tier"),
        speed: usage.text("speed"),
        usage: tokens,
        source: Some(Cow::Borrowed("claude-code")),
        attributes: session.map(|id| (Cow::Borrowed("session.id"), id)).into_iter().collect(),
    };
    is_reply.then(|| (id.into_owned(), call))
}

fn tokens<'a>(usage: &Object<'a>) -> Usage<'a> {
    let count = |object: &Object<'a>, name| object.text(name).map(TokenCount::of_text);
    let written = usage.object("cache_creation");
    let tokens = Usage {
        input: count(usage, "input_tokens"),
        output: count(usage, "output_tokens"),
        cached: count(usage, "cache_read_input_tokens"),
        written: count(usage, "cache_creation_input_tokens"),
        reasoning: count(&usage.object("output_tokens_details"), "thinking_tokens"),
        written_hour: count(&written, "ephemeral_1h_input_tokens"),
        ..Usage::default()
    };
    tokens.with_input_parts(Convention::Exclusive)
}
