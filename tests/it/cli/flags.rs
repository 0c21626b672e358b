//! Tests of flags, their environment variables, and exit statuses.

use tempfile::tempdir;

use crate::support::process::{Server, key, program, run, tokenlake, tokenlake_in};
use crate::support::{client, events};

#[test]
fn the_archive_is_given_before_or_after_the_subcommand() {
    let folder = tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    key(folder.path(), "acme");
    for args in [
        ["--archive", path, "key", "list"],
        ["key", "--archive", path, "list"],
        ["key", "list", "--archive", path],
    ] {
        let done = run(program().args(args));
        assert_eq!((done.status, done.stdout.lines().count()), (0, 2), "{args:?} {done:?}");
    }
    let url = format!("file://{path}");
    assert_eq!(run(program().args(["verify", "--archive", &url])).status, 0);
}

#[test]
fn a_flag_wins_over_its_environment_variable() {
    let (folder, other) = (tempdir().unwrap(), tempdir().unwrap());
    let done = run(program()
        .env("TOKENLAKE_ARCHIVE", folder.path())
        .env("TOKENLAKE_ORG", "by-variable")
        .env("TOKENLAKE_SCOPE", "metrics:read,sql:read")
        .env("TOKENLAKE_NAME", "n")
        .env("TOKENLAKE_EXPIRES", "1h")
        .args(["key", "create", "--org", "by-flag"]));
    assert_eq!(done.status, 0, "{done:?}");
    let list = run(program()
        .env("TOKENLAKE_ARCHIVE", other.path())
        .env("TOKENLAKE_FORMAT", "json")
        .args(["key", "list", "--archive"])
        .arg(folder.path()));
    let records: serde_json::Value = serde_json::from_str(&list.stdout).unwrap();
    assert_eq!(records[0]["org_id"], "by-flag");
    assert_eq!(records[0]["name"], "n");
    assert_eq!(records[0]["scopes"], serde_json::json!(["metrics:read", "sql:read"]));
    assert!(records[0]["expires_at"].is_string());
}

#[test]
fn a_server_takes_its_settings_from_the_environment() {
    let folder = tempdir().unwrap();
    let key = key(folder.path(), "acme");
    let mut command = program();
    command
        .env("TOKENLAKE_ARCHIVE", folder.path())
        .env("TOKENLAKE_LISTEN", "127.0.0.1:0")
        .env("TOKENLAKE_MAX_BODY", "1KiB")
        .arg("serve");
    let server = Server::start_command(command);
    events::send(&server, &key, 0..1);
    let body = events::ndjson(0..100);
    let answer = client::post(&server.url("/v1/events"), &key, "application/x-ndjson", body);
    assert_eq!(answer.status, 413);
}

#[test]
fn a_variable_switches_a_flag_on_and_off() {
    let folder = tempdir().unwrap();
    key(folder.path(), "acme");
    drop(Server::start(folder.path()));
    let with = |name: &'static str, value: &str, args: &[&str]| {
        tokenlake_in(&vec![(name, value.to_owned())], folder.path(), args)
    };
    for value in ["false", "0", "no", "off", ""] {
        // An operator's key reads every organisation: none is made unless it is asked for.
        let done = with("TOKENLAKE_OPERATOR", value, &["key", "create"]);
        assert_eq!((done.status, done.stdout.as_str()), (2, ""), "{value}: {done:?}");
        let done = with("TOKENLAKE_OPERATOR", value, &["key", "create", "--org", "acme"]);
        assert_eq!(done.status, 0, "{value}: {done:?}");
        let done = with("TOKENLAKE_ACCEPT", value, &["repair", "--undo"]);
        assert_eq!(done.status, 0, "{value}: {done:?}");
    }
    for value in ["true", "1", "yes", "ON"] {
        let done = with("TOKENLAKE_ACCEPT", value, &["repair", "--undo"]);
        assert_eq!(done.status, 2, "{value}: {done:?}");
        let done = with("TOKENLAKE_OPERATOR", value, &["key", "create"]);
        assert_eq!(done.status, 0, "{value}: {done:?}");
    }
    assert_eq!(with("TOKENLAKE_DRY_RUN", "maybe", &["compact"]).status, 2);
}

#[test]
fn what_fails_says_so_in_one_line_with_status_1() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path());
    let nowhere = folder.path().join("nowhere");
    for args in [
        vec!["verify"],
        vec!["sql", "-c", "SELECT 1"],
        vec!["key", "list"],
        vec!["key", "revoke", "0123456789abcdef"],
        vec!["serve", "--listen", server.address()],
    ] {
        let done = tokenlake(&nowhere, &args);
        assert_eq!((done.status, done.stdout.as_str()), (1, ""), "{args:?} {done:?}");
        assert_eq!(done.stderr.lines().count(), 1, "{args:?} {done:?}");
        assert!(done.stderr.starts_with("error: "), "{done:?}");
    }
    assert!(!nowhere.join("events").exists(), "a command that only looks made an archive");
}

#[test]
fn wrong_usage_says_so_in_one_line_with_status_2() {
    for args in [
        vec!["key", "create"],
        vec!["key", "create", "--org", "a b"],
        vec!["key", "create", "--org", ""],
        vec!["key", "create", "--org", "acme", "--scope", "all"],
        vec!["key", "create", "--operator", "--scope", "events:write"],
        vec!["key", "create", "--org", "acme", "--expires", "soon"],
        vec!["key", "list", "--format", "xml"],
        vec!["key", "revoke"],
        vec!["serve", "--listen", "here"],
        vec!["serve", "--max-body", "-1"],
        vec!["--archive", "gopher://x", "verify"],
        vec!["fly"],
    ] {
        let done = run(program().args(&args));
        assert_eq!((done.status, done.stdout.as_str()), (2, ""), "{args:?} {done:?}");
        assert_eq!(done.stderr.lines().count(), 1, "{args:?} {done:?}");
        assert!(done.stderr.starts_with("error: "), "{done:?}");
    }
}

#[test]
fn help_and_version_are_results() {
    for args in [["--help"], ["--version"]] {
        let done = run(program().args(args));
        assert_eq!((done.status, done.stderr.as_str()), (0, ""));
        assert!(done.stdout.to_lowercase().contains("tokenlake"));
    }
}
