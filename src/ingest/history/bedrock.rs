//! Bedrock's invocation logs. Its input is what came from no cache and was written to none.

use std::borrow::Cow;

use crate::event::FieldValue;
use crate::event::json_split::SourceCursor;
use crate::ingest::call::Call;
use crate::ingest::json_object::Object;
use crate::ingest::tokens::{Convention, TokenCount, Usage};

const CACHED: [&str; 3] =
    ["cacheReadInputTokenCount", "cacheReadInputTokens", "cache_read_input_tokens"];
const WRITTEN: [&str; 3] =
    ["cacheWriteInputTokenCount", "cacheWriteInputTokens", "cache_creation_input_tokens"];

/// Those that are kept for an hour.
const WRITTEN_HOUR: &str = "ephemeral_1h_input_tokens";

/// Parts of a streamed answer that are looked at: the first ones tell of caches.
const PARTS_MAX: usize = 64;

/// The call in a row; none if it failed.
pub(super) fn call<'a>(row: &Object<'a>) -> Option<Call<'a>> {
    let (input, output) = (row.object("input"), row.object("output"));
    if row.text("errorCode").is_some() {
        return None;
    }
    let model = row.text("modelId")?;
    let team = row.object("requestMetadata").text("team").map(FieldValue::Text);
    Some(Call {
        event_id: row.text("requestId"),
        ts: row.text("timestamp").map(FieldValue::Text),
        provider: Some(Cow::Borrowed("aws.bedrock")),
        model: Some(last_part(model)),
        usage: usage(&input, &output),
        source: Some(Cow::Borrowed("bedrock")),
        attributes: team.map(|team| (Cow::Borrowed("team"), team)).into_iter().collect(),
        ..Call::default()
    })
}

/// The last part of an ARN; any other name as it is.
fn last_part(model: Cow<'_, str>) -> Cow<'_, str> {
    match model.rsplit_once('/') {
        Some((_, last)) if model.starts_with("arn:") => Cow::Owned(last.to_owned()),
        _ => model,
    }
}

fn usage<'a>(input: &Object<'a>, output: &Object<'a>) -> Usage<'a> {
    let told = usages(output);
    let count = |names: &[&str]| {
        let told = || told.iter().find_map(|usage| usage.first_text(names));
        input.first_text(names).or_else(told).map(TokenCount::of_text)
    };
    let hour = |usage: &Object<'a>| usage.object("cache_creation").text(WRITTEN_HOUR);
    let usage = Usage {
        input: input.text("inputTokenCount").map(TokenCount::of_text),
        output: output.text("outputTokenCount").map(TokenCount::of_text),
        cached: count(&CACHED),
        written: count(&WRITTEN),
        written_hour: told.iter().find_map(hour).map(TokenCount::of_text),
        ..Usage::default()
    };
    usage.with_input_parts(Convention::Exclusive)
}

/// The objects `usage` of an answer, which may have come in parts.
fn usages<'a>(output: &Object<'a>) -> Vec<Object<'a>> {
    let Some(body) = output.get("outputBodyJson") else { return Vec::new() };
    if !body.starts_with('[') {
        return vec![output.object("outputBodyJson").object("usage")];
    }
    let mut usages = Vec::new();
    let mut parts = 0;
    // More parts than are looked at end the walk.
    let _ = SourceCursor::of(body.as_bytes()).array(|cursor| {
        let place = cursor.value()?;
        let part = body.get(place).and_then(|part| Object::of(part).ok()).unwrap_or_default();
        usages.push(part.object("usage"));
        usages.push(part.object("message").object("usage"));
        parts += 1;
        (parts < PARTS_MAX).then_some(())
    });
    usages
}
