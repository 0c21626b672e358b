//! The token counts that a record tells, in its producer's words.

use super::details;
use super::names::Field;
use super::record::{AttributeValue, Found};
use super::words::Producer;
use crate::ingest::tokens::{Convention, TokenCount, Usage};

/// The token counts of a call.
pub(super) fn usage<'r>(producer: Producer, found: &'r Found<'_>) -> Usage<'r> {
    match producer {
        Producer::Sdk => of_sdk(found),
        Producer::ClaudeCode => {
            let written_hour = count(found, Field::WrittenHour);
            Usage { written_hour, ..of_agent(found) }.with_input_parts(Convention::Exclusive)
        }
        Producer::Codex => of_agent(found).with_input_parts(Convention::Inclusive),
        Producer::GeminiCli => {
            of_agent(found).with_input_parts(Convention::Inclusive).with_output_parts()
        }
    }
}

fn of_sdk<'r>(found: &'r Found<'_>) -> Usage<'r> {
    let usage = Usage {
        input: count(found, Field::Input),
        output: count(found, Field::Output),
        cached: count(found, Field::Cached),
        written: count(found, Field::Written),
        reasoning: count(found, Field::Reasoning),
        written_hour: count(found, Field::WrittenHour),
        input_audio: count(found, Field::InputAudio),
        output_audio: count(found, Field::OutputAudio),
    };
    match found.text(Field::UsageDetails) {
        Some(json) if usage.input.is_none() && usage.output.is_none() => details::usage(json),
        _ => usage.or(of_details(found)).with_input_parts(Convention::Inclusive),
    }
}

/// What LangSmith tells in objects.
fn of_details(found: &Found<'_>) -> Usage<'static> {
    let fields = [Field::UsageMetadata, Field::InputDetails, Field::OutputDetails];
    if !fields.into_iter().any(|field| found.has(field)) {
        return Usage::default();
    }
    let text = |field| found.text(field).unwrap_or_default();
    let metadata = found.text(Field::UsageMetadata).map(details::usage);
    let parts = details::usage_of_parts(text(Field::InputDetails), text(Field::OutputDetails));
    parts.or(metadata.unwrap_or_default())
}

fn of_agent<'r>(found: &'r Found<'_>) -> Usage<'r> {
    Usage {
        input: count(found, Field::AgentInput),
        output: count(found, Field::AgentOutput),
        cached: count(found, Field::AgentCached),
        written: count(found, Field::AgentWritten),
        reasoning: count(found, Field::AgentReasoning),
        ..Usage::default()
    }
}

fn count<'r>(found: &'r Found<'_>, field: Field) -> Option<TokenCount<'r>> {
    found.get(field).map(|value| match value {
        AttributeValue::Int(int) => TokenCount::Known(*int),
        other => TokenCount::of_text(other.number_text()),
    })
}
