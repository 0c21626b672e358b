//! Keys that are bound to a part of an organisation.

use serde_json::json;
use tempfile::tempdir;

use super::{declare, dimension, event, has_parts, post, shown};
use crate::support::client;
use crate::support::process::{Server, key, key_with, tokenlake};
use crate::support::scrape::scrape;

#[test]
fn a_bound_key_marks_what_it_sends_and_sees_nothing_else() {
    let folder = tempdir().unwrap();
    let archive = folder.path();
    let acme = key(archive, "acme");
    let server = Server::start_with(archive, &["serve"]);
    declare(archive, &["team"]);
    declare(archive, &["app"]);
    let core = key_with(archive, "acme", &["--dimension", "team=core"]);
    let ops = key_with(archive, "acme", &["--dimension", "team= ops "]);
    shown(&server, &acme, |_| true);
    post(&server, &acme, &[event("1", Some("core"), "0.5"), event("2", Some("ops"), "7")]);
    let full: serde_json::Map<_, _> = (0..64)
        .map(|n| (format!("k{n}"), json!("v")))
        .chain([("app".into(), json!("x"))])
        .collect();
    let mut sent = event("3", Some("ops"), "0.25");
    sent["attributes"] = json!(full);
    post(&server, &core, &[sent]);

    // Its core families are those of an organisation that had only its events.
    let own = scrape(&server, &core);
    let labels = "{provider=\"openai\",model=\"gpt-4o\",org_id=\"acme\"}";
    assert_eq!(own[&format!("llm_requests_total{labels}")], "2");
    assert_eq!(own[&format!("llm_cost_usd_total{labels}")], "0.75");
    assert_eq!(own["llm_cost_usd_rolling_24h{org_id=\"acme\"}"], "0.75");
    let all = scrape(&server, &acme);
    assert_eq!(all[&format!("llm_requests_total{labels}")], "3");
    assert_eq!(all["llm_cost_usd_rolling_24h{org_id=\"acme\"}"], "7.75");

    // Of dimensions it sees its own value alone.
    let series = shown(&server, &core, has_parts);
    assert_eq!(super::of(&series, "llm_dimension_cost_usd_total", "team", "core"), "0.75");
    let other = |name: &&String| name.contains("dimension=\"app\"") || name.contains("\"ops\"");
    assert_eq!(series.keys().filter(other).count(), 0, "{series:?}");
    let series = shown(&server, &ops, has_parts);
    assert_eq!(super::of(&series, "llm_dimension_requests_total", "team", "ops"), "1");

    // SQL has those events alone, in each table.
    let ask = |key: &str, query: &str| {
        let body = query.as_bytes().to_vec();
        let answer = client::post(&server.url("/v1/sql"), key, "text/plain", body);
        assert_eq!(answer.status, 200, "{query}: {}", answer.text());
        answer.json()
    };
    let ids = "SELECT event_id FROM events ORDER BY event_id";
    assert_eq!(ask(&core, ids), json!([{ "event_id": "1" }, { "event_id": "3" }]));
    assert_eq!(ask(&acme, ids).as_array().unwrap().len(), 3);
    let count = "SELECT count(*) AS n, sum(cost_usd)::decimal(18,2) AS cost FROM events";
    assert_eq!(ask(&core, count), json!([{ "n": 2, "cost": "0.75" }]));
    let usage = "SELECT org_id, requests, cost_usd::decimal(18,2) AS cost FROM usage_hourly";
    let usage = ask(&core, usage);
    assert_eq!(usage[0]["org_id"], "acme");
    let sum = |rows: &serde_json::Value| -> i64 {
        rows.as_array().unwrap().iter().map(|row| row["requests"].as_i64().unwrap()).sum()
    };
    assert_eq!(sum(&usage), 2, "{usage}");
    let parts = "SELECT dimension, value, sum(requests) AS requests FROM usage_by_dimension \
                 GROUP BY 1, 2 ORDER BY 1, 2";
    let own = json!([{ "dimension": "team", "value": "core", "requests": 2 }]);
    assert_eq!(ask(&core, parts), own);
    let of = |name: &str, value: &str, requests: u64| json!({ "dimension": name, "value": value, "requests": requests });
    let all = json!([of("app", "x", 1), of("team", "core", 2), of("team", "ops", 1)]);
    assert_eq!(ask(&acme, parts), all);
    let done = tokenlake(archive, &["sql", "--format", "json", "-c", parts]);
    let shown_to_operators: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(shown_to_operators, all, "{done:?}");

    // Without its dimension it is refused.
    assert_eq!(dimension(archive, &["remove", "team"]).status, 0);
    shown(&server, &acme, |series| !series.keys().any(|name| name.contains("\"team\"")));
    assert_eq!(ask(&acme, parts), json!([of("app", "x", 1)]));
    for path in ["/metrics", "/metrics?collect[]=dimensions"] {
        assert_eq!(client::get(&server.url(path), &core).status, 403);
    }
    let body = serde_json::to_vec(&[event("9", None, "1")]).unwrap();
    let answer = client::post(&server.url("/v1/events"), &core, "application/json", body);
    assert_eq!(answer.status, 403, "{}", answer.text());
}

#[test]
fn a_key_is_bound_to_a_declared_dimension_and_a_value() {
    let folder = tempdir().unwrap();
    let archive = folder.path();
    declare(archive, &["team"]);
    for wrong in ["team", "team=", "team= ", "app=core", "=core"] {
        let args = ["key", "create", "--org", "acme", "--dimension", wrong];
        let done = tokenlake(archive, &args);
        assert_eq!((done.status, done.stdout.as_str()), (1, ""), "{wrong}: {done:?}");
    }
    let _ = key_with(archive, "acme", &["--dimension", "team=a=b"]);
    let listed = tokenlake(archive, &["key", "list", "--format", "json"]);
    let listed: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
    assert_eq!(listed[0]["dimension"], "team=a=b");
}
