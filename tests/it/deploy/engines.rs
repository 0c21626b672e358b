//! Tests that engines answer as `docs/engines.md` says: its lines are run over an archive with all
//! that makes their answers differ from tokenlake's, and each row is compared.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::tempdir;

use super::snippets::document::blocks;
use super::{content, path, text};
use crate::support::process::tokenlake;
use crate::support::readers;
use crate::support::tools::installed_tool;

/// What tokenlake's own sums are.
const USAGE: &str = "SELECT org_id, provider, model, hour, requests, input_tokens, output_tokens, cost_usd \
     FROM usage_hourly";

/// Events whose sums are wrong if they are only added up.
fn events() -> Vec<Value> {
    let call = |id: &str, org: &str, more: Value| {
        let mut event = json!({ "event_id": id, "org_id": org, "ts": "2026-01-15T10:59:59.999999Z",
            "provider": "openai", "model": "gpt-4o", "input_tokens": 10, "output_tokens": 2 });
        let fields = event.as_object_mut().unwrap();
        fields.extend(more.as_object().unwrap().clone());
        event
    };
    let correction = |id: &str, cost: &str| {
        let more = json!({ "event_type": "cost_correction", "cost_usd": cost, "input_tokens": 0,
            "output_tokens": 0, "attributes": { "corrects": "a" } });
        call(id, "acme", more)
    };
    vec![
        call("a", "acme", json!({ "cost_usd": "0.100000000001" })),
        call(
            "b",
            "acme",
            json!({ "provider": " OpenAI ", "model": "GPT-4o", "cost_usd": "999999.999999999999" }),
        ),
        call(
            "c",
            "acme",
            json!({ "ts": "2026-01-15T11:00:00Z", "cost_usd": null, "model": "no-such-model" }),
        ),
        call("d", "acme", json!({ "event_type": "eval", "cost_usd": "5" })),
        call("e", "acme", json!({ "provider": "unknown", "cost_usd": "1" })),
        call(
            "f",
            "acme",
            json!({ "model": " ", "cost_usd": "2", "ts": "2026-03-01T00:00:00+05:30" }),
        ),
        call("a", "beta", json!({ "cost_usd": "0.3", "cached_input_tokens": 4 })),
        correction("g", "-0.05"),
        correction("h", "0.000000000001"),
    ]
}

/// Brings rows in, twice over, in files that are then merged: the log names fewer than there are.
fn fill(archive: &Path) {
    let folder = tempdir().unwrap();
    for (number, part) in events().chunks(2).enumerate() {
        let lines: Vec<_> = part.iter().map(Value::to_string).collect();
        let file = folder.path().join(format!("{number}.ndjson"));
        std::fs::write(&file, lines.join("\n")).unwrap();
        for _ in 0..2 {
            let backfill = ["backfill", "--org", "*", "--prices", "none", file.to_str().unwrap()];
            assert_eq!(tokenlake(archive, &backfill).status, 0);
        }
    }
    let compacted = tokenlake(archive, &["compact"]);
    assert_eq!(compacted.status, 0, "{compacted:?}");
}

/// A row in one form, whichever program wrote it.
fn plain(line: &str, separator: &str) -> String {
    let cells = line.split(separator).map(|cell| cell.trim().trim_matches('"'));
    let cells = cells.enumerate().map(|(at, cell)| match (at, cell) {
        (_, "None" | "\\N" | "NULL") => String::new(),
        // An hour, with or without zone and fraction.
        (3, cell) => cell.replace('T', " ").chars().take(13).collect(),
        (7, cell) if cell.contains('.') => {
            cell.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        (_, cell) => cell.to_owned(),
    });
    cells.collect::<Vec<_>>().join(" | ")
}

#[test]
fn engines_answer_as_tokenlake_does() {
    let Some(python) = readers::python() else { return };
    let folder = tempdir().unwrap();
    let archive = folder.path().join("data/archive");
    std::fs::create_dir_all(&archive).unwrap();
    fill(&archive);
    symlink(path("queries"), folder.path().join("queries")).unwrap();
    let ours = tokenlake(&archive, &["sql", "--format", "csv", "-c", USAGE]);
    assert_eq!(ours.status, 0, "{ours:?}");
    let ours: BTreeSet<_> = ours.stdout.lines().skip(1).map(|line| plain(line, ",")).collect();
    assert!(ours.len() == 5, "{ours:?}");
    let chdb = installed_tool("engines-1/bin/python");
    let mut seen = BTreeSet::new();
    for block in blocks(&text("docs/engines.md")) {
        let engine = ["chdb", "polars", "duckdb", "pyarrow.compute", "deltalake"];
        let engine = engine.into_iter().find(|engine| block.text.contains(engine)).unwrap();
        let Some(python) = (if engine == "chdb" { chdb.as_ref() } else { Some(&python) }) else {
            continue;
        };
        // The shell's python3 is the one that has the engine.
        let script = format!("python3() {{ '{}' \"$@\"; }}\n{}", python.display(), block.text);
        let done = content(Command::new("bash").args(["-c", &script]).current_dir(folder.path()));
        let found = done.stdout.lines().filter(|line| !line.is_empty());
        let found: BTreeSet<_> = found.map(|line| plain(line, "|")).collect();
        assert_eq!(found, ours, "{engine}");
        seen.insert(engine);
    }
    assert!(seen.len() >= 4, "{seen:?}");
}

#[test]
fn the_document_shows_the_query_of_the_library() {
    let query = text("queries/library/usage_from_rows.sql");
    let shown: Vec<_> = text("docs/engines.md")
        .lines()
        .skip_while(|line| *line != "    SELECT")
        .map_while(|line| line.strip_prefix("    ").map(str::to_owned))
        .collect();
    let asked: Vec<_> = query.lines().filter(|line| !line.starts_with("--")).collect();
    assert_eq!(shown, asked);
}
