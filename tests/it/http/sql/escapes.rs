//! Tests of attempts to leave the organisation. Two archives hold the same events of the caller's
//! organisation; one of them also has those of another organisation, in the same files. Both give
//! the same answer to any query.

use std::collections::BTreeSet;
use std::path::Path;

use tempfile::{TempDir, tempdir};

use super::probes::{OWN, PROBES, REFUSED};
use super::{ask, fill, rows, said};
use crate::support::client::Answer;
use crate::support::process::{Server, key};

/// Events of the asker. Its ids are numbers, and none of its values breaks what is asked.
pub const ACME: [&str; 4] = [
    r#"{"event_id":"101","org_id":"acme","ts":"2026-01-15T10:00:00Z","provider":"openai","model":"gpt-4o","input_tokens":10,"output_tokens":1,"cost_usd":"0.1","source":"s1","attributes":{"n":"1"}}"#,
    r#"{"event_id":"102","org_id":"acme","ts":"2026-01-15T10:20:00Z","provider":"openai","model":"gpt-4o","input_tokens":20,"output_tokens":2,"cost_usd":"0.2","source":"s2","attributes":{"n":"2"}}"#,
    r#"{"event_id":"103","org_id":"acme","ts":"2026-01-15T11:00:00Z","provider":"anthropic","model":"claude","input_tokens":30,"output_tokens":3,"cost_usd":"0.3","source":"s3","attributes":{"n":"3"}}"#,
    r#"{"event_id":"104","org_id":"acme","ts":"2026-01-16T11:00:00Z","provider":"anthropic","model":"claude","input_tokens":40,"output_tokens":4,"cost_usd":"0.4","source":"s4","attributes":{"n":"4"}}"#,
];
/// Events of another organisation, of the same hours.
pub const ZETA: [&str; 4] = [
    r#"{"event_id":"zsecret-1","org_id":"zeta-corp","ts":"2026-01-15T10:10:00Z","provider":"zprov","model":"zmodel","input_tokens":777001,"output_tokens":777002,"cost_usd":"43.210987654321","source":"zsource","attributes":{"zkey":"zval"}}"#,
    r#"{"event_id":"zsecret-2","org_id":"zeta-corp","ts":"2026-01-15T10:30:00Z","provider":"zprov","model":"zmodel","input_tokens":777001,"output_tokens":777002,"cost_usd":"43.210987654321","source":"zsource","attributes":{"zkey":"zval"}}"#,
    r#"{"event_id":"zsecret-3","org_id":"zeta-corp","ts":"2026-01-15T11:10:00Z","provider":"zprov","model":"zmodel","input_tokens":777001,"output_tokens":777002,"cost_usd":"43.210987654321","source":"zsource","attributes":{"zkey":"zval"}}"#,
    r#"{"event_id":"zsecret-4","org_id":"zeta-corp","ts":"2026-01-16T11:10:00Z","provider":"zprov","model":"zmodel","input_tokens":777001,"output_tokens":777002,"cost_usd":"43.210987654321","source":"zsource","attributes":{"zkey":"zval"}}"#,
];
/// What only the other organisation's rows, or the names of files, hold.
pub const FOREIGN: [&str; 13] = [
    "zeta-corp",
    "zsecret",
    "zprov",
    "zmodel",
    "777001",
    "777002",
    "43.21",
    "zsource",
    "zkey",
    "zval",
    "parquet",
    "event_date=",
    "/tmp",
];

/// How often the clock is asked.
const TIMES: &str = "TOKENLAKE_TEST_TIMES";

struct Side {
    archive: TempDir,
    key: String,
    server: Server,
}

impl Side {
    fn with(events: &[&str]) -> Self {
        let archive = tempdir().unwrap();
        fill(archive.path(), &events.join("\n"));
        let key = key(archive.path(), "acme");
        let server = Server::start_with(archive.path(), &["serve", "--sql-timeout", "20s"]);
        Self { archive, key, server }
    }

