//! Token counts and costs that come as JSON in one attribute, as Langfuse and LangSmith have them.
//!
//! Langfuse has two vocabularies. In the one, `input` and `output` are what is left after all other
//! counts whose names begin with these words. The other is OpenAI's, where totals hold their parts.

use std::borrow::Cow;

use crate::event::{FieldValue, json_text, money};
use crate::ingest::tokens::{Convention, TokenCount, Usage};

type Entries<'a> = Vec<(Cow<'a, str>, FieldValue<'a>)>;

/// The names of what holds the parts of the tokens in, and out.
const INPUT_PARTS: [&str; 3] =
    ["prompt_tokens_details", "input_tokens_details", "input_token_details"];
const OUTPUT_PARTS: [&str; 3] =
    ["completion_tokens_details", "output_tokens_details", "output_token_details"];

/// The counts in `{"input":…,"output":…}` or `{"prompt_tokens":…,"completion_tokens":…}`.
pub(super) fn usage(json: &str) -> Usage<'static> {
    let entries = json_text::entries(json.trim()).unwrap_or_default();
    if has(&entries, "input") || has(&entries, "output") {
        return of_remainders(&entries);
    }
    let first = |names: [&str; 2]| names.into_iter().find_map(|name| count(&entries, name));
    let inside = |names: [&str; 3]| {
        let found = names.into_iter().find_map(|name| nested(&entries, name));
        found.unwrap_or_default()
    };
    let [input, output] = [INPUT_PARTS, OUTPUT_PARTS].map(inside);
    let usage = Usage {
        input: first(["prompt_tokens", "input_tokens"]),
        output: first(["completion_tokens", "output_tokens"]),
        ..Usage::default()
    };
    // Some have the parts of totals beside them.
    let parts = parts(&input, &output).or(parts_beside(&entries));
    usage.or(parts).with_input_parts(Convention::Inclusive)
}

/// The counts in the objects that tell of the parts of the tokens in, and out.
pub(super) fn usage_of_parts(input: &str, output: &str) -> Usage<'static> {
    let [input, output] = [as_json(input), as_json(output)];
    let [input, output] = [&input, &output].map(|json| json_text::entries(json));
    parts(&input.unwrap_or_default(), &output.unwrap_or_default())
}

/// An object as Python shows it, as JSON. Names of counts have no quotes in them.
fn as_json(text: &str) -> String {
    text.trim().replace('\'', "\"").replace("None", "null")
}

/// LangChain has words of its own for parts, and one count for each time that tokens are kept.
fn parts(input: &Entries<'_>, output: &Entries<'_>) -> Usage<'static> {
    let first = |entries, names: &[&str]| names.iter().find_map(|name: &&str| count(entries, name));
    let written = first(input, &["cache_write_tokens", "cache_creation_tokens", "cache_creation"]);
    let is_zero = written.as_ref().is_none_or(|count| *count == TokenCount::Known(0));
    let by_time = || {
        let times = ["ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"];
        added(times.into_iter().filter_map(|name| count(input, name)))
    };
    Usage {
        cached: first(input, &["cached_tokens", "cache_read"]),
        written: by_time().filter(|_| is_zero).or(written),
        written_hour: first(input, &["ephemeral_1h_input_tokens"]),
        reasoning: first(output, &["reasoning_tokens", "reasoning"]),
        input_audio: first(input, &["audio_tokens", "audio"]),
        output_audio: first(output, &["audio_tokens", "audio"]),
        ..Usage::default()
    }
}

fn parts_beside(entries: &Entries<'_>) -> Usage<'static> {
    let first = |names: [&str; 2]| names.into_iter().find_map(|name| count(entries, name));
    Usage {
        cached: first(["cached_tokens", "cache_read_input_tokens"]),
        written: first(["cache_write_tokens", "cache_creation_input_tokens"]),
        reasoning: count(entries, "reasoning_tokens"),
        ..Usage::default()
    }
}

/// What `{"total":…}` says, or what all else adds up to, as text.
pub(super) fn total_cost(json: &str) -> Option<String> {
    let entries = json_text::entries(json.trim()).ok()?;
    let total = entries.iter().find(|(name, _)| name == "total");
    if let Some(total) = total.and_then(|(_, total)| scalar(total)) {
        return Some(total.into_owned());
    }
    let costs = entries.iter().filter_map(|(_, cost)| scalar(cost));
    let costs = costs.map(|cost| money::parse_decimal(&cost).ok());
    let sum = costs.reduce(|sum, cost| sum?.checked_add(cost?))??;
    Some(money::format_decimal(sum).to_string())
}

/// Counts of which no one holds another.
fn of_remainders(entries: &Entries<'_>) -> Usage<'static> {
    let sum = |is_part: fn(&str) -> bool| {
        let parts = entries.iter().filter(|(name, _)| is_part(name));
        added(parts.filter_map(|(_, value)| scalar(value)).map(owned))
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

/// The sum of counts; the odd one if there is one.
fn added(counts: impl Iterator<Item = TokenCount<'static>>) -> Option<TokenCount<'static>> {
    counts.reduce(|sum, count| match (sum, count) {
        (TokenCount::Known(sum), TokenCount::Known(count)) => {
            TokenCount::Known(sum.saturating_add(count))
        }
        (TokenCount::Known(_), odd) | (odd, _) => odd,
    })
}

/// An object of the entries.
fn nested<'e>(entries: &'e Entries<'_>, object: &str) -> Option<Entries<'e>> {
    let (_, value) = entries.iter().find(|(known, _)| known == object)?;
    match value {
        // In it, `NaN` was replaced.
        FieldValue::Json(json) | FieldValue::Mended(json) => json_text::entries(json).ok(),
        _ => None,
    }
}

fn owned(text: Cow<'_, str>) -> TokenCount<'static> {
    TokenCount::of_text(Cow::Owned(text.into_owned()))
}

/// The text of a number or a text. Python has `NaN` in place of a number that it does not know.
fn scalar<'a>(value: &'a FieldValue<'_>) -> Option<Cow<'a, str>> {
    match value {
        FieldValue::Number(text) if text == "NaN" => None,
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
    fn parts_are_read_as_json_and_as_python_shows_them() {
        let metadata = r#"{"input_tokens":13,"output_tokens":9,"input_token_details":{"cache_read":4,
            "cache_creation":0,"ephemeral_5m_input_tokens":1,"ephemeral_1h_input_tokens":2},
            "output_token_details":{"reasoning":2,"audio":NaN}}"#;
        let counts = [Some(13), Some(9), Some(4), Some(3), Some(2)];
        assert_eq!(known(&usage(metadata)), counts);
        assert_eq!(usage(metadata).written_hour, Some(TokenCount::Known(2)));
        let shown = usage_of_parts("{'cache_read': 4, 'audio': None}", "{'reasoning': 2}");
        assert_eq!(known(&shown), [None, None, Some(4), None, Some(2)]);
        assert_eq!(usage_of_parts("nope", ""), Usage::default());
    }

    #[test]
    fn a_total_cost_is_a_decimal_text() {
        assert_eq!(total_cost(r#"{"input":1e-3,"total":0.0012}"#).as_deref(), Some("0.0012"));
        assert_eq!(total_cost(r#"{"total":null}"#), None);
        assert_eq!(
            total_cost(r#"{"input":0.1,"output":"0.2","total":NaN}"#).as_deref(),
            Some("0.3")
        );
        assert_eq!(total_cost(r#"{"input":0.1,"output":"x"}"#), None);
        assert_eq!(total_cost("no"), None);
    }
}
