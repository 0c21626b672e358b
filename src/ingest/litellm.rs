//! LiteLLM's log of calls, as its generic callback posts it and its S3 logger stores it.
//!
//! Source: `StandardLoggingPayload` of LiteLLM 1.40 to 1.106.

use std::borrow::Cow;

use super::call::{Call, is_zero};
use super::json_object::Object;
use super::tokens::{Convention, TokenCount, Usage};
use crate::event::{FieldValue, NamedValue};

/// The call in one object; none if it was no call of a provider.
///
/// # Errors
/// Why it is no object.
pub fn fields(object: &str) -> Result<Option<Vec<NamedValue<'_>>>, String> {
    let object = Object::of(object.trim()).map_err(|error| format!("cannot be read: {error}"))?;
    let failed = object.text("status").is_some_and(|status| status != "success");
    let cached = object
        .get("cache_hit")
        .is_some_and(|hit| hit.trim_matches('"').eq_ignore_ascii_case("true"));
    Ok((!failed && !cached).then(|| call(&object).fields()))
}

fn call<'a>(object: &Object<'a>) -> Call<'a> {
    let metadata = object.object("metadata");
    let sent = metadata.object("usage_object");
    let provider = object.text("custom_llm_provider");
    let model = object.text("model").map(|model| without_provider(model, provider.as_deref()));
    Call {
        event_id: object.first_text(&["id", "litellm_call_id"]),
        ts: object.first_text(&["endTime", "end_time"]).map(FieldValue::Text),
        model,
        provider,
        usage: usage(object, &sent),
        cost: cost(object),
        tier: object
            .object("cost_breakdown")
            .text("service_tier")
            .or_else(|| sent.text("service_tier")),
        speed: sent.text("speed"),
        source: Some(Cow::Borrowed("litellm")),
        attributes: attributes(object, &metadata),
    }
}

/// A model's name without `provider/` in front of it.
fn without_provider<'a>(model: Cow<'a, str>, provider: Option<&str>) -> Cow<'a, str> {
    let start = |model: &str| {
        let rest = model.strip_prefix(provider?)?.strip_prefix('/')?;
        (!rest.is_empty()).then(|| model.len() - rest.len())
    };
    match (start(&model), model) {
        (Some(start), Cow::Borrowed(model)) => Cow::Borrowed(model.get(start..).unwrap_or(model)),
        (Some(start), Cow::Owned(mut model)) => Cow::Owned(model.split_off(start)),
        (None, model) => model,
    }
}

fn usage<'a>(object: &Object<'a>, sent: &Object<'a>) -> Usage<'a> {
    let (input, output) =
        (sent.object("prompt_tokens_details"), sent.object("completion_tokens_details"));
    let count =
        |object: &Object<'a>, names: &[&str]| object.first_text(names).map(TokenCount::of_text);
    let usage = Usage {
        input: count(object, &["prompt_tokens"]),
        output: count(object, &["completion_tokens"]),
        cached: count(&input, &["cached_tokens"])
            .or_else(|| count(sent, &["cache_read_input_tokens"])),
        written: count(&input, &["cache_write_tokens", "cache_creation_tokens"])
            .or_else(|| count(sent, &["cache_creation_input_tokens"])),
        reasoning: count(&output, &["reasoning_tokens"]),
        written_hour: count(
            &input.object("cache_creation_token_details"),
            &["ephemeral_1h_input_tokens"],
        ),
        input_audio: count(&input, &["audio_tokens"]),
        output_audio: count(&output, &["audio_tokens"]),
    };
    usage.with_input_parts(Convention::Inclusive)
}

/// What it says that the call has cost. A 0 that stands for "no price" is none.
fn cost<'a>(object: &Object<'a>) -> Option<Cow<'a, str>> {
    let cost = object.text("response_cost")?;
    let unknown = ["response_cost_failure_debug_info", "zero_cost_diagnostic"];
    let is_unknown = unknown.into_iter().any(|name| object.get(name).is_some());
    (!(is_unknown && is_zero(&cost))).then_some(cost)
}

