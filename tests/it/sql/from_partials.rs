//! Tests of aggregates over `events` that partials answer: the same as from rows, for any rows.

use std::fmt::Write as _;

use arrow::array::{AsArray as _, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, SchemaRef};
use futures::TryStreamExt as _;
use proptest::prelude::*;
use tokenlake::clock::{DAY, HOUR, Micros, SECOND};
use tokenlake::sql::Console;

use crate::support::event::NOW;
use crate::support::lake::Lake;
use crate::support::rewrite::{dates, delete, rewrite};

const ORGS: [&str; 3] = ["acme", "beta", "Zeta"];
/// A table of which no partial tells anything, because ids are asked for.
const ROWS: &str = "(SELECT * FROM events WHERE event_id <> '') AS events";

/// Questions that partials answer where a file's rows are plain.
pub const ANSWERED: [&str; 27] = [
    "SELECT model, sum(cost_usd), avg(cost_usd), count(cost_usd) FROM events GROUP BY model",
    "SELECT count(*), count(cost_usd), sum(cost_usd), max(ts) FROM events WHERE org_id <> 'x'",
    "SELECT org_id, provider, model, count(*) AS calls, sum(input_tokens + output_tokens), sum(cost_usd)
     FROM events GROUP BY org_id, provider, model",
    "SELECT lower(btrim(provider)), count(*) FROM events WHERE event_type = 'api_call' GROUP BY 1",
    "SELECT event_date, model, sum(input_tokens), sum(cached_input_tokens) FROM events GROUP BY 1, 2",
    "SELECT date_trunc('hour', ts) AS hour, sum(output_tokens) FROM events GROUP BY hour",
    "SELECT date_trunc('month', ts), avg(cost_usd), avg(input_tokens) FROM events GROUP BY 1",
    "SELECT date_bin(INTERVAL '6 hours', ts), max(ts), count(cost_usd) FROM events GROUP BY 1",
    "SELECT extract(hour FROM ts), extract(dow FROM ts), count(*) FROM events GROUP BY 1, 2",
    "SELECT CAST(ts AS date), event_type, count(*) FROM events GROUP BY 1, 2",
    "SELECT DISTINCT provider, model FROM events",
    "SELECT DISTINCT org_id FROM events WHERE event_type = 'api_call' AND model LIKE 'g%'",
    "SELECT count(DISTINCT model), count(provider), min(model), max(org_id) FROM events",
    "SELECT count(DISTINCT org_id), count(DISTINCT date_trunc('hour', ts)) FROM events",
    "SELECT org_id, sum(coalesce(cost_usd, 0)), sum(coalesce(reasoning_tokens, 0) + output_tokens)
     FROM events GROUP BY org_id",
    "SELECT count(*) FILTER (WHERE provider = 'openai'), sum(cost_usd) FILTER (WHERE model IS NULL) FROM events",
    "SELECT sum(CASE WHEN provider = 'openai' THEN cost_usd ELSE 0 END),
            sum(CASE WHEN model = 'none' THEN input_tokens END) FROM events",
    "SELECT org_id, sum(CAST(input_tokens AS decimal(38, 0))), sum(CAST(cost_usd AS decimal(38, 12)))
     FROM events WHERE event_type = 'api_call' GROUP BY org_id",
    "SELECT count(*), sum(cost_usd) FROM events WHERE ts >= '2026-02-01T00:00:00Z'",
    "SELECT count(*), sum(cost_usd) FROM events WHERE ts >= '2026-02-01T02:00:00Z' AND ts < '2026-02-02T02:00:00Z'",
    "SELECT org_id, max(ts) FROM events WHERE ts BETWEEN '2026-02-01T01:30:00Z' AND '2026-02-02T02:59:59.999999Z' GROUP BY 1",
    "SELECT count(*) FROM events WHERE ts > TIMESTAMP '2026-02-02T03:00:00Z' - INTERVAL '30 hours 7 minutes'",
    "SELECT count(*) FROM events WHERE event_date = '2026-02-01' OR ts < '2026-02-01T02:00:00Z'",
    "SELECT calls, count(*) FROM (SELECT org_id, model, count(*) AS calls FROM events GROUP BY 1, 2) GROUP BY calls",
    "WITH mine AS (SELECT org_id AS who, upper(model) AS m, cost_usd AS c FROM events WHERE event_type = 'api_call')
     SELECT m, sum(c) AS spent, count(*) FROM mine WHERE who >= 'acme' GROUP BY m HAVING count(*) > 1",
    "SELECT e.org_id, sum(e.cost_usd) / count(*) FROM events AS e GROUP BY e.org_id",
    "SELECT a.org_id, a.n, b.n FROM (SELECT org_id, count(*) n FROM events GROUP BY 1) a
     JOIN (SELECT org_id, count(cost_usd) n FROM events GROUP BY 1) b ON a.org_id = b.org_id",
];

