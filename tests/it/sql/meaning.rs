//! Tests of expressions that DataFusion and PostgreSQL compute differently, one line per kind:
//! PostgreSQL's value, or an error in words.

use std::path::Path;

use serde_json::Value;
use tempfile::{TempDir, tempdir};

use super::{answer, sql};
use crate::support::client;
use crate::support::process::{Server, key};

/// Four calls around the turn of a month, and one with many tokens.
fn archive() -> TempDir {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path());
    let lines = [
        ("t1", "2025-10-31T17:00:00Z", "1", 5_i64),
        ("t2", "2025-10-31T19:00:00Z", "2", 7),
        ("t3", "2025-11-01T12:00:00Z", "4", 0),
        ("t4", "2025-11-01T20:00:00Z", "8", 1_000_000_000_000),
    ];
    let lines = lines.map(|(id, ts, cost, tokens)| {
        format!(r#"{{"event_id":"{id}","ts":"{ts}","provider":"p","model":"m","cost_usd":"{cost}","input_tokens":{tokens}}}"#)
    });
    let answer = client::post(
        &server.url("/v1/events"),
        &key(folder.path(), "acme"),
        "application/x-ndjson",
        lines.join("\n"),
    );
    assert_eq!(
        (answer.status, answer.json()["accepted"].as_u64()),
        (200, Some(4)),
        "{}",
        answer.text()
    );
    folder
}

/// The one value of an answer, of all organisations and behind the wall.
fn value(archive: &Path, question: &str) -> String {
    let of = |more: &[&str]| {
        let args = [&["-c", question, "--format", "csv"], more].concat();
        let done = answer(archive, &args);
        done.lines().skip(1).collect::<Vec<_>>().join("|")
    };
    let all = of(&[]);
    assert_eq!(of(&["--org", "acme"]), all, "{question}");
    all
}

