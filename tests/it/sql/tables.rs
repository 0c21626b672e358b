//! Tests of the tables `events` and `usage_hourly`: exact, limited to one organisation if
//! requested, and the same whether or not files carry their partials.

use arrow::array::AsArray as _;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use futures::TryStreamExt as _;
use tokenlake::clock::{DAY, HOUR, SECOND};
use tokenlake::sql::{Console, sql_version};

use crate::support::event::{Event, NOW};
use crate::support::exact;
use crate::support::lake::Lake;
use crate::support::rewrite::{dates, rewrite};

/// The rows of an answer as text, or why there is none.
async fn try_ask(lake: &Lake, org: Option<&str>, query: &str) -> Result<Vec<String>, String> {
    let console = Console::new(lake.store.clone()).unwrap();
    let files: Vec<_> = lake.snapshot().await.files().cloned().collect();
    let answer = console.query(&files, org, query).await.map_err(|error| error.to_string())?;
    let batches: Vec<_> = answer.batches.try_collect().await.map_err(|error| error.to_string())?;
    let mut rows = Vec::new();
    for batch in batches {
        let columns: Vec<_> =
            batch.columns().iter().map(|column| cast(column, &DataType::Utf8).unwrap()).collect();
        rows.extend((0..batch.num_rows()).map(|row| {
            let cells = columns.iter().map(|column| column.as_string::<i32>());
            let cells =
                cells.map(|cells| cells.iter().nth(row).unwrap().unwrap_or("null").to_owned());
            cells.collect::<Vec<_>>().join(" ")
        }));
    }
    Ok(rows)
}

async fn ask(lake: &Lake, org: Option<&str>, query: &str) -> Vec<String> {
    try_ask(lake, org, query).await.unwrap()
}

const HOURLY: &str = "SELECT * FROM usage_hourly ORDER BY org_id, hour, provider, model";

/// Two organisations, three dates, two commits.
async fn lake() -> Lake {
    let lake = Lake::at(NOW).await;
    let other = Event { event_type: Some("other".into()), ..Event::priced("o", NOW, "5") };
    let unknown =
        Event { model: Some(" Unknown ".into()), ..Event::priced("u", NOW - HOUR, "0.4") };
    let upper = Event { provider: Some("OpenAI ".into()), ..Event::priced("c", NOW - HOUR, "0.3") };
    let events = [
        Event::priced("a", NOW - 2 * DAY, "0.1"),
        Event::priced("b", NOW - HOUR, "0.2"),
        upper,
        other,
        unknown,
    ];
    lake.add("acme", &events).await;
    lake.add("acme", &[Event { cost: None, ..Event::priced("d", NOW - HOUR, "") }]).await;
    lake.add("globex", &[Event::priced("a", NOW - DAY, "0.000000000001")]).await;
    lake
}

#[tokio::test]
async fn usage_by_hour_is_exact_and_the_same_without_carried_partials() {
    let lake = lake().await;
    let carried = ask(&lake, None, HOURLY).await;
    let expected = [
        "acme openai gpt-4o 2026-01-31T03:00:00Z 1 10 1 0.100000000000 null null null 0",
        "acme openai gpt-4o 2026-02-02T02:00:00Z 3 30 3 0.500000000000 null null null 1",
        "acme openai null 2026-02-02T02:00:00Z 1 10 1 0.400000000000 null null null 0",
        "globex openai gpt-4o 2026-02-01T03:00:00Z 1 10 1 0.000000000001 null null null 0",
    ];
    assert_eq!(carried, expected);
    let version = sql_version();
    for date in dates(&lake).await {
        let all = lake.snapshot().await;
        assert!(all.files_of(date).all(|file| file.stored_partial(&version).is_some()));
        rewrite(&lake, date, 1).await;
        let without = lake.snapshot().await;
        assert!(without.files_of(date).all(|file| file.stored_partial(&version).is_none()));
        assert_eq!(ask(&lake, None, HOURLY).await, expected);
    }
}

