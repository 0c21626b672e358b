//! Tests of `tokenlake expire`, `verify` and `doctor` as an operator sees them.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};
use tokenlake::clock::{Clock as _, DAY, SECOND, SystemClock};

use crate::support::process::{Server, key, program, run, tokenlake};
use crate::support::scrape::scrape;
use crate::support::{client, poll};

fn line(id: &str, days: i64) -> String {
    let ts = (SystemClock.now() - days * DAY) / SECOND;
    let event = json!({
        "event_id": id, "ts": ts, "provider": "openai", "model": format!("m{days}"),
        "input_tokens": 3, "output_tokens": 4, "cost_usd": "0.000000000001",
    });
    format!("{event}\n")
}

fn post(server: &Server, key: &str, lines: String) -> client::Answer {
    client::post(&server.url("/v1/events"), key, "application/x-ndjson", lines)
}

/// A server with events of 40, 20 and 0 days ago.
fn started() -> (TempDir, Server, String) {
    let folder = tempdir().unwrap();
    let key = key(folder.path(), "acme");
    let server = Server::start(folder.path());
    let lines = line("a", 40) + &line("b", 40) + &line("c", 20) + &line("d", 0);
    assert_eq!(post(&server, &key, lines).json()["accepted"], 4);
    (folder, server, key)
}

fn sql(archive: &Path, query: &str) -> Value {
    let done = tokenlake(archive, &["sql", "--format", "json", "-c", query]);
    assert_eq!(done.status, 0, "{done:?}");
    serde_json::from_str(&done.stdout).unwrap()
}

fn expire(archive: &Path, more: &[&str]) -> Value {
    let done = tokenlake(archive, &[&["expire", "--older-than", "30d"], more].concat());
    assert_eq!((done.status, done.stdout.lines().count()), (0, 1), "{done:?}");
    serde_json::from_str(&done.stdout).unwrap()
}

#[test]
fn expiry_beside_a_server_takes_rows_and_leaves_counters() {
    let (folder, server, key) = started();
    let before = scrape(&server, &key);
    assert_eq!(before.len(), 3 * 3 + 1);
    let planned = expire(folder.path(), &["--dry-run"]);
    assert_eq!(sql(folder.path(), "select count(*) as n from events")[0]["n"], 4);
    let done = expire(folder.path(), &[]);
    assert_eq!(done, planned);
    let floor = done["floor"].as_str().unwrap();
    assert_eq!(done, json!({ "floor": floor, "dates": 1, "files": 1, "events": 2 }));
    assert_eq!(scrape(&server, &key), before);
    // The tables have lost them, by rows and by partials.
    for (query, left) in [
        ("select count(*) as n from events", 2),
        ("select count(*) as n from events where model = 'm40'", 0),
        ("select sum(requests) as n from usage_hourly", 2),
        ("select count(*) as n from events where event_date < '2100-01-01'", 2),
        ("select count(distinct event_id) as n from events", 2),
    ] {
        assert_eq!(sql(folder.path(), query)[0]["n"], left, "{query}");
    }
    let plan = sql(folder.path(), "explain select model, count(*) from events group by model");
    assert!(plan.as_array().is_some_and(|rows| !rows.is_empty()), "{plan}");
    // What has expired is refused, by index and with the floor; its neighbour is taken.
    let answer = post(&server, &key, line("e", 0) + &line("a", 40));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["accepted"], 1);
    let rejected = &answer.json()["rejected"][0];
    assert_eq!((rejected["index"].clone(), rejected["event_id"].clone()), (json!(1), json!("a")));
    assert!(rejected["error"].as_str().unwrap().contains(floor), "{rejected}");
    assert_eq!(post(&server, &key, line("a", 40)).status, 422);
    // A server that starts now shows the same.
    let now = scrape(&server, &key);
    drop(server);
    assert_eq!(scrape(&Server::start(folder.path()), &key), now);
    assert_eq!(expire(folder.path(), &[])["files"], 0);
    let verified = tokenlake(folder.path(), &["verify"]);
    assert_eq!(verified.status, 0, "{verified:?}");
    assert!(verified.stdout.contains("verified 3 events"), "{verified:?}");
    let note = format!("2 events before {floor} have expired and cannot be recomputed");
    assert!(verified.stderr.contains(&note), "{verified:?}");
}

