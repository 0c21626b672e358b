//! Tests that SQL has PostgreSQL's value, or an error in words: random queries about dates, times,
//! zones, intervals, decimals and integers, which PostgreSQL and DuckDB answer too.
//!
//! `TOKENLAKE_TEST_QUESTIONS=2000` asks this many; `TOKENLAKE_TEST_QUESTIONS_SEED=7` asks others.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use futures::TryStreamExt as _;
use serde_json::{Value, json};
use tokenlake::clock::{DAY, HOUR};
use tokenlake::sql::{Console, write_text};

use crate::support::environment::number;
use crate::support::event::NOW;
use crate::support::lake::Lake;
use crate::support::process::{passed_over, run};
use crate::support::readers::python;
use crate::support::tools::postgres_programs;

const COUNT: &str = "TOKENLAKE_TEST_QUESTIONS";
const SEED: &str = "TOKENLAKE_TEST_QUESTIONS_SEED";
/// Questions of a run that is asked for none.
const QUESTIONS: u64 = 250;
/// How much two floats, or two decimals that are cut at other places, may differ.
const TOLERANCE: f64 = 1e-9;

/// Calls of some weeks, with nulls, long numbers and small costs, as lines of JSON.
fn events() -> Vec<Value> {
    let costs = [
        Some("0.1"),
        None,
        Some("2.5"),
        Some("0.000000000001"),
        Some("999999.999999999999"),
        Some("-0"),
    ];
    let tokens = [5_i64, 0, 7, 1_000_000_000_000, 12_345, 60];
    let models = [Some("gpt-4o"), Some("mini"), None];
    (0..24_i64)
        .map(|at| {
            let place = usize::try_from(at).unwrap();
            let ts = NOW - at * at * HOUR - at * 1_234_567 - if at % 5 == 0 { 40 * DAY } else { 0 };
            let cost = costs[place % costs.len()].filter(|cost| *cost != "-0");
            let ts = chrono::DateTime::from_timestamp_micros(ts).unwrap().to_rfc3339();
            json!({
                "event_id": format!("e{at:02}"), "ts": ts, "provider": "openai",
                "model": models[place % 3], "input_tokens": tokens[place % 6],
                "output_tokens": tokens[(place + 2) % 4] / 2,
                "cached_input_tokens": (at % 4 == 0).then_some(0), "cost_usd": cost,
                "event_date": &ts[..10], "org_id": "acme", "event_type": "api_call",
            })
        })
        .collect()
}

/// The lake with these events, in two commits.
async fn lake(events: &[Value]) -> Lake {
    let lake = Lake::at(NOW + HOUR).await;
    for part in events.chunks(13) {
        let mut lines = String::new();
        for event in part {
            let mut event = event.clone();
            event.as_object_mut().unwrap().remove("event_date");
            writeln!(lines, "{event}").unwrap();
        }
        let receipt = lake.send_lines("acme", &lines).await;
        assert_eq!((receipt.accepted, receipt.rejected.len()), (part.len(), 0));
    }
    lake
}

/// The rows of an answer as text, or why there are none.
async fn ask(
    lake: &Lake,
    org: Option<&str>,
    question: &str,
) -> Result<Vec<Vec<Option<String>>>, String> {
    let console = Console::new(lake.store.clone()).unwrap();
    let files: Vec<_> = lake.snapshot().await.files().cloned().collect();
    let answer = console.query(&files, org, question).await.map_err(|error| error.to_string())?;
    let batches: Vec<_> = answer.batches.try_collect().await.map_err(|error| error.to_string())?;
    let mut rows = Vec::new();
    for batch in batches {
        rows.extend((0..batch.num_rows()).map(|row| {
            let cells = batch.columns().iter().map(|column| {
                let mut text = String::new();
                write_text(&mut text, column, row);
                column.is_valid(row).then_some(text)
            });
            cells.collect()
        }));
    }
    Ok(rows)
}

/// A cell in one form, whoever writes it.
fn plain(cell: &str) -> String {
    let cell = match cell {
        "t" => "true",
        "f" => "false",
        cell => cell,
    };
    let bytes = cell.as_bytes();
    let is_time = bytes.len() >= 19 && bytes[4] == b'-' && matches!(bytes[10], b'T' | b' ');
    if !is_time {
        return cell.to_owned();
    }
    let clock = cell.trim_end_matches('Z').trim_end_matches("+00:00").trim_end_matches("+00");
    let clock = clock.replace('T', " ");
    if clock.contains('.') {
        clock.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        clock
    }
}