#[test]
fn values_are_those_of_postgresql() {
    let archive = archive();
    for (question, expected) in [
        // A date less some hours is a time, not a date.
        (
            "select sum(cost_usd) from events where ts >= date '2025-11-01' - interval '5 hours 30 minutes'",
            "14",
        ),
        ("select date '2026-11-01' - interval '5 hours 30 minutes'", "2026-10-31T18:30:00"),
        ("select date '2026-11-01' + 30, date '2026-11-01' - date '2026-10-01'", "2026-12-01,31"),
        ("select timestamp '2026-01-31' + interval '1 month'", "2026-02-28T00:00:00"),
        ("select timestamp '2026-01-02 01:00' - timestamp '2026-01-01'", "1 day 01:00:00"),
        // Days begin where the zone's clocks show midnight.
        (
            "select date_trunc('day', (ts at time zone 'Asia/Kolkata')::timestamp) d, sum(cost_usd) from events group by 1 order by 1",
            "2025-10-31T00:00:00,1|2025-11-01T00:00:00,6|2025-11-02T00:00:00,8",
        ),
        (
            "select date_trunc('day', ts at time zone 'Asia/Kolkata') d, count(*) from events group by 1 order by 1",
            "2025-10-31T00:00:00,1|2025-11-01T00:00:00,2|2025-11-02T00:00:00,1",
        ),
        (
            "select date_bin(interval '1 day', ts at time zone 'Asia/Kolkata', timestamp '2001-01-01') d, count(*) from events group by 1 order by 1",
            "2025-10-31T00:00:00,1|2025-11-01T00:00:00,2|2025-11-02T00:00:00,1",
        ),
        (
            "select (ts at time zone 'Asia/Kolkata')::date d, count(*) from events group by 1 order by 1",
            "2025-10-31,1|2025-11-01,2|2025-11-02,1",
        ),
        (
            "select date_trunc('day', ts, 'Asia/Kolkata') d, count(*) from events group by 1 order by 1",
            "2025-10-30T18:30:00Z,1|2025-10-31T18:30:00Z,2|2025-11-01T18:30:00Z,1",
        ),
        (
            "select timestamp '2026-07-01 12:00' at time zone 'America/New_York'",
            "2026-07-01T16:00:00Z",
        ),
        // Integers do not wrap, and their sums are decimals.
        ("select sum(input_tokens) * 10000000 from events", "10000000000120000000"),
        (
            "select sum(input_tokens) / count(*) > 250000000002, sum(input_tokens) from events",
            "true,1000000000012",
        ),
        ("select avg(input_tokens) from events", "250000000003"),
        ("select 7 / 2, -7 / 2, -7 % 3, 2 ^ 3 = 8, 7 / 2.0", "3,-3,-1,true,3.5"),
        (
            "select sum(input_tokens) over (order by ts) from events order by ts",
            "5|12|12|1000000000012",
        ),
        // A window that refines another one has what the other says.
        (
            "select sum(cost_usd) over (w), sum(cost_usd) over (w rows 1 preceding) from events window w as (order by ts) order by ts",
            "1,1|3,3|7,6|15,12",
        ),
        (
            "select sum(cost_usd) over v from events window w as (partition by model), v as (w order by ts) order by rank() over (w order by ts desc)",
            "15|7|3|1",
        ),
        // Null is not equal to null in row values.
        (
            "select count(*), count(*) filter (where (a, b) = (a, b)), count(*) filter (where (a, b) <> (1, 2)), count(*) filter (where (a, b) not in ((1, 2), (3, null))), count(*) filter (where (a, b) < (2, 1)), count(*) filter (where (a, b) is null) from (values (1, 2), (1, null), (2, null), (3, 4), (null, null)) t(a, b)",
            "5,2,2,1,2,1",
        ),
        (
            "select count(*) from (values (1, null), (2, 3)) s(a, b) join (values (1, null), (2, 3)) t(a, b) on (s.a, s.b) = (t.a, t.b)",
            "1",
        ),
        // Texts.
        ("select 'abc'::varchar(2), cast(12345 as character varying(3)), 'a'\n'b'", "ab,123,ab"),
        (
            "select regexp_replace('a1', '1', '$1'), regexp_replace('ab', '(a)(b)', '\\2\\1\\\\$$&\\&'), E'a\\nb' ~ 'a.b' as c, E'a\\nb' ~ ('a.' || 'b') as d",
            "a$1,ba\\$$&ab,true,true",
        ),
        (
            "select array[1, null]::text, concat(true, array['a b', 'c']), array_length(array_remove(array[1], 1), 1) is null, (array['a', 'b'])[-1] is null, (array['a', 'b'])[2]",
            "\"{1,NULL}\",\"t{\"\"a b\"\",c}\",true,true,b",
        ),
        // A pattern is PostgreSQL's.
        (
            "select regexp_replace('gpt-4o', '(gpt-4o|gpt-4)', 'x'), substring('gpt-4o' from '[0-9].'), 'a b' ~ '\\yb' as c, 'É' ~ '[[:upper:]]' as d, 'a[' ~ '[[]' as e",
            "x,4o,true,true,true",
        ),
        // A date among times with a zone is one.
        (
            "select coalesce(date '2026-01-01', ts), greatest(ts, date '2026-01-01'), case when true then date '2026-01-01' else ts end from events where event_id = 't1'",
            "2026-01-01T00:00:00Z,2026-01-01T00:00:00Z,2026-01-01T00:00:00Z",
        ),
        // Nulls in lists, and lists that are texts.
        (
            "select (3 = any(array[1, null])) is null as a, '{a,b}'::text[] = array['a', 'b'] as b, 'b' = any('{a,b}') as c, count(*) filter (where not 3 = any(l)) from (values (array[1, null]), (array[2])) t(l)",
            "true,true,true,1",
        ),
        (
            "select array_agg(distinct x)::text, string_agg(distinct y, ',') from (values (3, 'b'), (1, 'a'), (3, 'c')) t(x, y)",
            "\"{1,3}\",\"a,b,c\"",
        ),
        (
            "select encode('\\x6162'::bytea, 'hex'), to_hex(-1), format('%s: %s', 'a', true), ts + make_interval(days => 1, hours => 1), '10:20:30.5'::time, 'Infinity'::float8 from events where event_id = 't1'",
            "6162,ffffffff,a: t,2025-11-01T18:00:00Z,10:20:30.5,Infinity",
        ),
        // A column of both sides of a join.
        (
            "select x, y, z from (values (1, 'a')) a(x, y) full join (values (2, 'c')) b(x, z) using (x) where x > 0 order by x",
            "1,a,|2,,c",
        ),
        ("select * from (values ('a', 1)) a(y, x) right join (values (2)) b(x) using (x)", "2,"),
        (
            "select count(*), sum(x) from (values (1)) a(x) full join (values (2)) b(x) using (x) full join (values (2), (3)) c(x) using (x)",
            "3,6",
        ),
        // Aggregates and groups that differ by a cast.
        ("select avg(cost_usd), avg(cost_usd::float8) from events", "3.75,3.75"),
        (
            "select ts::date d, ts, count(*) from events where event_id = 't1' group by 1, 2",
            "2025-10-31,2025-10-31T17:00:00Z,1",
        ),
        // Columns of inner queries have PostgreSQL's names.
        ("select count + 1, \"?column?\" from (select count(*), 1 + 1 from events) x", "5,2"),
        (
            "with a as (select model, count(*) from events group by 1) select model, count from a",
            "m,4",
        ),
        // An integer that stands in the query has 32 bits, and so their sums are no decimals.
        ("select sum(case when input_tokens > 0 then 1 else 0 end) / count(*) from events", "0"),
        ("select sum(x) / count(*) from (values (1), (2)) t(x)", "1"),
        // Intervals are compared by what they last.
        (
            "select interval '1 month' > interval '29 days', interval '24 hours' = interval '1 day'",
            "true,true",
        ),
        (
            "select interval '1 day' between interval '23 hours' and interval '25 hours', interval '1 day' in ('24:00')",
            "true,true",
        ),
        (
            "select x from (values (interval '40 days'), (interval '1 month'), (interval '3 hours')) t(x) order by x",
            "03:00:00|1 mon|40 days",
        ),
        (
            "select interval '1 month' * 1.5, interval '1 day' / 2, -interval '1 mon 2 days'",
            "1 mon 15 days,12:00:00,-1 mons -2 days",
        ),
        // Percentiles are not cut.
        (
            "select percentile_cont(0.333333333) within group (order by x) from (values (0), (3)) t(x)",
            "0.999999999",
        ),
        ("select percentile_cont(0.25) within group (order by cost_usd desc) from events", "5.0"),
        ("select median(x) from (values (1), (2)) t(x)", "1.5"),
        (
            "select percentile_disc(0.5) within group (order by x), percentile_disc(0.51) within group (order by x), percentile_disc(0) within group (order by x desc) from (values (1), (2), (null), (7), (9)) t(x)",
            "2,7,9",
        ),
        (
            "select percentile_disc(0.5) within group (order by model), percentile_disc(1) within group (order by ts) is null from events where false",
            ",true",
        ),
        // Parts of times.
        (
            "select extract(isodow from date '2026-11-01'), extract(dow from date '2026-11-01'), extract(week from date '2026-11-01')",
            "7,0,44",
        ),
        (
            "select extract(second from timestamp '2026-11-01 10:00:05.5'), extract(epoch from interval '1 day 0.5 seconds')",
            "5.5,86400.5",
        ),
        ("select extract(hour from ts) / 24 from events where event_id = 't3'", "0.5"),
        ("select age(timestamp '2026-03-01', timestamp '2025-12-31 12:00')", "2 mons 12:00:00"),
        // Formats are PostgreSQL's.
        (
            "select to_char(ts, 'YYYY-MM-DD HH24:MI') from events where event_id = 't1'",
            "2025-10-31 17:00",
        ),
        (
            "select to_date('01.11.2026', 'DD.MM.YYYY'), to_timestamp('2026-11-01 10', 'YYYY-MM-DD HH24')",
            "2026-11-01,2026-11-01T10:00:00Z",
        ),
        ("select to_timestamp(0.5)", "1970-01-01T00:00:00.500Z"),
        (
            "select to_char(1234567.891, 'FM9,999,990.00') a, to_char(-5, '999') b, to_char(2.675::float8, 'FM9.99') c, to_char(12345, '999') d",
            "\"1,234,567.89\",  -5,2.67, ###",
        ),
        (
            "select quote_literal('it''s'), quote_nullable(null), quote_ident('Total'), quote_ident('total')",
            "'it''s',NULL,\"\"\"Total\"\"\",total",
        ),
        (
            "select ts::text, ts::timestamp::text as b from events where event_id = 't1'",
            "2025-10-31 17:00:00+00,2025-10-31 17:00:00",
        ),
        // Casts round, and read offsets as PostgreSQL does.
        (
            "select 1.5::int a, 2.5::int b, (-1.5)::bigint c, 2.5::float8::int d, 3.5::float8::int e",
            "2,3,-2,2,4",
        ),
        (
            "select '2026-11-01T10:00:00+05:30'::timestamp a, '2026-11-01T10:00:00+05:30'::timestamptz b, '2026-11-01 23:00-08'::date",
            "2026-11-01T10:00:00,2026-11-01T04:30:00Z,2026-11-01",
        ),
        (
            "select '0.123456789012'::numeric, 0.285::float8::numeric(5,2), '1.005'::numeric(5,2)",
            "0.123456789012,0.29,1.01",
        ),
        ("select 0.1::float + 0.2::float", "0.30000000000000004"),
        // Decimals.
        (
            "select 1.0 / 3 * 3, round(2.5), round(-2.5), round(1.005, 2), round(2.5::float8) = 2 as f",
            "0.99999999999999999999,3,-3,1.01,true",
        ),
        (
            "select trunc(-1.29, 1), ceil(-1.5), floor(-1.5), 1234.5 % 1000, mod(-7, 3)",
            "-1.2,-1,-2,234.5,-1",
        ),
        ("select 1e3 / 7 > 142.857142, 9223372036854775808 - 1", "true,9223372036854775807"),
        ("select '1' + 1, input_tokens > '6' from events where event_id = 't2'", "2,true"),
        ("select 1 in (1.5, 1.0), 2 between 1.5 and 2.5", "true,true"),
        (
            "select greatest(1, null, 3), least(null, 2), null || 'a' is null, concat('a', null, 1)",
            "3,2,true,a1",
        ),
        ("select 'a' || 1 + 2, -2 ^ 2 = 4", "a3,true"),
        // A subquery without rows is null, whatever its column.
        (
            "select (select org_id from events where event_id = 'zz') is null, coalesce((select input_tokens from events where event_id = 'zz'), 5), (select 1 where false) is null",
            "true,5,true",
        ),
        (
            "select sum(coalesce((select input_tokens from events where event_id = 'zz'), input_tokens)) from events where input_tokens < 10",
            "12",
        ),
        ("select count(*) from events having (select ts from events where false) is null", "4"),
        (
            "select count(*) from events where ((select input_tokens from events where false) = 5) is unknown",
            "4",
        ),
        // What is among nulls is unknown, wherever that is asked.
        ("select count(*) from events where 'z' not in (select source from events)", "0"),
        (
            "select count(*) from events where model not in (select source from events) or input_tokens = 5",
            "1",
        ),
        ("select count(*) from events where (model in (select source from events)) is null", "4"),
        (
            "select count(*) from events where coalesce(model in (select source from events), true)",
            "4",
        ),
        (
            "select 5 in (select input_tokens from events) a, 6 in (select input_tokens from events) b, (null in (select source from events)) is null c, null in (select 1 where false) d",
            "true,false,true,false",
        ),
        (
            "select event_id, input_tokens in (select input_tokens + 2 from events) from events order by 1",
            "t1,false|t2,true|t3,false|t4,false",
        ),
        (
            "select 7 > all (select input_tokens from events where input_tokens < 7), (7 > any (select cached_input_tokens from events)) is null",
            "true,true",
        ),
        (
            "select count(*) from events where input_tokens >= all (select input_tokens from events)",
            "1",
        ),
        ("select count(*) from events where interval '1 day' in (select interval '24 hours')", "4"),
        // Equal values are one.
        (
            "select count(distinct x), count(distinct y) from (values (interval '1 day', '0'::float8), (interval '24 hours', '-0'::float8)) t(x, y)",
            "1,1",
        ),
        ("select '-0'::float8 in ('0'::float8, 1)", "true"),
        // Powers and logarithms.
        (
            "select 1.1 ^ 2, sum(cost_usd ^ 2), power(0.1, 3), 1.1 ^ 2 = 1.21, -0.5 ^ 3 from events",
            "1.21,85,0.001,true,-0.125",
        ),
        ("select log(1000), log(2.0, 64.0), log(0.001)", "3.0,6.0,-3.0"),
        // All items of a list.
        (
            "select array_remove(array[1, 2, 1], 1), array_remove(array[1, null], null), array_replace(array[1, 1], 1, 9)",
            "[2],[1],\"[9,9]\"",
        ),
        // Nulls come last, and first where the order is turned.
        ("select x from (values (1), (null), (2)) t(x) order by x desc", "\"\"|2|1"),
    ] {
        assert_eq!(value(archive.path(), question), expected, "{question}");
    }
}

