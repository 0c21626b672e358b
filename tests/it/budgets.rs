//! Budgets as their users meet them: the endpoint, the command, and a receiver of webhooks.

use std::time::Duration;

use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};
use tokenlake::clock::{Clock as _, SystemClock};

use crate::support::client::{self, Answer};
use crate::support::poll;
use crate::support::process::{Server, key_with, tokenlake};
use crate::support::webhook::{Webhook, place};

/// How long a message may take on a busy machine.
const TOLD_WITHIN: Duration = Duration::from_secs(60);
const SCOPES: &str = "metrics:read,events:write,sql:read,budgets:write";

struct Acme {
    archive: TempDir,
    server: Server,
    webhook: Webhook,
    key: String,
}

impl Acme {
    fn start() -> Self {
        let (archive, webhook) = (tempdir().unwrap(), Webhook::start());
        let key = key_with(archive.path(), "acme", &["--scope", SCOPES]);
        let args = ["serve", "--webhook-allow", &place(&webhook.url)];
        let server = Server::start_with(archive.path(), &args);
        Self { archive, server, webhook, key }
    }

    fn definition(&self) -> Value {
        json!({ "amount": "10", "period": "month", "thresholds": [50, 80], "webhook": self.webhook.url })
    }

    fn call(&self, method: &str, name: &str, body: &str) -> Answer {
        let url = self.server.url(&format!("/v1/budgets{name}"));
        let authorization = format!("Bearer {}", self.key);
        client::send(method, &url, &[("authorization", &authorization)], body.as_bytes())
    }

