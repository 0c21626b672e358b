//! Tests that commands and servers do their work whoever reads what they say, and wherever it goes.

use std::fs::File;
use std::io::{BufRead as _, BufReader, pipe};
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use sha2::{Digest as _, Sha256};
use tempfile::tempdir;

use crate::support::process::{Done, Server, key, program, run};
use crate::support::{client, events};

/// Commands that print a result.
const PRINTING: [&[&str]; 10] = [
    &["key", "list"],
    &["key", "create", "--org", "acme"],
    &["dimension", "list"],
    &["price", "export"],
    &["usage", "--org", "acme"],
    &["sql", "-c", "SELECT 1"],
    &["verify"],
    &["compact"],
    &["reconcile", "--month", "2026-11"],
    &["man"],
];

fn command(archive: &Path, args: &[&str]) -> Command {
    let mut command = program();
    command.arg("--archive").arg(archive).args(args).stdin(Stdio::null());
    command
}

/// Runs a command whose stdout is elsewhere.
fn printing_to(to: Stdio, archive: &Path, args: &[&str]) -> Done {
    let mut child = command(archive, args).stdout(to).stderr(Stdio::piped()).spawn().unwrap();
    let stderr = std::io::read_to_string(child.stderr.take().unwrap()).unwrap();
    let status = child.wait().unwrap().code().unwrap();
    Done { status, stdout: String::new(), stderr }
}

fn full() -> Stdio {
    File::options().write(true).open("/dev/full").unwrap().into()
}

#[test]
fn results_that_cannot_be_written_are_an_error_unless_their_reader_left() {
    let archive = tempdir().unwrap();
    events::send(&Server::start(archive.path()), &key(archive.path(), "acme"), 0..3);
    for args in PRINTING {
        let done = printing_to(full(), archive.path(), args);
        let told = "error: cannot write the results to stdout: ";
        assert!(done.status == 1 && done.stderr.contains(told), "{args:?}: {done:?}");
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let done = printing_to(writer.into(), archive.path(), args);
        assert!(done.status == 0 && !done.stderr.contains("roken pipe"), "{args:?}: {done:?}");
    }
}

#[test]
fn what_is_wrong_with_a_file_is_told_with_its_name() {
    let (archive, folder) = (tempdir().unwrap(), tempdir().unwrap());
    key(archive.path(), "acme");
    let gone = folder.path().join("gone.json");
    let done = run(command(archive.path(), &["price", "import"]).arg(&gone));
    assert_eq!(done.status, 1, "{done:?}");
    assert!(done.stderr.contains("gone.json: No such file"), "{done:?}");
}

#[test]
fn a_command_whose_notes_cannot_be_written_is_done_all_the_same() {
    let archive = tempdir().unwrap();
    drop(Server::start(archive.path()));
    for args in [&["repair"][..], &["dimension", "add", "team"], &["reprice"], &["verify"]] {
        let mut command = command(archive.path(), args);
        let status = command.stdout(Stdio::null()).stderr(full()).status().unwrap();
        assert_eq!(status.code(), Some(0), "{args:?}");
    }
}

#[test]
fn a_server_answers_and_stops_in_order_once_nobody_reads_its_log() {
    let archive = tempdir().unwrap();
    let [good, bad] = [0, 1].map(|_| key(archive.path(), "acme"));
    let mut command = command(archive.path(), &["serve", "--listen", "127.0.0.1:0"]);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let url = log.find_map(|line| line.strip_prefix("listening on ").map(str::to_owned)).unwrap();
    drop(log);
    // A damaged record is logged.
    for record in std::fs::read_dir(archive.path().join("access/keys")).unwrap() {
        let path = record.unwrap().path();
        if path.file_stem().unwrap().to_str().unwrap() == hex::encode(Sha256::digest(&bad)) {
            std::fs::write(path, "damaged").unwrap();
        }
    }
    let asked = |key: &String| {
        let bearer = format!("Bearer {key}");
        let headers = [("authorization", bearer.as_str())];
        let answer = client::try_send("GET", &format!("{url}/metrics"), &headers, Vec::new());
        answer.map(|answer| answer.status).map_err(|error| error.to_string())
    };
    let answers = [&bad, &good, &bad].map(asked);
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let status = child.wait().unwrap().code();
    assert_eq!((answers, status), ([Ok(503), Ok(200), Ok(503)], Some(0)));
}
