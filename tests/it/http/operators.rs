//! Tests of operators' keys: they read any organisation that is named, and nobody else may name one.

use std::time::Duration;

use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};
use tokenlake::clock::{Clock as _, SystemClock};

use crate::support::client::{self, Answer};
use crate::support::process::{Server, installed, key, key_with, tokenlake};
use crate::support::prometheus::Prometheus;
use crate::support::{events, poll};

/// Prometheus asks each second.
const FOUND_MAX: Duration = Duration::from_secs(60);

struct Shop {
    archive: TempDir,
    server: Server,
    operator: String,
    /// The key of an organisation.
    acme: String,
}

impl Shop {
    fn start() -> Self {
        Self::start_with(&["serve"])
    }

    fn start_with(args: &[&str]) -> Self {
        let archive = tempdir().unwrap();
        let done = tokenlake(
            archive.path(),
            &["key", "create", "--operator", "--scope", "metrics:read", "--name", "ops"],
        );
        assert_eq!(done.status, 0, "{done:?}");
        let (operator, acme) = (done.stdout.trim_end().to_owned(), key(archive.path(), "Acme"));
        let server = Server::start_with(archive.path(), args);
        events::send(&server, &acme, 0..3);
        Self { archive, server, operator, acme }
    }

    fn get(&self, path: &str, key: &str) -> Answer {
        client::get(&self.server.url(path), key)
    }

    /// The parameters of all targets, in order.
    fn tenants(&self) -> Vec<Value> {
        let answer = self.get("/sd/prometheus", &self.operator);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let targets = answer.json().as_array().unwrap().clone();
        for target in &targets {
            assert_eq!(target["targets"], json!([self.server.address()]));
        }
        targets.into_iter().map(|mut target| target["labels"]["__param_org"].take()).collect()
    }

    fn id_of(&self, name: &str) -> String {
        let list = tokenlake(self.archive.path(), &["key", "list", "--format", "json"]).stdout;
        let list: Vec<Value> = serde_json::from_str(&list).unwrap();
        let key = list.iter().find(|key| key["name"] == name).unwrap();
        key["id"].as_str().unwrap().to_owned()
    }
}

#[test]
fn an_operator_reads_the_organisation_that_is_named() {
    let shop = Shop::start();
    for path in ["/metrics", "/v1/usage"] {
        let own = shop.get(path, &shop.acme);
        let named = shop.get(&format!("{path}?org=Acme"), &shop.operator);
        assert_eq!((own.status, named.status), (200, 200), "{path}: {}", named.text());
        if path == "/metrics" {
            assert_eq!(named.text(), own.text());
        } else {
            assert_eq!(named.json()["rows"], own.json()["rows"]);
            assert_eq!(named.json()["org_id"], "Acme");
        }
        for wrong in ["", "?org=", "?org=Acme&org=Acme", "?org=a%20b", "?org=Acme&org="] {
            let answer = shop.get(&format!("{path}{wrong}"), &shop.operator);
            assert_eq!(answer.status, 400, "{path}{wrong}: {}", answer.text());
        }
        // As one without events.
        let nobody = shop.get(&format!("{path}?org=nobody"), &shop.operator);
        assert_eq!(nobody.status, 200, "{path}");
        let mut refusals = Vec::new();
        for name in ["Acme", "acme", "nobody", "", "a%20b"] {
            refusals.push(shop.get(&format!("{path}?org={name}"), &shop.acme));
        }
        for refused in &refusals {
            assert_eq!((refused.status, refused.text()), (403, refusals[0].text()), "{path}");
        }
        assert_eq!(shop.get(&format!("{path}?org=Acme"), "td_live_x").status, 401);
    }
    let empty = shop.get("/metrics?org=nobody", &shop.operator);
    assert!(empty.text().contains("llm_cost_usd_rolling_24h{org_id=\"nobody\"} 0\n"));
    let more = shop.get("/metrics?collect[]=freshness&org=Acme", &shop.operator);
    assert!(more.text().contains("llm_archive_version{org_id=\"acme\"}"), "{}", more.text());
}

#[test]
fn an_operator_does_nothing_else() {
    let shop = Shop::start();
    let post = |path: &str| {
        let url = shop.server.url(path);
        client::post(&url, &shop.operator, "application/json", events::event("x")).status
    };
    assert_eq!([post("/v1/events"), post("/v1/sql"), post("/v1/traces?org=Acme")], [403; 3]);
    let me = shop.get("/v1/me", &shop.operator).json();
    let told = json!({
        "org_id": null, "scopes": ["metrics:read"], "dimension": null, "expires": null,
        "operator": true,
    });
    assert_eq!(me, told);
    assert_eq!(shop.get("/sd/prometheus", &shop.acme).status, 403);
    assert_eq!(client::send("GET", &shop.server.url("/sd/prometheus"), &[], "").status, 401);
    let folder = shop.archive.path();
    for wrong in [
        &["--operator", "--org", "acme"][..],
        &["--operator", "--dimension", "team=core"],
        &["--operator", "--scope", "sql:read"],
        &["--operator", "--scope", "metrics:read,events:write"],
        &[],
    ] {
        let done = tokenlake(folder, &[&["key", "create"], wrong].concat());
        assert_eq!((done.status, done.stdout.as_str()), (2, ""), "{wrong:?}: {done:?}");
    }
    let done = tokenlake(folder, &["key", "revoke", &shop.id_of("ops")]);
    assert_eq!(done.status, 0, "{done:?}");
    poll(Duration::from_secs(5), "it is refused", || {
        (shop.get("/metrics?org=Acme", &shop.operator).status == 401).then_some(())
    });
}