    fn spend(&self, id: &str, cost: &str) {
        let event = json!({
            "event_id": id, "ts": SystemClock.now(), "provider": "openai", "model": "gpt-4o",
            "cost_usd": cost, "attributes": { "team": "core" },
        });
        let url = self.server.url("/v1/events");
        let answer = client::post(&url, &self.key, "application/json", event.to_string());
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    fn shown(&self) -> Value {
        let answer = self.call("GET", "", "");
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }
}

#[test]
fn a_threshold_is_told_once_with_the_query_that_shows_it() {
    let acme = Acme::start();
    let set = acme.call("PUT", "/all", &acme.definition().to_string());
    assert_eq!(set.status, 200, "{}", set.text());
    assert!(set.json()["secret"].as_str().unwrap().starts_with("whsec_"));
    let again = acme.call("PUT", "/all", &acme.definition().to_string()).json();
    assert_eq!(again, json!({ "name": "all" }));
    acme.spend("1", "4.999999999999");
    assert_eq!(acme.shown()[0]["thresholds"][0]["fired_at"], Value::Null);
    acme.spend("2", "0.000000000001");
    let told = acme.webhook.bodies.recv_timeout(TOLD_WITHIN).unwrap();
    let data = &told["data"];
    assert_eq!((&told["type"], &data["threshold"]), (&json!("budget.threshold"), &json!(50)));
    assert_eq!((&data["spent"], &data["amount"]), (&json!("5"), &json!("10")));
    let query = json!({ "query": data["sql"] }).to_string();
    let proof = client::post(&acme.server.url("/v1/sql"), &acme.key, "application/json", query);
    assert!(proof.text().contains('5') && proof.status == 200, "{}", proof.text());
    let shown = &acme.shown()[0];
    assert_eq!(
        (&shown["spent"], &shown["remaining"], &shown["percent"]),
        (&json!("5"), &json!("5"), &json!("50"))
    );
    assert!(shown["thresholds"][0]["fired_at"].is_string());
    acme.spend("3", "6");
    let told = acme.webhook.bodies.recv_timeout(TOLD_WITHIN).unwrap();
    assert_eq!(told["data"]["threshold"], 80);
    assert_eq!(acme.shown()[0]["remaining"], "-1");
    acme.spend("4", "50");
    assert!(acme.webhook.bodies.recv_timeout(Duration::from_secs(5)).is_err());
    assert_eq!(acme.call("DELETE", "/all", "").status, 204);
    assert_eq!(acme.call("DELETE", "/all", "").status, 404);
    assert_eq!(acme.shown(), json!([]));
}

#[test]
fn a_part_of_the_organisation_has_a_budget_of_its_own() {
    let acme = Acme::start();
    let mut definition = acme.definition();
    definition["dimension"] = "team=core".into();
    let refused = acme.call("PUT", "/core", &definition.to_string());
    assert_eq!(refused.status, 400, "{}", refused.text());
    let done = tokenlake(acme.archive.path(), &["dimension", "add", "team"]);
    assert_eq!(done.status, 0, "{done:?}");
    poll(TOLD_WITHIN, "the dimension is in force", || {
        (acme.call("PUT", "/core", &definition.to_string()).status == 200).then_some(())
    });
    acme.spend("1", "8.5");
    let told: Vec<_> =
        (0..2).map(|_| acme.webhook.bodies.recv_timeout(TOLD_WITHIN).unwrap()).collect();
    assert!(told.iter().all(|body| body["data"]["spent"] == "8.5"), "{told:?}");
    assert!(told[0]["data"]["sql"].as_str().unwrap().contains("'team'"));
}

#[test]
fn the_query_shows_what_was_spent_of_a_part_whatever_its_value() {
    let acme = Acme::start();
    let done = tokenlake(acme.archive.path(), &["dimension", "add", "team"]);
    assert_eq!(done.status, 0, "{done:?}");
    let blanks = " ".repeat(200);
    let values = [
        "core".to_owned(),
        "  core\t".to_owned(),
        "\u{a0}core\u{3000}\n".to_owned(),
        format!("core{blanks}x"),
        format!("core{}x", "\u{3000}".repeat(60)),
        "corex".to_owned(),
        "core x".to_owned(),
        format!("core{}x", "\u{3000}".repeat(41)),
        "co're".to_owned(),
        "co\"re\\".to_owned(),
        "Core".to_owned(),
        "x".repeat(128),
        "x".repeat(200),
        format!("{}é", "x".repeat(127)),
        "x".repeat(127),
        format!("{}y", "x".repeat(127)),
        "nul\0x".to_owned(),
        "nul\u{fffd}x".to_owned(),
        format!("{}\0x", "y".repeat(126)),
        "\u{200b}".to_owned(),
    ];
    let url = acme.server.url("/v1/events");
    for (at, value) in values.iter().enumerate() {
        let event = json!({
            "event_id": at.to_string(), "ts": SystemClock.now(), "provider": "openai",
            "model": "gpt-4o", "cost_usd": (1_u64 << at).to_string(), "attributes": { "team": value },
        });
        let answer = client::post(&url, &acme.key, "application/json", event.to_string());
        assert_eq!(answer.status, 200, "{value:?}: {}", answer.text());
    }
    // One of each part.
    let parts = [0, 5, 6, 7, 8, 9, 10, 11, 14, 16, 18, 19];
    for at in parts {
        let value = &values[at];
        let mut definition = acme.definition();
        definition["dimension"] = format!("team={value}").into();
        definition["thresholds"] = json!([1]);
        definition["amount"] = "1".into();
        poll(TOLD_WITHIN, "the dimension is in force", || {
            let set = acme.call("PUT", &format!("/b{at}"), &definition.to_string());
            (set.status == 200).then_some(())
        });
    }
    for _ in parts {
        let told = acme.webhook.bodies.recv_timeout(TOLD_WITHIN).unwrap();
        let data = &told["data"];
        let query = json!({ "query": data["sql"] }).to_string();
        let sql = acme.server.url("/v1/sql");
        let proof = client::post(&sql, &acme.key, "application/json", query);
        assert_eq!(proof.status, 200, "{}: {}", data["sql"], proof.text());
        let spent = &proof.json()[0]["spent"];
        let spent = spent.as_str().map_or_else(|| spent.to_string(), str::to_owned);
        let whole = spent.split('.').next().unwrap();
        assert_eq!(whole, data["spent"].as_str().unwrap(), "{}", data["sql"]);
    }
}

#[test]
fn a_key_of_a_part_knows_nothing_of_the_budgets_of_others() {
    let acme = Acme::start();
    let done = tokenlake(acme.archive.path(), &["dimension", "add", "team"]);
    assert_eq!(done.status, 0, "{done:?}");
    let bound = ["--scope", "budgets:write", "--dimension", "team=b"];
    let bound = format!("Bearer {}", key_with(acme.archive.path(), "acme", &bound));
    assert_eq!(acme.call("PUT", "/all", &acme.definition().to_string()).status, 200);
    let call = |method: &str, name: &str, body: &str| {
        let url = acme.server.url(&format!("/v1/budgets/{name}"));
        client::send(method, &url, &[("authorization", &bound)], body.as_bytes())
    };
    poll(TOLD_WITHIN, "the dimension is in force", || {
        (call("DELETE", "none", "").status == 404).then_some(())
    });
    assert_eq!(call("DELETE", "all", "").status, 404);
    let other = call("PUT", "b", &acme.definition().to_string());
    assert!(other.status == 403 && other.text().contains("team=b"), "{}", other.text());
    let mut own = acme.definition();
    own["dimension"] = "team=b".into();
    let taken = call("PUT", "all", &own.to_string());
    assert!(taken.status == 403 && taken.text().contains("another name"), "{}", taken.text());
    assert_eq!(acme.shown()[0]["name"], "all");
}

#[test]
fn wrong_definitions_and_callers_are_refused() {
    let acme = Acme::start();
    let refused = |name: &str, body: &str, status: u16| {
        let answer = acme.call("PUT", name, body);
        assert_eq!(answer.status, status, "{name} {body}: {}", answer.text());
        assert!(answer.json()["error"].is_string());
    };
    refused("/all", "{}", 400);
    refused("/all", "not json", 400);
    refused("/a%20b", &acme.definition().to_string(), 400);
    refused("/%ff", &acme.definition().to_string(), 400);
    for (member, value) in [
        ("amount", json!("0")),
        ("amount", json!("-1")),
        ("period", json!("year")),
        ("timezone", json!("Mars/Olympus")),
        ("thresholds", json!([])),
        ("kind", json!("email")),
        ("webhook", json!("http://169.254.169.254/")),
        ("webhook", json!("http://localhost:1/")),
        ("webhook", json!("ftp://127.0.0.1/")),
        ("webhook", json!(format!("{}/{}", acme.webhook.url, "é".repeat(900)))),
        ("more", json!(1)),
    ] {
        let mut definition = acme.definition();
        definition[member] = value;
        refused("/all", &definition.to_string(), 400);
    }
    refused("/all", &format!("{{\"amount\":\"{}\"}}", "1".repeat(100_000)), 413);
    let url = acme.server.url("/v1/budgets/all");
    let authorization = format!("Bearer {}", acme.key);
    let headers = [("authorization", authorization.as_str()), ("content-encoding", "gzip")];
    let answer = client::send("PUT", &url, &headers, acme.definition().to_string());
    assert_eq!(answer.status, 415, "{}", answer.text());
    let usual = key_with(acme.archive.path(), "acme", &[]);
    let authorization = format!("Bearer {usual}");
    let answer = client::send(
        "PUT",
        &url,
        &[("authorization", &authorization)],
        acme.definition().to_string(),
    );
    assert_eq!(answer.status, 403, "{}", answer.text());
    let answer = client::send("DELETE", &url, &[], "");
    assert_eq!(answer.status, 401, "{}", answer.text());
    assert_eq!(acme.shown(), json!([]));
}

#[test]
fn the_command_sets_lists_rotates_tests_and_removes() {
    let acme = Acme::start();
    let allowed = place(&acme.webhook.url);
    let run = |args: &[&str]| tokenlake(acme.archive.path(), &[&["budget"], args].concat());
    let set = [
        "set",
        "all",
        "--org",
        "acme",
        "--amount",
        "100",
        "--period",
        "week",
        "--threshold",
        "50,80",
        "--webhook",
        &acme.webhook.url,
    ];
    let refused = run(&set);
    assert_eq!((refused.status, refused.stdout.as_str()), (1, ""), "{refused:?}");
    assert_eq!(refused.stderr.lines().count(), 1, "{refused:?}");
    let allow = ["--webhook-allow", &allowed];
    let done = run(&[&set[..], &allow].concat());
    assert!(done.status == 0 && done.stdout.starts_with("whsec_"), "{done:?}");
    let secret = done.stdout.trim_end().to_owned();
    let again = run(&[&set[..], &allow].concat());
    assert_eq!((again.status, again.stdout.as_str()), (0, ""), "{again:?}");
    let list = run(&["list", "--format", "json"]).stdout;
    let listed: Value = serde_json::from_str(&list).unwrap();
    assert_eq!(
        (&listed[0]["name"], &listed[0]["target"], &listed[0]["state"]),
        (&json!("all"), &json!(allowed), &json!("active"))
    );
    assert!(!list.contains(&secret) && !run(&["list"]).stdout.contains("whsec_"));
    let rotated = run(&["rotate", "all", "--org", "acme"]);
    assert!(
        rotated.stdout.starts_with("whsec_") && rotated.stdout.trim_end() != secret,
        "{rotated:?}"
    );
    let tested = run(&[&["test", "all", "--org", "acme"], &allow[..]].concat());
    assert_eq!(tested.status, 0, "{tested:?}");
    assert_eq!(acme.webhook.bodies.recv_timeout(TOLD_WITHIN).unwrap()["type"], "budget.test");
    assert_eq!(run(&["test", "all", "--org", "acme"]).status, 1);
    assert_eq!(run(&["remove", "all", "--org", "acme"]).status, 0);
    let unknown = run(&["remove", "all", "--org", "acme"]);
    assert_eq!((unknown.status, unknown.stderr.lines().count()), (1, 1), "{unknown:?}");
    assert_eq!(run(&["list", "--format", "json"]).stdout, "[]\n");
}
