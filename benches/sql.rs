//! Ten queries of an archive by `tokenlake sql`, DuckDB and chDB over the same files, with equal
//! answers: partials or Bloom filters help with six, and only rows can answer four.
//!
//! `cargo bench --bench sql -- 10000000`; the default is one million events. The archive is made
//! once and kept in `target/tmp`. The other engines are shown if a Python has `duckdb` and `chdb`
//! (`TOKENLAKE_BENCH_PYTHON` names one). Each engine runs every query in one session, once to warm
//! up and then five times; the median of these is shown. `cold` is a process of `tokenlake sql -c`
//! from its start to its end.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::float_arithmetic,
    reason = "a bench prints and may stop at what is wrong"
)]

mod support;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{Array as _, AsArray as _, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use futures::TryStreamExt as _;
use serde_json::{Value, json};
use support::program::{archive_of, data_files, python, tokenlake};
use tokenlake::archive::{Archive, ArchiveLocation, FollowSettings, WriterSettings};
use tokenlake::clock::SystemClock;
use tokenlake::sql::Console;
use tokenlake::telemetry::Telemetry;

const EVENTS_DEFAULT: u64 = 1_000_000;
/// Runs of a query after the first.
const RUNS: usize = 5;
const OTHERS: &str = include_str!("sql/others.py");
/// The goal for the geometric mean of our times against the better of the others.
const GOAL: f64 = 0.8;

/// A query; `$id`, `$from` and `$to` are replaced by values in the archive.
struct Question {
    name: &'static str,
    sql: &'static str,
    /// The same query in chDB's dialect, if it differs.
    chdb: Option<&'static str>,
}

const fn question(name: &'static str, sql: &'static str) -> Question {
    Question { name, sql, chdb: None }
}

const QUESTIONS: [Question; 10] = [
    question(
        "totals by org, provider, model",
        "SELECT org_id, provider, model, count(*), sum(input_tokens + output_tokens), sum(cost_usd) \
         FROM events WHERE event_type = 'api_call' GROUP BY org_id, provider, model",
    ),
    question(
        "one org's totals",
        "SELECT provider, model, count(*), sum(input_tokens + output_tokens), sum(cost_usd) \
         FROM events WHERE event_type = 'api_call' AND org_id = 'org-0003' GROUP BY provider, model",
    ),
    question(
        "day and model",
        "SELECT event_date, model, count(*), sum(cost_usd) FROM events GROUP BY event_date, model",
    ),
    question(
        "top orgs",
        "SELECT org_id, sum(cost_usd) AS spent FROM events GROUP BY org_id \
         ORDER BY spent DESC, org_id LIMIT 10",
    ),
    question("distinct providers and models", "SELECT DISTINCT provider, model FROM events"),
    question(
        "one event by id",
        "SELECT event_id, org_id, ts, model, input_tokens, output_tokens, cost_usd FROM events \
         WHERE event_id = '$id'",
    ),
    question(
        "an org's hours from odd to odd",
        "SELECT date_trunc('hour', ts) AS hour, count(*), sum(cost_usd) FROM events \
         WHERE org_id = 'org-0003' AND ts >= TIMESTAMP '$from' AND ts < TIMESTAMP '$to' \
         GROUP BY hour",
    ),
    Question {
        name: "95th percentile of output by model",
        sql: "SELECT model, percentile_cont(0.95) WITHIN GROUP (ORDER BY output_tokens) FROM events \
              GROUP BY model",
        chdb: Some(
            "SELECT model, quantileExactInclusive(0.95)(output_tokens) FROM events GROUP BY model",
        ),
    },
    question(
        "the 20 dearest calls",
        "SELECT event_id, org_id, model, cost_usd FROM events WHERE cost_usd > 0.25 \
         ORDER BY cost_usd DESC LIMIT 20",
    ),
    question(
        "use of caches from one source",
        "SELECT provider, count(*), count(cached_input_tokens), sum(cached_input_tokens) FROM events \
         WHERE event_type = 'api_call' AND source = 'gateway' GROUP BY provider",
    ),
];

#[tokio::main]
async fn main() {
    let sizes: Vec<u64> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    for events in if sizes.is_empty() { vec![EVENTS_DEFAULT] } else { sizes } {
        let archive = archive_of(events);
        let mut session = Session::open(&archive).await;
        let questions = session.questions().await;
        let mut ours = Vec::new();
        for (name, sql, _) in &questions {
            ours.push(session.measure(&archive, name, sql).await);
        }
        println!("\n{events} events in {} files", data_files(&archive).len());
        show(&ours, others(&archive, &questions, &ours).as_ref());
    }
}

/// Our times and answer for a query.
struct Ours {
    name: &'static str,
    warm_ms: f64,
    cold_ms: f64,
    rows: Vec<Vec<Value>>,
}

/// An archive opened as `tokenlake sql` does.
struct Session {
    archive: Archive,
    console: Console,
}

impl Session {
    async fn open(folder: &Path) -> Self {
        let location = ArchiveLocation::parse(folder.to_str().unwrap()).unwrap();
        let store = location.open().unwrap();
        let (clock, telemetry) = (Arc::new(SystemClock), Telemetry::new());
        let (writer, follow) = (WriterSettings::default(), FollowSettings::default());
        let archive = Archive::open(store.clone(), clock, telemetry, writer, follow).await.unwrap();
        Self { archive, console: Console::new(store).unwrap() }
    }

