//! Token counts and costs that come as JSON in one attribute, as Langfuse has them.
//!
//! Langfuse has two vocabularies. In the one, `input` and `output` are what is left after all other
//! counts whose names begin with these words. The other is OpenAI's, where totals hold their parts.

use std::borrow::Cow;

use crate::event::FieldValue;
use crate::event::json_text;
use crate::ingest::tokens::{Convention, TokenCount, Usage};

type Entries<'a> = Vec<(Cow<'a, str>, FieldValue<'a>)>;

/// The counts in `{"input":…,"output":…}` or `{"prompt_tokens":…,"completion_tokens":…}`.
pub(super) fn usage(json: &str) -> Usage<'static> {
    let entries = json_text::entries(json.trim()).unwrap_or_default();
    let count = |name: &str| count(&entries, name);
    if has(&entries, "input") || has(&entries, "output") {
        return of_remainders(&entries);
    }
    let first = |names: [&str; 2]| names.into_iter().find_map(count);
    let inside = |details: [&str; 2], name: &str| {
        let found = details.into_iter().find_map(|details| nested(&entries, details, name));
        found.or_else(|| count(name))
    };
    let input = ["prompt_tokens_details", "input_tokens_details"];
    let output = ["completion_tokens_details", "output_tokens_details"];
    let usage = Usage {
        input: first(["prompt_tokens", "input_tokens"]),
        output: first(["completion_tokens", "output_tokens"]),
        cached: inside(input, "cached_tokens").or_else(|| count("cache_read_input_tokens")),
        written: inside(input, "cache_write_tokens")
            .or_else(|| count("cache_creation_input_tokens")),
        reasoning: inside(output, "reasoning_tokens"),
        written_hour: None,
        input_audio: nested(&entries, input[0], "audio_tokens"),
        output_audio: nested(&entries, output[0], "audio_tokens"),
    };
    usage.with_input_parts(Convention::Inclusive)
}

/// The total in `{"total":…}`, as text.
pub(super) fn total_cost(json: &str) -> Option<String> {
    let entries = json_text::entries(json.trim()).ok()?;
    let (_, total) = entries.into_iter().find(|(name, _)| name == "total")?;
    scalar(&total).map(Cow::into_owned)
}

/// Counts of which no one holds another.
fn of_remainders(entries: &Entries<'_>) -> Usage<'static> {
    let sum = |is_part: fn(&str) -> bool| {
        let parts = entries.iter().filter(|(name, _)| is_part(name));
        let counts = parts.filter_map(|(_, value)| scalar(value)).map(owned);
        counts.reduce(|sum, count| match (sum, count) {
            (TokenCount::Known(sum), TokenCount::Known(count)) => {
                TokenCount::Known(sum.saturating_add(count))
            }
            (TokenCount::Known(_), odd) | (odd, _) => odd,
        })
    };
    Usage {
        input: sum(is_input),
        output: sum(|name| name.starts_with("output")),
        cached: sum(|name| is_input(name) && is_cache(name) && !is_written(name)),
        written: sum(|name| is_input(name) && is_cache(name) && is_written(name)),
        reasoning: sum(|name| name.starts_with("output") && name.contains("reasoning")),
        written_hour: sum(|name| is_input(name) && is_written(name) && name.contains("_1h")),
        input_audio: sum(|name| is_input(name) && name.contains("audio")),
        output_audio: sum(|name| name.starts_with("output") && name.contains("audio")),
    }
}

/// Anthropic's names of cached tokens stand beside `input`, too.
fn is_input(name: &str) -> bool {
    name.starts_with("input") || name.starts_with("cache_")
}

fn is_cache(name: &str) -> bool {
    name.contains("cache")
}

fn is_written(name: &str) -> bool {
    name.contains("creation") || name.contains("write")
}

fn has(entries: &Entries<'_>, name: &str) -> bool {
    entries.iter().any(|(known, value)| known == name && scalar(value).is_some())
}

fn count(entries: &Entries<'_>, name: &str) -> Option<TokenCount<'static>> {
    let (_, value) = entries.iter().find(|(known, _)| known == name)?;
    scalar(value).map(owned)
}

/// A count in an object of the entries.
fn nested(entries: &Entries<'_>, object: &str, name: &str) -> Option<TokenCount<'static>> {
    let (_, value) = entries.iter().find(|(known, _)| known == object)?;
    let FieldValue::Json(json) = value else { return None };
    count(&json_text::entries(json).ok()?, name)
}

fn owned(text: Cow<'_, str>) -> TokenCount<'static> {
    TokenCount::of_text(Cow::Owned(text.into_owned()))
}

/// The text of a number or a text.
fn scalar<'a>(value: &'a FieldValue<'_>) -> Option<Cow<'a, str>> {
    match value {
        FieldValue::Text(text) | FieldValue::Number(text) => Some(Cow::Borrowed(text)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(usage: &Usage<'_>) -> [Option<i64>; 5] {
        let known = |count: &Option<TokenCount<'_>>| match count {
            Some(TokenCount::Known(count)) => Some(*count),
            _ => None,
        };
        [&usage.input, &usage.output, &usage.cached, &usage.written, &usage.reasoning].map(known)
    }

    #[test]
    fn both_vocabularies_are_read() {
        let remainders = r#"{"input":10,"output":5,"input_cached_tokens":"4","total":25,
            "input_cache_creation_5m":2,"input_cache_creation_1h":1,"output_reasoning_tokens":3}"#;
        let counts = [Some(17), Some(8), Some(4), Some(3), Some(3)];
        assert_eq!(known(&usage(remainders)), counts);
        assert_eq!(usage(remainders).written_hour, Some(TokenCount::Known(1)));
        let totals = r#"{"prompt_tokens":13,"completion_tokens":9,"total_tokens":22,
            "prompt_tokens_details":{"cached_tokens":4,"audio_tokens":null},
            "completion_tokens_details":{"reasoning_tokens":2}}"#;
        assert_eq!(known(&usage(totals)), [Some(13), Some(9), Some(4), None, Some(2)]);
        let anthropic = r#"{"input":12,"output":57,"cache_read_input_tokens":4000}"#;
        assert_eq!(known(&usage(anthropic)), [Some(4012), Some(57), Some(4000), None, None]);
        for nothing in ["", "[]", "{}", "{\"total\":5}", "nope", "{\"input\":null}"] {
            assert_eq!(usage(nothing), Usage::default(), "{nothing}");
        }
        assert_eq!(usage("{\"input\":\"x\"}").input, Some(TokenCount::Odd("x".into())));
    }

    #[test]
    fn a_total_cost_is_a_decimal_text() {
        assert_eq!(total_cost(r#"{"input":1e-3,"total":0.0012}"#).as_deref(), Some("0.0012"));
        assert_eq!(total_cost(r#"{"total":null}"#), None);
        assert_eq!(total_cost("no"), None);
    }
}
