//! Tests of the wall by this door: the attempts of `POST /v1/sql`, and what the catalogs tell.

use std::collections::BTreeSet;

use tempfile::{TempDir, tempdir};

use super::Lake;
use crate::http::sql::escapes::{ACME, FOREIGN, ZETA};
use crate::http::sql::fill;
use crate::http::sql::probes::{OWN, PROBES, REFUSED};
use crate::support::pg::{PgAnswer, PgClient, PgServer, bind, describe, execute, parse, sync};
use crate::support::process::{key, key_with, tokenlake};

/// Attempts that this door has besides.
const MORE: [&str; 24] = [
    "SELECT relname, relnatts, reltuples, relpages FROM pg_class ORDER BY 1",
    "SELECT * FROM pg_stat_activity",
    "SELECT * FROM pg_database",
    "SELECT * FROM pg_settings ORDER BY name",
    "SELECT attname FROM pg_attribute ORDER BY attrelid, attnum",
    "SELECT * FROM information_schema.tables ORDER BY table_name",
    "SELECT * FROM information_schema.columns ORDER BY table_name, ordinal_position",
    "SELECT pg_total_relation_size('events'), pg_database_size(current_database())",
    "SELECT * FROM pg_stats",
    "SELECT c.relname, e.org_id FROM pg_class c JOIN events e ON true ORDER BY 1, 2",
    "SELECT (SELECT org_id FROM events WHERE event_id = 'zsecret-1')",
    "SELECT EXISTS (SELECT 1 FROM events WHERE org_id = 'zeta-corp')",
    "SELECT count(*) FROM events WHERE org_id = ANY(ARRAY['zeta-corp', 'acme'])",
    "SELECT count(*) FROM events WHERE org_id <> ALL('{acme}')",
    "SELECT event_id FROM events WHERE event_id OPERATOR(pg_catalog.~) '^zs'",
    "SELECT set_config('search_path', 'zeta-corp', false), count(*) FROM events",
    "SET role = 'zeta-corp'",
    "SET SESSION AUTHORIZATION 'zeta-corp'",
    "SET search_path = 'zeta-corp'",
    "SELECT current_user, count(*) FROM events GROUP BY 1",
    "PREPARE q AS SELECT count(*) FROM events WHERE org_id = $1",
    "EXECUTE q('zeta-corp')",
    "EXPLAIN SELECT * FROM events WHERE org_id = 'zeta-corp'",
    "WITH pg_index AS (SELECT org_id FROM events) SELECT DISTINCT org_id FROM pg_index",
];

struct Side {
    _archive: TempDir,
    _door: PgServer,
    client: PgClient,
}

impl Side {
    fn with(events: &[&str]) -> Self {
        let archive = tempdir().unwrap();
        fill(archive.path(), &events.join("\n"));
        let key = key(archive.path(), "acme");
        let door = PgServer::start(archive.path(), &["--sql-timeout", "20s"]);
        let client = door.login(&key);
        Self { _archive: archive, _door: door, client }
    }

    fn extended(&mut self, query: &str) -> PgAnswer {
        let messages = [
            parse("", query, &[]),
            bind("", "", &[], 0, 0),
            describe('P', ""),
            execute("", 0),
            sync(),
        ];
        self.client.send(&messages.concat());
        self.client.answer()
    }
}

/// An answer without what differs from run to run: the order of rows, when events were ingested, and which
/// of the asker's own values an error quotes.
fn said(answer: &PgAnswer) -> String {
    let mut rows = answer.rows.clone();
    let when = answer.columns.iter().position(|(name, _)| name == "ingested_at");
    for row in &mut rows {
        when.and_then(|when| row.get_mut(when)).map(Option::take);
    }
    rows.sort_unstable();
    let words = answer.error.as_ref().map(|(state, words)| {
        let words = words.split(" Did you mean").next().unwrap_or_default();
        let is_own = |word: &&str| ACME.iter().any(|event| event.contains(*word));
        let words = words.split(|char: char| char.is_whitespace() || "'\",;".contains(char));
        (state.clone(), words.filter(|word| !is_own(word)).collect::<Vec<_>>().join(" "))
    });
    format!("{:?} {:?} {:?} {words:?}", answer.columns, rows, answer.tags)
}

