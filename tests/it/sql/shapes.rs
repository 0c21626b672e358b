//! Tests of plans behind the wall: the same for every query, whatever other organisations have.
//!
//! By default one query in five is run; `TOKENLAKE_TEST_PROBES=all` runs all.

use std::fmt::Write as _;

use arrow::array::AsArray as _;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use futures::TryStreamExt as _;
use tokenlake::archive::DataFile;
use tokenlake::clock::{DAY, HOUR, Micros, SECOND};
use tokenlake::sql::Console;

use crate::support::event::{Event, NOW};
use crate::support::lake::Lake;
use crate::support::rewrite::{dates, rewrite};

const ASKER: &str = "mike";
/// How organisations that stand around the asker in files are named.
const AROUND: [&str; 2] = ["alpha", "zulu"];
const PROBES: &str = "TOKENLAKE_TEST_PROBES";

/// What neighbours have.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Neighbours {
    None,
    OtherDates,
    SameDates,
    ManyFiles,
    WithoutPartials,
    OtherTypes,
    OddNames,
    Large,
}

const ALL: [Neighbours; 8] = [
    Neighbours::None,
    Neighbours::OtherDates,
    Neighbours::SameDates,
    Neighbours::ManyFiles,
    Neighbours::WithoutPartials,
    Neighbours::OtherTypes,
    Neighbours::OddNames,
    Neighbours::Large,
];

fn event(id: &str, ts: Micros) -> Event {
    Event::priced(id, ts, "0.25")
}

/// The asker's own events: of three dates, and the same in every archive.
fn own() -> Vec<Event> {
    let other = |id, ts, provider: &str, model: &str| Event {
        provider: Some(provider.to_owned()),
        model: Some(model.to_owned()),
        ..event(id, ts)
    };
    vec![
        event("m1", NOW - 2 * DAY),
        other("m2", NOW - 2 * DAY + HOUR, "groq", "m"),
        event("m3", NOW - DAY),
        Event { cost: None, ..event("m4", NOW - 3 * HOUR) },
        event("m5", NOW - HOUR + SECOND),
    ]
}

async fn archive(neighbours: Neighbours) -> Lake {
    let lake = Lake::at(NOW + SECOND).await;
    lake.add(ASKER, &own()).await;
    let (commits, of) = match neighbours {
        Neighbours::None => (0, 0),
        Neighbours::ManyFiles => (20, 1),
        _ => (2, 3),
    };
    for commit in 0..commits {
        for org in AROUND {
            let events = (0..of).map(|n| {
                let id = format!("{org}-{commit}-{n}");
                let ts = NOW - i64::from(n) * DAY - i64::from(commit) * HOUR / 7;
                let ts = if neighbours == Neighbours::OtherDates { ts - 10 * DAY } else { ts };
                let event = event(&id, ts);
                match neighbours {
                    Neighbours::OtherTypes => Event { event_type: Some("other".into()), ..event },
                    Neighbours::OddNames => Event {
                        provider: Some(" OpenAI".into()),
                        model: Some("Größe UNKNOWN".into()),
                        ..event
                    },
                    Neighbours::Large => Event {
                        input_tokens: 1_000_000_000_000,
                        cost: Some("999999.999999999999".into()),
                        ..event
                    },
                    _ => event,
                }
            });
            lake.add(org, &events.collect::<Vec<_>>()).await;
        }
    }
    // Files of all organisations, as compaction makes them, so that bounds are those of all.
    let merged = [Neighbours::WithoutPartials, Neighbours::OtherTypes, Neighbours::Large];
    if merged.contains(&neighbours) {
        for date in dates(&lake).await {
            rewrite(&lake, date, 1).await;
        }
    }
    lake
}

