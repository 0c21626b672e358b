//! Tests of every rule and every query of the dashboard, on a real Prometheus that scraped a real
//! tokenlake in which all relevant events have happened: each returns data.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tempfile::tempdir;
use tokenlake::clock::{Micros, SECOND};

use super::dashboard::{OF_PROMETHEUS, dashboard, panels};
use super::history::{History, MINUTE};
use super::{prometheus_folder, take_storage_away};
use crate::support::process::{Server, installed, key_with, tokenlake};
use crate::support::prometheus::Prometheus;
use crate::support::{client, poll};

/// A busy machine; some rates need several scrapes.
const DATA_MAX: Duration = Duration::from_secs(60);
/// When the past is scraped, in minutes before now: densely where rules look back to, since time
/// goes on during the test.
const SCRAPES: [i64; 14] = [366, 363, 361, 358, 330, 270, 200, 130, 66, 63, 61, 58, 40, 15];
/// A dimension that is declared.
const DIMENSION: &str = "team";
/// All that the tests send, one after the other.
const ORGS: [&str; 3] = ["acme", "fading", "gone"];

/// The machine's time, by which the programs go.
#[allow(clippy::disallowed_methods, reason = "the programs under test go by the machine's clock")]
pub(super) fn now() -> Micros {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as Micros
}

fn event(id: &str, ts: Micros, model: &str, cost: Option<&str>) -> Value {
    json!({
        "event_id": id, "ts": ts, "provider": "openai", "model": model, "cost_usd": cost,
        "input_tokens": 1_000, "cached_input_tokens": 400, "cache_write_tokens": 100,
        "output_tokens": 300, "reasoning_tokens": 50, "attributes": { DIMENSION: "core" },
    })
}

/// `acme` spends more than its budget, most of it within the last hour, and has just begun with a
/// model without a price. `fading` has stopped hours ago, and what it spent a day ago leaves the
/// window. `gone` is scraped no more.
async fn make_past(history: &mut History, now: Micros) {
    let minutes_ago = |minutes: i64| now - minutes * MINUTE;
    let day_ago = minutes_ago(24 * 60 + 30);
    history.set(day_ago);
    history.send("fading", event("a-day-ago", day_ago, "gpt-4o", Some("200"))).await;
    history.set(minutes_ago(367));
    for org in ORGS {
        history.send(org, event("first", minutes_ago(367), "gpt-4o", Some("20"))).await;
    }
    for minutes in SCRAPES {
        history.set(minutes_ago(minutes));
        if minutes < 60 {
            let id = minutes.to_string();
            history.send("acme", event(&id, minutes_ago(minutes), "gpt-4o", Some("150"))).await;
            history
                .send("acme", event(&format!("{id}-new"), minutes_ago(minutes), "new", None))
                .await;
        }
        for org in ORGS {
            history.scrape(org).await;
        }
    }
}

/// Two servers: one that is well, and one whose storage is away, which answers as before.
struct Servers {
    well: Server,
    away: Server,
    keys: BTreeMap<&'static str, String>,
}

fn telemetry(server: &Server) -> String {
    let stderr = server.stderr();
    let url = stderr.lines().find_map(|line| line.strip_prefix("telemetry on ")).unwrap();
    url.to_owned()
}

fn address(url: &str) -> &str {
    url.strip_prefix("http://").unwrap().split('/').next().unwrap()
}

impl Servers {
    fn start(well: &Path, away: &Path) -> Self {
        let soon = ["--scope", "metrics:read,events:write", "--expires", "7d"];
        let keys = ["acme", "fading"].map(|org| (org, key_with(well, org, &soon)));
        let mut keys = BTreeMap::from(keys);
        keys.insert("stuck", key_with(away, "stuck", &[]));
        let serve = ["serve", "--admin-listen", "127.0.0.1:0"];
        let stale = [&serve[..], &["--max-stale-on-error", "10m"]].concat();
        let well = Server::start_with(well, &serve);
        let away = Server::start_with(away, &stale);
        Self { well, away, keys }
    }

    fn send(&self, server: &Server, org: &str, event: &Value) -> u16 {
        let (url, kind) = (server.url("/v1/events"), "application/json");
        client::post(&url, &self.keys[org], kind, event.to_string()).status
    }

    /// The shipped jobs, and such for the others.
    fn configure(&self, folder: &Path) {
        prometheus_folder(
            folder,
            &self.keys["acme"],
            &[
                ("\"tokenlake:9797\"", &format!("\"{}\"", self.well.address())),
                ("\"tokenlake:9798\"", &format!("\"{}\"", address(&telemetry(&self.well)))),
                ("alertmanager:9093", "127.0.0.1:9"),
                ("_interval: 15s", "_interval: 1s"),
            ],
        );
        let path = folder.join("prometheus.yml");
        let mut config = std::fs::read_to_string(&path).unwrap();
        let away = address(&telemetry(&self.away)).to_owned();
        for (job, key, target) in [
            ("fading", self.keys["fading"].as_str(), self.well.address()),
            ("stuck", &self.keys["stuck"], self.away.address()),
            ("refused", "td_live_of_nobody", self.well.address()),
            ("stuck-telemetry", "", &away),
        ] {
            config.push_str(&format!(
                "  - job_name: tokenlake-{job}\n    authorization: {{credentials: '{key}'}}\n    \
                 params: {{'collect[]': [core, tokens, pricing, freshness]}}\n    \
                 static_configs: [{{targets: ['{target}']}}]\n"
            ));
        }
        std::fs::write(path, config).unwrap();
    }

