//! Tests that files written by commands never overwrite their inputs, and never lie among an
//! archive's objects.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::tempdir;

use crate::support::events;
use crate::support::process::{Done, Server, key, key_with, program, run, tokenlake};

fn with_events(archive: &Path) {
    let key = key(archive, "acme");
    events::send(&Server::start(archive), &key, 0..3);
}

fn refused(done: &Done, word: &str) {
    assert_eq!((done.status, done.stdout.as_str()), (1, ""), "{done:?}");
    assert_eq!(done.stderr.lines().count(), 1, "{done:?}");
    assert!(done.stderr.contains(word), "{word}: {done:?}");
}

#[test]
fn results_of_sql_are_never_written_over_the_statements() {
    let (archive, folder) = (tempdir().unwrap(), tempdir().unwrap());
    with_events(archive.path());
    let query = folder.path().join("q.sql");
    let [hard, soft] = ["hard", "soft"].map(|name| folder.path().join(name));
    let text = "SELECT count(*) AS n FROM events";
    std::fs::write(&query, text).unwrap();
    std::fs::hard_link(&query, &hard).unwrap();
    symlink(&query, &soft).unwrap();
    for output in [&query, &hard, &soft] {
        let (query, output) = (query.to_str().unwrap(), output.to_str().unwrap());
        refused(&tokenlake(archive.path(), &["sql", "-f", query, "-o", output]), "--output");
        let mut command = program();
        command.arg("--archive").arg(archive.path()).args(["sql", "-o", output]);
        command.stdin(std::fs::File::open(query).unwrap());
        let done = command.output().unwrap();
        assert_eq!(done.status.code(), Some(1));
        assert_eq!(std::fs::read_to_string(query).unwrap(), text);
    }
    let fine = folder.path().join("out.csv");
    let args = ["sql", "-f", query.to_str().unwrap(), "-o", fine.to_str().unwrap()];
    assert_eq!(tokenlake(archive.path(), &args).status, 0);
    assert_eq!(std::fs::read_to_string(fine).unwrap(), "n\n3\n");
}

#[test]
fn nothing_is_written_among_the_objects_of_the_archive() {
    let (archive, folder) = (tempdir().unwrap(), tempdir().unwrap());
    with_events(archive.path());
    let inside = folder.path().join("inside");
    symlink(archive.path().join("access/keys"), &inside).unwrap();
    let input = folder.path().join("a.ndjson");
    std::fs::write(&input, "{}\n").unwrap();
    let record = std::fs::read_dir(&inside).unwrap().next().unwrap().unwrap().path();
    let before = std::fs::read(&record).unwrap();
    let note = archive.path().join("_head.json");
    for output in [&record, &inside.join("new"), &archive.path().join("events/new"), &note] {
        let output = output.to_str().unwrap();
        let done = tokenlake(archive.path(), &["sql", "-c", "SELECT 1", "--output", output]);
        refused(&done, "among the objects of the archive");
        for dry in [&["--dry-run"][..], &[]] {
            let args = ["backfill", "--org", "acme", "--rejects", output, input.to_str().unwrap()];
            refused(
                &tokenlake(archive.path(), &[&args[..], dry].concat()),
                "among the objects of the archive",
            );
        }
    }
    assert_eq!(std::fs::read(&record).unwrap(), before);
    assert_eq!(std::fs::read_dir(&inside).unwrap().count(), 1);
}

#[test]
fn statements_come_from_files_and_stdin_alone_and_end_somewhere() {
    let (archive, folder) = (tempdir().unwrap(), tempdir().unwrap());
    with_events(archive.path());
    let pipe = folder.path().join("pipe.sql");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for file in [pipe.to_str().unwrap(), "/dev/zero", "/dev/stdin"] {
        refused(&tokenlake(archive.path(), &["sql", "--file", file]), "use --file - and stdin");
    }
    let endless = std::fs::File::open("/dev/zero").unwrap();
    let mut command = program();
    command.arg("--archive").arg(archive.path()).arg("sql").stdin(endless);
    let done = command.output().unwrap();
    assert_eq!(done.status.code(), Some(1));
    assert!(String::from_utf8(done.stderr).unwrap().contains("larger than 16 MiB"));
}

