//! The page in real headless Chromium, and what it computes without one. The scenarios are in
//! `tests/page/browser.mjs`.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};
use tokenlake::clock::{Clock as _, SECOND, SystemClock};

use crate::support::client;
use crate::support::process::{Server, key, key_with, optional, passed_over, run, tokenlake};
use crate::support::tools::tool;

/// Where `tests/setup` has put packages of npm; none where it could not.
pub(super) fn modules() -> Option<PathBuf> {
    let modules = tool("browser-1/node_modules")?;
    let why = || passed_over("playwright-core, axe-core and uplot are not installed (tests/setup)");
    (modules.join("axe-core").exists() || why()).then_some(modules)
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/page").join(name)
}

/// A host that does not exist.
const NOWHERE: &str = "alerts.invalid";

/// A server whose organisations are all that a person may come from.
struct Company {
    archive: TempDir,
    server: Server,
    keys: serde_json::Map<String, Value>,
}

impl Company {
    fn start() -> Self {
        let archive = tempdir().unwrap();
        let orgs = ["acme", "many", "odd", "empty", "none"];
        let keys = orgs.map(|org| (org.to_owned(), json!(key(archive.path(), org))));
        // A receiver that is nowhere: what the page shows does not depend on it.
        let args = ["serve", "--max-series", "20000", "--webhook-allow", NOWHERE];
        let server = Server::start_with(archive.path(), &args);
        assert_eq!(tokenlake(archive.path(), &["dimension", "add", "team"]).status, 0);
        Self { archive, server, keys: keys.into_iter().collect() }
    }

    fn add_key(&mut self, name: &str, more: &[&str]) {
        let key = key_with(self.archive.path(), "acme", more);
        self.keys.insert(name.to_owned(), json!(key));
    }

    fn add_operator(&mut self) {
        let done = tokenlake(self.archive.path(), &["key", "create", "--operator"]);
        assert_eq!(done.status, 0, "{done:?}");
        self.keys.insert("operator".to_owned(), json!(done.stdout.trim_end()));
    }

    fn send(&self, org: &str, events: impl Iterator<Item = Value>) {
        let events: Vec<_> = events.collect();
        let url = self.server.url("/v1/events");
        let key = self.keys[org].as_str().unwrap();
        let sent = client::post(&url, key, "application/json", json!(events).to_string());
        assert_eq!(sent.json()["accepted"], events.len(), "{}", sent.text());
    }

    fn set_budget(&self, org: &str, name: &str, more: &[&str]) {
        let webhook = format!("https://{NOWHERE}/");
        let target = ["--webhook", &webhook, "--webhook-allow", NOWHERE];
        let set = ["budget", "set", name, "--org", org];
        let done = tokenlake(self.archive.path(), &[&set, more, &target].concat());
        assert_eq!(done.status, 0, "{done:?}");
    }

    /// Plays one scenario.
    fn play(&self, scenario: &str) {
        let Some(modules) = modules().filter(|_| optional("node") && optional("chromium")) else {
            return;
        };
        let url = self.server.url("");
        // A folder for pictures, for those who change the page.
        let shots = std::env::var("TOKENLAKE_TEST_SHOTS").ok();
        let settings = json!({
            "url": url, "chromium": "/usr/bin/chromium", "modules": modules, "keys": self.keys,
            "shots": shots,
        });
        let mut command = Command::new("node");
        command.arg(script("browser.mjs")).arg(scenario).env("PAGE_TEST", settings.to_string());
        let done = run(&mut command);
        assert_eq!(done.status, 0, "{scenario}: {}{}", done.stdout, done.stderr);
    }
}

/// Calls of 40 days, none of which comes or goes while a test looks at the last 24 hours.
fn calls() -> impl Iterator<Item = Value> {
    const MODELS: u64 = 11;
    const TEAMS: [Option<&str>; 4] = [Some("core"), Some("search"), None, Some("ops")];
    let now = SystemClock.now() / SECOND;
    (0..2_000_u64).map(move |id| {
        let minutes = 45 + id * id % 57_600;
        let minutes = if minutes / 20 == 72 { minutes + 40 } else { minutes };
        let model = id % MODELS;
        let units = id.wrapping_mul(6_364_136_223_846_793_005) % 2_000_000_000_000;
        json!({
            "event_id": id.to_string(), "ts": now - i64::try_from(minutes * 60).unwrap(),
            "provider": if model < 5 { "openai" } else { "anthropic" },
            "model": (model > 0).then(|| format!("model-{model}")),
            "input_tokens": id * 7, "output_tokens": id % 100,
            "cost_usd": (id % 17 != 3).then(|| format!("{}.{units:012}", id % 3)),
            "attributes": { "team": TEAMS[usize::try_from(id % 4).unwrap()] },
        })
    })
}

