//! Programs that know nothing of tokenlake: deltalake, DuckDB, Polars and PyArrow.

use std::path::{Path, PathBuf};

use super::process::{program, run, tokenlake};
use super::tools::installed_tool;

const ROWS: &str = "SELECT org_id, event_id, event_type, provider, model, source, input_tokens, \
     output_tokens, cached_input_tokens, cache_write_tokens, reasoning_tokens, ts, ingested_at, \
     event_date, cost_usd, attributes, cost_source FROM events";
const SUMS: &str = "SELECT org_id, event_date, count(*) AS events, \
     sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens, \
     sum(cost_usd) AS cost_usd, max(ts) AS ts FROM events GROUP BY org_id, event_date";

/// A Python that has them, if `tests/setup` has made one.
pub fn python() -> Option<PathBuf> {
    installed_tool("readers/bin/python")
}

/// Each of them finds the same rows as `tokenlake sql`, and the same sums.
#[track_caller]
pub fn assert_read_alike(archive: &Path) {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let [rows, sums] = [("rows", ROWS), ("sums", SUMS)].map(|(name, query)| {
        let file = folder.path().join(format!("{name}.ndjson"));
        let done =
            tokenlake(archive, &["sql", "--output", file.to_str().unwrap(), "--command", query]);
        assert_eq!(done.status, 0, "{done:?}");
        file
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/readers.py");
    let table = format!("{}/events", archive.to_str().unwrap());
    // With the settings of storage that the program has.
    let settings = program();
    let settings = settings.get_envs().filter_map(|(name, value)| Some((name, value?)));
    let mut command = std::process::Command::new(python);
    let done = run(command.envs(settings).arg(script).arg(table).args([rows, sums]));
    assert_eq!(done.status, 0, "{done:?}");
    eprint!("{}", done.stdout);
}