/// Kinds of tokens and missing prices, of all organisations and behind the wall of one.
#[tokio::test]
async fn usage_by_hour_has_each_kind_of_tokens_and_what_has_no_price() {
    let lake = Lake::at(NOW).await;
    let ts = NOW / SECOND - 60;
    for (org, commit) in [("acme", 0..3), ("acme", 3..7), ("globex", 7..9)] {
        let lines = commit.map(|n| {
            let cost = if n % 3 == 0 { "null".to_owned() } else { format!("\"0.{n}\"") };
            let known = if n % 2 == 0 {
                format!(r#""cached_input_tokens":{n},"cache_write_tokens":1,"reasoning_tokens":2,"#)
            } else {
                String::new()
            };
            format!(
                r#"{{"event_id":"{n}","ts":{},"provider":"P{}","model":"m",{known}"input_tokens":20,"output_tokens":9,"cost_usd":{cost}}}"#,
                ts - n * 1_000,
                n % 2,
            )
        });
        lake.send_lines(org, &lines.collect::<Vec<_>>().join("\n")).await;
    }
    let sums = "sum(cached_input_tokens), sum(cache_write_tokens), sum(reasoning_tokens)";
    let groups = "GROUP BY org_id, provider, hour ORDER BY org_id, provider, hour";
    let usage =
        format!("SELECT org_id, provider, hour, {sums}, sum(unpriced) FROM usage_hourly {groups}");
    let rows = format!(
        "SELECT org_id, lower(provider) AS provider, date_trunc('hour', ts) AS hour, {sums}, \
         count(*) - count(cost_usd) FROM events {groups}"
    );
    for rewritten in [false, true] {
        for org in [None, Some("acme"), Some("globex")] {
            let found = ask(&lake, org, &usage).await;
            assert_eq!(found, ask(&lake, org, &rows).await, "{org:?} {rewritten}");
            let total = format!("SELECT {sums}, sum(unpriced) FROM usage_hourly");
            let expected = match org {
                None => "20 5 10 3",
                Some("acme") => "12 4 8 3",
                Some(_) => "8 1 2 0",
            };
            assert_eq!(ask(&lake, org, &total).await, [expected], "{org:?} {rewritten}");
        }
        for date in dates(&lake).await {
            rewrite(&lake, date, 1).await;
        }
    }
}

#[tokio::test]
async fn carried_partials_are_read_instead_of_rows() {
    let lake = lake().await;
    let query = format!("EXPLAIN {HOURLY}");
    let plan = ask(&lake, None, &query).await.concat();
    assert!(plan.contains("TableScan: partials") && !plan.contains("event_type"), "{plan}");
}

#[tokio::test]
async fn totals_by_every_way_are_equal() {
    let lake = lake().await;
    let files: Vec<_> = lake.snapshot().await.files().cloned().collect();
    let totals = lake.engine().totals(&files).await.unwrap();
    let totals: Vec<_> = totals
        .iter()
        .map(|row| {
            let cost = exact::format(row.cost);
            format!("{} {} {} {}", row.org_id, row.requests, row.total_tokens, cost)
        })
        .collect();
    let of = |from: &str, requests: &str| {
        format!(
            "SELECT org_id, {requests}, sum(input_tokens + output_tokens), \
             rtrim(CAST(sum(cost_usd) AS text), '0') FROM {from} GROUP BY org_id ORDER BY org_id"
        )
    };
    let hourly =
        of("usage_hourly WHERE provider = 'openai' AND model IS NOT NULL", "sum(requests)");
    let rows = of("events WHERE event_type = 'api_call' AND model = 'gpt-4o'", "count(*)");
    assert_eq!(totals, ["acme 4 44 0.6", "globex 1 11 0.000000000001"]);
    assert_eq!(ask(&lake, None, &hourly).await, totals);
    assert_eq!(ask(&lake, None, &rows).await, totals);
}

#[tokio::test]
async fn one_organisation_is_seen_alone_whatever_is_asked() {
    let lake = lake().await;
    for rewritten in [false, true] {
        for (query, expected) in [
            ("SELECT count(*) FROM events", "1"),
            ("SELECT count(*) FROM usage_hourly", "1"),
            ("SELECT max(org_id) FROM events WHERE org_id >= 'a' OR true", "globex"),
            ("SELECT count(*) FROM events WHERE org_id = 'acme'", "0"),
            ("SELECT count(*) FROM usage_hourly WHERE org_id = 'acme'", "0"),
            ("SELECT sum(1 / (CASE WHEN org_id = 'acme' THEN 0 ELSE 1 END)) FROM events", "1"),
            ("SELECT count(*) FROM events WHERE event_id > 'a'", "0"),
            ("SELECT count(ts) FROM events WHERE ts > '2026-01-01T00:00:00Z'", "1"),
        ] {
            let rows = ask(&lake, Some("globex"), query).await;
            assert_eq!(rows, [expected], "{query}, rewritten: {rewritten}");
        }
        for query in [
            "SELECT event_id FROM events WHERE CAST(org_id AS int) = 1",
            "SELECT hour FROM usage_hourly WHERE CAST(org_id AS int) = 1",
        ] {
            let why = try_ask(&lake, Some("globex"), query).await.unwrap_err();
            assert!(why.contains("globex") && !why.contains("acme"), "{why}");
        }
        for date in dates(&lake).await {
            rewrite(&lake, date, 1).await;
        }
    }
}

#[tokio::test]
async fn files_out_of_bounds_are_not_opened() {
    let lake = lake().await;
    let gone: Vec<_> = lake.snapshot().await.files().cloned().collect();
    let date = gone[0].date;
    for file in gone.iter().filter(|file| file.date == date) {
        let path = object_store::path::Path::from(file.path_in_archive());
        object_store::ObjectStoreExt::delete(&*lake.store, &path).await.unwrap();
    }
    for table in ["events", "usage_hourly"] {
        let time = if table == "events" { "ts" } else { "hour" };
        for filter in [format!("{time} >= '2026-02-01T00:00:00Z'"), "org_id = 'globex'".to_owned()]
        {
            let query = format!("SELECT count(*) FROM {table} WHERE {filter}");
            try_ask(&lake, None, &query).await.unwrap();
        }
        let why = try_ask(&lake, None, &format!("SELECT max({time}) FROM {table}")).await;
        let why = why.unwrap_err();
        assert!(why.contains(&*gone[0].path) && why.contains("no such object"), "{why}");
    }
    let query = "SELECT count(*) FROM events WHERE event_date > DATE '2026-01-31'";
    assert_eq!(ask(&lake, None, query).await, ["6"]);
}

#[tokio::test]
async fn nothing_but_questions_is_answered() {
    let lake = lake().await;
    for statement in [
        "CREATE TABLE t AS SELECT 1",
        "CREATE VIEW v AS SELECT 1",
        "CREATE EXTERNAL TABLE t STORED AS parquet LOCATION '/tmp'",
        "DROP TABLE events",
        "INSERT INTO events SELECT * FROM events",
        "UPDATE events SET org_id = 'x'",
        "DELETE FROM events",
        "TRUNCATE TABLE events",
        "COPY events TO '/tmp/tokenlake-never.csv'",
        "SET datafusion.execution.batch_size = 1",
        "RESET datafusion.execution.batch_size",
        "PREPARE p AS SELECT 1",
        "BEGIN",
        "EXPLAIN COPY events TO '/tmp/tokenlake-never.csv'",
        "EXPLAIN ANALYZE DELETE FROM events",
    ] {
        let why = try_ask(&lake, None, statement).await.unwrap_err();
        assert!(why.contains("refused") && why.lines().count() == 1, "{statement}: {why}");
    }
    for (statement, word) in [
        ("SELECT * FROM '/etc/passwd'", "names have double quotes"),
        (
            "SELECT * FROM \"/etc/passwd\"",
            "the tables are events, usage_hourly, usage_by_dimension and provider_reports",
        ),
        (
            "SELECT * FROM partials",
            "the tables are events, usage_hourly, usage_by_dimension and provider_reports",
        ),
        ("SELECT 1; SELECT 2", "one by one"),
        ("SELEC", "change it"),
        ("SELECT 1 / 0", "ivide by zero"),
    ] {
        let why = try_ask(&lake, None, statement).await.unwrap_err();
        assert!(why.contains(word) && why.lines().count() == 1, "{statement}: {why}");
    }
    assert!(!std::path::Path::new("/tmp/tokenlake-never.csv").exists());
}
