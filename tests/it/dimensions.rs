//! Dimensions: what is declared is told apart in metrics, SQL and keys, exactly, also of events from
//! before, over compaction, expiry and restarts.

mod bound;
mod bound_attempts;
mod cap;
mod laws;
mod many;
mod marks;

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::tempdir;
use tokenlake::clock::{Clock as _, SECOND, SystemClock};

use crate::support::client;
use crate::support::process::{Done, Server, key, tokenlake};
use crate::support::scrape::{Series, assert_no_counter_fell, parse};

fn event(id: &str, team: Option<&str>, cost: &str) -> Value {
    json!({
        "event_id": id, "ts": now_text(), "provider": "openai", "model": "gpt-4o",
        "input_tokens": 10, "output_tokens": 5, "cost_usd": cost, "attributes": { "team": team },
    })
}

/// A minute ago.
fn now_text() -> String {
    (SystemClock.now() / SECOND - 60).to_string()
}

fn post(server: &Server, key: &str, events: &[Value]) -> Value {
    let body = serde_json::to_vec(events).unwrap();
    let answer = client::post(&server.url("/v1/events"), key, "application/json", body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn dimension(archive: &Path, args: &[&str]) -> Done {
    tokenlake(archive, &[&["dimension"], args].concat())
}

fn declare(archive: &Path, args: &[&str]) {
    let done = dimension(archive, &[&["add"], args].concat());
    assert_eq!(done.status, 0, "{done:?}");
}

/// A scrape of dimensions and core, once it shows what `is_there` asks for: a declaration is in force
/// within 5 seconds.
fn shown(server: &Server, key: &str, is_there: impl Fn(&Series) -> bool) -> Series {
    let url = server.url("/metrics?collect[]=core&collect[]=dimensions&collect[]=pricing");
    let began = Instant::now();
    loop {
        let answer = client::get(&url, key);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let series = parse(answer.text());
        if is_there(&series) {
            return series;
        }
        assert!(began.elapsed() < Duration::from_secs(5), "{series:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The value of a family of a part.
fn of<'a>(series: &'a Series, family: &str, name: &str, value: &str) -> &'a str {
    let labels = format!("{family}{{dimension=\"{name}\",value=\"{value}\",org_id=\"acme\"}}");
    series.get(&labels).unwrap_or_else(|| panic!("no {labels} in {series:?}"))
}

fn has_parts(series: &Series) -> bool {
    series.keys().any(|name| name.starts_with("llm_dimension_"))
}

#[test]
fn a_dimension_counts_for_events_from_before_and_after_its_declaration() {
    let folder = tempdir().unwrap();
    let archive = folder.path();
    let acme = key(archive, "acme");
    let server = Server::start_with(archive, &["serve"]);
    let before = [
        event("1", Some(" Core "), "0.5"),
        event("2", Some("ops"), "0.25"),
        event("3", None, "1"),
        event("4", Some(" "), "1"),
    ];
    post(&server, &acme, &before);
    let none = shown(&server, &acme, |_| true);
    assert!(!has_parts(&none), "{none:?}");

    declare(archive, &["team"]);
    let first = shown(&server, &acme, has_parts);
    let counts = |series: &Series, value: &str| {
        let families = [
            "llm_dimension_requests_total",
            "llm_dimension_tokens_total",
            "llm_dimension_cost_usd_total",
            "llm_dimension_cost_usd_rolling_24h",
            "llm_dimension_cost_usd_credits_total",
        ];
        families.map(|family| of(series, family, "team", value).to_owned())
    };
    assert_eq!(counts(&first, "Core"), ["1", "15", "0.5", "0.5", "0"]);
    assert_eq!(counts(&first, "ops"), ["1", "15", "0.25", "0.25", "0"]);
    assert_eq!(first.keys().filter(|name| name.contains("dimension_requests")).count(), 2);

    post(&server, &acme, &[event("5", Some("Core"), "0.125"), event("6", Some("new"), "2")]);
    let second = shown(&server, &acme, |_| true);
    assert_no_counter_fell(&first, &second);
    assert_eq!(counts(&second, "Core"), ["2", "30", "0.625", "0.625", "0"]);
    assert_eq!(counts(&second, "new"), ["1", "15", "2", "2", "0"]);

    drop(server);
    let server = Server::start_with(archive, &["serve"]);
    assert_eq!(shown(&server, &acme, |_| true), second);
    let verified = tokenlake(archive, &["verify"]);
    assert_eq!(verified.status, 0, "{verified:?}");
}

#[test]
fn declarations_keep_the_rules_of_the_command() {
    let folder = tempdir().unwrap();
    let archive = folder.path();
    for name in ["a", "b", "c"] {
        declare(archive, &[name]);
    }
    declare(archive, &["d", "--attribute", "user.name"]);
    // The same again is no news.
    declare(archive, &["a"]);
    declare(archive, &["d", "--attribute", "user.name"]);
    for wrong in [&["e"][..], &["d"], &["A"], &["1"], &["x-y"], &["a", "--attribute", ""]] {
        let done = dimension(archive, &[&["add"], wrong].concat());
        assert!(matches!(done.status, 1 | 2), "{wrong:?}: {done:?}");
        assert_eq!(done.stderr.lines().count(), 1, "{done:?}");
    }
    let listed = dimension(archive, &["list", "--format", "json"]);
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    let is = |name: &str, attribute: &str| json!({ "name": name, "attribute": attribute });
    assert_eq!(listed, json!([is("a", "a"), is("b", "b"), is("c", "c"), is("d", "user.name")]));
    let table = dimension(archive, &["list"]).stdout;
    let first = table.lines().nth(1).unwrap().split_whitespace().collect::<Vec<_>>();
    assert_eq!(first, ["a", "a"]);
    assert_eq!(dimension(archive, &["remove", "b"]).status, 0);
    assert_eq!(dimension(archive, &["remove", "b"]).status, 1);
    declare(archive, &["b"]);
}

#[test]
fn what_is_removed_is_gone_and_counts_all_again_once_it_is_added() {
    let folder = tempdir().unwrap();
    let archive = folder.path();
    let acme = key(archive, "acme");
    let server = Server::start_with(archive, &["serve"]);
    declare(archive, &["team"]);
    post(&server, &acme, &[event("1", Some("core"), "0.5")]);
    let first = shown(&server, &acme, has_parts);
    assert_eq!(dimension(archive, &["remove", "team"]).status, 0);
    shown(&server, &acme, |series| !has_parts(series));
    post(&server, &acme, &[event("2", Some("core"), "0.5")]);
    declare(archive, &["team"]);
    let again = shown(&server, &acme, has_parts);
    assert_no_counter_fell(&first, &again);
    assert_eq!(of(&again, "llm_dimension_requests_total", "team", "core"), "2");
    // Under another attribute it is another dimension.
    assert_eq!(dimension(archive, &["remove", "team"]).status, 0);
    declare(archive, &["team", "--attribute", "squad"]);
    shown(&server, &acme, |series| !has_parts(series));
}
