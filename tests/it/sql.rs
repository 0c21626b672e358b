//! Tests of SQL: the tables, and `tokenlake sql`.

mod counted_rows;
mod first_key;
pub mod from_partials;
mod library;
mod meaning;
mod null_order;
mod output;
mod padded;
mod postgres;
mod shapes;
mod shell;
mod sort_keys;
mod tables;
mod words;

use std::path::Path;

use tempfile::{TempDir, tempdir};

use crate::support::client;
use crate::support::process::{Done, Server, key, tokenlake};

/// An archive on a disk with a few events of two organisations.
fn small() -> TempDir {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path());
    for (org, lines) in [
        (
            "acme",
            concat!(
                r#"{"event_id":"a1","ts":"2026-01-15T10:00:00Z","provider":"OpenAI","model":"gpt-4o","input_tokens":100,"output_tokens":20,"cached_input_tokens":40,"cost_usd":"0.1","attributes":{"team":"x\"y"}}"#,
                "\n",
                r#"{"event_id":"a2","ts":"2026-01-15T10:30:00.5Z","provider":"openai","model":"gpt-4o","input_tokens":10,"output_tokens":2,"cost_usd":"0.2"}"#,
                "\n",
                r#"{"event_id":"a3","ts":"2026-01-15T20:00:00.000001Z","provider":"openai","model":"mini, \"x\"","input_tokens":1}"#,
                "\n",
                r#"{"event_id":"a4","ts":"2026-01-08T10:00:00Z","event_type":"other","input_tokens":7,"cost_usd":"9"}"#,
            ),
        ),
        (
            "globex",
            r#"{"event_id":"g1","ts":"2026-01-08T09:00:00Z","provider":"openai","model":"gpt-4o","input_tokens":3,"output_tokens":1,"cost_usd":"0.000000000001"}"#,
        ),
    ] {
        let key = key(folder.path(), org);
        let url = server.url("/v1/events");
        let answer = client::post(&url, &key, "application/x-ndjson", lines.to_owned());
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["rejected"], serde_json::json!([]), "{}", answer.text());
    }
    folder
}

/// `tokenlake sql` with these arguments.
fn sql(archive: &Path, args: &[&str]) -> Done {
    tokenlake(archive, &[&["sql"], args].concat())
}

/// The stdout of a query that is answered.
fn answer(archive: &Path, args: &[&str]) -> String {
    let done = sql(archive, args);
    assert_eq!((done.status, done.stderr.as_str()), (0, ""), "{done:?}");
    done.stdout
}
