//! Codex's rollouts: a record for each response, or, of older programs, sums that grow.
//!
//! Newer programs write both, in any order, and one row of sums may be of several records. So what
//! the records add up to is kept beside what the sums say, and each call is taken from one of them.

use std::borrow::Cow;
use std::collections::VecDeque;

use super::fork::Fork;
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

/// Calls of which another row may tell. Of more, the oldest ones wait no longer.
const WAITING_MAX: usize = 64;

/// What a rollout has told so far.
#[derive(Debug, Default)]
pub(super) struct Rollout {
    /// The file's own: those of the sessions that it was forked from may follow.
    session: Option<String>,
    fork: Fork,
    provider: Option<String>,
    model: Option<String>,
    /// The tokens of all its calls up to here.
    sums: RolloutTokens,
    /// The last sums that were told; none in a rollout of records alone.
    told: Option<RolloutTokens>,
    by_sums: VecDeque<CallBySums>,
    by_record: VecDeque<CallByRecord>,
}

/// A call by its sums that a record may tell, too.
#[derive(Debug)]
struct CallBySums {
    tokens: RolloutTokens,
    sums: RolloutTokens,
    line: u64,
    event: Vec<u8>,
}

/// A call by its record that sums may tell, too.
#[derive(Debug)]
struct CallByRecord {
    tokens: RolloutTokens,
    sums: RolloutTokens,
}

impl Rollout {
    pub(super) fn row(&mut self, line: u64, row: &Object<'_>, events: &mut Rows) {
        let payload = row.object("payload");
        let Some(kind) = row.text("type") else { return };
        let is_copy = self.fork.has(row);
        match kind.as_ref() {
            "session_meta" if self.session.is_none() => {
                self.session = payload.text("id").map(Cow::into_owned);
                self.provider = payload.text("model_provider").map(Cow::into_owned);
                self.fork = Fork::of(row, &payload);
            }
            "turn_context" => {
                let model = payload.text("model").map(Cow::into_owned);
                self.model = model.or(self.model.take());
                // The program that goes on may be a newer one: no record of it is of an earlier call.
                self.end(events);
            }
            "token_usage_record" if is_copy => self.sums = self.sums_with(&payload),
            "token_usage_record" => self.record(line, row, &payload, events),
            "event_msg" if payload.text("type").is_some_and(|kind| kind == "token_count") => {
                let info = payload.object("info");
                // Without sums it is of limits alone.
                let Some(sums) = tokens(&info, "total_token_usage") else { return };
                if is_copy {
                    (self.sums, self.told) = (sums, Some(sums));
                } else if self.told != Some(sums) {
                    self.sums(line, row, &info, sums);
                    self.told = Some(sums);
                }
            }
            _ => {}
        }
        self.limit(events);
    }

    pub(super) fn end(&mut self, events: &mut Rows) {
        events.extend(self.by_sums.drain(..).map(|call| (call.line, call.event)));
    }

    fn limit(&mut self, events: &mut Rows) {
        if self.by_sums.len() > WAITING_MAX {
            events.extend(self.by_sums.pop_front().map(|call| (call.line, call.event)));
        }
        if self.by_record.len() > WAITING_MAX {
            self.by_record.pop_front();
        }
    }

    /// The sums after a record, as it says or as they add up.
    fn sums_with(&self, payload: &Object<'_>) -> RolloutTokens {
        let added = || sum(self.sums, tokens(payload, "usage").unwrap_or_default());
        tokens(payload, "thread_token_usage").unwrap_or_else(added)
    }

