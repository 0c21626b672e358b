//! Whom a node refuses, and what both say.

use std::path::Path;
use std::process::Command;

use tempfile::tempdir;

use super::questions::OF_ROWS;
use super::{Cluster, ask, error, fill, filled, node};
use crate::support::client;
use crate::support::process::{Done, installed, program, run};

fn assert_refused(done: &Done, words: &[&str]) {
    assert_eq!((done.status, done.stdout.as_str()), (1, ""), "{done:?}");
    for word in words {
        assert!(error(done).contains(word), "{word}: {done:?}");
    }
}

#[test]
fn another_token_or_archive_is_refused_and_says_what_to_do() {
    let (folder, other) = (filled(), tempdir().unwrap());
    fill(other.path(), 3);
    let cluster = Cluster::start(folder.path(), 2);
    let url = cluster.nodes[1].url("");
    let wrong = cluster.folder.path().join("wrong");
    std::fs::write(&wrong, "another-secret-of-the-same-kind").unwrap();
    // Also of a question that needs no node.
    for question in ["SELECT 1", OF_ROWS[0]] {
        let done = ask(folder.path(), question, &cluster.urls(), &wrong, &[]);
        assert_refused(&done, &["refuses: the token is another one", "--node-token-file"]);
        let done = cluster.ask(other.path(), question);
        assert_refused(&done, &["refuses: the archive is another one", "--archive"]);
    }
    // A node in other company does not take part in the others' work.
    let stranger = node(other.path(), &cluster.secret, &[]);
    let nodes = format!("{url},{}", stranger.url(""));
    let done = ask(folder.path(), OF_ROWS[0], &nodes, &cluster.secret, &[]);
    assert_refused(&done, &[&stranger.url(""), "the archive is another one"]);
}

#[test]
fn another_version_is_refused() {
    if !installed("curl") {
        return;
    }
    let folder = filled();
    let cluster = Cluster::start(folder.path(), 1);
    let url = cluster.nodes[0].url("/worker.WorkerService/GetWorkerInfo");
    let asked = |version: &str| {
        let bearer = format!("authorization: Bearer {}", super::SECRET);
        let version = format!("tokenlake-version: {version}");
        let mut command = Command::new("curl");
        command.args(["-s", "-i", "--http2-prior-knowledge", "-X", "POST", "--data-binary", ""]);
        command.args(["-H", "content-type: application/grpc", "-H", "te: trailers"]);
        run(command.args(["-H", &bearer, "-H", &version, &url])).stdout
    };
    let refused = asked("99.0.0");
    assert!(refused.contains("grpc-status: 16"), "{refused}");
    assert!(refused.contains("99.0.0") && refused.contains("same%20version"), "{refused}");
    let own = format!("{}+plans.2", env!("CARGO_PKG_VERSION"));
    // Of this version it is the archive that is missing.
    assert!(asked(&own).contains("archive"), "{}", asked(&own));
}

#[test]
fn a_node_that_is_not_there_is_named() {
    let folder = filled();
    let mut cluster = Cluster::start(folder.path(), 2);
    let (urls, gone) = (cluster.urls(), cluster.nodes[0].url(""));
    cluster.nodes[0].kill();
    let done = ask(folder.path(), "SELECT 1", &urls, &cluster.secret, &[]);
    assert_refused(&done, &["cannot reach the node", &gone, "without --nodes"]);
}

fn wrong_usage(archive: &Path, args: &[&str], words: &str) {
    let done = run(program().arg("--archive").arg(archive).args(args));
    assert_eq!((done.status, done.stdout.as_str()), (2, ""), "{args:?}: {done:?}");
    assert_eq!(done.stderr.lines().count(), 1, "{done:?}");
    assert!(done.stderr.contains(words), "{words}: {done:?}");
}

#[test]
fn a_token_that_could_be_guessed_is_wrong_usage() {
    let folder = filled();
    let file = folder.path().join("token");
    let name = file.to_str().unwrap();
    let asked = ["sql", "-c", "SELECT 1", "--nodes", "http://127.0.0.1:1", "--node-token-file"];
    for (text, words) in [
        ("", "it has 0 bytes"),
        ("\n", "it has 0 bytes"),
        ("fifteen-bytes!!\n", "it has 15 bytes"),
        ("a secret with spaces", "visible ASCII"),
    ] {
        std::fs::write(&file, text).unwrap();
        wrong_usage(folder.path(), &["sql-node", "--token-file", name], words);
        wrong_usage(folder.path(), &[&asked[..], &[name]].concat(), words);
    }
    wrong_usage(folder.path(), &["sql-node"], "--token-file");
    wrong_usage(folder.path(), &asked[..5], "--node-token-file");
    std::fs::write(&file, super::SECRET).unwrap();
    let asks_for_certificates = ["sql-node", "--token-file", name, "--tls-client-ca", name];
    let over_tls = ["--tls-cert", name, "--tls-key", name];
    wrong_usage(folder.path(), &[&asks_for_certificates[..], &over_tls].concat(), "leave it out");
    let nodes = |nodes| ["sql", "-c", "SELECT 1", "--node-token-file", name, "--nodes", nodes];
    wrong_usage(folder.path(), &nodes("node-1"), "https://HOST:PORT");
    wrong_usage(folder.path(), &nodes("http://192.0.2.1:9798"), "--node-insecure");
}

#[test]
fn a_node_listens_beyond_the_machine_only_over_tls_and_answers_probes() {
    let folder = filled();
    let cluster = Cluster::start(folder.path(), 1);
    let secret = cluster.secret.to_str().unwrap();
    let args = ["sql-node", "--token-file", secret, "--listen", "0.0.0.0:0"];
    let done = run(program().arg("--archive").arg(folder.path()).args(args));
    assert_eq!(done.status, 1, "{done:?}");
    assert!(
        done.stderr.contains("--tls-cert") && done.stderr.contains("--node-insecure"),
        "{done:?}"
    );
    let alive =
        client::try_send("GET", &cluster.nodes[0].url("/healthz"), &[], Vec::new()).unwrap();
    assert_eq!((alive.status, alive.text()), (200, "ok\n"));
    let nothing = folder.path().join("nothing");
    let done = run(program().arg("--archive").arg(&nothing).args(&args[..3]));
    assert_eq!(done.status, 1, "{done:?}");
    assert!(done.stderr.contains("there is no archive"), "{done:?}");
}