/// Questions that only rows answer.
pub const NOT_ANSWERED: [&str; 16] = [
    "SELECT min(ts) FROM events",
    "SELECT sum(cached_input_tokens + input_tokens) FROM events",
    "SELECT sum(input_tokens * 2), max(cost_usd) FROM events",
    "SELECT count(cached_input_tokens) FROM events",
    "SELECT count(*) FROM events WHERE cost_usd > 0.5",
    "SELECT count(*) FILTER (WHERE input_tokens > 5) FROM events",
    "SELECT source, count(*) FROM events GROUP BY source",
    "SELECT date_trunc('minute', ts), count(*) FROM events GROUP BY 1",
    "SELECT date_trunc('hour', ts AT TIME ZONE 'Asia/Kolkata'), count(*) FROM events GROUP BY 1",
    "SELECT count(DISTINCT input_tokens), sum(DISTINCT output_tokens) FROM events",
    "SELECT count(DISTINCT event_id) FROM events",
    "SELECT date_bin(INTERVAL '90 minutes', ts), count(*) FROM events GROUP BY 1",
    "SELECT sum(CASE WHEN input_tokens > 5 THEN cost_usd END) FROM events",
    "SELECT approx_percentile_cont(output_tokens, 0.5) FROM events",
    "SELECT sum(CAST(cost_usd AS decimal(38, 2))) FROM events",
    "SELECT sum(CAST(cost_usd AS bigint)), sum(coalesce(CAST(cost_usd AS decimal(38, 6)), 0)) FROM events",
];

/// The columns of an answer, and its rows in order.
async fn ask(lake: &Lake, org: Option<&str>, query: &str) -> (SchemaRef, Vec<String>) {
    let console = Console::new(lake.store.clone()).unwrap();
    let files: Vec<_> = lake.snapshot().await.files().cloned().collect();
    let answer = console.query(&files, org, query).await.unwrap();
    let batches: Vec<RecordBatch> = answer.batches.try_collect().await.unwrap();
    let mut rows: Vec<_> = batches.iter().flat_map(rows_of).collect();
    rows.sort();
    (answer.schema, rows)
}

fn rows_of(batch: &RecordBatch) -> Vec<String> {
    let texts = batch.columns().iter().map(|column| cast(column, &DataType::Utf8).unwrap());
    let texts: Vec<_> = texts.collect();
    let row = |row| {
        let cells = texts.iter().map(|column| column.as_string::<i32>().iter().nth(row).unwrap());
        cells.map(|cell| format!("{cell:?}")).collect::<Vec<_>>().join(" ")
    };
    (0..batch.num_rows()).map(row).collect()
}

/// Answers from partials, where there are any, and from rows.
async fn both(lake: &Lake, org: Option<&str>, query: &str) {
    let (schema, found) = ask(lake, org, query).await;
    let from_rows = query
        .replace("FROM events AS e", "FROM events")
        .replace("FROM events", &format!("FROM {ROWS}"))
        .replace("e.", "events.");
    let (expected_schema, expected) = ask(lake, org, &from_rows).await;
    assert_eq!(found, expected, "{query} of {org:?}");
    let columns = |schema: &SchemaRef| {
        let fields = schema.fields().iter();
        fields.map(|field| (field.name().clone(), field.data_type().clone())).collect::<Vec<_>>()
    };
    let types: Vec<_> = columns(&schema).into_iter().map(|(_, kind)| kind).collect();
    let expected: Vec<_> = columns(&expected_schema).into_iter().map(|(_, kind)| kind).collect();
    assert_eq!(types, expected, "{query}");
}

async fn reads_partials(lake: &Lake, query: &str) -> bool {
    ask(lake, None, &format!("EXPLAIN {query}")).await.1.concat().contains("PartialsExec")
}

