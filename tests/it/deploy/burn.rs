//! The burn alert on its whole way: a real tokenlake, Prometheus and Alertmanager with the shipped
//! rules and configurations, and a receiver of webhooks.

use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::tempdir;

use super::{prometheus_folder, replace_all, text};
use crate::support::alertmanager::{self, Alertmanager};
use crate::support::process::{Server, installed, key};
use crate::support::prometheus::Prometheus;
use crate::support::webhook::Webhook;
use crate::support::{client, poll};

const CAME_MAX: Duration = Duration::from_secs(60);

/// Sends an event of now that costs so much.
#[allow(clippy::disallowed_methods, reason = "the program under test goes by the machine's clock")]
fn spend(server: &Server, key: &str, id: &str, cost: &str) {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let event = format!(
        r#"{{"event_id":"{id}","ts":{},"provider":"p","model":"m","cost_usd":"{cost}"}}"#,
        now.as_secs(),
    );
    let answer = client::post(&server.url("/v1/events"), key, "application/json", event);
    assert_eq!(answer.json()["accepted"], 1, "{}", answer.text());
}

/// The next alert of that name that comes.
fn next(webhook: &Webhook, name: &str) -> Value {
    let started = Instant::now();
    while let Some(left) = CAME_MAX.checked_sub(started.elapsed()) {
        let Ok(mut body) = webhook.bodies.recv_timeout(left) else { break };
        let alerts = body["alerts"].as_array_mut().map(std::mem::take).unwrap_or_default();
        if let Some(alert) = alerts.into_iter().find(|alert| alert["labels"]["alertname"] == name) {
            return alert;
        }
    }
    panic!("{name} did not come");
}

#[test]
fn the_burn_alert_reaches_a_webhook_once_more_than_the_budget_is_spent() {
    if !(installed("prometheus") && installed(alertmanager::PROGRAM)) {
        return;
    }
    let (archive, folder) = (tempdir().unwrap(), tempdir().unwrap());
    let key = key(archive.path(), "acme");
    let server = Server::start_with(archive.path(), &["serve", "--admin-listen", "127.0.0.1:0"]);
    let webhook = Webhook::start();
    let config = text("deploy/alertmanager/alertmanager.yml");
    let config = replace_all(
        config,
        &[
            ("http://host.docker.internal:5001/alerts", &webhook.url),
            ("group_wait: 10s", "group_wait: 0s"),
        ],
    );
    std::fs::write(folder.path().join("alertmanager.yml"), config).unwrap();
    let alertmanager = Alertmanager::start(folder.path());
    prometheus_folder(
        folder.path(),
        &key,
        &[
            ("tokenlake:9797", server.address()),
            ("tokenlake:9798", server.address()),
            ("alertmanager:9093", alertmanager.address()),
            ("_interval: 15s", "_interval: 1s"),
        ],
    );
    // The key may come later than Prometheus, as it does with compose.yaml.
    let key_file = folder.path().join("secrets/acme.key");
    std::fs::remove_file(&key_file).unwrap();
    // The budget is 250 dollars: neither a cent less nor all of it is too much.
    spend(&server, &key, "a", "249.99");
    spend(&server, &key, "b", "0.01");
    let prometheus = Prometheus::start_program("prometheus", folder.path(), "prometheus.yml");
    poll(CAME_MAX, "a scrape without a key", || {
        (prometheus.up("tokenlake-acme").as_deref() == Some("0")).then_some(())
    });
    std::fs::write(&key_file, format!("{key}\n")).unwrap();
    let ratio = "org:llm_cost_usd:budget_ratio{org_id=\"acme\"} == 1";
    poll(CAME_MAX, "the budget is spent", || (!prometheus.query(ratio).is_empty()).then_some(()));
    assert_eq!(
        prometheus.query("ALERTS{alertname=\"TokenlakeDailyBurnHigh\"}"),
        Vec::<Value>::new()
    );
    spend(&server, &key, "c", "0.000001");
    let alert = next(&webhook, "TokenlakeDailyBurnHigh");
    assert_eq!(alert["status"], "firing");
    assert_eq!(alert["labels"]["org_id"], "acme");
    assert_eq!(alert["labels"]["severity"], "warning");
    assert_eq!(alert["annotations"]["summary"], "acme spent more than its daily budget");
    let generator = alert["generatorURL"].as_str().unwrap();
    assert!(generator.contains("/graph?g0.expr="), "{generator}");
}
