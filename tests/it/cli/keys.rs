//! Tests of `tokenlake key`.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::tempdir;
use tokenlake::clock::{Clock as _, HOUR, SECOND, SystemClock};

use crate::support::process::{Server, key, key_with, tokenlake};
use crate::support::{archive, client, events, poll};

/// "In force within 5 s on every replica".
const REVOKED_WITHIN: Duration = Duration::from_secs(5);

fn list(archive: &Path) -> Vec<Value> {
    let done = tokenlake(archive, &["key", "list", "--format", "json"]);
    assert_eq!(done.status, 0, "{done:?}");
    serde_json::from_str(&done.stdout).unwrap()
}

fn status(server: &Server, key: &str) -> u16 {
    client::get(&server.url("/metrics"), key).status
}

fn post_status(server: &Server, key: &str) -> u16 {
    let url = server.url("/v1/events");
    client::post(&url, key, "application/json", events::event("e")).status
}

#[test]
fn a_new_key_stands_alone_on_stdout_and_nowhere_else() {
    let folder = tempdir().unwrap();
    let done = tokenlake(folder.path(), &["key", "create", "--org", "acme", "--name", "prod"]);
    assert_eq!((done.status, done.stderr.as_str()), (0, ""));
    let key = done.stdout.strip_suffix('\n').unwrap();
    let random = key.strip_prefix("td_live_").unwrap();
    assert!(random.len() >= 32 && random.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let kept = archive::files(folder.path(), "");
    assert!(!kept.is_empty());
    for file in kept {
        let bytes = std::fs::read(&file).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(random) && !file.to_str().unwrap().contains(random), "{file:?}");
    }
}

#[test]
fn the_list_shows_ids_and_states_and_no_secret() {
    let folder = tempdir().unwrap();
    let plain = [
        key_with(folder.path(), "acme", &["--name", "one"]),
        key_with(folder.path(), "globex", &["--scope", "metrics:read", "--expires", "90d"]),
    ];
    let records = list(folder.path());
    let table = tokenlake(folder.path(), &["key", "list"]).stdout;
    let json = tokenlake(folder.path(), &["key", "list", "--format", "json"]).stdout;
    assert_eq!((records.len(), table.lines().count()), (2, 3));
    assert!(table.starts_with("ID "), "{table}");
    for (line, record) in table.lines().skip(1).zip(&records) {
        assert_eq!(line.split_whitespace().next(), record["id"].as_str());
        assert!(line.contains(record["org_id"].as_str().unwrap()), "{line}");
    }
    assert_eq!(records[0]["name"], "one");
    assert_eq!(records[0]["expires_at"], Value::Null);
    assert_eq!(records[0]["scopes"].as_array().unwrap().len(), 3);
    assert_eq!(records[1]["scopes"], serde_json::json!(["metrics:read"]));
    assert!(records[1]["expires_at"].is_string());
    for key in plain {
        let random = key.strip_prefix("td_live_").unwrap();
        assert!(!table.contains(random) && !json.contains(random));
    }
}

#[test]
fn the_list_shows_which_part_a_key_is_bound_to() {
    let folder = tempdir().unwrap();
    key(folder.path(), "acme");
    assert_eq!(tokenlake(folder.path(), &["dimension", "add", "team"]).status, 0);
    key_with(folder.path(), "acme", &["--dimension", "team=core"]);
    let table = tokenlake(folder.path(), &["key", "list"]).stdout;
    let bound = table.lines().filter(|line| line.contains("team=core")).count();
    assert_eq!((bound, table.lines().count()), (1, 3), "{table}");
}