#[test]
fn a_backfill_refuses_what_has_expired_and_keeps_it_with_its_reason() {
    let (folder, _server, _) = started();
    let floor = expire(folder.path(), &[])["floor"].clone();
    let inputs = tempdir().unwrap();
    let input = inputs.path().join("old.ndjson");
    let row = line("x", 45);
    std::fs::write(&input, line("c", 20) + &row + &line("y", 1)).unwrap();
    let rejects = inputs.path().join("rejects.ndjson");
    let (input, rejects) = (input.to_str().unwrap(), rejects.to_str().unwrap());
    for (accepted, duplicates) in [(1, 1), (0, 2)] {
        let args = ["backfill", "--org", "acme", "--rejects", rejects, input];
        let done = tokenlake(folder.path(), &args);
        assert_eq!(done.status, 0, "{done:?}");
        let summary: Value = serde_json::from_str(&done.stdout).unwrap();
        let expected = json!({ "read": 3, "accepted": accepted, "duplicates": duplicates, "rejected": 1, "files": 1 });
        assert_eq!(summary, expected);
        let kept: Value = serde_json::from_str(&std::fs::read_to_string(rejects).unwrap()).unwrap();
        assert_eq!((&kept["line"], &kept["row"]), (&json!(2), &json!(row.trim_end())));
        assert!(kept["error"].as_str().unwrap().contains(floor.as_str().unwrap()), "{kept}");
    }
}

