//! Tests that any error in a query is reported in one plain line.

use futures::TryStreamExt as _;
use tokenlake::sql::Console;

use super::{answer, small};
use crate::support::event::{Event, NOW};
use crate::support::lake::Lake;

/// Queries that have no answer.
const BAD: [&str; 105] = [
    "",
    ";",
    "SELEC 1",
    "SELECT",
    "SELECT FROM",
    "SELECT 1 FROM",
    "SELECT * FROM nowhere",
    "SELECT * FROM a.b.c.d.e",
    "SELECT nothing FROM events",
    "SELECT events.nothing FROM events",
    "SELECT \"Event_ID\" FROM events",
    "SELECT e.event_id FROM events",
    "SELECT (1",
    "SELECT 1)",
    "SELECT 'open",
    "SELECT \"open",
    "SELECT 1 +",
    "SELECT 1 1",
    "SELECT * FROM events WHERE",
    "SELECT * FROM events WHERE 1",
    "SELECT * FROM events WHERE model",
    "SELECT * FROM events LIMIT x",
    "SELECT * FROM events LIMIT -1",
    "SELECT * FROM events ORDER BY nothing",
    "SELECT * FROM events ORDER BY 99",
    "SELECT model FROM events GROUP BY org_id",
    "SELECT sum(model) FROM events",
    "SELECT avg(model) FROM events",
    "SELECT sum() FROM events",
    "SELECT sum(1, 2) FROM events",
    "SELECT nofunction(1)",
    "SELECT lower(1, 2)",
    "SELECT lower()",
    "SELECT substr('a')",
    "SELECT round('a')",
    "SELECT date_trunc('day')",
    "SELECT date_trunc('fortnight', ts) FROM events",
    "SELECT extract(fortnight FROM ts) FROM events",
    "SELECT extract(day FROM 5)",
    "SELECT date 'x'",
    "SELECT timestamp 'x'",
    "SELECT interval 'x'",
    "SELECT CAST('x' AS int)",
    "SELECT CAST(1 AS nothing)",
    "SELECT 'x'::date",
    "SELECT CAST(ts AS int) FROM events",
    "SELECT 1 / 0",
    "SELECT 1.0 / 0",
    "SELECT 9223372036854775807 + 1",
    "SELECT 1.5e300",
    "SELECT sqrt(-1)",
    "SELECT model + 1 FROM events",
    "SELECT model - model FROM events",
    "SELECT NOT 5",
    "SELECT ts + 1 FROM events",
    "SELECT ts + ts FROM events",
    "SELECT ts > 1 FROM events",
    "SELECT model > 1 FROM events",
    "SELECT -'a'",
    "SELECT true + 1",
    "SELECT CASE WHEN 1 THEN 2 END",
    "SELECT CASE END",
    "SELECT (SELECT 1, 2)",
    "SELECT (SELECT event_id FROM events)",
    "SELECT 1 IN (SELECT 1, 2)",
    "SELECT * FROM (SELECT 1",
    "SELECT * FROM events e JOIN events f",
    "SELECT * FROM events JOIN events USING (nothing)",
    "SELECT event_id FROM events e JOIN events f ON e.model = f.model",
    "SELECT * FROM events e, events e",
    "WITH x AS (SELECT 1) SELECT * FROM y",
    "WITH x AS (SELECT 1), x AS (SELECT 2) SELECT * FROM x",
    "SELECT 1 UNION SELECT 1, 2",
    "SELECT 1 UNION ALL SELECT 'a', 2",
    "SELECT sum(sum(1)) FROM events",
    "SELECT * FROM events WHERE sum(input_tokens) > 1",
    "SELECT sum(input_tokens) OVER (ORDER BY) FROM events",
    "SELECT row_number() FROM events",
    "SELECT rank() OVER (ROWS 5) FROM events",
    "SELECT lag() OVER () FROM events",
    "SELECT ntile('a') OVER () FROM events",
    "SELECT percentile_cont(2) WITHIN GROUP (ORDER BY input_tokens) FROM events",
    "SELECT percentile_cont(0.5) FROM events",
    "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY model) FROM events",
    "SELECT attributes.team.lead FROM events",
    "SELECT attributes[1][2] FROM events",
    "SELECT model[1] FROM events",
    "SELECT ARRAY[1, 'a', ts] FROM events",
    "SELECT unnest(1)",
    "SELECT unnest(model) FROM events",
    "SELECT $1",
    "SELECT @x",
    "SELECT * FROM events FOR UPDATE",
    "SELECT event_id INTO x FROM events",
    "SHOW TABLES",
    "SHOW ALL",
    "SHOW datafusion.execution.batch_size",
    "SET x = 1",
    "SELECT * FROM events TABLESAMPLE BERNOULLI (5)",
    "SELECT * FROM LATERAL (SELECT 1)",
    "SELECT 1 LIKE 2",
    "SELECT model ~ '(' FROM events",
    "SELECT 'a' SIMILAR TO 'b'",
    "SELECT to_char(ts, '%Y') FROM events",
    "MERGE INTO events USING events ON true WHEN MATCHED THEN DELETE",
];

