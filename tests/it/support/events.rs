//! Plain events.

use std::ops::Range;

use super::client;
use super::process::Server;
use super::scrape::scrape;

/// An event of 15 LLM tokens and a quarter dollar, as JSON on a line.
pub fn event(id: &str) -> String {
    format!(
        r#"{{"event_id":"{id}","ts":"2024-05-01T10:00:00Z","provider":"openai","model":"gpt-4o","input_tokens":10,"output_tokens":5,"cost_usd":"0.25"}}"#
    )
}

/// Many of them, as NDJSON.
pub fn ndjson(ids: Range<u32>) -> String {
    let lines: Vec<_> = ids.map(|id| event(&id.to_string())).collect();
    lines.join("\n")
}

/// Sends events that must be accepted.
pub fn send(server: &Server, key: &str, ids: Range<u32>) {
    let count = ids.len();
    let body = ndjson(ids);
    let answer = client::post(&server.url("/v1/events"), key, "application/x-ndjson", body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["accepted"], count, "{}", answer.text());
}

/// How many events of this kind an organisation has, by its scrape.
pub fn counted(server: &Server, key: &str, org: &str) -> u32 {
    let labels = format!(r#"{{provider="openai",model="gpt-4o",org_id="{org}"}}"#);
    let series = scrape(server, key);
    let count = series.get(&format!("llm_requests_total{labels}"));
    count.map_or(0, |count| count.parse().unwrap())
}