#[test]
fn what_goes_to_stdout_goes_into_what_stdout_is() {
    let (archive, folder) = (tempdir().unwrap(), tempdir().unwrap());
    with_events(archive.path());
    let input = folder.path().join("in/a.ndjson");
    std::fs::create_dir(folder.path().join("in")).unwrap();
    std::fs::write(&input, "broken\n{}\n").unwrap();
    let out = folder.path().join("in/out.ndjson");
    let to_out = |args: &[&str]| {
        let file = std::fs::File::create(&out).unwrap();
        let mut command = program();
        command.arg("--archive").arg(archive.path()).args(args).stdin(Stdio::null()).stdout(file);
        let done = command.stderr(Stdio::piped()).output().unwrap();
        (done.status.code().unwrap(), std::fs::read_to_string(&out).unwrap())
    };
    let (status, text) =
        to_out(&["sql", "-c", "SELECT 1 AS n", "--format", "csv", "-o", "/dev/stdout"]);
    assert_eq!((status, text.as_str()), (0, "n\n1\n"));
    // Rejected rows and the summary; the file, which lies in the folder that is read, is no input.
    let all = folder.path().join("in");
    let backfill = ["backfill", "--dry-run", "--org", "acme", "--rejects", "/dev/stdout"];
    let (status, text) = to_out(&[&backfill[..], &[all.to_str().unwrap()]].concat());
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((status, lines.len()), (1, 3), "{text}");
    assert_eq!((&lines[2]["read"], &lines[2]["files"]), (&2.into(), &1.into()), "{text}");
    let (status, _) = to_out(&["backfill", "--dry-run", "--org", "acme", out.to_str().unwrap()]);
    assert_eq!(status, 1, "its own output is an input");
    let done = tokenlake(archive.path(), &["sql", "-c", "SELECT 1", "--output", "/dev/null"]);
    assert_eq!((done.status, done.stdout.as_str()), (0, ""), "{done:?}");
}

#[test]
fn names_of_others_do_nothing_to_a_terminal_or_a_log() {
    let folder = tempdir().unwrap();
    let name = "a\u{1b}[2J\nb\t\u{9b}31m\u{202e}";
    key_with(folder.path(), "acme", &["--name", name]);
    let harmless = |text: &str| {
        let harmful = |char: char| char.is_control() && char != '\n' || char == '\u{202e}';
        assert!(!text.contains(harmful), "{text:?}");
    };
    let table = tokenlake(folder.path(), &["key", "list"]);
    harmless(&table.stdout);
    assert_eq!(table.stdout.lines().count(), 2, "{table:?}");
    assert!(table.stdout.ends_with("a\\u001b[2J\\u000ab\\u0009\\u009b31m\\u202e\n"), "{table:?}");
    let json = tokenlake(folder.path(), &["key", "list", "--format", "json"]);
    harmless(&json.stdout);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json[0]["name"], name);
    // Names of files, in errors and notes.
    let files = tempdir().unwrap();
    let file = files.path().join("x\u{1b}[31m\n.odd");
    std::fs::write(&file, "").unwrap();
    let file = file.to_str().unwrap();
    for args in [
        &["backfill", "--org", "acme", file][..],
        &["sql", "--file", &format!("{file}x")],
        &["sql", "-c", "SELECT 1", "--output", &format!("{file}/x")],
        &["key", "revoke", name],
        &["nothing\u{1b}[31m"],
    ] {
        let done = tokenlake(folder.path(), args);
        assert_ne!(done.status, 0, "{args:?}");
        harmless(&done.stderr);
        let shown = ["\\u001b[", "\\u{1b}["].iter().any(|escape| done.stderr.contains(escape));
        assert!(shown, "{args:?}: {done:?}");
        assert_eq!(done.stderr.lines().count(), 1, "{args:?}: {done:?}");
    }
    let done = run(program().env("TOKENLAKE_ARCHIVE", "s3://\u{1b}[31m/").args(["key", "list"]));
    harmless(&done.stderr);
}
