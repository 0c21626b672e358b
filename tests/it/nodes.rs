//! Tests of SQL that is spread over nodes: the same answers as in one process, or an error; never fewer
//! rows.

mod cut;
mod equal;
mod faults;
mod questions;
mod refusals;
mod strangers;
mod tls;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use tempfile::{TempDir, tempdir};

use crate::support::process::{Done, Server, key, program, run};
use crate::support::{client, s3};

const SECRET: &str = "a-secret-of-the-nodes-of-this-test";
/// What a coordinator logs of a query that runs on nodes.
const SPREAD: &str = "a query is spread over nodes";
const ORGS: [&str; 3] = ["acme", "beta", "Zeta"];

/// Some nodes on one archive, and the file of their secret.
struct Cluster {
    nodes: Vec<Server>,
    secret: PathBuf,
    folder: TempDir,
}

impl Cluster {
    fn start(archive: &Path, count: usize) -> Self {
        let folder = tempdir().unwrap();
        let secret = folder.path().join("secret");
        std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
        let nodes = (0..count).map(|_| node(archive, &secret, &[])).collect();
        Self { nodes, secret, folder }
    }

    /// The addresses of its nodes.
    fn urls(&self) -> String {
        self.nodes.iter().map(|node| node.url("")).collect::<Vec<_>>().join(",")
    }

    /// Asks over all nodes.
    fn ask(&self, archive: &Path, question: &str) -> Done {
        ask(archive, question, &self.urls(), &self.secret, &[])
    }
}

/// A node on an archive.
fn node(archive: &Path, secret: &Path, more: &[&str]) -> Server {
    let secret = secret.to_str().unwrap();
    Server::start_with(archive, &[&["sql-node", "--token-file", secret], more].concat())
}

/// Asks over nodes. On stderr is also what the coordinator logs.
fn ask(archive: &Path, question: &str, nodes: &str, secret: &Path, more: &[&str]) -> Done {
    let mut command = program();
    command.env("RUST_LOG", "tokenlake=debug").arg("--archive").arg(archive);
    command.args(["sql", "--format", "csv", "--nodes", nodes, "--node-token-file"]);
    run(command.arg(secret).args(more).args(["-c", question]))
}

/// Asks in one process.
fn ask_alone(archive: &Path, question: &str) -> Done {
    let mut command = program();
    command.arg("--archive").arg(archive).args(["sql", "--format", "csv", "-c", question]);
    run(&mut command)
}

/// The rows of an answer in an order of their own, which a query may leave open.
fn rows(done: &Done) -> Vec<&str> {
    let mut lines: Vec<_> = done.stdout.lines().collect();
    lines.sort_unstable();
    lines
}

/// The error of a query, without what is logged.
fn error(done: &Done) -> &str {
    let mut errors = done.stderr.lines().filter(|line| line.starts_with("error: "));
    errors.next_back().unwrap_or_default()
}

/// Events of some days and organisations. Of every third commit a partial does not tell all.
fn lines(commit: usize) -> String {
    let mut text = String::new();
    for row in 0..40 {
        let id = commit * 100 + row;
        let odd = commit.is_multiple_of(3);
        let provider = ["openai", "groq", if odd { "OpenAI" } else { "mistral" }][row % 3];
        let model = ["gpt-4o", "größe", "m"][(row / 3) % 3];
        let kind = if odd && row % 7 == 0 { "other" } else { "api_call" };
        writeln!(
            text,
            r#"{{"event_id":"{id}","event_type":"{kind}","ts":"2026-02-0{}T{:02}:{:02}:00.25Z","provider":"{provider}","model":"{model}","input_tokens":{},"output_tokens":{},"cached_input_tokens":{},"cost_usd":"0.{:03}","source":"s{}","attributes":{{"team":"t{}"}}}}"#,
            1 + commit % 5,
            (row * 5) % 24,
            (row * 7) % 60,
            20 + id % 50,
            id % 11,
            id % 20,
            1 + id % 997,
            id % 4,
            id % 3,
        )
        .unwrap();
    }
    text
}

/// Fills an archive with commits of a few files each.
fn fill(archive: &Path, commits: usize) {
    let keys = ORGS.map(|org| key(archive, org));
    let server = Server::start_with(archive, &["serve", "--compact-interval", "0s"]);
    for commit in 0..commits {
        let key = &keys[commit % ORGS.len()];
        let url = server.url("/v1/events");
        let answer = client::post(&url, key, "application/x-ndjson", lines(commit));
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["accepted"], 40, "{}", answer.text());
    }
}

/// An archive on a disk.
fn filled() -> TempDir {
    let folder = tempdir().unwrap();
    fill(folder.path(), 15);
    folder
}

/// An archive in a bucket, or on a disk where there is no S3 server, and what it needs for as long as it
/// is used.
fn filled_bucket() -> (PathBuf, TempDir) {
    let folder = tempdir().unwrap();
    let archive = s3::archive().unwrap_or_else(|| folder.path().join("archive"));
    fill(&archive, 9);
    (archive, folder)
}
