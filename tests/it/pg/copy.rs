//! Tests of `COPY … TO STDOUT`, by which clients read many rows as one stream.

use super::Lake;
use crate::support::pg::{bind, describe, execute, parse, sync};

fn copied(lake: &Lake, statement: &str) -> String {
    let answer = lake.door.login(&lake.key).query(statement);
    assert_eq!(answer.error, None, "{statement}");
    String::from_utf8(answer.copied.concat()).unwrap()
}

#[test]
fn rows_are_copied_as_text_and_csv() {
    let lake = Lake::start(&[]);
    let query = "SELECT event_id, cost_usd, ts, NULL AS nothing FROM events ORDER BY ts LIMIT 2";
    let text = "101\t0.1\t2026-01-15 10:00:00+00\t\\N\n102\t0.2\t2026-01-15 10:20:00+00\t\\N\n";
    assert_eq!(copied(&lake, &format!("COPY ({query}) TO STDOUT")), text);
    let csv = "event_id,cost_usd,ts,nothing\n101,0.1,2026-01-15 10:00:00+00,\n\
               102,0.2,2026-01-15 10:20:00+00,\n";
    assert_eq!(copied(&lake, &format!("COPY ({query}) TO STDOUT WITH CSV HEADER;")), csv);
    assert_eq!(copied(&lake, "copy public.events (model) to stdout").lines().count(), 4);
    assert_eq!(
        copied(&lake, "COPY (SELECT 'a,b', 'c\td') TO STDOUT (FORMAT csv)"),
        "\"a,b\",c\td\n"
    );
    let none = "COPY (SELECT model FROM events WHERE false) TO STDOUT (FORMAT csv, HEADER)";
    assert_eq!(copied(&lake, none), "model\n");
    assert_eq!(copied(&lake, "COPY (SELECT count(*) FROM events) TO STDOUT"), "4\n");
}

#[test]
fn a_copy_is_told_as_the_protocol_has_it() {
    let lake = Lake::start(&[]);
    let mut client = lake.door.login(&lake.key);
    let answer = client.query("COPY events (event_id, model) TO STDOUT; SELECT 1");
    assert_eq!(answer.kinds, "HddddcCTDCZ", "a message for each row");
    assert_eq!(answer.tags, ["COPY 4", "SELECT 1"]);
    let binary = "COPY (SELECT input_tokens FROM events ORDER BY ts LIMIT 1) TO STDOUT BINARY";
    let answer = client.query(binary);
    let mut bytes = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\x08".to_vec();
    bytes.extend(10_i64.to_be_bytes());
    assert_eq!(answer.copied, [bytes, b"\xff\xff".to_vec()]);
    let prepared = [
        parse("", binary, &[]),
        bind("", "", &[], 0, 0),
        describe('P', ""),
        execute("", 0),
        sync(),
    ];
    client.send(&prepared.concat());
    assert_eq!(client.answer().kinds, "12nHddcCZ");
}

#[test]
fn a_copy_that_cannot_be_is_refused_and_the_session_goes_on() {
    let lake = Lake::start(&[]);
    let mut client = lake.door.login(&lake.key);
    for (statement, state) in [
        ("COPY events FROM STDIN", "25006"),
        ("COPY events TO '/tmp/x'", "25006"),
        ("COPY (SELECT 1) TO PROGRAM 'cat'", "25006"),
        ("COPY (DELETE FROM events) TO STDOUT", "42601"),
        ("COPY (SELECT 1) TO STDOUT (FORMAT xml)", "42601"),
        ("COPY (SELECT 1 AS a) TO STDOUT CSV FORCE QUOTE b", "42703"),
        ("COPY nothing TO STDOUT", "42P01"),
        ("COPY (SELECT nothing FROM events) TO STDOUT", "42703"),
        ("COPY (SELECT 1 / (input_tokens - 30) FROM events ORDER BY ts) TO STDOUT", "22012"),
        ("COPY (SELECT repeat('x', 200000)) TO STDOUT", "54000"),
    ] {
        let answer = client.query(statement);
        assert_eq!(answer.state(), state, "{statement}: {answer:?}");
        assert_eq!(client.query("SELECT 1").value(), "1");
    }
    client.query("BEGIN");
    client.query("COPY nothing TO STDOUT");
    assert_eq!(client.query("COPY events TO STDOUT").state(), "25P02");
}
