//! The cap of values: what is one too many is stored as `other`, and nothing ever moves.

use serde_json::{Value, json};
use tempfile::tempdir;

use super::{declare, event, has_parts, of, post, shown};
use crate::support::process::{Server, key, tokenlake};

#[test]
fn a_value_too_many_is_stored_as_other_and_stays_there() {
    let folder = tempdir().unwrap();
    let archive = folder.path();
    let acme = key(archive, "acme");
    // History is not capped.
    let server = Server::start_with(archive, &["serve", "--max-dimension-values", "2"]);
    post(&server, &acme, &[event("0", Some("old"), "1")]);
    declare(archive, &["team"]);
    shown(&server, &acme, has_parts);
    let events = [("1", "a"), ("2", "b"), ("3", "a"), ("4", "c"), ("5", "other")];
    let events = events.map(|(id, team)| event(id, Some(team), "1"));
    post(&server, &acme, &events);
    let requests =
        |series: &_, value| of(series, "llm_dimension_requests_total", "team", value).to_owned();
    let first = shown(&server, &acme, |_| true);
    assert_eq!([requests(&first, "a"), requests(&first, "other")], ["2", "3"]);
    drop(server);

    // A known value stays known, and what was over stands, also where there may be more by now.
    let server = Server::start_with(archive, &["serve", "--max-dimension-values", "3"]);
    post(&server, &acme, &[event("6", Some("b"), "1"), event("7", Some("c"), "1")]);
    let second = shown(&server, &acme, |_| true);
    let counts = ["a", "b", "old", "other"].map(|value| requests(&second, value));
    assert_eq!(counts, ["2", "1", "1", "4"]);
    drop(server);
    let query = "SELECT attributes['team'] AS team, attributes['team.value'] AS own \
                 FROM events WHERE event_id IN ('2', '4') ORDER BY event_id";
    let done = tokenlake(archive, &["sql", "--format", "json", "-c", query]);
    let rows: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(rows, json!([{ "team": "other", "own": "b" }, { "team": "other", "own": "c" }]));
}
