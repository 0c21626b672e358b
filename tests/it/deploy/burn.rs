//! Test of the burn alert from end to end: a real tokenlake, Prometheus and Alertmanager with the
//! shipped rules and configurations, and a receiver of webhooks.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::tempdir;

use super::{prometheus_folder, replace_all, text};
use crate::support::alertmanager;
use crate::support::authority::Authority;
use crate::support::issuer::{ISSUER, KeyServer, Reply, Signer, claims, jwks};
use crate::support::listening::Listening;
use crate::support::process::{Server, installed, key, tokenlake};
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

/// An Alertmanager with the shipped configuration, which tells the webhook at once.
fn alertmanager(folder: &Path, webhook: &Webhook) -> Listening {
    let config = text("deploy/alertmanager/alertmanager.yml");
    let replaced = [
        ("http://host.docker.internal:5001/alerts", webhook.url.as_str()),
        ("group_wait: 10s", "group_wait: 0s"),
    ];
    std::fs::write(folder.join("alertmanager.yml"), replace_all(config, &replaced)).unwrap();
    alertmanager::start(folder)
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
    let alertmanager = alertmanager(folder.path(), &webhook);
    prometheus_folder(
        folder.path(),
        &key,
        &[
            ("tokenlake:9797", server.address()),
            ("tokenlake:9798", server.address()),
            ("alertmanager:9093", &alertmanager.address),
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

#[test]
#[allow(clippy::disallowed_methods, reason = "the program under test goes by the machine's clock")]
fn the_burn_alert_comes_over_tls_with_a_jwt_of_a_rotated_jwks() {
    if !(installed("prometheus") && installed(alertmanager::PROGRAM)) {
        return;
    }
    let (archive, folder, authority) = (tempdir().unwrap(), tempdir().unwrap(), Authority::new());
    key(archive.path(), "acme");
    let [cert, cert_key] = authority.certify().write(folder.path());
    let ca = authority.write(folder.path());
    let [cert, cert_key, ca] = [&cert, &cert_key, &ca].map(|path| path.to_str().unwrap());
    let [old, new] = [Signer::rs256("old"), Signer::es256("new")];
    let issuer = KeyServer::start(&authority.certify(), Reply::Keys(jwks(&[&old])));
    let url = issuer.url();
    let keys = ["--jwt-jwks", &url, "--jwt-jwks-ca", ca, "--jwt-jwks-refresh", "1s"];
    let tls = ["serve", "--tls-cert", cert, "--tls-key", cert_key];
    let server = Server::start_with(archive.path(), &[&tls[..], &keys, &ISSUER].concat());
    let webhook = Webhook::start();
    let alertmanager = alertmanager(folder.path(), &webhook);
    let jwt = |signer: &Signer| signer.sign(&claims("metrics:read", 3_600));
    prometheus_folder(
        folder.path(),
        &jwt(&old),
        &[
            (
                "    authorization:",
                "    scheme: https\n    tls_config: {ca_file: ca.pem}\n    authorization:",
            ),
            ("tokenlake:9797", server.address()),
            ("alertmanager:9093", &alertmanager.address),
            ("_interval: 15s", "_interval: 1s"),
        ],
    );
    let prometheus = Prometheus::start_program("prometheus", folder.path(), "prometheus.yml");
    let up = |expected: &str| {
        poll(CAME_MAX, "the target's health", || {
            (prometheus.up("tokenlake-acme").as_deref() == Some(expected)).then_some(())
        });
    };
    up("1");
    issuer.set(Reply::Keys(jwks(&[&new])));
    up("0");
    std::fs::write(folder.path().join("secrets/acme.key"), jwt(&new)).unwrap();
    up("1");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let event = format!(
        r#"{{"event_id":"a","ts":{},"provider":"p","model":"m","cost_usd":"250.000001"}}"#,
        now.as_secs(),
    );
    let file = folder.path().join("events.ndjson");
    std::fs::write(&file, event).unwrap();
    let sent = ["backfill", "--org", "acme", file.to_str().unwrap()];
    assert_eq!(tokenlake(archive.path(), &sent).status, 0);
    assert_eq!(next(&webhook, "TokenlakeDailyBurnHigh")["labels"]["org_id"], "acme");
}