    fn ask(&self, query: &str) -> Answer {
        ask(&self.server, &self.key, query)
    }
}

/// How many files an archive's log adds.
fn files(archive: &Path) -> usize {
    let log = archive.join("events/_delta_log");
    let entries = std::fs::read_dir(log).unwrap().map(|entry| entry.unwrap().path());
    let entries = entries.filter(|path| path.extension().is_some_and(|ending| ending == "json"));
    entries.map(|path| std::fs::read_to_string(path).unwrap().matches("{\"add\":").count()).sum()
}

#[test]
fn no_attempt_leaves_the_organisation() {
    let shared = Side::with(&[ACME, ZETA].concat());
    let alone = Side::with(&ACME);
    assert_eq!((files(shared.archive.path()), files(alone.archive.path())), (2, 2));
    let foreign = key(shared.archive.path(), "zeta-corp");
    let there = rows(&shared.server, &foreign, "SELECT count(*) AS n FROM events");
    assert_eq!(there, serde_json::json!([{"n": 4}]));
    let mut wrong = Vec::new();
    for query in OWN.iter().chain(&PROBES).chain(&REFUSED) {
        let (shown, expected) = (shared.ask(query), alone.ask(query));
        if (shown.status, said(&shown, &ACME)) != (expected.status, said(&expected, &ACME)) {
            wrong.push(format!("{query}: {} is not {}", shown.text(), expected.text()));
        }
        let seen = FOREIGN.iter().filter(|mark| !query.contains(**mark));
        for mark in seen.filter(|mark| shown.text().contains(**mark)) {
            wrong.push(format!("{query} shows {mark}: {}", shown.text()));
        }
        if !matches!(shown.status, 200 | 400 | 422) {
            wrong.push(format!("{query}: {} {}", shown.status, shown.text()));
        }
    }
    for query in OWN {
        let answer = shared.ask(query);
        if answer.status != 200 {
            wrong.push(format!("{query} has no answer: {}", answer.text()));
        }
    }
    for query in REFUSED {
        let answer = shared.ask(query);
        if answer.status != 400 {
            wrong.push(format!("{query} is answered: {}", answer.text()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let distinct: BTreeSet<_> = OWN.iter().chain(&PROBES).chain(&REFUSED).collect();
    assert!(distinct.len() >= 200, "only {} attempts", distinct.len());
}

/// By how long a question takes, nobody finds when others' last event was: what a file more costs is
/// less than what answers differ by anyway. `TOKENLAKE_TEST_TIMES=200` asks so often.
#[test]
fn times_tell_no_more_of_others_than_noise() {
    let Some(times) = std::env::var(TIMES).ok().and_then(|times| times.parse::<usize>().ok())
    else {
        eprintln!("passed over: {TIMES} says how often to ask");
        return;
    };
    let side = Side::with(&[ACME, ZETA].concat());
    let (mut before, mut after) = (Vec::new(), Vec::new());
    let ask = |ts: &str| {
        let began = std::time::Instant::now();
        let query = format!("SELECT event_id FROM events WHERE ts > '{ts}' AND model = 'x'");
        assert_eq!(side.ask(&query).text(), "[]\n");
        began.elapsed()
    };
    for _ in 0..times {
        // The other's last event is of 11:10:00.
        before.push(ask("2026-01-16T11:09:59.999999Z"));
        after.push(ask("2026-01-16T11:10:00Z"));
    }
    before.sort_unstable();
    after.sort_unstable();
    let (middle, quarter) = (times / 2, times / 4);
    let difference = before[middle].abs_diff(after[middle]);
    let noise = after[3 * quarter].saturating_sub(after[quarter]);
    eprintln!("medians differ by {difference:?}, and half of the answers by up to {noise:?}");
    assert!(difference < noise, "{difference:?} is more than {noise:?}");
}
