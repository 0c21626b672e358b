//! Tests of `docs/moving.md`: its lines are run, and what each of them brings in is compared, field by
//! field. `snippets` runs them too, and compares what they say.

use std::path::Path;
use std::process::Command;

use tempfile::tempdir;

use super::snippets::document::{Block, blocks};
use super::{content, path, text};
use crate::support::process::{needed, tokenlake};
use crate::support::readers;
use crate::support::tools::{installed_tool, postgres_programs};

const PAGE: &str = "docs/moving.md";
const FIELDS: &str = "SELECT org_id, event_id, provider, model, input_tokens, output_tokens, \
     cached_input_tokens, reasoning_tokens, cost_usd FROM events ORDER BY event_id";

/// What the samples are, in these fields.
const CALLS: [&str; 11] = [
    "acme,c-1,openai,gpt-4o,120,30,,,",
    "acme,c-2,openai,gpt-4o,120,30,,,",
    "acme,chatcmpl-1,openai,gpt-4o,1200,80,1024,,0.00392",
    "acme,chatcmpl-2,anthropic,claude-sonnet-4-5,40,12,,,",
    "acme,d-1,openai,gpt-4o,10,1,,,",
    "acme,d-3,openai,gpt-4o,30,3,,,",
    "acme,h-1,OPENAI,gpt-4o-2024-08-06,1200,60,1024,,0.0025",
    "globex,m-1,openai,gpt-4o,120,30,,,",
    "acme,o-2,openai,gpt-4o,1200,80,1024,20,0.0025",
    "acme,o-3,openai,text-embedding-3-small,9,0,0,0,",
    "acme,s-1,openai,gpt-4o,120,30,,,",
];

fn is_of_iceberg(block: &Block) -> bool {
    block.text.contains("pyiceberg")
}

/// Runs a block in a folder, with the program, a Python and an archive of its own.
fn run_block(block: &Block, python: &Path, folder: &Path) {
    let own = block.text.replace("/tmp/", &format!("{}/", folder.display()));
    let program = env!("CARGO_BIN_EXE_tokenlake");
    let [program, python] = [Path::new(program), python].map(Path::display);
    let script = format!(
        "set -euo pipefail\ntokenlake() {{ '{program}' \"$@\"; }}\npython3() {{ '{python}' \"$@\"; }}\n{own}"
    );
    let mut bash = Command::new("bash");
    bash.args(["-c", &script]).current_dir(folder);
    bash.env("TOKENLAKE_ARCHIVE", folder.join("archive"));
    // Of the costs that the samples have, and no others.
    content(bash.env("TOKENLAKE_PRICES", "none"));
}

fn calls(archive: &Path) -> Vec<String> {
    let done = tokenlake(archive, &["sql", "--format", "csv", "-c", FIELDS]);
    assert_eq!(done.status, 0, "{done:?}");
    done.stdout.lines().skip(1).map(str::to_owned).collect()
}

#[test]
fn what_moves_is_what_was_there() {
    let Some(python) = readers::python() else { return };
    let folder = tempdir().unwrap();
    let page = blocks(&text(PAGE));
    let page: Vec<_> = page.iter().filter(|block| !is_of_iceberg(block)).collect();
    // A second time finds the same events.
    for _ in 0..2 {
        for block in &page {
            // A table that is there is made no second time.
            let lake = folder.path().join("lake");
            if lake.exists() && block.text.contains("write_deltalake") {
                continue;
            }
            run_block(block, &python, folder.path());
        }
    }
    let archive = folder.path().join("archive");
    assert_eq!(calls(&archive), CALLS);
    let verified = tokenlake(&archive, &["verify"]);
    assert_eq!(verified.status, 0, "{verified:?}");
}

/// An Iceberg table with a row that was deleted.
const ICEBERG: &str = r#"
import pathlib, shutil, sys, pyarrow
from pyiceberg.catalog.sql import SqlCatalog
folder = sys.argv[1]
catalog = SqlCatalog("c", uri=f"sqlite:///{folder}/catalog.db", warehouse=f"file://{folder}/warehouse")
catalog.create_namespace("n")
rows = pyarrow.table({"event_id": ["i-1", "i-2", "i-3"], "ts": ["2026-11-16T10:00:00Z"] * 3, "provider": ["openai"] * 3,
                      "model": ["gpt-4o"] * 3, "input_tokens": [1, 2, 3], "output_tokens": [1, 1, 1]})
table = catalog.create_table("n.calls", schema=rows.schema)
table.append(rows)
table.delete("event_id = 'i-2'")
pathlib.Path(folder, "iceberg").mkdir()
shutil.copy(table.metadata_location.removeprefix("file://"), f"{folder}/iceberg/newest.metadata.json")
print(table.location().removeprefix("file://"))
"#;

#[test]
fn an_iceberg_table_is_refused_and_comes_by_its_own_reader() {
    let Some(python) = installed_tool("engines-1/bin/python") else { return };
    let folder = tempdir().unwrap();
    let made = content(Command::new(&python).args(["-c", ICEBERG]).arg(folder.path()));
    let archive = folder.path().join("archive");
    let table = made.stdout.trim();
    let refused = tokenlake(&archive, &["backfill", "--org", "acme", table]);
    assert_eq!(refused.status, 1, "{refused:?}");
    assert!(refused.stderr.contains("Iceberg"), "{refused:?}");
    let page = blocks(&text(PAGE));
    let block = page.iter().find(|block| is_of_iceberg(block)).unwrap();
    for _ in 0..2 {
        run_block(block, &python, folder.path());
    }
    let expected = ["acme,i-1,openai,gpt-4o,1,1,,,", "acme,i-3,openai,gpt-4o,3,1,,,"];
    assert_eq!(calls(&archive), expected);
}

#[test]
fn postgresql_writes_litellms_calls_as_the_page_shows() {
    let Some(python) = readers::python() else { return };
    let Some(programs) = postgres_programs() else { return needed("PostgreSQL") };
    let page = text(PAGE);
    let question = page.lines().skip_while(|line| *line != "    COPY (");
    let question: String = question
        .map_while(|line| line.strip_prefix("    "))
        .map(|line| format!("{line}\n"))
        .collect();
    let folder = tempdir().unwrap();
    let file = folder.path().join("spend.sql");
    std::fs::write(&file, question).unwrap();
    let mut command = Command::new(python);
    let done = content(command.arg(path("tests/spend_logs.py")).arg(file).arg(programs));
    let shown = blocks(&page).into_iter().find(|block| block.text.contains("spend.csv")).unwrap();
    assert!(shown.text.contains(done.stdout.trim_end()), "{} is not\n{}", shown.text, done.stdout);
    assert_eq!(done.stdout.lines().count(), 3, "{}", done.stdout);
}
