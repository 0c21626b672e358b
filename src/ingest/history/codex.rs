//! Codex's rollouts: a record for each response, or, of older programs, sums that grow.

use std::borrow::Cow;

use super::rows::{Rows, event};
use crate::event::FieldValue;
use crate::ingest::call::Call;
use crate::ingest::json_object::Object;
use crate::ingest::tokens::{TokenCount, Usage};

/// Input, what of it was cached and written, output and thoughts.
type RolloutTokens = [i64; 5];

const NAMES: [&str; 5] = [
    "input_tokens",
    "cached_input_tokens",
    "cache_write_input_tokens",
    "output_tokens",
    "reasoning_output_tokens",
];

/// What a rollout has told so far.
#[derive(Debug, Default)]
pub(super) struct Rollout {
    session: String,
    provider: Option<String>,
    model: Option<String>,
    /// The sums of its calls.
    sums: RolloutTokens,
    /// A call by its sums that a record may tell, too.
    by_sums: Option<(RolloutTokens, u64, Vec<u8>)>,
    /// A call by its record that sums may tell, too.
    by_record: Option<RolloutTokens>,
}

impl Rollout {
    pub(super) fn row(&mut self, line: u64, row: &Object<'_>, events: &mut Rows) {
        let payload = row.object("payload");
        let Some(kind) = row.text("type") else { return };
        match kind.as_ref() {
            "session_meta" => {
                self.session = payload.text("id").unwrap_or_default().into_owned();
                self.provider = payload.text("model_provider").map(Cow::into_owned);
            }
            "turn_context" => {
                let model = payload.text("model").map(Cow::into_owned);
                self.model = model.or(self.model.take());
            }
            "token_usage_record" => self.record(line, row, &payload, events),
            "event_msg" if payload.text("type").is_some_and(|kind| kind == "token_count") => {
                self.sums(line, row, &payload, events);
            }
            _ => {}
        }
    }

    pub(super) fn end(&mut self, events: &mut Rows) {
        events.extend(self.by_sums.take().map(|(_, line, event)| (line, event)));
    }

    /// A response with its own tokens.
    fn record(&mut self, line: u64, row: &Object<'_>, payload: &Object<'_>, events: &mut Rows) {
        let usage = payload.object("usage");
        let tokens = of(&usage);
        match self.by_sums.take() {
            Some((same, ..)) if same == tokens => self.by_record = None,
            other => {
                self.by_sums = other;
                self.end(events);
                self.by_record = Some(tokens);
            }
        }
        let [input, cached, written, output, reasoning] =
            NAMES.map(|name| usage.text(name).map(TokenCount::of_text));
        let usage = Usage { input, cached, written, output, reasoning, ..Usage::default() };
        let mut call = self.call(row, usage);
        call.event_id = payload.text("response_id");
        call.model = payload.text("model").or(call.model);
        events.push((line, event(call)));
    }

    /// The sums of all calls up to here: the last one is what they have grown by.
    fn sums(&mut self, line: u64, row: &Object<'_>, payload: &Object<'_>, events: &mut Rows) {
        let info = payload.object("info");
        let sums = of(&info.object("total_token_usage"));
        let before = std::mem::replace(&mut self.sums, sums);
        let pairs = || sums.into_iter().zip(before);
        // Sums that are less than before begin anew.
        let anew = pairs().any(|(sum, before)| sum < before);
        let mut grown = sums;
        if !anew {
            grown.iter_mut().zip(before).for_each(|(grown, before)| *grown -= before);
        }
        if grown.iter().all(|count| *count == 0) {
            return;
        }
        self.end(events);
        if self.by_record.take() == Some(grown) {
            return;
        }
        let [input, cached, written, output, reasoning] =
            grown.map(|count| Some(TokenCount::Known(count)));
        let usage = Usage { input, cached, written, output, reasoning, ..Usage::default() };
        let [all_input, _, _, all_output, _] = sums;
        let mut call = self.call(row, usage);
        call.event_id = Some(Cow::Owned(format!(
            "{} {} {all_input} {all_output}",
            self.session,
            row.text("timestamp").unwrap_or_default()
        )));
        self.by_sums = Some((grown, line, event(call)));
    }

    fn call<'a>(&'a self, row: &Object<'a>, usage: Usage<'a>) -> Call<'a> {
        let text = |text: &'a str| (!text.is_empty()).then_some(Cow::Borrowed(text));
        let session = text(&self.session).map(FieldValue::Text);
        Call {
            ts: row.text("timestamp").map(FieldValue::Text),
            provider: text(self.provider.as_deref().unwrap_or("openai")),
            model: self.model.as_deref().and_then(text),
            usage,
            source: Some(Cow::Borrowed("codex")),
            attributes: session.map(|id| (Cow::Borrowed("session.id"), id)).into_iter().collect(),
            ..Call::default()
        }
    }
}

/// Counts that are none are 0.
fn of(usage: &Object<'_>) -> RolloutTokens {
    NAMES.map(|name| match usage.text(name).map(TokenCount::of_text) {
        Some(TokenCount::Known(count)) => count.max(0),
        _ => 0,
    })
}
