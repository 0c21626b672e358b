//! Tests of the dashboard whose source is Grafana's Infinity: each of its requests is sent to a real
//! server, as the plugin sends it, and has what its columns select.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tempfile::tempdir;
use tokenlake::clock::{Clock as _, SECOND, SystemClock};

use super::dashboard::{dashboard, panels};
use super::text;
use crate::support::client;
use crate::support::process::{Server, key, tokenlake};

/// A plugin's name for this source.
const KIND: &str = "yesoreyeram-infinity-datasource";

/// What Grafana puts in place of variables.
fn filled(text: &str, variables: &BTreeMap<&str, &str>) -> String {
    let fill = |text: String, (name, value): (&&str, &&str)| text.replace(*name, value);
    let text = variables.iter().fold(text.to_owned(), fill);
    assert!(!text.contains('$'), "{text}");
    text
}

/// The answer to a target's request.
fn asked(server: &Server, key: &str, target: &Value, variables: &BTreeMap<&str, &str>) -> Value {
    let url = server.url(&filled(target["url"].as_str().unwrap(), variables));
    let options = &target["url_options"];
    let answer = match options["method"].as_str().unwrap() {
        "GET" => client::get(&url, key),
        "POST" => {
            assert_eq!(options["body_type"], "raw");
            let body = filled(options["data"].as_str().unwrap(), variables);
            client::post(&url, key, options["body_content_type"].as_str().unwrap(), body)
        }
        other => panic!("{other}"),
    };
    assert_eq!(answer.status, 200, "{url}: {}", answer.text());
    answer.json()
}

/// Whether the plugin makes a value of a column's type of what is there.
fn fits(value: &Value, kind: &str) -> bool {
    match (kind, value) {
        ("string", Value::String(_)) => true,
        ("number", Value::Number(_)) => true,
        ("number", Value::String(text)) => text.parse::<f64>().is_ok(),
        ("timestamp", Value::String(text)) => chrono::DateTime::parse_from_rfc3339(text).is_ok(),
        _ => false,
    }
}

#[test]
fn each_request_of_the_exact_dashboard_has_what_its_columns_select() {
    let archive = tempdir().unwrap();
    let key = key(archive.path(), "acme");
    let allowed = ["--webhook-allow", "alerts.invalid"];
    let set = ["budget", "set", "all", "--org", "acme", "--amount", "10", "--period", "month"];
    let webhook = ["--webhook", "https://alerts.invalid/", "--threshold", "80"];
    let done = tokenlake(archive.path(), &[&set[..], &webhook, &allowed].concat());
    assert_eq!(done.status, 0, "{done:?}");
    let server = Server::start(archive.path());
    let now = SystemClock.now() / SECOND;
    let call = json!({
        "event_id": "1", "ts": now - 60, "provider": "openai", "model": "gpt-4o",
        "input_tokens": 12, "output_tokens": 3, "cost_usd": "1.25",
    });
    let sent = client::post(&server.url("/v1/events"), &key, "application/json", call.to_string());
    assert_eq!(sent.status, 200, "{}", sent.text());
    let iso = |seconds: i64| {
        let time = chrono::DateTime::from_timestamp(seconds, 0).unwrap();
        time.format("%Y-%m-%dT%H:%M:%S.000Z").to_string()
    };
    let (from, to) = (iso(now - 86_400), iso(now + 60));
    for step in ["hour", "day", "week", "month"] {
        let variables = BTreeMap::from([
            ("${__from:date:iso}", from.as_str()),
            ("${__to:date:iso}", to.as_str()),
            ("${timezone}", "Europe/Berlin"),
            ("${group}", "model"),
            ("${step}", step),
        ]);
        for panel in panels("usage") {
            let [target] = panel["targets"].as_array().unwrap().as_slice() else {
                panic!("{}", panel["title"]);
            };
            assert_eq!(
                (&target["datasource"]["type"], &target["type"]),
                (&json!(KIND), &json!("json"))
            );
            let answer = asked(&server, &key, target, &variables);
            let rows = match target["root_selector"].as_str().unwrap() {
                "" => &answer,
                root => &answer[root],
            };
            assert_eq!(rows.as_array().map(Vec::len), Some(1), "{}: {answer}", panel["title"]);
            for column in target["columns"].as_array().unwrap() {
                let selector = filled(column["selector"].as_str().unwrap(), &variables);
                let (value, kind) = (&rows[0][&selector], column["type"].as_str().unwrap());
                assert!(fits(value, kind), "{}: {selector} is {value}", panel["title"]);
            }
        }
    }
}

#[test]
fn its_source_may_call_the_server_of_compose_and_reads_the_key_that_is_mounted() {
    let (source, compose) =
        (text("deploy/grafana/provisioning/datasources/tokenlake.yml"), text("compose.yaml"));
    let line = |name: &str| {
        let found = source.lines().find_map(|line| line.trim().strip_prefix(name));
        found.unwrap_or_else(|| panic!("{name} is missing")).trim()
    };
    assert_eq!(line("type:"), KIND);
    let url = line("url:");
    assert!(source.contains(&format!("        - {url}\n")), "{url} is not allowed");
    assert!(compose.contains(&format!("GF_PLUGINS_PREINSTALL_SYNC: {KIND}")));
    let key = line("bearerToken:").strip_prefix("$__file{").unwrap().strip_suffix('}').unwrap();
    let (folder, name) = key.rsplit_once('/').unwrap();
    assert!(compose.contains(&format!("./deploy/prometheus/secrets:{folder}:ro")));
    assert!(text("deploy/prometheus/prometheus.yml").contains(&format!("secrets/{name}")));
    assert!(dashboard("usage").to_string().contains(&format!("\"query\":\"{KIND}\"")));
}
