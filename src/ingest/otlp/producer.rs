//! Which records are calls, and in whose words they tell of them.
//!
//! One call is told of by one record, or by several with the same id. Records that add calls up, and
//! those that repeat another record of the same program with less or without its id, are none.

use super::names::Field;
use super::record::{OtlpRecord, RecordContext};
use super::signal::OtlpSignal;
use super::usage::usage;
use super::words::Producer;

/// Operations that are one call of a model. Agents, workflows, tools, retrieval and whatever else
/// there is are none. LiteLLM has the singular.
const OPERATIONS: [&str; 5] =
    ["chat", "generate_content", "text_completion", "embeddings", "embedding"];

/// The event by which the conventions tell of a call in a log.
const DETAILS: &str = "gen_ai.client.inference.operation.details";

const CLAUDE_CODE: &str = "com.anthropic.claude_code";
const GEMINI_CLI: &str = "gemini-cli";
/// Vercel's AI SDK, from its version 7.
const VERCEL: &str = "gen_ai";

/// The producer of a record that is a call.
pub(super) fn producer(
    signal: OtlpSignal,
    context: &RecordContext<'_>,
    record: &OtlpRecord<'_>,
) -> Option<Producer> {
    match signal {
        OtlpSignal::Traces => is_call(context, record).then_some(Producer::Sdk),
        OtlpSignal::Logs => of_log(context, record),
        OtlpSignal::Metrics => None,
    }
}

/// Whether a span is a call. An error without tokens is none, as nothing is paid for it.
fn is_call(context: &RecordContext<'_>, record: &OtlpRecord<'_>) -> bool {
    let found = &record.found;
    if repeats_a_log(context, record) || repeats_a_span(context, record) {
        return false;
    }
    let is_call = if found.has(Field::Operation) { is_operation(record) } else { is_model(record) };
    is_call && (!failed(record) || has_tokens(record))
}

/// Whether a call failed. Langfuse says so in an attribute alone.
fn failed(record: &OtlpRecord<'_>) -> bool {
    let level = record.found.text(Field::LangfuseLevel).unwrap_or_default();
    record.is_error || record.found.has(Field::Error) || level.eq_ignore_ascii_case("error")
}

/// Spans of programs whose logs tell of the same calls.
fn repeats_a_log(context: &RecordContext<'_>, record: &OtlpRecord<'_>) -> bool {
    let scope = context.scope.as_ref();
    scope.starts_with(CLAUDE_CODE)
        || scope == GEMINI_CLI
        || record.name == "handle_responses" && scope.starts_with("codex")
}

/// Vercel's span of `embed` or `embedMany`, which is of the same operation as those of the requests
/// inside of it. Only these have tokens.
fn repeats_a_span(context: &RecordContext<'_>, record: &OtlpRecord<'_>) -> bool {
    context.scope == VERCEL
        && record.found.text(Field::Operation) == Some("embeddings")
        && !has_usage(record)
}

fn is_operation(record: &OtlpRecord<'_>) -> bool {
    let operation = record.found.text(Field::Operation);
    operation.is_some_and(|operation| OPERATIONS.contains(&operation))
}

/// Whether a span without an operation is a call, by what else its instrumentation says.
fn is_model(record: &OtlpRecord<'_>) -> bool {
    let found = &record.found;
    let says = |field, words: &[&str]| {
        let said = found.text(field);
        said.is_some_and(|said| words.iter().any(|word| said.eq_ignore_ascii_case(word)))
    };
    let is_step = |name: &str| {
        [".doGenerate", ".doStream", ".doEmbed"].iter().any(|step| name.ends_with(step))
    };
    says(Field::OpenInferenceKind, &["llm", "embedding"])
        || says(Field::LangfuseType, &["generation", "embedding"])
        || says(Field::RequestType, &["chat", "completion", "embedding"])
        || says(Field::LangSmithKind, &["llm"])
        || is_step(&record.name)
        || found.text(Field::VercelOperation).is_some_and(is_step)
        || found.has(Field::Provider) && found.has(Field::ResponseId) && has_usage(record)
}

/// Whether a record says how many tokens there were, be it none.
fn has_usage(record: &OtlpRecord<'_>) -> bool {
    [Field::Input, Field::Output].into_iter().any(|field| record.found.has(field))
}

/// Whether there were tokens, by any of the names that tell of them.
fn has_tokens(record: &OtlpRecord<'_>) -> bool {
    usage(Producer::Sdk, &record.found).is_some()
}

fn of_log(context: &RecordContext<'_>, record: &OtlpRecord<'_>) -> Option<Producer> {
    let names = [record.found.text(Field::EventName), Some(record.name.as_ref())];
    names.into_iter().flatten().find_map(|name| of_event(name, context, record))
}

/// The producer of the event with this name, if it is a call. One without tokens counts is none.
fn of_event(name: &str, context: &RecordContext<'_>, record: &OtlpRecord<'_>) -> Option<Producer> {
    let found = &record.found;
    let counted = [Field::AgentInput, Field::AgentOutput].into_iter().any(|field| found.has(field));
    match name {
        DETAILS => {
            let told_already = context.scope == GEMINI_CLI;
            let is_call = !found.has(Field::Operation) || is_operation(record);
            let counted = has_usage(record) && (!failed(record) || has_tokens(record));
            (is_call && !told_already && counted).then_some(Producer::Sdk)
        }
        "api_request" if !is_claude_code(context, record) => None,
        "api_request" | "claude_code.api_request" => counted.then_some(Producer::ClaudeCode),
        "codex.sse_event" => {
            let completed = found.text(Field::EventKind) == Some("response.completed");
            (completed && found.has(Field::AgentInput)).then_some(Producer::Codex)
        }
        "gemini_cli.api_response" => counted.then_some(Producer::GeminiCli),
        _ => None,
    }
}

/// Whether a record is Claude Code's, whose name of its event may be that of others.
fn is_claude_code(context: &RecordContext<'_>, record: &OtlpRecord<'_>) -> bool {
    context.scope.starts_with(CLAUDE_CODE)
        || context.resource.named_text("service.name") == Some("claude-code")
        || record.found.has(Field::Session)
}