    async fn ask(&self, sql: &str) -> Vec<RecordBatch> {
        let files: Vec<_> = self.archive.newest().await.unwrap().files().cloned().collect();
        let answer = self.console.query(&files, None, sql).await.unwrap();
        answer.batches.try_collect().await.unwrap()
    }

    /// One cell, as text.
    async fn cell(&self, sql: &str) -> String {
        rows(&self.ask(sql).await)[0][0].as_str().unwrap().to_owned()
    }

    /// The queries with their values.
    async fn questions(&mut self) -> Vec<(&'static str, String, Option<String>)> {
        let last = self.cell("SELECT CAST(max(event_date) - 10 AS text) FROM events").await;
        let first = self.cell("SELECT CAST(max(event_date) - 20 AS text) FROM events").await;
        let id = format!("SELECT min(event_id) FROM events WHERE event_date = '{first}'");
        let id = self.cell(&id).await;
        let set = |sql: &str| {
            let (from, to) = (format!("{first} 10:20:00"), format!("{last} 17:45:00"));
            sql.replace("$id", &id).replace("$from", &from).replace("$to", &to)
        };
        QUESTIONS.iter().map(|asked| (asked.name, set(asked.sql), asked.chdb.map(set))).collect()
    }

    async fn measure(&mut self, folder: &Path, name: &'static str, sql: &str) -> Ours {
        let rows = rows(&self.ask(sql).await);
        let mut times = Vec::new();
        for _ in 0..RUNS {
            let began = Instant::now();
            self.ask(sql).await;
            times.push(began.elapsed());
        }
        let mut cold = Vec::new();
        for _ in 0..3 {
            let began = Instant::now();
            let mut command = tokenlake(folder);
            let done = command.args(["sql", "--format", "csv", "-c", sql]).stdout(Stdio::null());
            assert!(done.status().unwrap().success());
            cold.push(began.elapsed());
        }
        Ours { name, warm_ms: median_ms(times), cold_ms: median_ms(cold), rows }
    }
}

fn median_ms(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e3
}

/// Rows as lists of texts and nulls.
fn rows(batches: &[RecordBatch]) -> Vec<Vec<Value>> {
    let mut rows = Vec::new();
    for batch in batches {
        let texts = batch.columns().iter().map(|column| cast(column, &DataType::Utf8).unwrap());
        let texts: Vec<_> = texts.collect();
        let texts: Vec<_> = texts.iter().map(|column| column.as_string::<i32>()).collect();
        rows.extend((0..batch.num_rows()).map(|row| {
            let cell = |texts: &&StringArray| {
                if texts.is_null(row) { Value::Null } else { texts.value(row).into() }
            };
            texts.iter().map(cell).collect::<Vec<_>>()
        }));
    }
    rows
}

fn others(
    archive: &Path,
    questions: &[(&'static str, String, Option<String>)],
    ours: &[Ours],
) -> Option<Value> {
    let files: Vec<PathBuf> = data_files(archive);
    let questions = questions.iter().zip(ours).map(|((name, sql, chdb), ours)| {
        let mut asked = json!({"name": name, "sql": sql, "rows": ours.rows});
        if let Some(chdb) = chdb {
            asked["chdb"] = chdb.as_str().into();
        }
        asked
    });
    let asked = json!({
        "files": files, "pattern": archive.join("events/event_date=*/*.parquet"), "runs": RUNS,
        "questions": questions.collect::<Vec<_>>(),
    });
    let mut child = Command::new(python())
        .args(["-c", OTHERS])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    child.stdin.take()?.write_all(asked.to_string().as_bytes()).ok()?;
    let output = child.wait_with_output().ok()?;
    output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap())
}

fn show(ours: &[Ours], others: Option<&Value>) {
    println!(
        "{:<36} {:>9} {:>9} {:>9} {:>9} {:>7}",
        "median in ms", "tokenlake", "DuckDB", "chDB", "cold", "ratio"
    );
    let mut ratios = Vec::new();
    for Ours { name, warm_ms, cold_ms, .. } in ours {
        let of = |engine: &str| {
            let found = &others?[*name][engine];
            if found["same"] == false {
                println!("{name}: {engine} gives another answer");
            }
            found["ms"].as_f64()
        };
        let (duckdb, chdb) = (of("DuckDB"), of("chDB"));
        let better = duckdb.into_iter().chain(chdb).fold(f64::INFINITY, f64::min);
        ratios.push(warm_ms / better);
        let (duckdb, chdb) = (duckdb.unwrap_or(f64::NAN), chdb.unwrap_or(f64::NAN));
        println!(
            "{name:<36} {warm_ms:>9.1} {duckdb:>9.1} {chdb:>9.1} {cold_ms:>9.1} {:>7.2}",
            warm_ms / better
        );
    }
    let mean = ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64;
    println!("geometric mean of the ratios: {:.2}, to be at most {GOAL}", mean.exp());
}
