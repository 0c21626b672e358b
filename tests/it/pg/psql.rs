//! Tests with psql: its commands, its formats, and that pg_dump is refused in words.

use std::process::{Command, Output};

use super::Lake;
use crate::support::process::installed;

fn psql(lake: &Lake, args: &[&str]) -> Output {
    let mut psql = Command::new("psql");
    psql.env("PGPASSWORD", &lake.key).env("PGAPPNAME", "psql").env("PAGER", "cat");
    psql.args(["-X", "-h", "127.0.0.1", "-p", lake.door.port(), "-U", "ana", "-d", "lake"])
        .args(args);
    psql.output().unwrap()
}

fn said(lake: &Lake, command: &str) -> String {
    let output = psql(lake, &["-v", "ON_ERROR_STOP=1", "-c", command]);
    let [stdout, stderr] =
        [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(output.status.success() && !stderr.contains("ERROR"), "{command}: {stdout}{stderr}");
    stdout
}

#[test]
fn psql_describes_tables() {
    if !installed("psql") {
        return;
    }
    let lake = Lake::start(&[]);
    let tables = said(&lake, "\\dt");
    for table in ["events", "usage_hourly", "usage_by_dimension", "provider_reports"] {
        assert!(tables.contains(&format!(" public | {table}")), "{tables}");
    }
    assert!(tables.contains("(4 rows)"), "{tables}");
    let events = said(&lake, "\\d events");
    for column in [
        " event_id            | text                     |           | not null |",
        " ts                  | timestamp with time zone |",
        " cost_usd            | numeric(18,12)           |",
        " event_date          | date                     |",
        " attributes          | jsonb                    |",
        " input_tokens        | bigint                   |",
    ] {
        assert!(events.contains(column), "{column} is not in {events}");
    }
    assert!(said(&lake, "\\d").contains("usage_hourly"));
    assert!(said(&lake, "\\l").contains("lake"));
    assert!(said(&lake, "\\dn").contains("public"));
    assert!(said(&lake, "\\conninfo").contains("ana"));
    for command in [
        "\\d+ events",
        "\\dt+",
        "\\d+",
        "\\dv",
        "\\di",
        "\\dl",
        "\\ds",
        "\\dm",
        "\\df",
        "\\du",
        "\\dT",
        "\\dp",
        "\\l+",
        "\\dn+",
        "\\da",
        "\\db",
        "\\dc",
        "\\dC",
        "\\dd",
        "\\dD",
        "\\des",
        "\\det",
        "\\dew",
        "\\dF",
        "\\dg",
        "\\dL",
        "\\do",
        "\\dO",
        "\\dP",
        "\\drds",
        "\\dRp",
        "\\dRs",
        "\\dx",
        "\\dy",
        "\\dconfig",
        "\\sf nothing",
    ] {
        let output = psql(&lake, &["-c", command]);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let is_known = stderr.is_empty()
            || stderr.starts_with("Did not find any")
            || command.starts_with("\\sf");
        assert!(is_known, "{command}: {stderr}");
    }
    let none = psql(&lake, &["-c", "\\d nothing"]);
    assert!(
        String::from_utf8_lossy(&none.stderr).contains("Did not find any relation named"),
        "{none:?}"
    );
}

#[test]
fn psql_shows_rows_and_errors() {
    if !installed("psql") {
        return;
    }
    let lake = Lake::start(&[]);
    let count = said(&lake, "SELECT count(*), sum(cost_usd) FROM events");
    assert!(count.contains(" count | sum") && count.contains("     4 |   1"), "{count}");
    let lines = psql(
        &lake,
        &["-At", "-c", "SELECT event_id, cost_usd, ts FROM events ORDER BY ts LIMIT 2"],
    );
    assert_eq!(
        String::from_utf8_lossy(&lines.stdout),
        "101|0.1|2026-01-15 10:00:00+00\n102|0.2|2026-01-15 10:20:00+00\n"
    );
    let wrong = psql(&lake, &["-v", "VERBOSITY=verbose", "-c", "SELECT nothing FROM events"]);
    assert!(String::from_utf8_lossy(&wrong.stderr).starts_with("ERROR:  42703:"), "{wrong:?}");
    let fetched = psql(&lake, &["-At", "-v", "FETCH_COUNT=0", "-c", "BEGIN; SELECT 1; COMMIT"]);
    assert_eq!(String::from_utf8_lossy(&fetched.stdout), "BEGIN\n1\nCOMMIT\n");
    // It reads a cursor, a few rows at a time.
    let few = ["-At", "-v", "FETCH_COUNT=3", "-c", "SELECT event_id FROM events ORDER BY ts"];
    assert_eq!(String::from_utf8_lossy(&psql(&lake, &few).stdout), "101\n102\n103\n104\n");
    let copy =
        "\\copy (SELECT event_id, model FROM events ORDER BY ts LIMIT 1) to stdout csv header";
    assert_eq!(said(&lake, copy), "event_id,model\n101,gpt-4o\n");
}

#[test]
fn a_dump_is_refused_in_words() {
    if !installed("pg_dump") {
        return;
    }
    let lake = Lake::start(&[]);
    let mut dump = Command::new("pg_dump");
    dump.env("PGPASSWORD", &lake.key);
    dump.args(["--schema-only", "-h", "127.0.0.1", "-p", lake.door.port(), "-U", "ana", "lake"]);
    let output = dump.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && stderr.contains("pg_dump has nothing to dump here"),
        "{stderr}"
    );
}
