//! Tests of `count(DISTINCT (a, b))`.

use std::fmt::Write as _;

use tempfile::tempdir;

use super::{answer, small, tokenlake};
use crate::support::client;
use crate::support::process::{Server, key};

#[test]
fn rows_of_values_are_counted_by_their_parts() {
    let archive = small();
    for (rows, expected) in [
        ("(1, 'x'), (1, 'x'), (1, null), (null, null), (null, null)", "3,5"),
        // Their texts in a row are the same.
        (
            "('a''', 'b'), ('a', '''b'), ('a,', 'b'), ('a', ',b'), ('NULL', null), (null, 'NULL')",
            "6,6",
        ),
        ("('a\\', 'b'), ('a', '\\b'), ('', 'ab'), ('ab', '')", "4,4"),
        ("(1.0, true), (1.00, true), (1, false)", "2,3"),
        ("(date '2026-01-01', timestamp '2026-01-01'), (date '2026-01-01', null)", "2,2"),
        // These stay rows.
        ("(0.5::float8, array[1]), (0.5, array[1]), (0.5, array[2])", "2,3"),
    ] {
        let question =
            format!("select count(distinct (a, b)), count(*) from (values {rows}) t(a, b)");
        let text = answer(archive.path(), &["-c", &question, "--format", "csv"]);
        assert_eq!(text.lines().last(), Some(expected), "{question}: {text}");
    }
    let question =
        "select org_id, count(distinct (provider, model)) from events group by 1 order by 1";
    let text = answer(archive.path(), &["-c", question, "--format", "csv"]);
    assert_eq!(text.lines().skip(1).collect::<Vec<_>>(), ["acme,4", "globex,1"]);
}

#[test]
fn rows_of_many_values_are_counted_within_little_memory() {
    let folder = tempdir().unwrap();
    let (archive, file) = (folder.path().join("archive"), folder.path().join("calls.ndjson"));
    let mut lines = String::new();
    for call in 0..20_000 {
        let (model, source) = (call % 4, call % 50);
        writeln!(
            lines,
            r#"{{"event_id":"{call}","ts":"2026-03-01T00:00:00Z","provider":"p","model":"m{model}","source":"s{source}"}}"#
        )
        .unwrap();
    }
    std::fs::write(&file, lines).unwrap();
    let done = tokenlake(&archive, &["backfill", "--org", "acme", file.to_str().unwrap()]);
    assert_eq!(done.status, 0, "{done:?}");
    let server = Server::start_with(&archive, &["serve", "--sql-memory", "64MiB"]);
    let question = "SELECT source, count(DISTINCT (model, event_id)) AS n, count(*) AS c FROM events \
         GROUP BY source ORDER BY source LIMIT 1";
    let (url, key) = (server.url("/v1/sql"), key(&archive, "acme"));
    let answer = client::post(&url, &key, "text/plain", question);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json(), serde_json::json!([{"source": "s0", "n": 400, "c": 400}]));
}