    /// What goes on: events here, and there requests that come to nothing.
    fn live_on(&self, now: Micros, number: i64) {
        let id = format!("live-{number}");
        let fresh = event(&id, now + number * SECOND / 10, "gpt-4o", Some("1"));
        assert_eq!(self.send(&self.well, "acme", &fresh), 200);
        assert_eq!(self.send(&self.away, "stuck", &json!({ "event_id": id })), 422);
        // Nothing was answered in this form before.
        let scrape = client::get(&self.away.url("/metrics?collect[]=pricing"), &self.keys["stuck"]);
        assert_eq!(scrape.status, 503);
    }
}

/// The queries of the dashboards, by their panels; what Grafana would put in place of its variables
/// is put there.
fn dashboard_queries() -> Vec<(String, String)> {
    let filled = |query: &str| {
        let query = query.replace("$__rate_interval", "20s").replace("$__range", "1h");
        let query = query.replace("$org", ".*").replace("$dimension", DIMENSION);
        assert!(!query.contains('$'), "{query}");
        query
    };
    let mut found = Vec::new();
    for name in OF_PROMETHEUS {
        for panel in panels(name) {
            for target in panel["targets"].as_array().into_iter().flatten() {
                let title = format!("{name}: {}", panel["title"]);
                found.push((title, filled(target["expr"].as_str().unwrap())));
            }
        }
        for annotation in dashboard(name)["annotations"]["list"].as_array().unwrap() {
            found.push(("annotation".to_owned(), filled(annotation["expr"].as_str().unwrap())));
        }
    }
    assert!(found.len() > 30);
    found
}

/// The rules that Prometheus has loaded.
fn rule_queries(prometheus: &Prometheus) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let rules = prometheus.rules();
    rules.iter().map(|rule| (text(&rule["name"]), text(&rule["query"]))).collect()
}

/// True where a query gives a number.
fn gives_data(prometheus: &Prometheus, query: &str) -> bool {
    let found = prometheus.query(query);
    found.iter().any(|sample| sample["value"][1].as_str().is_some_and(|value| value != "NaN"))
}

#[test]
fn every_rule_and_every_query_of_the_dashboard_returns_data() {
    if !(installed("prometheus") && installed("promtool")) {
        return;
    }
    let [well, away, folder] = [tempdir().unwrap(), tempdir().unwrap(), tempdir().unwrap()];
    let now = now();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut history = runtime.block_on(History::at(well.path(), now - 25 * 60 * MINUTE));
    runtime.block_on(make_past(&mut history, now));
    let declared = tokenlake(well.path(), &["dimension", "add", DIMENSION]);
    assert_eq!(declared.status, 0, "{declared:?}");
    let servers = Servers::start(well.path(), away.path());
    assert_eq!(servers.send(&servers.away, "stuck", &event("only", now, "m", None)), 200);
    let version = poll(DATA_MAX, "the telemetry shows the commit", || {
        let shown = client::send("GET", &telemetry(&servers.away), &[], "");
        let version =
            shown.text().lines().find(|line| line.starts_with("tokenlake_archive_version "));
        version.filter(|line| !line.ends_with(" 0")).map(str::to_owned)
    });
    for minutes in SCRAPES {
        history.keep(&version, "job=\"tokenlake-stuck-telemetry\"", now - minutes * MINUTE);
    }
    runtime.block_on(history.store(&folder.path().join("data")));
    servers.configure(folder.path());
    let prometheus = Prometheus::start_program("prometheus", folder.path(), "prometheus.yml");
    poll(DATA_MAX, "a scrape of each job", || {
        let up = |job: &str| prometheus.up(job).as_deref() == Some("1");
        (up("tokenlake-stuck") && up("tokenlake-stuck-telemetry")).then_some(())
    });
    take_storage_away(away.path());
    let rules = rule_queries(&prometheus);
    assert!(rules.len() > 15, "{rules:?}");
    let mut missing = [rules, dashboard_queries()].concat();
    let (started, mut number) = (Instant::now(), 0);
    while !missing.is_empty() {
        number += 1;
        servers.live_on(now, number);
        missing.retain(|(_, query)| !gives_data(&prometheus, query));
        assert!(started.elapsed() < DATA_MAX, "no data for {missing:#?}");
        std::thread::sleep(Duration::from_millis(500));
    }
}