    /// A response with its own tokens.
    fn record(&mut self, line: u64, row: &Object<'_>, payload: &Object<'_>, events: &mut Rows) {
        let usage = payload.object("usage");
        let of_call = of(&usage);
        let of_thread = tokens(payload, "thread_token_usage");
        let of_same = |call: &CallBySums| of_thread.is_some_and(|sums| is_same(call.sums, sums));
        let by_sums = self.by_sums.iter().position(of_same);
        let by_tokens = || self.by_sums.iter().position(|call| is_same(call.tokens, of_call));
        match by_sums.or_else(by_tokens) {
            Some(at) => {
                let told = self.by_sums.remove(at).filter(|_| at == self.by_sums.len());
                self.sums = told.map_or(self.sums, |call| call.sums);
            }
            None => {
                self.sums = self.sums_with(payload);
                self.by_record.push_back(CallByRecord { tokens: of_call, sums: self.sums });
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
    fn sums(&mut self, line: u64, row: &Object<'_>, info: &Object<'_>, sums: RolloutTokens) {
        let last = tokens(info, "last_token_usage");
        let last = last.filter(|last| !is_same(*last, RolloutTokens::default()));
        if self.are_of_records(sums, last) {
            return;
        }
        let Some(grown) = self.grown(sums, last) else { return };
        self.sums = sums;
        if is_same(grown, RolloutTokens::default()) {
            return;
        }
        let [input, cached, written, output, reasoning] =
            grown.map(|count| Some(TokenCount::Known(count)));
        let usage = Usage { input, cached, written, output, reasoning, ..Usage::default() };
        let [all_input, _, _, all_output, _] = sums;
        let mut call = self.call(row, usage);
        call.event_id = Some(Cow::Owned(format!(
            "{} {} {all_input} {all_output}",
            self.session.as_deref().unwrap_or_default(),
            row.text("timestamp").unwrap_or_default()
        )));
        let event = event(call);
        self.by_sums.push_back(CallBySums { tokens: grown, sums, line, event });
    }

    /// Whether sums tell of no call but those of records.
    fn are_of_records(&mut self, sums: RolloutTokens, last: Option<RolloutTokens>) -> bool {
        let is_last = |call: &CallByRecord| last.is_some_and(|last| is_same(call.tokens, last));
        let by_sums = self.by_record.iter().position(|call| is_same(call.sums, sums));
        let at = by_sums.or_else(|| self.by_record.iter().position(is_last));
        let Some(at) = at else { return false };
        self.by_record.drain(..=at);
        // What the sums hold besides, such as the calls of an earlier file, is in those after it, too.
        self.sums = sums;
        for call in &mut self.by_record {
            self.sums = sum(self.sums, call.tokens);
            call.sums = self.sums;
        }
        true
    }

    /// The tokens of the last call of `sums`; none if they were reached before.
    fn grown(&self, sums: RolloutTokens, last: Option<RolloutTokens>) -> Option<RolloutTokens> {
        let less = |sums: RolloutTokens, before: RolloutTokens| {
            let mut pairs = sums.into_iter().zip(before);
            pairs.any(|(sum, before)| sum < before)
        };
        match last {
            // What comes before the first call of a file is that of another one.
            Some(last) if self.told.is_none() && !less(sums, last) => Some(last),
            Some(last) if less(sums, self.sums) => is_same(sums, last).then_some(sums),
            // Sums that are less than before begin anew.
            None if less(sums, self.sums) => Some(sums),
            _ => {
                let mut grown = sums;
                let pairs = grown.iter_mut().zip(self.sums);
                pairs.for_each(|(grown, before)| *grown = grown.saturating_sub(before));
                Some(grown)
            }
        }
    }

    fn call<'a>(&'a self, row: &Object<'a>, usage: Usage<'a>) -> Call<'a> {
        let text = |text: &'a str| (!text.is_empty()).then_some(Cow::Borrowed(text));
        let session = self.session.as_deref().and_then(text).map(FieldValue::Text);
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

/// The tokens in an object within; none if there is none.
fn tokens(object: &Object<'_>, name: &str) -> Option<RolloutTokens> {
    object.get(name).map(|_| of(&object.object(name)))
}

/// Counts that are none are 0.
fn of(usage: &Object<'_>) -> RolloutTokens {
    NAMES.map(|name| match usage.text(name).map(TokenCount::of_text) {
        Some(TokenCount::Known(count)) => count.max(0),
        _ => 0,
    })
}

fn sum(mut tokens: RolloutTokens, more: RolloutTokens) -> RolloutTokens {
    tokens.iter_mut().zip(more).for_each(|(count, more)| *count = count.saturating_add(more));
    tokens
}

/// Whether input and output are the same. Their parts are not told by every row.
fn is_same(a: RolloutTokens, b: RolloutTokens) -> bool {
    let ([a_input, _, _, a_output, _], [b_input, _, _, b_output, _]) = (a, b);
    (a_input, a_output) == (b_input, b_output)
}