#[test]
fn a_ledger_that_was_tampered_with_fails_verify() {
    let (folder, server, _) = started();
    drop(server);
    expire(folder.path(), &[]);
    let objects: Vec<_> = std::fs::read_dir(folder.path().join("ledger"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(objects.len(), 3, "cells, their mark, and start times");
    for object in objects {
        let whole = std::fs::read(&object).unwrap();
        let mut damaged = whole.clone();
        damaged[whole.len() / 3] ^= 1;
        std::fs::write(&object, damaged).unwrap();
        let done = tokenlake(folder.path(), &["verify"]);
        let name = object.file_name().unwrap().to_str().unwrap();
        assert_eq!(done.status, 1, "{done:?}");
        assert!(done.stdout.contains(name), "{done:?}");
        std::fs::write(&object, whole).unwrap();
    }
    assert_eq!(tokenlake(folder.path(), &["verify"]).status, 0);
}

#[test]
fn a_server_expires_by_itself_where_it_is_told_to() {
    let (folder, server, key) = started();
    let before = scrape(&server, &key);
    drop(server);
    let mut command = program();
    command
        .arg("--archive")
        .arg(folder.path())
        .arg("serve")
        .env("TOKENLAKE_EXPIRE_OLDER_THAN", "10d");
    command.args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    let server = Server::start_command(command);
    let admin = server
        .stderr()
        .lines()
        .find_map(|line| line.strip_prefix("telemetry on ").map(str::to_owned));
    let admin = admin.unwrap();
    poll(Duration::from_secs(30), "events expire", || {
        let text = client::get(&admin, "").text().to_owned();
        text.contains("\ntokenlake_events_expired_total 3\n").then_some(())
    });
    assert_eq!(sql(folder.path(), "select count(*) as n from events")[0]["n"], 1);
    assert_eq!(scrape(&server, &key), before);
}

#[test]
fn a_sample_reads_fewer_files_and_says_so() {
    let (folder, server, _) = started();
    drop(server);
    for share in ["0.0001%", "0.000001"] {
        let done = tokenlake(folder.path(), &["verify", "--sample", share]);
        assert_eq!(done.status, 0, "{done:?}");
        assert!(done.stdout.contains("in 1 file at"), "{done:?}");
        assert!(done.stdout.contains("scrapes not compared, for this is a sample"), "{done:?}");
    }
    let all = tokenlake(folder.path(), &["verify", "--sample", "100%"]);
    assert!(all.stdout.contains("verified 4 events in 3 files"), "{all:?}");
    assert!(all.stdout.contains("scrapes of 1 organisation compared"), "{all:?}");
}

#[test]
fn wrong_usage_is_told_from_failure() {
    let folder = tempdir().unwrap();
    for (args, words) in [
        (&["expire"][..], "--older-than"),
        (&["expire", "--older-than", "1d"], "less than 2d: the last two days are needed"),
        (&["expire", "--older-than", "47h"], "less than 2d"),
        (&["expire", "--older-than", "soon"], "like 500ms or 90d"),
        (&["expire", "--older-than", "400d", "extra"], "extra"),
        (&["serve", "--expire-older-than", "1d"], "less than 2d"),
        (&["verify", "--sample", "half"], "like 10% or 0.1"),
        (&["verify", "--sample", "0"], "up to 100%"),
        (&["verify", "--sample", "101%"], "up to 100%"),
        (&["verify", "extra"], "extra"),
        (&["doctor", "--fix"], "--fix"),
    ] {
        let done = tokenlake(folder.path(), args);
        assert_eq!((done.status, done.stdout.as_str()), (2, ""), "{args:?} {done:?}");
        assert_eq!(done.stderr.lines().count(), 1, "{done:?}");
        assert!(done.stderr.contains(words), "{args:?} {done:?}");
    }
    let missing = folder.path().join("none");
    for args in [&["expire", "--older-than", "400d"][..], &["verify"], &["doctor"]] {
        let done = tokenlake(&missing, args);
        assert_eq!(done.status, 1, "{args:?} {done:?}");
        let told = done.stdout + &done.stderr;
        assert_eq!(told.lines().count(), 1, "{told}");
        assert!(told.contains("there is no archive at"), "{told}");
        assert!(!missing.exists());
    }
}

#[test]
fn a_doctor_finds_a_sound_archive_sound_and_leaves_nothing_behind() {
    let (folder, server, key) = started();
    let before = scrape(&server, &key);
    let listed = |folder: &Path| {
        let done = run(std::process::Command::new("find").arg(folder).args(["-printf", "%P %s\n"]));
        let mut lines: Vec<_> = done.stdout.lines().map(str::to_owned).collect();
        lines.sort();
        // The folder's own size is the file system's matter.
        lines.retain(|line| !line.starts_with(' '));
        lines
    };
    // The newest commit is noted after its answer.
    let files = poll(Duration::from_secs(20), "the newest commit is noted", || {
        let files = listed(folder.path());
        let noted = files.iter().any(|line| line.starts_with("_head.json "));
        (noted && !files.iter().any(|line| line.contains('#'))).then_some(files)
    });
    let names = [
        "credentials",
        "table",
        "prices",
        "clock",
        "conditional put",
        "objects",
        "write and scrape",
    ];
    for (args, dry) in [(&["doctor"][..], false), (&["doctor", "--dry-run"], true)] {
        let done = tokenlake(folder.path(), args);
        assert_eq!(done.status, 0, "{done:?}");
        let lines: Vec<_> = done.stdout.lines().collect();
        assert_eq!(lines.len(), names.len(), "{done:?}");
        for (at, (line, name)) in lines.iter().zip(names).enumerate() {
            let word = if dry && at >= 3 { "skipped" } else { "ok" };
            assert!(line.starts_with(&format!("{word} {name}: ")), "{line}");
        }
        assert!(lines[1].contains("3 data files"), "{done:?}");
        assert_eq!(listed(folder.path()), files);
    }
    assert_eq!(scrape(&server, &key), before);
}

#[test]
fn a_doctor_names_what_is_wrong_and_what_to_do() {
    let (folder, server, _) = started();
    drop(server);
    let log = folder.path().join("events/_delta_log");
    let entry = log.join("00000000000000000001.json");
    std::fs::write(&entry, "{").unwrap();
    let done = tokenlake(folder.path(), &["doctor"]);
    assert_eq!(done.status, 1, "{done:?}");
    let failed: Vec<_> = done.stdout.lines().filter(|line| line.starts_with("failed ")).collect();
    assert_eq!(failed.len(), 1, "{done:?}");
    assert!(failed[0].starts_with("failed table: ") && failed[0].contains("restore"), "{done:?}");
    // An address where nothing listens.
    let done = run(program()
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        .env("AWS_ALLOW_HTTP", "true")
        .env("AWS_ACCESS_KEY_ID", "a")
        .env("AWS_SECRET_ACCESS_KEY", "b")
        .args(["doctor", "--archive", "s3://bucket/prefix"]));
    assert_eq!(done.status, 1, "{done:?}");
    assert_eq!(done.stdout.lines().count(), 1, "{done:?}");
    assert!(done.stdout.starts_with("failed credentials: "), "{done:?}");
    assert!(done.stdout.contains("AWS_"), "{done:?}");
}