#[test]
fn a_series_of_timestamps_has_a_row_a_step() {
    let archive = archive();
    let expected = ["2026-01-31T00:00:00", "2026-02-01T00:00:00", "2026-02-02T00:00:00"];
    for (arguments, zone) in [
        ("timestamp '2026-01-31', timestamp '2026-02-02', interval '1 day'", ""),
        // Texts beside a time are times and spans too.
        ("timestamp '2026-01-31', '2026-02-02', '1 day'", ""),
        ("'2026-01-31', timestamp '2026-02-02', '24 hours'", ""),
        ("timestamptz '2026-01-31', '2026-02-02 01:00+01', '1 day'", "Z"),
        ("date '2026-01-31', '2026-02-02', '1 day'", ""),
    ] {
        let question = format!("select value from generate_series({arguments})");
        let expected = expected.map(|time| format!("{time}{zone}\n")).concat();
        let answer = answer(archive.path(), &["-c", &question, "--format", "csv"]);
        assert_eq!(answer, format!("value\n{expected}"), "{arguments}");
    }
}

#[test]
fn what_has_no_value_is_an_error_with_words() {
    let archive = archive();
    for (question, words) in [
        ("select 9223372036854775807 + 1", "out of range"),
        ("select -(-9223372036854775807 - 1)", "out of range"),
        ("select abs(-9223372036854775807 - 1)", "out of range"),
        ("select sum(input_tokens * 10000000) from events", "out of range"),
        ("select 2147483647 + 1", "out of range"),
        ("select date '2026-01-01' + 100000000", "out of range"),
        ("select 1 / 0", "nullif"),
        ("select 1 % 0", "nullif"),
        ("select 1.0 / 0", "nullif"),
        ("select 1::float8 / 0", "nullif"),
        ("select ln(0), sqrt(-1)", "out of range"),
        ("select exp(1000)", "out of range"),
        ("select log(0)", "out of range"),
        (
            "select event_id from events e where model not in (select source from events f where f.input_tokens = e.input_tokens)",
            "use EXISTS",
        ),
        (
            "select (select count(*) from events f where f.ts::date = e.event_date) from events e",
            "groups by the cast",
        ),
        (
            "select l.c from events e cross join lateral (select count(*) c from events f where f.ts::date = e.event_date) l",
            "groups by the cast",
        ),
        (
            "select event_id from events e where exists (select count(*) from events f where f.model = e.source)",
            "x = (SELECT",
        ),
        (
            "select (select count(*) from events b where b.model = e.model and b.ts < e.ts) from events e",
            "write it as a join",
        ),
        ("select *, date_trunc('day', ts) as ts from events", "name one of them with AS"),
        ("select 1.5e300", "float8"),
        ("select 10000000000000000000000000000000000000.0 * 100", "38 digits"),
        ("select 0.1234567890123456789 * 0.0000000000000000001 * 0.0000000000001", "digits"),
        ("select 1 << 33", "bigint"),
        ("select interval '1 fortnight'", "not understood"),
        ("select ts at time zone '+05:30' from events", "Europe/Berlin"),
        ("select to_char(ts, '%Y-%m-%d') from events", "YYYY"),
        ("select date_bin(interval '1 month', ts) from events", "date_trunc"),
        ("select interval '1 day', count(*) from events group by 1", "extract(epoch"),
        ("select provider + 1 from events", "text + bigint"),
        ("select provider > 1 from events", "do not compare"),
        ("select ts > 5 from events", "do not compare"),
        ("select 5::timestamp", "no cast"),
        ("select 'abc'::char(3)", "fills"),
        ("select x'1F'", "decode"),
        ("select 'a' 'b'", "double quotes"),
        ("select model from events except all select 'm'", "row_number"),
        (
            "select 1 from events where (model, provider) in (select model, provider from events)",
            "one by one",
        ),
        (
            "select sum(cost_usd) over (w order by model) from events window w as (order by ts)",
            "ORDER BY",
        ),
        ("select regexp_replace(model, 'a', provider) from events", "replace()"),
        ("select regexp_replace(model, 'gpt-4|gpt-4o', '') from events", "longest alternative"),
        ("select regexp_match(model, 'a+(.*?)b') from events", "quantifiers"),
        ("select regexp_match(model, '(x)?m') from events", "no part"),
        ("select model ~ '\\bgpt' from events", "write \\y"),
        ("select model::text[] from events", "string_to_array"),
        ("select 1 from (values (1)) a(x) natural full join (values (2)) b(x)", "ON a.x = b.x"),
        ("select 'abc' similar to 'b'", "LIKE"),
        ("select 1::timestamp(0)", "date_trunc"),
    ] {
        for more in [&[][..], &["--org", "acme"]] {
            let done = sql(archive.path(), &[&["-c", question], more].concat());
            assert_eq!((done.status, done.stderr.lines().count()), (1, 1), "{question}: {done:?}");
            assert!(done.stderr.contains(words), "{question}: {}", done.stderr);
        }
    }
}