/// Questions of every kind by every filter.
fn probes() -> Vec<String> {
    let filters = [
        "",
        "WHERE ts > TIMESTAMP '2026-02-01T00:30:00Z'",
        "WHERE ts > TIMESTAMP '2026-02-02T03:19:59.999999Z'",
        "WHERE ts >= TIMESTAMP '2026-01-31T02:00:00Z' AND ts < TIMESTAMP '2026-02-02T02:00:00Z'",
        "WHERE event_date = '2026-02-01'",
        "WHERE event_date > '2026-03-01'",
        "WHERE org_id = 'zulu'",
        "WHERE org_id = 'mike' AND event_type = 'api_call'",
        "WHERE model = 'gpt-4o' OR provider = 'groq'",
        "WHERE event_id = 'm3'",
        "WHERE cost_usd > 0.1 AND input_tokens > 5",
        "WHERE event_type <> 'api_call'",
    ];
    let of_events = [
        "SELECT count(*) AS n, sum(cost_usd) AS c, max(ts) AS l FROM events $",
        "SELECT provider, model, count(*) AS n, sum(input_tokens + output_tokens) AS t FROM events $ GROUP BY 1, 2",
        "SELECT date_trunc('hour', ts) AS h, avg(cost_usd) AS c FROM events $ GROUP BY h",
        "SELECT date_trunc('minute', ts) AS h, count(*) AS n FROM events $ GROUP BY h",
        "SELECT event_date, count(DISTINCT model) AS n FROM events $ GROUP BY 1",
        "SELECT event_type, min(provider) AS p FROM events $ GROUP BY 1",
        "SELECT DISTINCT provider, model FROM events $",
        "SELECT * EXCEPT (ingested_at, attributes) FROM events $",
        "SELECT event_id, cost_usd FROM events $ ORDER BY ts DESC LIMIT 2",
        "SELECT event_id, row_number() OVER (ORDER BY ts) AS n FROM events $",
        "SELECT arrow_typeof(count(*)) AS t, arrow_typeof(sum(cost_usd)) AS c FROM events $",
        "SELECT count(*) AS n FROM events a JOIN events b USING (model) $",
        "SELECT max(n) AS n FROM (SELECT count(*) AS n, org_id FROM events $ GROUP BY org_id)",
        "SELECT event_id FROM events $ UNION ALL SELECT model FROM usage_hourly",
        "SELECT CAST(event_id AS int) AS n FROM events $",
        "SELECT sum(1 / (input_tokens - 1000000000000)) AS n FROM events $",
        "EXPLAIN SELECT event_id FROM events $",
        "EXPLAIN VERBOSE SELECT model, count(*) AS n FROM events $ GROUP BY 1",
    ];
    let hours = [
        "",
        "WHERE hour > TIMESTAMP '2026-02-01T00:00:00Z'",
        "WHERE hour = TIMESTAMP '2026-02-02T02:00:00Z'",
        "WHERE org_id <> 'mike'",
        "WHERE model = 'm'",
        "WHERE requests > 1",
        "WHERE cost_usd IS NULL",
        "WHERE provider IS NULL OR hour < TIMESTAMP '2026-02-01T00:00:00Z'",
    ];
    let of_hours = [
        "SELECT * FROM usage_hourly $",
        "SELECT model, sum(requests) AS n, sum(cost_usd) AS c FROM usage_hourly $ GROUP BY model",
        "SELECT date_trunc('day', hour) AS d, sum(input_tokens) AS t FROM usage_hourly $ GROUP BY 1",
        "SELECT count(*) AS n, max(hour) AS h FROM usage_hourly $",
        "SELECT h.model FROM usage_hourly h JOIN events e ON e.model = h.model ORDER BY 1 LIMIT 3",
        "SELECT arrow_typeof(sum(requests)) AS t FROM usage_hourly $",
        "SELECT 100 / (sum(input_tokens) - 3000000000000) AS n FROM usage_hourly $",
        "EXPLAIN SELECT * FROM usage_hourly $",
        "EXPLAIN SELECT model, sum(requests) FROM usage_hourly $ GROUP BY 1",
        "SELECT model FROM usage_hourly $ EXCEPT SELECT model FROM events",
        "SELECT hour, lag(requests) OVER (ORDER BY hour, model) AS n FROM usage_hourly $",
        "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t JOIN (SELECT count(*) AS c FROM usage_hourly $) ON n < c) SELECT max(n) AS n FROM t",
    ];
    let made = |questions: &[&str], filters: &[&str]| {
        let each = questions
            .iter()
            .flat_map(|question| filters.iter().map(move |filter| question.replace('$', filter)));
        each.collect::<Vec<_>>()
    };
    [made(&of_events, &filters), made(&of_hours, &hours)].concat()
}

/// All that a question shows: the plan that runs, the columns and the rows, or the error.
async fn shape(console: &Console, files: &[std::sync::Arc<DataFile>], query: &str) -> String {
    let words = |why: String| why.split(" Did you mean").next().unwrap_or_default().to_owned();
    let answer = match console.query(files, Some(ASKER), query).await {
        Ok(answer) => answer,
        Err(why) => return words(why.to_string()),
    };
    let mut shape = format!("{:?}\n{:?}\n", answer.progress, answer.schema);
    let batches: Vec<_> = match answer.batches.try_collect().await {
        Ok(batches) => batches,
        Err(why) => return shape + &quoted(&words(why.to_string())),
    };
    let mut rows = Vec::new();
    for batch in batches {
        let texts = batch.columns().iter().map(|column| cast(column, &DataType::Utf8).unwrap());
        let texts: Vec<_> = texts.collect();
        rows.extend((0..batch.num_rows()).map(|row| {
            let cells = texts.iter().map(|text| text.as_string::<i32>().iter().nth(row).unwrap());
            format!("{:?}", cells.collect::<Vec<_>>())
        }));
    }
    rows.sort();
    for row in rows {
        writeln!(shape, "{row}").unwrap();
    }
    shape
}

/// An error without the value of the asker's that it met first.
fn quoted(why: &str) -> String {
    (1..=5).fold(why.to_owned(), |why, n| why.replace(&format!("m{n}"), "own"))
}

#[tokio::test]
async fn no_neighbour_shapes_what_a_question_shows() {
    let every = if std::env::var(PROBES).is_ok_and(|value| value == "all") { 1 } else { 5 };
    let probes = probes();
    assert!(probes.len() >= 300, "{}", probes.len());
    let mut archives = Vec::new();
    for neighbours in ALL {
        let lake = archive(neighbours).await;
        let files: Vec<_> = lake.snapshot().await.files().cloned().collect();
        archives.push((neighbours, Console::new(lake.store.clone()).unwrap(), files));
    }
    let counts: std::collections::BTreeSet<_> =
        archives.iter().map(|(_, _, files)| files.len()).collect();
    assert!(counts.len() >= 3, "numbers of files: {counts:?}");
    let mut wrong = Vec::new();
    for probe in probes.iter().step_by(every) {
        let mut alone = None;
        for (neighbours, console, files) in &archives {
            let shape = shape(console, files, probe).await;
            let alone = alone.get_or_insert_with(|| shape.clone());
            if *alone != shape {
                wrong.push(format!("{probe} beside {neighbours:?}:\n{shape}\nalone:\n{alone}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ\n{}", wrong.len(), wrong.join("\n"));
}
