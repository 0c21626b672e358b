//! Tests of queries: types, formats, parameters, and the states of errors.

use super::{BOOL, DATE, FLOAT8, INT4, INT8, JSONB, Lake, NUMERIC, TEXT, TIMESTAMPTZ};
use crate::support::pg::{PgClient, bind, describe, execute, parse, sync};

#[test]
fn columns_have_the_types_of_the_contract() {
    let lake = Lake::start(&[]);
    let mut client = lake.door.login(&lake.key);
    let answer = client.query(
        "SELECT event_id, ts, event_date, input_tokens, cost_usd, attributes FROM events ORDER BY ts LIMIT 1",
    );
    let types: Vec<_> = answer.columns.iter().map(|(_, oid)| *oid).collect();
    assert_eq!(types, [TEXT, TIMESTAMPTZ, DATE, INT8, NUMERIC, JSONB]);
    assert_eq!(
        answer.texts(),
        [["101", "2026-01-15 10:00:00+00", "2026-01-15", "10", "0.1", r#"{"n":"1"}"#]]
    );
    let more = client.query("SELECT 1, true, 1.5::float8, 'x', NULL, ARRAY[1, NULL], ARRAY['a b'], count(*) FROM events");
    let types: Vec<_> = more.columns.iter().map(|(_, oid)| *oid).collect();
    assert_eq!(types, [INT4, BOOL, FLOAT8, TEXT, TEXT, 1007, 1009, INT8]);
    assert_eq!(more.texts(), [["1", "t", "1.5", "x", "∅", "{1,NULL}", "{\"a b\"}", "4"]]);
    let names: Vec<_> = more.columns.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names[0..2], ["?column?", "?column?"]);
    assert_eq!(names[7], "count");
    let plan = client.query("EXPLAIN SELECT count(*) FROM events");
    assert_eq!(plan.columns, [("QUERY PLAN".to_owned(), TEXT)]);
    assert!(plan.rows.len() > 2 && plan.texts().iter().all(|line| !line[0].contains('\n')));
    let lists = "SELECT array_agg(attributes ORDER BY ts) FROM events WHERE input_tokens < 25";
    let shown = client.query(lists);
    assert_eq!(shown.columns, [("array_agg".to_owned(), 3807)]);
    assert_eq!(shown.value(), r#"{"{\"n\":\"1\"}","{\"n\":\"2\"}"}"#);
    let binary = extended(&mut client, lists, &[], &[], 0, 1).rows[0][0].clone().unwrap();
    // One dimension without nulls, of jsonb; each item begins with the version of its format.
    let head = [1_i32, 0, 3802, 2, 1, 10].map(i32::to_be_bytes).concat();
    assert_eq!((&binary[..24], &binary[24..34]), (&head[..], &b"\x01{\"n\":\"1\"}"[..]));
}

/// Runs a query of the extended protocol, described as a portal.
fn extended(
    client: &mut PgClient,
    query: &str,
    types: &[u32],
    values: &[Option<&[u8]>],
    format: u16,
    results: u16,
) -> crate::support::pg::PgAnswer {
    client.send(
        &[
            parse("", query, types),
            bind("", "", values, format, results),
            describe('P', ""),
            execute("", 0),
            sync(),
        ]
        .concat(),
    );
    client.answer()
}

#[test]
fn values_take_the_place_of_parameters() {
    let lake = Lake::start(&[]);
    let mut client = lake.door.login(&lake.key);
    let count = |client: &mut PgClient, query: &str, types: &[u32], values: &[Option<&[u8]>]| {
        let answer = extended(client, query, types, values, 0, 0);
        assert_eq!(answer.kinds, "12TDCZ", "{query}: {answer:?}");
        answer.value()
    };
    let all = "SELECT count(*) FROM events WHERE ";
    for (filter, types, value, expected) in [
        ("model = $1", &[][..], &b"gpt-4o"[..], "2"),
        ("model = $1", &[TEXT], b"'; DROP TABLE events; --", "0"),
        ("input_tokens > $1", &[], b"15", "3"),
        ("input_tokens > $1", &[INT8], b"25", "2"),
        ("cost_usd >= $1", &[NUMERIC], b"0.2", "3"),
        ("ts >= $1", &[TIMESTAMPTZ], b"2026-01-15 11:00:00+00", "2"),
        ("ts >= $1", &[], b"2026-01-15T11:00:00Z", "2"),
        ("event_date = $1", &[], b"2026-01-16", "1"),
        ("model = ANY($1)", &[], b"{gpt-4o,nothing}", "2"),
        ("model = ANY($1)", &[1009], b"{gpt-4o,claude}", "4"),
        ("input_tokens = ANY($1::bigint[])", &[], b"{10,20}", "2"),
        ("model <> ALL($1)", &[], b"{gpt-4o}", "2"),
        ("attributes['n'] = $1", &[], b"1", "1"),
        ("$1 = 'a' OR model IS NULL", &[], b"b", "0"),
        ("attributes->>$1 = '2'", &[], b"n", "1"),
        ("attributes @> $1::jsonb", &[], br#"{"n": 2}"#, "1"),
        ("NOT $1", &[], b"false", "4"),
        ("left(model, $1) = 'gpt'", &[], b"3", "2"),
    ] {
        assert_eq!(
            count(&mut client, &format!("{all}{filter}"), types, &[Some(value)]),
            expected,
            "{filter}"
        );
    }
    let none = count(&mut client, "SELECT count(*) FROM events WHERE model = $1", &[], &[None]);
    assert_eq!(none, "0");
    let answer = extended(
        &mut client,
        "SELECT event_id FROM events ORDER BY ts LIMIT $1 OFFSET $2",
        &[],
        &[Some(b"1"), Some(b"2")],
        0,
        0,
    );
    assert_eq!(answer.texts(), [["103"]]);
}

#[test]
fn both_formats_are_exact() {
    let lake = Lake::start(&[]);
    let mut client = lake.door.login(&lake.key);
    let seven = 15_i64.to_be_bytes();
    let answer = extended(
        &mut client,
        "SELECT input_tokens, cost_usd, ts, event_date, true, event_id FROM events WHERE input_tokens > $1 ORDER BY ts LIMIT 1",
        &[INT8],
        &[Some(&seven)],
        1,
        1,
    );
    let row: Vec<_> = answer.rows[0].iter().map(|value| value.clone().unwrap()).collect();
    assert_eq!(row[0], 20_i64.to_be_bytes());
    // 0.2: one group of four digits, of the power -1, positive, with one place.
    assert_eq!(row[1], [0, 1, 255, 255, 0, 0, 0, 1, 7, 208]);
    // 2026-01-15T10:20:00Z, in microseconds and days from 2000 on.
    assert_eq!(row[2], 821_787_600_000_000_i64.to_be_bytes());
    assert_eq!(row[3], 9_511_i32.to_be_bytes());
    assert_eq!((row[4].as_slice(), row[5].as_slice()), (&[1][..], &b"102"[..]));
    let numeric = [0, 1, 255, 255, 0, 0, 0, 1, 7, 208];
    let same = extended(
        &mut client,
        "SELECT count(*) FROM events WHERE cost_usd = $1",
        &[NUMERIC],
        &[Some(&numeric)],
        1,
        0,
    );
    assert_eq!(same.value(), "1");
}

#[test]
fn a_statement_tells_its_parameters_and_columns() {
    let lake = Lake::start(&[]);
    let mut client = lake.door.login(&lake.key);
    let query = "SELECT event_id, cost_usd FROM events WHERE input_tokens > $1 AND ts < $2 AND model = ANY($3) AND cost_usd < $4 AND provider LIKE $5 LIMIT $6";
    client.send(&[parse("s", query, &[]), describe('S', "s"), sync()].concat());
    let told = client.answer();
    assert_eq!(told.error, None);
    assert_eq!(told.parameters, [INT8, TIMESTAMPTZ, 1009, NUMERIC, TEXT, INT8]);
    assert_eq!(told.columns, [("event_id".to_owned(), TEXT), ("cost_usd".to_owned(), NUMERIC)]);
    let list = [1_i32, 0, 25, 1, 1, 6].map(i32::to_be_bytes).concat();
    let list = [&list[..], b"gpt-4o"].concat();
    let numeric = [0, 1, 0, 0, 0, 0, 0, 0, 0, 9];
    let before = 821_787_600_000_001_i64.to_be_bytes();
    let values: [Option<&[u8]>; 6] = [
        Some(&5_i64.to_be_bytes()),
        Some(&before),
        Some(&list),
        Some(&numeric),
        Some(b"open%"),
        Some(&7_i64.to_be_bytes()),
    ];
    client.send(&[bind("", "s", &values, 1, 0), execute("", 0), sync()].concat());
    let answer = client.answer();
    assert_eq!(answer.texts().len(), 2, "{answer:?}");
}

#[test]
fn parameters_have_the_types_of_their_places() {
    let lake = Lake::start(&[]);
    let mut client = lake.door.login(&lake.key);
    let interval = 1186;
    for (query, types) in [
        ("SELECT attributes->>$1 FROM events", &[TEXT][..]),
        ("SELECT 1 FROM events WHERE attributes @> $1::jsonb", &[JSONB]),
        ("SELECT 1 FROM events WHERE ts + $1 > now()", &[interval]),
        ("SELECT left(model, $1), substr(model, $2, $3) FROM events", &[INT4, INT4, INT4]),
        (
            "SELECT round(cost_usd, $1), lag(cost_usd, $2) OVER (ORDER BY ts) FROM events",
            &[INT4, INT4],
        ),
        ("SELECT coalesce(cost_usd, $1), greatest(input_tokens, $2) FROM events", &[NUMERIC, INT8]),
        ("SELECT CASE WHEN $1 THEN cost_usd ELSE $2 END FROM events", &[BOOL, NUMERIC]),
        (
            "SELECT 1 FROM events WHERE $1 AND NOT $2 AND ts > to_timestamp($3)",
            &[BOOL, BOOL, FLOAT8],
        ),
    ] {
        client.send(&[parse("", query, &[]), describe('S', ""), sync()].concat());
        let told = client.answer();
        assert_eq!((told.error, &told.parameters[..]), (None, types), "{query}");
    }
    let query = "SELECT model FROM events WHERE input_tokens > $1";
    let more = extended(&mut client, query, &[], &[Some(b"1"), Some(b"2")], 0, 0);
    assert_eq!(more.state(), "08P01", "as many values as parameters");
}

#[test]
fn rows_come_in_portions() {
    let lake = Lake::start(&[]);
    let mut client = lake.door.login(&lake.key);
    client.query("BEGIN");
    let query = "SELECT event_id FROM events ORDER BY ts";
    client.send(&[parse("", query, &[]), bind("c", "", &[], 0, 0), sync()].concat());
    client.answer();
    let mut seen = Vec::new();
    for (kinds, count) in [("DDDsZ", 3), ("DCZ", 1), ("CZ", 0)] {
        client.send(&[execute("c", 3), sync()].concat());
        let answer = client.answer();
        assert_eq!((answer.kinds.as_str(), answer.rows.len()), (kinds, count), "{answer:?}");
        seen.extend(answer.texts().concat());
    }
    assert_eq!(seen, ["101", "102", "103", "104"]);
    client.query("COMMIT");
    client.send(&[execute("c", 3), sync()].concat());
    assert_eq!(client.answer().state(), "34000", "a portal ends with its transaction");
}

#[test]
fn after_an_error_messages_are_passed_over_up_to_the_next_sync() {
    let lake = Lake::start(&[]);
    let mut client = lake.door.login(&lake.key);
    let bad = [bind("", "nothing", &[], 0, 0), execute("", 0), parse("", "SELECT 1", &[]), sync()]
        .concat();
    client.send(&bad);
    let answer = client.answer();
    assert_eq!((answer.kinds.as_str(), answer.state()), ("EZ", "26000"));
    assert_eq!(extended(&mut client, "SELECT 1", &[], &[], 0, 0).value(), "1");
    let show = extended(&mut client, "SHOW TimeZone", &[], &[], 0, 0);
    assert_eq!((show.kinds.as_str(), show.value().as_str()), ("12TDCZ", "UTC"));
    let set = extended(&mut client, "SET x.y = '1'", &[], &[], 0, 0);
    assert_eq!(set.kinds, "12nCZ");
    assert_eq!(extended(&mut client, "", &[], &[], 0, 0).kinds, "12nIZ");
}

#[test]
fn what_is_wrong_with_a_statement_is_told_before_the_end_of_its_parse() {
    let lake = Lake::start(&[]);
    let mut client = lake.door.login(&lake.key);
    client.query("BEGIN");
    client.send(&[parse("", "SELECT nothing FROM events WHERE model = $1", &[]), sync()].concat());
    let answer = client.answer();
    assert_eq!((answer.kinds.as_str(), answer.state(), answer.status), ("1EZ", "42703", b'E'));
    // As pg8000 does: its next statement follows.
    client.send(&[parse("", "ROLLBACK", &[]), sync()].concat());
    assert_eq!(client.answer().kinds, "1Z");
    client.send(&[bind("", "", &[], 0, 0), execute("", 0), sync()].concat());
    let ended = client.answer();
    assert_eq!((ended.tags, ended.status), (vec!["ROLLBACK".to_owned()], b'I'));
    client.send(&[parse("s", "SELECT 1", &[]), sync(), describe('S', "s"), sync()].concat());
    assert_eq!(client.answer().kinds, "1Z");
    assert_eq!(client.answer().kinds, "tTZ");
}

#[test]
fn errors_have_the_states_of_the_contract() {
    let lake = Lake::start(&[]);
    let mut client = lake.door.login(&lake.key);
    for (query, state) in [
        ("SELEC 1", "42601"),
        ("SELECT 1 FROM", "42601"),
        ("SELECT 'open", "42601"),
        ("SELECT * FROM nothing", "42P01"),
        ("SELECT 'nothing'::regclass", "42P01"),
        ("SELECT nothing FROM events", "42703"),
        ("SELECT nothing(1)", "42883"),
        ("SELECT true + 1", "42883"),
        ("SELECT 1 / 0", "22012"),
        ("SELECT 9223372036854775807 + 1", "22003"),
        ("SELECT 'x'::int", "22P02"),
        ("SELECT 'x'::timestamptz", "22007"),
        ("SELECT '2026-13-01'::date", "22007"),
        ("SELECT now() AT TIME ZONE 'Nowhere/At'", "22023"),
        ("SELECT $1", "42P02"),
        ("INSERT INTO events SELECT * FROM events", "25006"),
        ("DELETE FROM events", "25006"),
        ("CREATE TABLE t (a int)", "25006"),
        ("COPY events FROM STDIN", "25006"),
        ("DROP TABLE events", "25006"),
        ("WITH a AS (SELECT 1) INSERT INTO events SELECT * FROM a", "25006"),
        ("SELECT model, count(*) FROM events", "42803"),
    ] {
        let answer = client.query(query);
        assert_eq!(answer.state(), state, "{query}: {answer:?}");
        let (_, words) = answer.error.unwrap();
        assert!(!words.contains('\n') && words.len() > 10, "{words}");
    }
    assert_eq!(client.query("SELECT 1").value(), "1");
}

#[test]
fn answers_are_those_of_http() {
    let lake = Lake::start(&[]);
    let mut client = lake.door.login(&lake.key);
    for query in [
        "SELECT model, sum(cost_usd) AS cost, avg(input_tokens) AS mean FROM events GROUP BY model ORDER BY model",
        "SELECT * EXCEPT (ingested_at, attributes) FROM events ORDER BY ts",
        "SELECT hour, requests, cost_usd, unpriced FROM usage_hourly ORDER BY hour, model",
    ] {
        let url = lake.door.server.url("/v1/sql");
        let headers = [
            ("authorization", &*format!("Bearer {}", lake.key)),
            ("content-type", "text/plain"),
            ("accept", "text/csv"),
        ];
        let http = crate::support::client::send("POST", &url, &headers, query);
        let rows = client.query(query).texts();
        let csv = http.text();
        let lines: Vec<_> = csv.lines().skip(1).collect();
        assert_eq!(lines.len(), rows.len());
        for (line, row) in lines.iter().zip(&rows) {
            let row: Vec<_> =
                row.iter().map(|value| value.replace('∅', "").replace("+00", "Z")).collect();
            assert_eq!(line.replace('T', " "), row.join(",").replace('T', " "), "{query}");
        }
    }
}

#[test]
fn a_large_result_passes_through() {
    let lake = Lake::start(&[]);
    let mut client = lake.door.login(&lake.key);
    let answer =
        client.query("SELECT n, repeat('x', 200) AS x FROM unnest(range(0, 50000)) AS t(n)");
    assert_eq!((answer.rows.len(), answer.tags[0].as_str()), (50_000, "SELECT 50000"));
    let wide = client.query("SELECT repeat('x', 5000000)");
    assert_eq!(wide.rows[0][0].as_ref().map(Vec::len), Some(5_000_000));
}