#[test]
fn the_list_shows_the_hour_of_the_last_use() {
    let folder = tempdir().unwrap();
    let [used, unused] =
        ["used", "unused"].map(|name| key_with(folder.path(), "acme", &["--name", name]));
    let server = Server::start(folder.path());
    assert!(list(folder.path()).iter().all(|key| key["last_used"].is_null()), "never");
    assert_eq!(status(&server, &used), 200);
    let hour = poll(Duration::from_secs(15), "the use is shown", || {
        list(folder.path())[0]["last_used"].as_str().map(str::to_owned)
    });
    let used_at = chrono::DateTime::parse_from_rfc3339(&hour).unwrap().timestamp();
    let now = SystemClock.now() / SECOND;
    assert!(hour.ends_with(":00:00Z") && (0..7_200).contains(&(now - used_at)), "{hour}");
    assert_eq!(list(folder.path())[1]["last_used"], Value::Null);
    let table = tokenlake(folder.path(), &["key", "list"]).stdout;
    let lines: Vec<_> = table.lines().collect();
    assert!(lines[0].ends_with("LAST USED") && lines[1].ends_with(&hour), "{table}");
    assert!(lines[2].ends_with("unused"), "{table}");
    // Once an hour and key at the most: more uses write no more.
    let records = || archive::files(&folder.path().join("access/used"), ".json");
    assert_eq!(records().len(), 1);
    let record = &records()[0];
    let written = std::fs::metadata(record).unwrap().modified().unwrap();
    for _ in 0..4 {
        assert_eq!(status(&server, &used), 200);
        std::thread::sleep(Duration::from_secs(1));
    }
    let is_next_hour = SystemClock.now() / HOUR * HOUR > used_at * SECOND;
    assert!(is_next_hour || std::fs::metadata(record).unwrap().modified().unwrap() == written);
    // Damage is told of, and mended by the next use.
    std::fs::write(record, "{}").unwrap();
    let done = tokenlake(folder.path(), &["key", "list", "--format", "json"]);
    assert!(done.status == 0 && done.stderr.contains("access/used"), "{done:?}");
    let other = Server::start(folder.path());
    assert_eq!((status(&other, &used), status(&other, &unused)), (200, 200));
    poll(Duration::from_secs(15), "both are shown", || {
        list(folder.path()).iter().all(|key| key["last_used"].is_string()).then_some(())
    });
}

#[test]
fn a_revoked_key_is_refused_within_five_seconds_by_every_running_server() {
    let folder = tempdir().unwrap();
    let servers = [Server::start(folder.path()), Server::start(folder.path())];
    let doomed = key(folder.path(), "acme");
    let spared = key(folder.path(), "acme");
    for server in &servers {
        assert_eq!(status(server, &doomed), 200, "a new key works at once");
    }
    let id = list(folder.path())[0]["id"].as_str().unwrap().to_owned();
    let revoked_at = Instant::now();
    assert_eq!(tokenlake(folder.path(), &["key", "revoke", &id]).status, 0);
    for server in &servers {
        // Asked all the time, so that it stays in memory.
        poll(REVOKED_WITHIN, "the key is refused", || {
            (status(server, &doomed) == 401).then_some(())
        });
        assert!(revoked_at.elapsed() < REVOKED_WITHIN);
        assert_eq!(post_status(server, &doomed), 401);
        assert_eq!(status(server, &spared), 200);
    }
    let states: Vec<_> = list(folder.path()).iter().map(|key| key["state"].clone()).collect();
    assert_eq!(states, ["revoked", "active"]);
    // Once more is no error, and changes nothing.
    let before = list(folder.path());
    assert_eq!(tokenlake(folder.path(), &["key", "revoke", &id]).status, 0);
    assert_eq!(list(folder.path()), before);
}

#[test]
fn an_expired_key_is_refused() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path());
    let started = Instant::now();
    let brief = key_with(folder.path(), "acme", &["--expires", "3s"]);
    let first = status(&server, &brief);
    assert!(first == 200 || started.elapsed() > Duration::from_secs(3));
    poll(Duration::from_secs(10), "the key expires", || {
        (status(&server, &brief) == 401).then_some(())
    });
    assert!(started.elapsed() >= Duration::from_secs(3), "it expired too early");
    assert_eq!(list(folder.path())[0]["state"], "expired");
}

#[test]
fn a_scope_that_is_missing_is_forbidden() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path());
    for (scope, metrics, events) in [
        ("metrics:read", 200, 403),
        ("events:write", 403, 200),
        ("sql:read", 403, 403),
        ("events:write,metrics:read", 200, 200),
    ] {
        let key = key_with(folder.path(), "acme", &["--scope", scope]);
        assert_eq!(status(&server, &key), metrics, "{scope}");
        assert_eq!(post_status(&server, &key), events, "{scope}");
    }
}