/// What no plain line has.
const NEVER: [&str; 24] = [
    "DataFusion",
    "datafusion",
    "bug",
    "internal",
    "Internal",
    "panic",
    "Some(",
    "None",
    "{",
    "}",
    "::",
    "Utf8",
    "Int64",
    "Float64",
    "Decimal128",
    "Timestamp(",
    "Expr",
    "Box",
    "Ident",
    "LogicalPlan",
    "ScalarValue",
    "sqlparser",
    "ParserError",
    "not implemented",
];

async fn why(lake: &Lake, org: Option<&str>, query: &str) -> Option<String> {
    let console = Console::new(lake.store.clone()).unwrap();
    let files: Vec<_> = lake.snapshot().await.files().cloned().collect();
    match console.query(&files, org, query).await {
        Err(error) => Some(error.to_string()),
        Ok(answer) => {
            let rows: Result<Vec<_>, _> = answer.batches.try_collect().await;
            rows.err().map(|error| error.to_string())
        }
    }
}

#[tokio::test]
async fn what_is_wrong_is_told_in_one_plain_line() {
    let lake = Lake::at(NOW).await;
    lake.add("acme", &[Event::priced("a", NOW - 5, "0.1"), Event::priced("b", NOW - 7, "0.2")])
        .await;
    let mut odd = Vec::new();
    for query in BAD {
        for org in [None, Some("acme")] {
            // What is answered after all is no error.
            let Some(why) = why(&lake, org, query).await else { continue };
            eprintln!("{query}\n    {why}");
            // What the query itself says may stand in the line.
            let words: Vec<_> = NEVER
                .iter()
                .filter(|word| why.contains(**word) && !query.contains(**word))
                .collect();
            if why.lines().count() != 1 || why.len() > 400 || !words.is_empty() {
                odd.push(format!("{query}\n    {words:?} {why}"));
            }
        }
    }
    assert!(odd.is_empty(), "{}", odd.join("\n"));
}

#[tokio::test]
async fn an_error_inside_a_reader_of_files_is_told_as_any_other() {
    let lake = Lake::at(NOW).await;
    lake.add("acme", &[Event::priced("a", NOW - 5, "0.1"), Event::priced("b", NOW - 7, "0.2")])
        .await;
    for org in [None, Some("acme")] {
        for query in [
            "SELECT count(*) FROM events WHERE 1 / (input_tokens - input_tokens) > 0",
            "SELECT event_id FROM events WHERE input_tokens + 9223372036854775807 > 0",
            "SELECT count(*) FROM events WHERE cost_usd / (cost_usd - cost_usd) > 0",
        ] {
            let why = why(&lake, org, query).await.unwrap();
            let told = why.contains("nullif") || why.contains("out of range");
            assert!(told && why.len() < 200, "{query}: {why}");
        }
    }
}

/// A query has the tables that its text names, and one that may ask for any has all.
#[test]
fn every_table_is_there_for_who_asks_for_tables() {
    let archive = small();
    let tables = "events|provider_reports|usage_by_dimension|usage_hourly";
    let listed =
        "select table_name from information_schema.tables where table_schema = 'public' order by 1";
    let listed = answer(archive.path(), &["-c", listed, "--format", "csv"]);
    assert_eq!(listed.lines().skip(1).collect::<Vec<_>>().join("|"), tables);
    let shown = answer(archive.path(), &["-c", "Show Tables", "--format", "csv"]);
    for table in tables.split('|') {
        assert!(shown.contains(table), "{shown}");
        let rows = format!("select count(*) >= 0 as rows from \"{table}\"");
        let rows = answer(archive.path(), &["-c", &rows, "--format", "csv"]);
        assert_eq!(rows, "rows\ntrue\n", "{table}");
    }
}
