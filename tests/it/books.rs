//! The books of a month: reports of providers in SQL, comparisons with events, and the export of charges.
//!
//! The samples are made here, in the documented shapes of the providers' APIs.

mod focus;
mod imports;
mod reconcile;
mod walls;

use serde_json::{Value, json};

use crate::pricing::priced::Priced;
use crate::support::client;
use crate::support::process::Done;

/// When 2026-11-03 begins, in seconds since 1970.
const DAY: i64 = 1_793_664_000;
/// Seconds of an hour.
const HOUR: i64 = 3_600;

/// A page of OpenAI: buckets from a second to another, with their results.
fn openai(buckets: &[(i64, i64, Value)]) -> Value {
    let buckets = buckets.iter().map(|(start, end, results)| {
        json!({ "object": "bucket", "start_time": start, "end_time": end, "results": results })
    });
    let data: Vec<_> = buckets.collect();
    json!({ "object": "page", "data": data, "has_more": false, "next_page": null })
}

/// OpenAI's usage of a model.
fn used(model: &Value, requests: i64, input: i64, output: i64) -> Value {
    json!({
        "object": "organization.usage.completions.result", "input_tokens": input,
        "output_tokens": output, "input_cached_tokens": 0, "num_model_requests": requests,
        "project_id": null, "user_id": null, "api_key_id": null, "model": model, "batch": null,
    })
}

/// OpenAI's cost of a line of the invoice.
fn cost(line: &Value, value: &str) -> Value {
    let value: Value = serde_json::from_str(value).unwrap();
    json!({
        "object": "organization.costs.result", "amount": { "value": value, "currency": "usd" },
        "line_item": line, "project_id": null,
    })
}

/// A page of Anthropic of 2026-11-03.
fn anthropic(results: &Value) -> Value {
    let (start, end) = ("2026-11-03T00:00:00Z", "2026-11-04T00:00:00Z");
    let bucket = json!({ "starting_at": start, "ending_at": end, "results": results });
    json!({ "data": [bucket], "has_more": false, "next_page": null })
}

/// Imports a page for `acme`.
fn import(acme: &Priced, format: &str, page: &Value) -> Done {
    let file = acme.file("page.json", &page.to_string());
    let done = acme.run(&["report", "import", "--format", format, "--org", "acme", &file]);
    assert_eq!(done.status, 0, "{done:?}");
    done
}

/// A call of 2026-11-03, at a second of the day.
fn call(id: &str, model: &str, second: i64, input: i64, output: i64, cost: Option<&str>) -> Value {
    json!({
        "event_id": id, "ts": DAY + second, "provider": "openai", "model": model,
        "input_tokens": input, "output_tokens": output, "cost_usd": cost,
    })
}

fn send(acme: &Priced, events: &[Value]) {
    let answer = acme.post(events);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["accepted"], events.len(), "{}", answer.text());
}

/// The rows of a statement of an operator.
fn rows(acme: &Priced, query: &str) -> Value {
    let done = acme.run(&["sql", "--format", "json", "-c", query]);
    assert_eq!(done.status, 0, "{done:?}");
    serde_json::from_str(&done.stdout).unwrap()
}

/// What a key is answered to a statement.
fn asked(acme: &Priced, key: &str, query: &str) -> (u16, Value) {
    let answer = client::post(&acme.server.url("/v1/sql"), key, "text/plain", query);
    (answer.status, answer.json())
}