fn shows(answer: &PgAnswer, mark: &str) -> bool {
    let bytes = answer.rows.iter().flatten().flatten();
    let text: Vec<_> = bytes.map(|value| String::from_utf8_lossy(value).into_owned()).collect();
    text.join("\n").contains(mark)
        || format!("{:?} {:?}", answer.error, answer.columns).contains(mark)
}

#[test]
fn no_attempt_leaves_the_organisation_by_this_door() {
    let mut shared = Side::with(&[ACME, ZETA].concat());
    let mut alone = Side::with(&ACME);
    let mut wrong = Vec::new();
    for query in OWN.iter().chain(&PROBES).chain(&REFUSED).chain(&MORE) {
        let (shown, expected) = (shared.client.query(query), alone.client.query(query));
        if said(&shown) != said(&expected) {
            wrong.push(format!("{query}: {} is not {}", said(&shown), said(&expected)));
        }
        let seen = FOREIGN.iter().filter(|mark| !query.contains(**mark));
        for mark in seen.filter(|mark| shows(&shown, mark)) {
            wrong.push(format!("{query} shows {mark}: {shown:?}"));
        }
        let state = shown.state().to_owned();
        if state.starts_with("XX") || shown.status == 0 {
            wrong.push(format!("{query}: {shown:?}"));
        }
        let extended = shared.extended(query);
        let seen = FOREIGN.iter().filter(|mark| !query.contains(**mark));
        for mark in seen.filter(|mark| shows(&extended, mark)) {
            wrong.push(format!("{query} shows {mark} to the extended protocol: {extended:?}"));
        }
    }
    for query in OWN {
        let answer = shared.client.query(query);
        if answer.error.is_some() {
            wrong.push(format!("{query} has no answer: {:?}", answer.error));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let distinct: BTreeSet<_> = OWN.iter().chain(&PROBES).chain(&REFUSED).chain(&MORE).collect();
    assert!(distinct.len() >= 220, "only {} attempts", distinct.len());
}

#[test]
fn a_bound_key_sees_its_part_alone() {
    let archive = tempdir().unwrap();
    let event = |id: &str, team: &str| {
        format!(
            r#"{{"event_id":"{id}","org_id":"acme","ts":"2026-01-15T10:00:00Z","cost_usd":"1","attributes":{{"team":"{team}"}}}}"#
        )
    };
    fill(archive.path(), &[event("a", "core"), event("b", "core"), event("c", "other")].join("\n"));
    let declared = tokenlake(archive.path(), &["dimension", "add", "team"]);
    assert_eq!(declared.status, 0, "{declared:?}");
    let bound = key_with(archive.path(), "acme", &["--dimension", "team=core"]);
    let whole = key(archive.path(), "acme");
    let door = PgServer::start(archive.path(), &[]);
    assert_eq!(door.ask(&bound, "SELECT count(*) FROM events").value(), "2");
    assert_eq!(door.ask(&whole, "SELECT count(*) FROM events").value(), "3");
    let tables = "SELECT relname FROM pg_class WHERE relkind = 'r' ORDER BY oid";
    let names = |key: &str| door.ask(key, tables).texts().concat();
    let all = ["events", "usage_hourly", "usage_by_dimension", "provider_reports"];
    assert_eq!(names(&whole), all);
    assert_eq!(names(&bound), all[..3]);
    let refused = door.ask(&bound, "SELECT * FROM provider_reports");
    assert_eq!(refused.state(), "42P01");
    assert!(!refused.error.unwrap().1.contains("and provider_reports"));
}

#[test]
fn catalogs_tell_of_tables_and_of_nothing_that_is_in_them() {
    let lake = Lake::start(&[]);
    let asked = "SELECT sum(reltuples), sum(relpages) FROM pg_class";
    let before = lake.door.ask(&lake.key, asked).texts();
    fill(lake.archive.path(), &ZETA.join("\n"));
    assert_eq!(lake.door.ask(&lake.key, asked).texts(), before);
}