/// Who called.
fn attributes<'a>(object: &Object<'a>, metadata: &Object<'a>) -> Vec<NamedValue<'a>> {
    let teams = ["user_api_key_team_alias", "team_alias", "user_api_key_team_id", "team_id"];
    let tags = object
        .value("request_tags")
        .filter(|tags| matches!(tags, FieldValue::Json(tags) if tags != "[]" && tags != "{}"));
    let end_user = object.text("end_user");
    let end_user = end_user.or_else(|| metadata.text("user_api_key_end_user_id"));
    let text = |text: Option<Cow<'a, str>>| text.map(FieldValue::Text);
    let attributes = [
        ("team", text(metadata.first_text(&teams))),
        ("user.id", text(metadata.text("user_api_key_user_id"))),
        ("key_alias", text(metadata.text("user_api_key_alias"))),
        ("tags", tags),
        ("end_user", text(end_user)),
    ];
    let there = attributes.into_iter().filter_map(|(name, value)| Some((name, value?)));
    there.map(|(name, value)| (Cow::Borrowed(name), value)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::Path;

    use super::*;

    /// The values of the call in an object, with attributes as JSON.
    fn read(object: &str) -> Option<BTreeMap<String, String>> {
        let fields = fields(object).unwrap()?;
        let text = |value: &FieldValue<'_>| match value {
            FieldValue::Text(text) | FieldValue::Number(text) | FieldValue::Json(text) => {
                text.to_string()
            }
            FieldValue::Map(entries) => {
                let entries = entries.iter().map(|(name, value)| format!("{name}={value:?}"));
                entries.collect::<Vec<_>>().join(" ")
            }
            other => panic!("{other:?}"),
        };
        Some(fields.iter().map(|(name, value)| (name.to_string(), text(value))).collect())
    }

    fn core(object: &str) -> String {
        let fields = read(object).unwrap();
        let names = [
            "event_id",
            "ts",
            "provider",
            "model",
            "input_tokens",
            "output_tokens",
            "cached_input_tokens",
            "cache_write_tokens",
            "reasoning_tokens",
            "cost_usd",
        ];
        names.map(|name| fields.get(name).map_or("-", String::as_str)).join(" ")
    }

    #[test]
    #[expect(clippy::print_stderr, reason = "it says that it was passed over")]
    fn captured_calls_are_read() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/captures");
        let Ok(openai) = fs::read_to_string(folder.join("litellm_generic_api/003.body")) else {
            eprintln!("passed over: there are no captures");
            return;
        };
        let call = "chatcmpl-fake0081 1795437170.330518 openai gpt-4o-mini 13 9 4 - 2 7.0499999999999986e-06";
        assert_eq!(core(&openai), call);
        let unpriced = fs::read_to_string(folder.join("litellm_generic_api/006.body")).unwrap();
        assert!(core(&unpriced).ends_with("anthropic claude-3-5-sonnet-20241022 35 7 11 3 0 -"));
        let tagged = fs::read_to_string(folder.join("litellm_generic_api/004.body")).unwrap();
        assert!(read(&tagged).unwrap()["attributes"].contains("tags=Json(\"[\\\"team-x\\\"]\")"));
    }

    #[test]
    fn failures_and_answers_of_a_cache_are_no_calls() {
        let of = |more: &str| {
            read(&format!(r#"{{"id":"a","endTime":1795437170.3,"prompt_tokens":5{more}}}"#))
        };
        for none in [
            r#","status":"failure""#,
            r#","status":"success","cache_hit":true"#,
            r#","cache_hit":"True""#,
        ] {
            assert_eq!(of(none), None, "{none}");
        }
        for call in ["", r#","status":"success","cache_hit":false"#, r#","cache_hit":null"#] {
            assert!(of(call).is_some(), "{call}");
        }
        assert!(fields("[1]").is_err() && fields("{").is_err());
    }

    #[test]
    fn a_cost_of_0_stands_unless_it_could_not_be_told() {
        let cost = |more: &str| read(&format!(r#"{{"id":"a"{more}}}"#)).unwrap().remove("cost_usd");
        assert_eq!(cost(r#","response_cost":0.0"#).as_deref(), Some("0.0"));
        for diagnostic in ["response_cost_failure_debug_info", "zero_cost_diagnostic"] {
            let with = |cost: &str, value: &str| {
                format!(r#","response_cost":{cost},"{diagnostic}":{value}"#)
            };
            assert_eq!(cost(&with("0.0", r#"{"a":1}"#)), None);
            assert_eq!(cost(&with("0.0", "null")).as_deref(), Some("0.0"));
            assert_eq!(cost(&with("0.5", r#"{"a":1}"#)).as_deref(), Some("0.5"));
        }
        assert_eq!(cost(r#","response_cost":null"#), None);
        assert_eq!(cost(r#","response_cost":NaN"#), None);
    }

    #[test]
    fn who_called_is_kept_and_what_was_said_is_not() {
        let call = read(
            r#"{"id":"a","model":"openai/gpt-4o","custom_llm_provider":"openai","end_user":"e",
                "messages":"Say hi","request_tags":[],"metadata":{"user_api_key_team_id":"7",
                "user_api_key_team_alias":"core","user_api_key_alias":"k","user_api_key_user_id":"u"}}"#,
        );
        let call = call.unwrap();
        assert_eq!((call["model"].as_str(), call["source"].as_str()), ("gpt-4o", "litellm"));
        assert_eq!(
            call["attributes"],
            r#"team=Text("core") user.id=Text("u") key_alias=Text("k") end_user=Text("e")"#
        );
        assert_eq!(without_provider("openai/".into(), Some("openai")), "openai/");
        assert_eq!(without_provider("a/b".to_owned().into(), Some("a")), "b");
        assert_eq!(without_provider("a/b".into(), None), "a/b");
    }
}