/// A call as it is sent.
fn line(id: usize, draft: &Draft) -> String {
    let Draft { ts, names, tokens, cached, cost, other } = draft;
    let mut line =
        format!(r#"{{"event_id":"{id}","ts":{ts},"input_tokens":{tokens},"output_tokens":7"#);
    for (field, name) in ["provider", "model"].iter().zip(names) {
        if let Some(name) = name {
            write!(line, r#","{field}":"{name}""#).unwrap();
        }
    }
    if *cached {
        write!(line, r#","cached_input_tokens":{},"reasoning_tokens":3"#, tokens / 2).unwrap();
    }
    if let Some(cost) = cost {
        write!(line, r#","cost_usd":"{cost}""#).unwrap();
    }
    if *other {
        line.push_str(r#","event_type":"other""#);
    }
    line.push_str("}\n");
    line
}

#[derive(Debug, Clone)]
struct Draft {
    ts: Micros,
    names: [Option<&'static str>; 2],
    tokens: u64,
    cached: bool,
    cost: Option<&'static str>,
    other: bool,
}

fn draft(odd: bool) -> impl Strategy<Value = Draft> {
    let plain = vec![Some("openai"), Some("groq"), None];
    let models = vec![Some("gpt-4o"), Some("m"), Some("größe"), None];
    let odd_names = vec![Some("OpenAI"), Some("unknown"), Some("GPT-4o"), Some("openai"), None];
    let (providers, models) = if odd { (odd_names.clone(), odd_names) } else { (plain, models) };
    let times = prop_oneof![
        (0..3 * DAY).prop_map(|ago| NOW - ago),
        (0..50_i64).prop_map(|ago| NOW / HOUR * HOUR - ago * HOUR),
        (0..50_i64).prop_map(|ago| NOW / HOUR * HOUR - ago * HOUR - 1),
    ];
    let costs = vec![None, Some("0.1"), Some("999999.999999999999"), Some("0.000000000001")];
    let tokens = prop_oneof![0..50_u64, Just(1_000_000_000_000)];
    let names = (prop::sample::select(providers), prop::sample::select(models));
    let other = if odd { 0..4_u8 } else { 1..2 };
    (times, names, tokens, any::<bool>(), prop::sample::select(costs), other).prop_map(
        |(ts, (provider, model), tokens, cached, cost, other)| Draft {
            ts,
            names: [provider, model],
            tokens,
            cached,
            cost,
            other: other == 0,
        },
    )
}

/// Commits of one organisation each, some of rows that partials do not tell.
fn commits() -> impl Strategy<Value = Vec<(usize, Vec<Draft>)>> {
    let drafts = prop_oneof![
        2 => prop::collection::vec(draft(false), 1..25),
        1 => prop::collection::vec(draft(true), 1..25),
    ];
    prop::collection::vec((0..ORGS.len(), drafts), 1..5)
}

async fn filled(commits: &[(usize, Vec<Draft>)]) -> Lake {
    let lake = Lake::at(NOW + SECOND).await;
    for (at, (org, drafts)) in commits.iter().enumerate() {
        let lines = drafts.iter().enumerate().map(|(n, draft)| line(at * 100 + n, draft));
        let receipt = lake.send_lines(ORGS[*org], &lines.collect::<String>()).await;
        assert_eq!((receipt.accepted, receipt.rejected.len()), (drafts.len(), 0));
    }
    lake
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn partials_answer_as_rows_do(commits in commits(), without in 0..4_usize) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let lake = filled(&commits).await;
            // Files of some dates lose their partials.
            for date in dates(&lake).await.into_iter().skip(without) {
                rewrite(&lake, date, 1).await;
            }
            for org in [None, Some(ORGS[0]), Some("nobody")] {
                for query in ANSWERED.iter().chain(&NOT_ANSWERED) {
                    both(&lake, org, query).await;
                }
            }
        });
    }
}

/// Plain calls of three days, and on the first of them an event with every odd thing.
async fn lake() -> Lake {
    let draft = |ts| Draft {
        ts,
        names: [Some("openai"), Some("gpt-4o")],
        tokens: 5,
        cached: false,
        cost: Some("0.1"),
        other: false,
    };
    let odd = Draft { names: [Some("OpenAI"), None], other: true, ..draft(NOW - 2 * DAY) };
    let plain = vec![draft(NOW), draft(NOW - 3 * HOUR), draft(NOW - DAY)];
    filled(&[(0, plain), (0, vec![odd, draft(NOW - 2 * DAY)])]).await
}

#[tokio::test]
async fn plans_tell_who_answers() {
    let lake = lake().await;
    for query in ANSWERED {
        assert!(reads_partials(&lake, query).await, "{query}");
    }
    for query in NOT_ANSWERED {
        assert!(!reads_partials(&lake, query).await, "{query}");
    }
}

#[tokio::test]
async fn each_file_is_read_once_and_rows_only_where_partials_do_not_tell() {
    let lake = lake().await;
    let plan = |query| {
        let query = format!("EXPLAIN {query}");
        async { ask(&lake, None, &{ query }).await.1.concat() }
    };
    let odd = "event_date=2026-01-31";
    let all = plan("SELECT org_id, count(*) FROM events GROUP BY org_id").await;
    assert!(all.contains("files by day=2, files by hour=0") && all.contains(odd), "{all}");
    assert!(!all.contains("event_date=2026-02-0"), "{all}");
    let calls = "SELECT org_id, count(*) FROM events WHERE event_type = 'api_call' GROUP BY org_id";
    let calls = plan(calls).await;
    assert!(calls.contains("PartialsExec") && !calls.contains("event_date="), "{calls}");
    let cut = "SELECT count(*) FROM events WHERE ts >= '2026-02-02T01:30:00Z' AND org_id <> ''";
    let cut = plan(cut).await;
    assert!(cut.contains("event_date=2026-02-02"), "an hour is cut: {cut}");
    assert!(!cut.contains("event_date=2026-02-01"), "{cut}");
}

/// Names in capitals, so that the file of these sums is not plain in any way, and a cost that takes
/// more digits than that of one event.
#[tokio::test]
async fn long_sums_of_a_file_are_left_to_its_rows() {
    let draft = |cost| Draft {
        ts: NOW,
        names: [Some("OpenAI"), Some("GPT-4o")],
        tokens: 1,
        cached: false,
        cost: Some(cost),
        other: false,
    };
    let lake = filled(&[(0, vec![draft("999999.999999999999"), draft("0.1")])]).await;
    for query in ANSWERED.iter().chain(&NOT_ANSWERED) {
        both(&lake, None, query).await;
    }
}

#[tokio::test]
async fn the_log_alone_counts_rows() {
    let lake = lake().await;
    let files: Vec<_> = lake.snapshot().await.files().cloned().collect();
    delete(&lake, &files).await;
    let count = |filter: &str| format!("SELECT count(*) FROM events {filter}");
    for (filter, expected) in [
        ("", "5"),
        ("WHERE event_date >= '2026-02-01'", "3"),
        ("WHERE event_date IN ('2026-01-31', '2026-03-01')", "2"),
        ("WHERE extract(day FROM event_date) = 2", "2"),
        ("WHERE event_date > '2026-03-01'", "0"),
    ] {
        let expected = format!("Some({expected:?})");
        assert_eq!(ask(&lake, None, &count(filter)).await.1, [expected], "{filter}");
    }
}

#[tokio::test]
async fn a_console_reads_footers_and_partials_once() {
    let lake = lake().await;
    let console = Console::new(lake.store.clone()).unwrap();
    let files: Vec<_> = lake.snapshot().await.files().cloned().collect();
    let ask = async |query: &str| -> Result<Vec<RecordBatch>, String> {
        let answer = console.query(&files, None, query).await.map_err(|why| why.to_string())?;
        answer.batches.try_collect().await.map_err(|why| why.to_string())
    };
    let spent =
        "SELECT model, sum(cost_usd) FROM events WHERE event_date > '2026-01-31' GROUP BY 1";
    let before = ask(spent).await.unwrap();
    delete(&lake, &files).await;
    assert_eq!(ask(spent).await.unwrap(), before, "what partials tell is kept");
    let why = ask("SELECT max(cost_usd) FROM events").await.unwrap_err();
    assert!(why.contains("no such object"), "{why}");
}

#[tokio::test]
async fn sums_of_hours_are_not_added_up_by_the_hour_first() {
    let lake = lake().await;
    let aggregates = |plan: &str| plan.matches("Aggregate: groupBy").count();
    for (query, expected) in [
        (
            "SELECT model, sum(requests), sum(cost_usd), max(hour) FROM usage_hourly GROUP BY model",
            1,
        ),
        ("SELECT sum(input_tokens) FROM usage_hourly WHERE provider = 'openai'", 1),
        ("SELECT count(*), max(requests) FROM usage_hourly", 2),
        ("SELECT sum(cost_usd) FROM usage_hourly WHERE requests > 1", 2),
    ] {
        let plan = ask(&lake, None, &format!("EXPLAIN {query}")).await.1.concat();
        assert_eq!(aggregates(&plan), expected, "{query}: {plan}");
        let hours = "(SELECT * FROM usage_hourly ORDER BY hour LIMIT 1000) AS usage_hourly";
        let one_by_one = query.replace("FROM usage_hourly", &format!("FROM {hours}"));
        assert_eq!(ask(&lake, None, query).await, ask(&lake, None, &one_by_one).await, "{query}");
    }
}
