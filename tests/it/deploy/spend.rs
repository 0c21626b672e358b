//! Tests of the last hour's cost by the documented query, by the shipped rule and by the shipped
//! panel: the same sums, to the cent, including the first calls to a new model.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::tempdir;

use super::history::{History, MINUTE};
use super::queries::now;
use super::{snippets, text};
use crate::support::poll;
use crate::support::process::installed;
use crate::support::prometheus::Prometheus;

/// When the past is scraped, in minutes before now: time goes on during the test.
const SCRAPES: [i64; 13] = [130, 66, 63, 61, 58, 55, 40, 15, 10, 4, 3, 2, 1];
/// Until Prometheus has opened its blocks.
const READY_MAX: Duration = Duration::from_secs(30);
const RULE: &str = "record: org_provider_model:llm_cost_usd:delta_1h\n";
const PANEL: &str = "Spend within the time shown, by model";

/// What happens so many minutes ago: organisation, model, cost.
const CALLS: [(i64, &str, &str, &str); 5] = [
    (130, "acme", "gpt-4o", "20"),
    (40, "acme", "gpt-4o", "3.25"),
    (15, "acme", "new", "1.5"),
    (10, "acme", "new", "0.25"),
    // It is scraped for the first time after its call.
    (130, "late", "old", "9"),
];

async fn make_past(history: &mut History) {
    let now = now();
    for minutes in SCRAPES {
        let at = now - minutes * MINUTE;
        history.set(at);
        for (number, (when, org, model, cost)) in CALLS.iter().enumerate() {
            if *when == minutes {
                let event = json!({
                    "event_id": number, "ts": at, "provider": "openai", "model": model,
                    "cost_usd": cost,
                });
                history.send(org, event).await;
            }
        }
        history.scrape("acme").await;
        if minutes < 30 {
            history.scrape("late").await;
        }
    }
}

/// The query of the shipped rule.
fn rule() -> String {
    let rules = text("deploy/prometheus/rules/usage.yml");
    let (_, rest) = rules.split_once(RULE).unwrap();
    let (_, rest) = rest.split_once("expr: >-\n").unwrap();
    rest.split("\n\n").next().unwrap().to_owned()
}

/// The query of the shipped panel, over the last hour.
fn panel() -> String {
    let dashboard = text("deploy/grafana/dashboards/tokenlake.json");
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let panel = panels.iter().find(|panel| panel["title"] == PANEL).unwrap();
    let query = panel["targets"][0]["expr"].as_str().unwrap();
    query.replace("$org", ".*").replace("$__range", "1h")
}

/// Models with what they cost.
fn asked(prometheus: &Prometheus, query: &str) -> BTreeMap<String, String> {
    let found = prometheus.query(query);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    found.iter().map(|one| (text(&one["metric"]["model"]), text(&one["value"][1]))).collect()
}

#[test]
fn the_documents_ask_what_the_rules_ask_and_the_first_calls_to_a_model_are_in_it() {
    let without_space = |text: &str| text.split_whitespace().collect::<String>();
    let queries = snippets::queries();
    assert_eq!(queries.len(), 1, "a query whose values nothing compares");
    let summed = format!("sumby(model)({})", without_space(&rule()));
    assert_eq!(without_space(&queries[0]), summed);
    if !(installed("prometheus") && installed("promtool")) {
        return;
    }
    let (archive, folder) = (tempdir().unwrap(), tempdir().unwrap());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut history = History::at(archive.path(), now() - 131 * MINUTE).await;
        make_past(&mut history).await;
        history.store(&folder.path().join("data")).await;
    });
    std::fs::write(folder.path().join("config.yml"), "global: {scrape_interval: 1h}\n").unwrap();
    let prometheus = Prometheus::start(folder.path());
    // It answers before it has opened its blocks.
    poll(READY_MAX, "the past", || {
        (!prometheus.query("llm_cost_usd_total").is_empty()).then_some(())
    });
    let spent = [("gpt-4o", "3.25"), ("new", "1.75")];
    let spent = BTreeMap::from(spent.map(|(model, cost)| (model.to_owned(), cost.to_owned())));
    assert_eq!(asked(&prometheus, &queries[0]), spent);
    assert_eq!(asked(&prometheus, &format!("sum by (model) ({})", rule())), spent);
    let mut shown = asked(&prometheus, &panel());
    // What it cannot tell exactly, it estimates: of what was scraped within the hour for the first time.
    shown.remove("old");
    assert_eq!(shown, spent);
}
