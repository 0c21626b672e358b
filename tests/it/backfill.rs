//! Tests of `tokenlake backfill`: history from files, each event once.

mod broken;
mod fields;
mod folders;
mod formats;
mod histories;
mod kills;
mod memory;
mod resume;
mod rows;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::support::archive::data_files;
use crate::support::exact;
use crate::support::process::{Done, Server, key, passed_over, tokenlake};
use crate::support::scrape::scrape;

/// Runs a job to its end; `args` are flags and inputs.
fn run(archive: &Path, args: &[&str]) -> Done {
    tokenlake(archive, &[&["backfill"], args].concat())
}

/// What a job that works says it did.
#[track_caller]
fn done(archive: &Path, args: &[&str]) -> Value {
    let done = run(archive, args);
    assert_eq!(done.status, 0, "{done:?}");
    summary(&done)
}

fn summary(done: &Done) -> Value {
    assert_eq!(done.stdout.lines().count(), 1, "{done:?}");
    serde_json::from_str(&done.stdout).unwrap()
}

fn counts(read: u64, accepted: u64, duplicates: u64, rejected: u64, files: u64) -> Value {
    json!({ "read": read, "accepted": accepted, "duplicates": duplicates, "rejected": rejected, "files": files })
}

/// Writes a file and gives its path as text.
fn file(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> String {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A line of NDJSON without an end, of the day after so many days of 2025.
fn line(id: usize, day: usize) -> String {
    let ts = 1_735_689_600 + day * 86_400 + id % 86_400;
    json!({
        "event_id": format!("e{id}"), "ts": ts, "provider": "openai", "model": "gpt-4o",
        "input_tokens": id % 7, "output_tokens": 1, "cost_usd": "0.000000000001",
    })
    .to_string()
}

#[track_caller]
fn verified(archive: &Path, events: usize) {
    let done = tokenlake(archive, &["verify"]);
    assert_eq!(done.status, 0, "{done:?}");
    assert!(done.stdout.contains(&format!("verified {events} event")), "{}", done.stdout);
}

fn trace() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let path = folder.join("AzureLLMInferenceTrace_conv.csv");
    (path.exists() || passed_over("../shared is not here")).then_some(path)
}

#[test]
fn a_real_trace_comes_in_exactly_and_once() {
    let Some(path) = trace() else { return };
    let args = [
        "--org",
        "acme",
        "--map",
        "ts=TIMESTAMP",
        "--map",
        "input_tokens=ContextTokens",
        "--map",
        "output_tokens=GeneratedTokens",
        "--default",
        "provider=azure",
        "--default",
        "model=gpt-4",
        path.to_str().unwrap(),
    ];
    let archive = tempdir().unwrap();
    assert_eq!(done(archive.path(), &args), counts(19_366, 19_366, 0, 0, 1));
    assert_eq!(done(archive.path(), &args), counts(19_366, 0, 19_366, 0, 1));
    let text = std::fs::read_to_string(&path).unwrap();
    let column = |at: usize| -> u64 {
        let cells = text.lines().skip(1).map(|line| line.split(',').nth(at).unwrap());
        cells.map(|cell| cell.parse::<u64>().unwrap()).sum()
    };
    let (input, output) = (column(1), column(2));
    let key = key(archive.path(), "acme");
    let series = scrape(&Server::start(archive.path()), &key);
    let labels = r#"{provider="azure",model="gpt-4",org_id="acme"}"#;
    assert_eq!(series[&format!("llm_requests_total{labels}")], "19366");
    assert_eq!(series[&format!("llm_tokens_total{labels}")], (input + output).to_string());
    // The list price: 30 and 60 dollars a million.
    let cost = exact::format(i128::from(30 * input + 60 * output) * 1_000_000);
    assert_eq!(series[&format!("llm_cost_usd_total{labels}")], cost);
    verified(archive.path(), 19_366);
}

#[test]
fn many_dates_make_a_file_each() {
    let (archive, folder) = (tempdir().unwrap(), tempdir().unwrap());
    // In no order at all.
    let lines: Vec<_> = (0..6_000).map(|id| line(id, id * 7 % 200)).collect();
    let input = file(folder.path(), "a.ndjson", lines.join("\n"));
    assert_eq!(done(archive.path(), &["--org", "acme", &input]), counts(6_000, 6_000, 0, 0, 1));
    assert_eq!(data_files(archive.path()).len(), 200);
    verified(archive.path(), 6_000);
}

#[test]
fn little_memory_makes_more_files_and_the_same_sums() {
    let (archive, folder) = (tempdir().unwrap(), tempdir().unwrap());
    let lines: Vec<_> = (0..30_000).map(|id| line(id, id % 3)).collect();
    let input = file(folder.path(), "a.ndjson", lines.join("\n"));
    let args = ["--org", "acme", "--memory", "2MiB", &input];
    assert_eq!(done(archive.path(), &args), counts(30_000, 30_000, 0, 0, 1));
    let files = data_files(archive.path()).len();
    assert!((4..30).contains(&files), "{files} files");
    verified(archive.path(), 30_000);
}

#[test]
fn a_dry_run_leaves_no_trace() {
    let folder = tempdir().unwrap();
    let archive = folder.path().join("archive");
    let input = file(folder.path(), "a.ndjson", format!("{}\n{{}}\n", line(1, 1)));
    let args = ["--org", "acme", "--dry-run", &input];
    assert_eq!(done(&archive, &args), counts(2, 1, 0, 1, 1));
    assert!(!archive.exists());
    // Nor does it say that rows are in.
    let cut = file(folder.path(), "b.json", format!("[{},", line(1, 1)));
    for inputs in [vec![cut.as_str()], vec![cut.as_str(), "nowhere.ndjson"]] {
        let ran = run(&archive, &[args.get(..3).unwrap(), &inputs].concat());
        assert_eq!((ran.status, summary(&ran)["read"].as_u64()), (1, Some(1)), "{ran:?}");
        assert!(!ran.stderr.contains("are in"), "{ran:?}");
    }
    assert!(!archive.exists());
}

#[test]
fn wrong_usage_is_refused() {
    let folder = tempdir().unwrap();
    let input = file(folder.path(), "a.ndjson", line(1, 1));
    for args in [
        vec![input.as_str()],
        vec!["--org", "acme"],
        vec!["--org", "a b", &input],
        vec!["--org", "acme", "--map", "ts", &input],
        vec!["--org", "acme", "--map", "input_token=x", &input],
        vec!["--org", "acme", "--default", "event_id=1", &input],
        vec!["--org", "acme", "--format", "xml", &input],
    ] {
        let done = run(folder.path(), &args);
        assert_eq!((done.status, done.stdout.as_str()), (2, ""), "{args:?} {done:?}");
        assert_eq!(done.stderr.lines().count(), 1, "{args:?} {done:?}");
    }
    let twice = run(folder.path(), &["--org", "acme", "--map", "ts=a", "--map", "ts=b", &input]);
    assert_eq!((twice.status, twice.stdout.as_str()), (1, ""), "{twice:?}");
}
