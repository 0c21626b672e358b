//! What calls get when they come in: by each door, whatever else they say.

use serde_json::{Value, json};

use super::calls::{AT, known};
use super::priced::Priced;
use crate::support::client::{self, Answer};
use crate::support::scrape::parse;

fn with_id(id: &str, mut event: Value) -> Value {
    event["event_id"] = id.into();
    event
}

fn gpt(id: &str, more: &Value) -> Value {
    let mut event = json!({
        "event_id": id, "ts": AT, "provider": "openai", "model": "gpt-4o-mini",
        "input_tokens": 1_000, "output_tokens": 10,
    });
    for (name, value) in more.as_object().unwrap() {
        event[name] = value.clone();
    }
    event
}

const MINI: &str = "0.000156";

fn rejections(answer: &Answer) -> Vec<Value> {
    answer.json()["rejected"].as_array().unwrap().clone()
}

#[test]
fn a_call_without_a_cost_gets_the_list_price_of_its_time_and_context() {
    let acme = Priced::start(&[]);
    let calls = known();
    let events = (0..).zip(&calls).map(|(n, (call, _))| with_id(&format!("c{n}"), call.clone()));
    let events = events.collect::<Vec<_>>();
    let answer = acme.post(&events);
    assert_eq!(answer.json()["accepted"], calls.len(), "{}", answer.text());
    for (n, (call, cost)) in calls.iter().enumerate() {
        let (found, source) = acme.cost(&format!("c{n}"));
        assert_eq!(found.as_deref(), *cost, "{call}");
        let is_of_rule =
            |source: &str| source.starts_with("price:builtin-2026-") && source.contains('#');
        assert_eq!(source.as_deref().map(is_of_rule), cost.map(|_| true), "{call} {source:?}");
    }
    // Again, they are duplicates, and nothing moves.
    assert_eq!(acme.post(&events).json()["duplicates"], calls.len());
    let all = "select count(cost_usd) as priced, sum(cost_usd) as cost from events";
    let before = acme.sql(all);
    assert_eq!(before[0]["priced"], calls.iter().filter(|(_, cost)| cost.is_some()).count());
    let verified = acme.run(&["verify"]);
    assert_eq!(verified.status, 0, "{verified:?}");
}

#[test]
fn a_cost_that_was_sent_wins_and_what_is_no_call_is_never_priced() {
    let acme = Priced::start(&[]);
    let answer = acme.post(&[
        gpt("zero", &json!({ "cost_usd": 0 })),
        gpt("sent", &json!({ "cost_usd": "7" })),
        gpt("other", &json!({ "event_type": "embedding" })),
        gpt("priced", &json!({})),
        gpt("null", &json!({ "cost_usd": null, "event_type": "" })),
        gpt("nobody", &json!({ "model": null })),
        gpt("unclear", &json!({ "cache_write_1h_tokens": "some" })),
        gpt("searched", &json!({ "social_searches": 2 })),
        gpt("usual words", &json!({ "messages": 3, "pages": "4", "speed": "standard" })),
    ]);
    assert_eq!(answer.json()["accepted"], 9, "{}", answer.text());
    let reported = Some("reported".to_owned());
    assert_eq!(acme.cost("zero"), (Some("0".to_owned()), reported.clone()));
    assert_eq!(acme.cost("sent"), (Some("7".to_owned()), reported));
    for id in ["other", "nobody", "unclear", "searched"] {
        assert_eq!(acme.cost(id), (None, None), "{id}");
    }
    for id in ["priced", "null", "usual words"] {
        assert_eq!(acme.cost(id).0.as_deref(), Some(MINI), "{id}");
    }
    // A duplicate is neither priced nor does it change.
    let again = acme.post(&[gpt("sent", &json!({})), gpt("unclear", &json!({}))]);
    assert_eq!(again.json()["duplicates"], 2);
    assert_eq!(acme.cost("unclear"), (None, None));
    let body =
        client::get(&acme.server.url("/metrics?collect[]=core&collect[]=pricing"), &acme.key);
    let series = parse(body.text());
    let mini = r#"{provider="openai",model="gpt-4o-mini",org_id="acme"}"#;
    assert_eq!(series[&format!("llm_requests_unpriced_total{mini}")], "2");
    assert_eq!(series[&format!("llm_cost_usd_total{mini}")], "7.000468");
    let taken = r#"llm_price_table_timestamp_seconds{table="builtin-2026-11-10",org_id="acme"}"#;
    assert_eq!(series[taken], "1794268800", "{}", body.text());
}

