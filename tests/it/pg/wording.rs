//! Tests that queries in PostgreSQL's words have PostgreSQL's answers: types, names and values.

use super::{BYTEA, FLOAT8, INT4, INT8, Lake, NUMERIC, TEXT, UUID};
use crate::support::pg::{bind, describe, execute, message, parse, sync};

#[test]
fn queries_have_postgresqls_answers() {
    let lake = Lake::start(&[]);
    let mut client = lake.door.login(&lake.key);
    for (question, types, rows) in [
        // One column, twice, by a cast alone.
        (
            "SELECT cost_usd, cost_usd::float8, (cost_usd) FROM events ORDER BY ts LIMIT 1",
            &[NUMERIC, FLOAT8, NUMERIC][..],
            "0.1,0.1,0.1",
        ),
        ("SELECT count(*), COUNT(*) FROM events", &[INT8, INT8], "4,4"),
        // Numbers of rows are bigint.
        (
            "SELECT row_number() OVER (ORDER BY ts), rank() OVER (ORDER BY model) FROM events
             ORDER BY ts LIMIT 1",
            &[INT8, INT8],
            "1,3",
        ),
        ("SELECT array_length(ARRAY[1, 2], 1)", &[INT8], "2"),
        // A series is rows.
        ("SELECT generate_series(1, 3)", &[INT8], "1|2|3"),
        ("SELECT g FROM generate_series(1, 3) g WHERE g > 1", &[INT8], "2|3"),
        ("SELECT sum(generate_series) FROM generate_series(1, 9, 2)", &[NUMERIC], "25"),
        // Lists and bytes as texts.
        (
            "SELECT '{a,\"b c\"}'::text[], '{1,2}'::int[], '{}'::text[]",
            &[1009, 1007, 1009],
            "{a,\"b c\"},{1,2},{}",
        ),
        ("SELECT '\\x00ff'::bytea", &[BYTEA], "\\x00ff"),
        // Attributes are jsonb.
        (
            "SELECT attributes->>'n', attributes @> '{\"n\": 1}'::jsonb
             FROM events ORDER BY ts LIMIT 1",
            &[TEXT, 16],
            "1,t",
        ),
        (
            "SELECT (attributes #>> array['n']::text[])::text AS a, attributes #>> '{n}' AS b, attributes::text
             FROM events ORDER BY ts LIMIT 1",
            &[TEXT, TEXT, TEXT],
            "1,1,{\"n\":\"1\"}",
        ),
        ("SELECT max(length(CAST(attributes AS text))) FROM events", &[INT4], "9"),
        ("SELECT count(*) FROM events WHERE 'claude' = ANY(ARRAY(SELECT model FROM events))", &[INT8], "4"),
        ("SELECT count(*) FROM events WHERE attributes @> '{\"n\": \"2\"}'", &[INT8], "1"),
        ("SELECT count(*) FROM events WHERE attributes @> '{\"n\": 2, \"m\": 1}'", &[INT8], "0"),
        // Existence is a value.
        (
            "SELECT EXISTS (SELECT 1 FROM events WHERE model = 'claude' LIMIT 1),
             NOT EXISTS (SELECT FROM events WHERE model = 'claude')",
            &[16, 16],
            "t,f",
        ),
        (
            "SELECT event_id FROM events ORDER BY ts OFFSET 1 FETCH FIRST 2 ROWS ONLY",
            &[TEXT],
            "102|103",
        ),
        ("SELECT count(*) FROM events WHERE event_date = '2026-01-15 +00'", &[INT8], "3"),
    ] {
        let answer = client.query(question);
        assert_eq!(answer.error, None, "{question}");
        let told: Vec<_> = answer.columns.iter().map(|(_, oid)| *oid).collect();
        assert_eq!(told, types, "{question}");
        let told: Vec<_> = answer.texts().iter().map(|row| row.join(",")).collect();
        assert_eq!(told.join("|"), rows, "{question}");
    }
    let named = client.query("SELECT cost_usd, cost_usd::float8 FROM events");
    assert_eq!(named.columns[1].0, "cost_usd", "as PostgreSQL names it");
}

#[test]
fn what_would_be_passed_over_is_refused() {
    let lake = Lake::start(&[]);
    let mut client = lake.door.login(&lake.key);
    for question in [
        "SELECT count(*) FROM events TABLESAMPLE SYSTEM (10)",
        "SELECT * FROM unnest(ARRAY[1]) WITH ORDINALITY",
        "SELECT event_id FROM events ORDER BY ts FETCH FIRST 1 ROWS WITH TIES",
        "SELECT attributes->'n' FROM events",
        "SELECT attributes #> '{n}' FROM events",
        "SELECT attributes #>> '{n,m}' FROM events",
        "SELECT attributes #>> '{}' FROM events",
        "SELECT '{a'::text[]",
    ] {
        let answer = client.query(question);
        assert!(answer.error.is_some(), "{question}: {answer:?}");
    }
}

#[test]
fn values_that_are_none_are_refused() {
    let lake = Lake::start(&[]);
    let mut client = lake.door.login(&lake.key);
    let ask = |value: &[u8], format: u16, results: u16, oid: u32| {
        [
            parse("", "SELECT $1", &[oid]),
            bind("", "", &[Some(value)], format, results),
            describe('P', ""),
            execute("", 0),
            sync(),
        ]
        .concat()
    };
    client.send(&ask(&[0xab; 16], 1, 0, UUID));
    assert_eq!(client.answer().value(), "abababab-abab-abab-abab-abababababab");
    for (value, format, results, state) in [
        (&b"a\0b"[..], 0, 0, "22021"),
        (b"a", 0, 7, "22023"),
        (b"a", 7, 0, "22023"),
        (b"\xff", 0, 0, "22P03"),
    ] {
        client.send(&ask(value, format, results, TEXT));
        assert_eq!(client.answer().state(), state, "{value:?}");
    }
    // After an error all is passed over up to the next Sync, a simple query too.
    let wrong = bind("", "", &[Some(b"a")], 0, 7);
    let simple = message(b'Q', b"SELECT 1\0");
    client.send(&[parse("", "SELECT $1", &[TEXT]), wrong, simple, sync()].concat());
    assert_eq!(client.answer().kinds, "1EZ");
}
