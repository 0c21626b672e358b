//! LiteLLM's generic callback.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tokenlake::clock::{Clock as _, SECOND, SystemClock};

use super::{Acme, counts};
use crate::support::archive::assert_unsaid;
use crate::support::client::{self, Answer};
use crate::support::process::passed_over;

fn post(acme: &Acme, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
    client::post(&acme.server.url("/v1/litellm"), &acme.key, content_type, body)
}

fn call(id: &str, changes: &Value) -> Value {
    let mut call = json!({
        "id": id, "status": "success", "cache_hit": null, "custom_llm_provider": "openai",
        "model": "openai/gpt-4o", "endTime": SystemClock.now() / SECOND - 60,
        "prompt_tokens": 13, "completion_tokens": 9, "response_cost": 7.049_999_999_999_998e-6,
        "messages": [{"role": "user", "content": "Say hi"}],
    });
    for (name, value) in changes.as_object().unwrap() {
        call[name] = value.clone();
    }
    call
}

#[test]
fn calls_come_alone_in_lists_and_on_lines() {
    let acme = Acme::start();
    let one = |id: &str| call(id, &json!({}));
    let pretty = serde_json::to_string_pretty(&one("a")).unwrap();
    assert_eq!(counts(&post(&acme, "application/json", pretty)), (1, 0, 0));
    let list = json!([one("a"), one("b")]).to_string();
    assert_eq!(counts(&post(&acme, "application/json; charset=utf-8", list)), (1, 1, 0));
    for content_type in ["application/json", "application/x-ndjson"] {
        let lines = format!("{}\n\n{}\n{{\"id\":\n", one("b"), one("c"));
        let answer = post(&acme, content_type, lines);
        assert_eq!(counts(&answer).2, 1, "{}", answer.text());
        assert_eq!(answer.json()["rejected"][0]["index"], 2);
    }
    assert_eq!(counts(&post(&acme, "application/json", "[]")), (0, 0, 0));
    let series = acme.series();
    let labels = r#"{provider="openai",model="gpt-4o",org_id="acme"}"#;
    assert_eq!(series[&format!("llm_requests_total{labels}")], "3");
    assert_eq!(series[&format!("llm_cost_usd_total{labels}")], "0.00002115");
}

#[test]
fn failures_and_cached_answers_are_in_none_of_the_counts() {
    let acme = Acme::start();
    let body = json!([
        call("a", &json!({"status": "failure"})),
        call("b", &json!({"cache_hit": true})),
        call("c", &json!({"prompt_tokens": -1})),
    ]);
    let answer = post(&acme, "application/json", body.to_string());
    assert_eq!((answer.status, counts(&answer)), (422, (0, 0, 1)));
    let none = json!([call("a", &json!({"status": "failure"}))]).to_string();
    let answer = post(&acme, "application/json", none);
    assert_eq!((answer.status, counts(&answer)), (200, (0, 0, 0)));
    for body in ["nope", "5", "\"a\"", ""] {
        let answer = post(&acme, "application/json", body);
        assert_eq!(answer.status, 400, "{body}: {}", answer.text());
    }
    assert_eq!(post(&acme, "text/plain", "{}").status, 415);
}

#[test]
fn captured_calls_count() {
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/captures");
    let Ok(files) = fs::read_dir(captures.join("litellm_generic_api")) else {
        passed_over("../shared is not here");
        return;
    };
    let acme = Acme::start();
    let files = files.map(|file| file.unwrap().path());
    let bodies: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|it| it == "body")).collect();
    for path in bodies.iter().chain(&bodies) {
        let answer = post(&acme, "application/json", fs::read(path).unwrap());
        assert_eq!((answer.status, counts(&answer).2), (200, 0), "{}", answer.text());
    }
    let series = acme.series();
    let of = |family: &str, provider: &str, model: &str| {
        let labels = format!(r#"{{provider="{provider}",model="{model}",org_id="acme"}}"#);
        series[&format!("llm_{family}_total{labels}")].clone()
    };
    assert_eq!(of("requests", "openai", "gpt-4o-mini"), "4");
    assert_eq!(of("tokens", "openai", "gpt-4o-mini"), "104");
    assert_eq!(of("cost_usd", "openai", "gpt-4o-mini"), "0.0000411");
    let sonnet = "claude-3-5-sonnet-20241022";
    assert_eq!(of("tokens", "anthropic", sonnet), "42");
    // LiteLLM could not tell its cost: it has the list price.
    assert_eq!(of("cost_usd", "anthropic", sonnet), "0.00018255");
    assert_unsaid(acme.archive.path(), &["Say hi", "Hello"]);
}