/// Names that are markup, or run from right to left, or are as long as they may be.
fn odd_calls() -> impl Iterator<Item = Value> {
    let names = [
        "<img src=x onerror=\"window.violated('markup')\">",
        "<script>window.violated('script')</script>",
        "</td></table><b>bold</b>",
        "نموذج العربية",
        "שלום \u{202e}evil",
        "a,b\"c\nd",
        "&amp;&lt;",
        "javascript:violated(1)",
        "other",
    ];
    let long = "x".repeat(250);
    let names: Vec<_> = names.iter().map(|name| Some((*name).to_owned())).collect();
    let names = [names, vec![Some(long), None]].concat();
    let now = SystemClock.now() / SECOND;
    (0..44_usize).map(move |id| {
        json!({
            "event_id": id.to_string(), "ts": now - 3_600 * i64::try_from(id).unwrap() - 60,
            "model": names[id % names.len()], "provider": names[id * 5 % names.len()],
            "cost_usd": format!("{id}.25"), "attributes": { "team": names[id * 3 % names.len()] },
        })
    })
}

#[test]
fn what_the_page_computes_is_exact() {
    if optional("node") {
        let done = run(Command::new("node").arg("--test").arg(script("units.mjs")));
        assert_eq!(done.status, 0, "{}{}", done.stdout, done.stderr);
    }
}

#[test]
fn the_page_shows_what_usage_says_to_the_cent() {
    let company = Company::start();
    company.send("acme", calls());
    company.play("agree");
}

#[test]
fn budgets_are_shown_with_how_full_they_are() {
    let company = Company::start();
    company.send("acme", calls());
    company.send("many", calls());
    company.set_budget(
        "acme",
        "wide",
        &["--amount", "1000000", "--period", "month", "--threshold", "80"],
    );
    company.set_budget(
        "acme",
        "half",
        &["--amount", "37.5", "--period", "rolling-24h", "--threshold", "50,80"],
    );
    company.set_budget(
        "acme",
        "spent-long-ago",
        &["--amount", "0.01", "--period", "month", "--threshold", "50,100,200"],
    );
    company.set_budget(
        "acme",
        "core",
        &["--amount", "500", "--period", "week", "--threshold", "50", "--dimension", "team=core"],
    );
    company.play("budgets");
}

#[test]
fn a_key_that_is_not_valid_is_refused_and_a_valid_one_is_forgotten() {
    let mut company = Company::start();
    company.send("acme", calls());
    let stranger = tempdir().unwrap();
    company.keys.insert("wrong".to_owned(), json!(key(stranger.path(), "acme")));
    company.add_key("expired", &["--expires", "1ms"]);
    company.add_key("writer", &["--scope", "events:write"]);
    company.add_key("bound", &["--scope", "metrics:read", "--dimension", "team=core"]);
    company.add_key("short", &["--expires", "40s"]);
    company.play("keys");
}

#[test]
fn an_organisation_without_events_is_shown_how_to_send_some() {
    Company::start().play("empty");
}

#[test]
fn what_cannot_be_read_is_said_in_its_place_and_asked_for_again() {
    let company = Company::start();
    company.send("acme", calls());
    company.play("away");
}

#[test]
fn an_operator_sees_the_organisation_that_it_names() {
    let mut company = Company::start();
    company.send("acme", calls());
    company.send("odd", odd_calls());
    company.add_operator();
    company.play("operator");
}

#[test]
fn an_answer_that_comes_after_a_newer_one_is_not_shown() {
    let mut company = Company::start();
    company.send("acme", calls());
    company.send("many", odd_calls());
    company.add_operator();
    company.play("late");
}

#[test]
fn of_ten_thousand_series_a_few_are_drawn_and_the_others_are_summed() {
    let company = Company::start();
    let now = SystemClock.now() / SECOND;
    company.send(
        "many",
        (0..10_000_i64).map(|id| {
            json!({
                "event_id": id.to_string(), "ts": now - 60 * id, "provider": "p",
                "model": format!("model-{id:05}"), "cost_usd": format!("{}.{id:06}", id * 7_919 % 101),
            })
        }),
    );
    company.play("many");
}

#[test]
fn names_that_others_chose_are_text() {
    let company = Company::start();
    company.send("odd", odd_calls());
    company.play("names");
}

#[test]
fn a_keyboard_is_enough_from_sign_in_to_csv() {
    let company = Company::start();
    company.send("acme", calls());
    company.play("keyboard");
}

#[test]
fn nothing_is_out_of_reach_by_axe() {
    let company = Company::start();
    company.send("odd", odd_calls());
    company.set_budget(
        "odd",
        "all",
        &["--amount", "2000", "--period", "month", "--threshold", "50,80"],
    );
    company.set_budget(
        "odd",
        "day",
        &["--amount", "1", "--period", "rolling-24h", "--threshold", "100"],
    );
    company.play("axe");
}
