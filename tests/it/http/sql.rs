//! Tests of `POST /v1/sql`: formats, errors, and that nothing of another organisation is seen or
//! broken.

pub mod escapes;
mod forms;
mod hogs;
mod life;
pub mod probes;

use std::path::Path;

use crate::support::client::{self, Answer};
use crate::support::process::{Server, tokenlake};

/// Asks with a text body; the rows come as JSON.
fn ask(server: &Server, key: &str, query: &str) -> Answer {
    client::post(&server.url("/v1/sql"), key, "text/plain", query)
}

/// What a query gives, which must be answered.
fn rows(server: &Server, key: &str, query: &str) -> serde_json::Value {
    let answer = ask(server, key, query);
    assert_eq!(answer.status, 200, "{query}: {}", answer.text());
    answer.json()
}

/// Brings events of any organisation in; those of one date come to stand in one file.
pub fn fill(archive: &Path, lines: &str) {
    let input = archive.join("input.ndjson");
    std::fs::write(&input, lines).unwrap();
    let done = tokenlake(archive, &["backfill", "--org", "*", input.to_str().unwrap()]);
    assert_eq!(done.status, 0, "{done:?}");
    let summary: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(summary["accepted"], lines.lines().count(), "{done:?}");
    std::fs::remove_file(input).unwrap();
}

/// An answer without what differs from run to run: the order of rows, which of the asker's own
/// values an error quotes, and DataFusion's guess at what was meant.
pub fn said(answer: &Answer, own: &[&str]) -> Vec<String> {
    let text = answer.text().split(" Did you mean").next().unwrap();
    let mut lines: Vec<_> =
        text.lines().map(|line| line.trim_end_matches(',').to_owned()).collect();
    lines.sort_unstable();
    if answer.status != 200 {
        let is_own = |word: &&str| own.iter().any(|event| event.contains(*word));
        let words = |line: &String| {
            let words = line.split(|char: char| char.is_whitespace() || "'\",;".contains(char));
            words.filter(|word| !is_own(word)).collect::<Vec<_>>().join(" ")
        };
        lines = lines.iter().map(words).collect();
    }
    lines
}

/// The processes whose parent is `parent`, which answer queries or wait for one.
fn workers(parent: u32) -> Vec<u32> {
    let pids = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        entry.unwrap().file_name().to_str().and_then(|name| name.parse::<u32>().ok())
    });
    let status = |pid: &u32| std::fs::read_to_string(format!("/proc/{pid}/status"));
    let of_parent = |pid: &u32| {
        status(pid).is_ok_and(|status| {
            status.contains(&format!("\nPPid:\t{parent}\n")) && !status.contains("zombie")
        })
    };
    pids.filter(of_parent).collect()
}