#[test]
fn a_name_that_differs_only_in_case_is_refused() {
    let folder = tempdir().unwrap();
    key(folder.path(), "Acme");
    let month = ["--month", "2026-11"];
    for args in [
        &["usage"][..],
        &["sql", "-c", "SELECT 1"],
        &["reprice", "--dry-run"],
        &["budget", "list"],
        &["budget", "remove", "all"],
        &["price", "quote", "--provider", "openai", "--model", "gpt-4o"],
        &[&["reconcile"][..], &month].concat(),
        &[&["export", "focus", "--format", "csv", "--output", "/dev/null"][..], &month].concat(),
    ] {
        let done = tokenlake(folder.path(), &[args, &["--org", "ACME"]].concat());
        assert_eq!((done.status, done.stdout.as_str()), (1, ""), "{args:?} {done:?}");
        assert!(done.stderr.contains("use \"Acme\""), "{args:?} {done:?}");
    }
    let done = tokenlake(folder.path(), &["key", "create", "--org", "ACME"]);
    assert_eq!((done.status, done.stdout.as_str()), (1, ""));
    assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
    assert!(done.stderr.contains("Acme") && done.stderr.contains("ACME"), "{}", done.stderr);
    assert_eq!(list(folder.path()).len(), 1);
    key(folder.path(), "Acme");
}

#[test]
fn an_id_that_is_not_there_is_not_revoked() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path());
    let key = key(folder.path(), "acme");
    let id = list(folder.path())[0]["id"].as_str().unwrap().to_owned();
    for odd in ["", "0123456789abcdef", &id[..4], key.as_str(), "../orgs/acme", "*"] {
        let done = tokenlake(folder.path(), &["key", "revoke", odd]);
        assert_eq!((done.status, done.stderr.lines().count()), (1, 1), "{odd}: {done:?}");
        assert!(odd != key || !done.stderr.contains(&key), "a key was printed");
    }
    assert_eq!(list(folder.path())[0]["state"], "active");
    assert_eq!(status(&server, &key), 200);
}

#[test]
fn a_damaged_record_is_refused_by_name_listed_and_revoked() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path());
    let [damaged, spared] = [key(folder.path(), "acme"), key(folder.path(), "acme")];
    let ids: Vec<_> = list(folder.path()).iter().map(|key| key["id"].clone()).collect();
    let id = ids[0].as_str().unwrap();
    let records = archive::files(&folder.path().join("access/keys"), ".json");
    let record = records.iter().find(|path| path.to_str().unwrap().contains(id)).unwrap();
    let mut bytes = std::fs::read(record).unwrap();
    bytes[12] ^= 1;
    std::fs::write(record, &bytes).unwrap();
    let answer = client::get(&server.url("/metrics"), &damaged);
    assert_eq!(answer.status, 503, "{}", answer.text());
    for word in ["access/keys/", id, "damaged", "tokenlake key revoke"] {
        assert!(answer.text().contains(word), "{word}: {}", answer.text());
    }
    assert_eq!(status(&server, &spared), 200);
    let done = tokenlake(folder.path(), &["key", "list"]);
    assert_eq!((done.status, done.stdout.lines().count()), (0, 3), "{done:?}");
    let line = done.stdout.lines().find(|line| line.starts_with(id)).unwrap();
    assert!(line.contains("damaged") && done.stderr.contains(id), "{done:?}");
    let states: Vec<_> = list(folder.path()).iter().map(|key| key["state"].clone()).collect();
    assert_eq!(states, ["active", "damaged"]);
    assert_eq!(tokenlake(folder.path(), &["key", "revoke", id]).status, 0);
    poll(REVOKED_WITHIN, "the key is refused", || (status(&server, &damaged) == 401).then_some(()));
    let states: Vec<_> = list(folder.path()).iter().map(|key| key["state"].clone()).collect();
    assert_eq!(states, ["active", "revoked"]);
}