#[test]
fn tenants_are_those_with_a_valid_key_or_an_event() {
    let shop = Shop::start();
    let folder = shop.archive.path();
    assert_eq!(shop.tenants(), ["Acme"]);
    key_with(folder, "b.with-key", &[]);
    key_with(folder, "expired", &["--expires", "1ms"]);
    key_with(folder, "revoked", &["--name", "revoked"]);
    let with_event = key_with(folder, "with-event", &["--name", "with-event"]);
    events::send(&shop.server, &with_event, 0..1);
    assert_eq!(shop.tenants(), ["Acme", "b.with-key", "revoked", "with-event"]);
    for name in ["revoked", "with-event"] {
        assert_eq!(tokenlake(folder, &["key", "revoke", &shop.id_of(name)]).status, 0);
    }
    // As Prometheus 2.42 sends it.
    let bare = [("authorization", shop.operator.as_str())];
    let asked = |path| client::send("GET", &shop.server.url(path), &bare, "").status;
    assert_eq!([asked("/sd/prometheus"), asked("/metrics?org=Acme")], [200, 401]);
    for _ in 0..2 {
        assert_eq!(shop.tenants(), ["Acme", "b.with-key", "with-event"]);
    }
    let answer = shop.get("/sd/prometheus/", &shop.operator).json();
    assert_eq!(answer[0]["labels"], json!({ "__param_org": "Acme", "org_id": "acme" }));
}

/// Calls are counted; what else was sent stands in rows alone.
#[test]
fn an_event_that_is_no_call_makes_a_tenant_too() {
    let shop = Shop::start();
    let folder = shop.archive.path();
    let scopes = ["--scope", "events:write,corrections:write"];
    let names = ["with-correction", "with-job", "without"];
    let [correcting, ..] =
        names.map(|name| key_with(folder, name, &[&scopes[..], &["--name", name]].concat()));
    let send = |key: &str, id: &str, kind: &str| {
        let event = json!({
            "event_id": id, "ts": SystemClock.now(), "event_type": kind, "cost_usd": "3",
            "attributes": { "corrects": "1" },
        });
        let url = shop.server.url("/v1/events");
        let sent = client::post(&url, key, "application/json", event.to_string());
        assert_eq!(sent.json()["accepted"], 1, "{}", sent.text());
    };
    send(&correcting, "1", "cost_correction");
    for name in names {
        assert_eq!(tokenlake(folder, &["key", "revoke", &shop.id_of(name)]).status, 0);
    }
    let tenants = |expected: &[&str]| {
        poll(Duration::from_secs(30), "the tenants are known", || {
            (shop.tenants() == expected).then_some(())
        });
    };
    tenants(&["Acme", "with-correction"]);
    // What was searched in vain is searched again where something came.
    let job = key_with(folder, "with-job", &[&scopes[..], &["--name", "again"]].concat());
    send(&job, "2", "job");
    assert_eq!(tokenlake(folder, &["key", "revoke", &shop.id_of("again")]).status, 0);
    tenants(&["Acme", "with-correction", "with-job"]);
}

#[test]
fn an_operator_is_shown_the_last_good_answer_of_the_one_that_is_named() {
    let shop = Shop::start_with(&["serve", "--max-stale-on-error", "5m"]);
    let scrape = |org: &str| shop.get(&format!("/metrics?org={org}"), &shop.operator);
    let (acme, globex) = (scrape("Acme"), scrape("globex"));
    let log = shop.archive.path().join("events/_delta_log");
    std::fs::rename(&log, shop.archive.path().join("log-is-away")).unwrap();
    std::os::unix::fs::symlink(&log, &log).unwrap();
    for (org, before) in [("Acme", &acme), ("globex", &globex)] {
        let answer = scrape(org);
        assert_eq!((answer.status, answer.text()), (200, before.text()), "{org}");
        assert!(answer.header("age").is_some());
    }
    assert_eq!(scrape("other").status, 503);
}

#[test]
fn prometheus_finds_a_new_tenant_and_scrapes_it() {
    if !installed("prometheus") {
        return;
    }
    let shop = Shop::start();
    let folder = tempdir().unwrap();
    std::fs::write(folder.path().join("operator.key"), &shop.operator).unwrap();
    let config = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n\
         scrape_configs:\n\
         \x20 - job_name: tokenlake\n\
         \x20   honor_labels: true\n\
         \x20   authorization: {{credentials_file: operator.key}}\n\
         \x20   http_sd_configs:\n\
         \x20     - url: {}\n\
         \x20       refresh_interval: 1s\n\
         \x20       authorization: {{credentials_file: operator.key}}\n",
        shop.server.url("/sd/prometheus")
    );
    std::fs::write(folder.path().join("config.yml"), config).unwrap();
    let prometheus = Prometheus::start(folder.path());
    let orgs = || {
        let found = prometheus.query("llm_cost_usd_rolling_24h");
        let mut orgs: Vec<_> =
            found.iter().map(|series| series["metric"]["org_id"].clone()).collect();
        orgs.sort_by_key(ToString::to_string);
        orgs
    };
    poll(FOUND_MAX, "the first one is scraped", || (orgs() == ["acme"]).then_some(()));
    key_with(shop.archive.path(), "newcomer", &[]);
    poll(FOUND_MAX, "the new one is scraped", || (orgs() == ["acme", "newcomer"]).then_some(()));
    let found = prometheus.query("{exported_org_id!=\"\"}");
    assert_eq!(found, Vec::<Value>::new());
}