#[test]
fn counts_that_contradict_each_other_reject_their_event_alone() {
    let acme = Priced::start(&[]);
    let answer = acme.post(&[
        gpt("more cached", &json!({ "input_tokens": 10, "cached_input_tokens": 11 })),
        gpt("good", &json!({})),
        gpt(
            "both",
            &json!({ "input_tokens": 10, "cached_input_tokens": 6, "cache_write_tokens": 5 }),
        ),
        gpt("an hour", &json!({ "cache_write_tokens": 5, "cache_write_1h_tokens": 6 })),
        gpt("audio", &json!({ "attributes": { "output_audio_tokens": 11 } })),
        gpt("below", &json!({ "input_audio_tokens": -1 })),
        gpt("sent", &json!({ "cache_write_1h_tokens": 6, "cost_usd": 1 })),
        gpt("no rule", &json!({ "model": "my-finetune", "cache_write_1h_tokens": 6 })),
    ]);
    assert_eq!((answer.status, &answer.json()["accepted"]), (200, &json!(2)), "{}", answer.text());
    let rejections = rejections(&answer);
    let ids: Vec<_> = rejections.iter().map(|one| one["event_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["more cached", "both", "an hour", "audio", "below", "no rule"]);
    let indices: Vec<_> = rejections.iter().map(|one| one["index"].as_u64().unwrap()).collect();
    assert_eq!(indices, [0, 2, 3, 4, 5, 7]);
    assert_eq!(
        rejections[2]["error"],
        "cache_write_1h_tokens: 6 is more than the 5 that cache_write_tokens allow"
    );
    let alone =
        acme.post(&[gpt("again", &json!({ "input_tokens": 1, "cache_write_1h_tokens": 2 }))]);
    assert_eq!((alone.status, alone.json()["rejected"][0]["index"].clone()), (422, json!(0)));
}

#[test]
fn calls_by_otlp_and_litellm_are_priced_too() {
    let acme = Priced::start(&[]);
    let post = |path: &str, body: &Value| {
        client::post(&acme.server.url(path), &acme.key, "application/json", body.to_string())
    };
    let attribute = |key: &str, value: Value| json!({ "key": key, "value": value });
    let text = |text: &str| json!({ "stringValue": text });
    let spans = json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": [{
        "traceId": "01010101010101010101010101010101", "spanId": "0202020202020202", "name": "chat",
        "endTimeUnixNano": "1795176000000000000",
        "attributes": [
            attribute("gen_ai.operation.name", text("chat")),
            attribute("gen_ai.provider.name", text("openai")),
            attribute("gen_ai.request.model", text("gpt-5.5")),
            attribute("gen_ai.response.id", text("span")),
            attribute("openai.response.service_tier", text("flex")),
            attribute("gen_ai.usage.cost", json!({ "doubleValue": 0.0 })),
            attribute("gen_ai.usage.input_tokens", json!({ "intValue": "5000" })),
            attribute("gen_ai.usage.output_tokens", json!({ "intValue": 80 })),
            attribute("gen_ai.usage.cache_read.input_tokens", json!({ "intValue": 4200 })),
        ],
    }] }] }] });
    let answer = post("/v1/traces", &spans);
    assert_eq!((answer.status, answer.text()), (200, "{}"));
    assert_eq!(acme.cost("span").0.as_deref(), Some("0.00425"));
    let call = json!({
        "id": "litellm", "status": "success", "custom_llm_provider": "openai",
        "model": "gpt-4o-mini-2024-07-18", "endTime": 1_795_176_000, "prompt_tokens": 13,
        "completion_tokens": 9, "response_cost": 0.0, "zero_cost_diagnostic": { "why": "no price" },
        "metadata": { "usage_object": { "prompt_tokens_details": { "cached_tokens": 4 } } },
    });
    let answer = post("/v1/litellm", &call);
    assert_eq!((answer.status, &answer.json()["accepted"]), (200, &json!(1)), "{}", answer.text());
    let (cost, source) = acme.cost("litellm");
    assert_eq!(cost.as_deref(), Some("0.00000705"));
    assert!(source.is_some_and(|source| source.starts_with("price:builtin-")));
}

#[test]
fn a_server_without_tables_prices_nothing() {
    for choice in ["none", "archive"] {
        let acme = Priced::start(&["--prices", choice]);
        let answer = acme.post(&[gpt("a", &json!({})), gpt("b", &json!({ "cost_usd": 1 }))]);
        assert_eq!(answer.json()["accepted"], 2, "{}", answer.text());
        assert_eq!(acme.cost("a"), (None, None), "{choice}");
        let body = client::get(&acme.server.url("/metrics?collect[]=pricing"), &acme.key);
        assert!(body.text().contains("# TYPE llm_price_table_timestamp_seconds gauge\n"));
        assert!(!body.text().contains("llm_price_table_timestamp_seconds{"), "{}", body.text());
    }
}