#[test]
fn each_column_has_a_name_of_its_own() {
    let archive = archive();
    let of = |question: &str, format: &str| {
        answer(archive.path(), &["-c", question, "--format", format])
    };
    let joined = "select a.c, b.c from (select 1 c) a, (select 2 c) b";
    assert_eq!(of(joined, "ndjson"), "{\"c\":1,\"c_2\":2}\n");
    assert_eq!(of(joined, "csv"), "c,c_2\n1,2\n");
    assert_eq!(of("select 1 as x, 2 as x, 3 as x", "ndjson"), "{\"x\":1,\"x_2\":2,\"x_3\":3}\n");
    assert_eq!(
        of("select event_id, event_id from events where event_id = 't1'", "ndjson"),
        "{\"event_id\":\"t1\",\"event_id_2\":\"t1\"}\n"
    );
    let all = of("select *, event_id from events where event_id = 't1'", "ndjson");
    let row: Value = serde_json::from_str(&all).unwrap();
    assert_eq!((row["event_id"].as_str(), row["event_id_2"].as_str()), (Some("t1"), Some("t1")));
    let beside = of("select event_id, e.* from events e where event_id = 't1'", "ndjson");
    let row: Value = serde_json::from_str(&beside).unwrap();
    assert_eq!((row["event_id"].as_str(), row["event_id_2"].as_str()), (Some("t1"), Some("t1")));
    let twice = "select l.event_id, r.event_id from events l join events r using (model) where l.event_id = 't1' and r.event_id = 't2'";
    assert_eq!(of(twice, "ndjson"), "{\"event_id\":\"t1\",\"event_id_2\":\"t2\"}\n");
}

#[test]
fn a_line_of_one_null_is_a_row_to_those_who_read_it() {
    let archive = archive();
    let of = |question: &str, format| answer(archive.path(), &["-c", question, "--format", format]);
    let one = "select cached_input_tokens from events";
    for format in ["csv", "tsv"] {
        assert_eq!(of(one, format), "cached_input_tokens\n\"\"\n\"\"\n\"\"\n\"\"\n");
    }
    assert_eq!(of("select 1 a, null b", "csv"), "a,b\n1,\n");
}
