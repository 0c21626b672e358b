//! What a bound key's mark, a dimension's value and a correction's purpose outlive: caps that write
//! attributes of their own, and events that have as many attributes as there may be.

use serde_json::{Value, json};
use tempfile::tempdir;

use super::{declare, dimension, event, of, post, shown};
use crate::support::client;
use crate::support::process::{Server, key, key_with, tokenlake};
use crate::support::scrape::scrape;

fn stored(archive: &std::path::Path, query: &str) -> Value {
    let done = tokenlake(archive, &["sql", "--format", "json", "-c", query]);
    serde_json::from_str(&done.stdout).unwrap_or_else(|_| panic!("{done:?}"))
}

#[test]
fn a_new_key_and_its_new_dimension_work_at_once() {
    let folder = tempdir().unwrap();
    let archive = folder.path();
    let acme = key(archive, "acme");
    let server = Server::start_with(archive, &["serve", "--max-staleness", "2s"]);
    shown(&server, &acme, |_| true);
    declare(archive, &["team"]);
    let core = key_with(archive, "acme", &["--dimension", "team=core"]);
    post(&server, &core, &[event("1", None, "1")]);
    for path in ["/metrics", "/v1/usage", "/v1/budgets"] {
        assert_eq!(client::get(&server.url(path), &core).status, 200, "{path}");
    }
    // Without its dimension it is refused, by budgets too.
    assert_eq!(dimension(archive, &["remove", "team"]).status, 0);
    shown(&server, &acme, |series| !super::has_parts(series));
    for path in ["/metrics", "/v1/usage", "/v1/budgets"] {
        assert_eq!(client::get(&server.url(path), &core).status, 403, "{path}");
    }
}

#[test]
fn a_mark_stays_under_every_cap() {
    let folder = tempdir().unwrap();
    let archive = folder.path();
    let acme = key(archive, "acme");
    // Two are of one attribute, and two of what caps write.
    declare(archive, &["team"]);
    declare(archive, &["squad", "--attribute", "team"]);
    declare(archive, &["own", "--attribute", "team.value"]);
    declare(archive, &["sent", "--attribute", "model"]);
    let caps = ["serve", "--max-dimension-values", "1", "--max-series", "1"];
    let server = Server::start_with(archive, &caps);
    post(&server, &acme, &[event("0", Some("a"), "1")]);
    for (dimension, id) in [("team=core", "1"), ("own=core", "2"), ("sent=core", "3")] {
        let bound = key_with(archive, "acme", &["--dimension", dimension]);
        let mut sent = event(id, Some("x"), "1");
        sent["model"] = json!(format!("model-{id}"));
        post(&server, &bound, &[sent]);
        let own = scrape(&server, &bound);
        let requests = own.iter().find(|(name, _)| name.starts_with("llm_requests_total"));
        assert_eq!(requests.map(|(_, value)| value.as_str()), Some("1"), "{dimension}: {own:?}");
    }
    let query = "SELECT attributes['team'] AS a, attributes['team.value'] AS b, \
                 attributes['model'] AS c FROM events ORDER BY event_id";
    let rows = stored(archive, query);
    let marks = [&rows[1]["a"], &rows[2]["b"], &rows[3]["c"]];
    assert_eq!(marks, [&json!("core"); 3], "{rows}");
    // What nobody sent is no value of a dimension either.
    assert_eq!([&rows[1]["b"], &rows[1]["c"]], [&Value::Null; 2], "{rows}");
}

#[test]
fn what_sums_depend_on_has_room_before_all_else() {
    let folder = tempdir().unwrap();
    let archive = folder.path();
    declare(archive, &["team"]);
    declare(archive, &["app"]);
    let scopes =
        ["--dimension", "team=core", "--scope", "events:write", "--scope", "corrections:write"];
    let core = key_with(archive, "acme", &scopes);
    let server = Server::start_with(archive, &["serve"]);
    let full = |last: &str, value: &str| -> Value {
        let others = (0..63).map(|n| format!("\"k{n}\":\"v\"")).collect::<Vec<_>>().join(",");
        serde_json::from_str(&format!("{{{others},\"{last}\":\"{value}\"}}")).unwrap()
    };
    let mut call = event("1", None, "1");
    call["attributes"] = full("zapp", "x");
    let text = call.to_string().replace("zapp", "app");
    let answer =
        client::post(&server.url("/v1/events"), &core, "application/json", text.into_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
    let mut correction = event("2", None, "1");
    correction["event_type"] = json!("cost_correction");
    correction["input_tokens"] = json!(0);
    correction["output_tokens"] = json!(0);
    correction["attributes"] = full("zcorrects", "1");
    correction["attributes"]["was_unpriced"] = json!("true");
    correction["attributes"].as_object_mut().unwrap().remove("k0");
    let text = correction.to_string().replace("zcorrects", "corrects");
    let answer =
        client::post(&server.url("/v1/events"), &core, "application/json", text.into_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
    let query = "SELECT attributes['team'] AS team, attributes['app'] AS app, \
                 attributes['corrects'] AS corrects, attributes['was_unpriced'] AS was \
                 FROM events ORDER BY event_id";
    let rows = stored(archive, query);
    assert_eq!(rows[0]["app"], "x", "{rows}");
    assert_eq!([&rows[0]["team"], &rows[1]["team"]], [&json!("core"); 2], "{rows}");
    assert_eq!([&rows[1]["corrects"], &rows[1]["was"]], [&json!("1"), &Value::Null], "{rows}");
}

#[test]
fn what_counts_nowhere_takes_no_room_of_a_value() {
    let folder = tempdir().unwrap();
    let archive = folder.path();
    let acme = key(archive, "acme");
    declare(archive, &["team"]);
    let server = Server::start_with(archive, &["serve", "--max-dimension-values", "1"]);
    let mut other = event("1", Some("n1"), "1");
    other["event_type"] = json!("job");
    post(&server, &acme, &[other, event("2", Some("a"), "1")]);
    let series = shown(&server, &acme, super::has_parts);
    assert_eq!(of(&series, "llm_dimension_requests_total", "team", "a"), "1");
}