#[expect(clippy::float_arithmetic, reason = "floats are compared within a tolerance")]
fn alike(ours: &str, theirs: &str) -> bool {
    let (ours, theirs) = (plain(ours), plain(theirs));
    if ours == theirs {
        return true;
    }
    let whole = |text: &str| text.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit());
    if whole(&ours) && whole(&theirs) && ours.len() < 16 {
        return false;
    }
    let (Ok(ours), Ok(theirs)) = (ours.parse::<f64>(), theirs.parse::<f64>()) else { return false };
    (ours - theirs).abs() <= TOLERANCE * ours.abs().max(theirs.abs())
}

fn same_rows(ours: &[Vec<Option<String>>], theirs: &Value) -> bool {
    let Some(theirs) = theirs["rows"].as_array() else { return false };
    ours.len() == theirs.len()
        && ours.iter().zip(theirs).all(|(ours, theirs)| {
            let theirs = theirs.as_array().unwrap();
            ours.len() == theirs.len()
                && ours.iter().zip(theirs).all(|(ours, theirs)| match (ours, theirs.as_str()) {
                    (None, None) => true,
                    (Some(ours), Some(theirs)) => alike(ours, theirs),
                    _ => false,
                })
        })
}

/// Questions with the answers of others.
fn questions(events: &[Value]) -> Option<Vec<Value>> {
    let python = python()?;
    let found = postgres_programs();
    let needed = std::env::var("TOKENLAKE_TEST_REAL").is_ok_and(|value| value == "1");
    assert!(found.is_some() || !needed, "PostgreSQL is not there");
    let Some(binaries) = found else {
        passed_over("PostgreSQL is not installed (see tests/setup)");
        return None;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.ndjson");
    std::fs::write(&file, events.iter().map(|event| format!("{event}\n")).collect::<String>())
        .unwrap();
    let count = number(COUNT).unwrap_or(QUESTIONS).to_string();
    let seed = number(SEED).unwrap_or(1).to_string();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/questions.py");
    let mut command = Command::new(python);
    let done = run(command.arg(script).args([seed, count]).arg(file).arg(binaries));
    assert_eq!(done.status, 0, "{done:?}");
    Some(done.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

#[tokio::test]
async fn random_questions_have_the_values_of_postgresql_or_none() {
    let events = events();
    let Some(questions) = questions(&events) else { return };
    let lake = lake(&events).await;
    let (mut equal, mut refused, mut wrong) = (0, Vec::new(), Vec::new());
    for (at, asked) in questions.iter().enumerate() {
        let question = asked["question"].as_str().unwrap();
        let org = (at % 2 == 1).then_some("acme");
        match ask(&lake, org, question).await {
            Err(why) if why.lines().count() == 1 && !why.contains("internal error") => {
                refused.push(format!("{question}\n    {why}\n    {}", asked["postgres"]));
            }
            Err(why) => wrong.push(format!("{question}\n    {why}")),
            Ok(rows) if same_rows(&rows, &asked["postgres"]) => equal += 1,
            // Where PostgreSQL's integers have 32 bits, or it has no function of these types.
            Ok(rows)
                if asked["postgres"]["error"].is_string() && same_rows(&rows, &asked["duckdb"]) =>
            {
                equal += 1
            }
            Ok(rows) => wrong.push(format!(
                "{question}\n    ours:   {rows:?}\n    theirs: {}\n    DuckDB: {}",
                asked["postgres"], asked["duckdb"]
            )),
        }
    }
    eprintln!("{equal} equal, {} refused, {} wrong", refused.len(), wrong.len());
    let told = std::env::var_os("TOKENLAKE_TEST_TRACE").is_some();
    for why in refused.iter().filter(|_| told) {
        eprintln!("refused: {why}");
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), questions.len(), wrong.join("\n"));
    assert!(
        refused.len() * 10 < questions.len(),
        "{} refused:\n{}",
        refused.len(),
        refused.join("\n")
    );
}
