//! Backfill of NDJSON into an empty archive, in turn with DuckDB writing sorted Parquet files by
//! date from the same input, without a limit of memory and with 1 GB: events per second and memory.
//!
//! `cargo bench --bench backfill -- 5000000 20000000`; the default is one million events. The
//! argument `shuffled` mixes events of all dates, `again` reads the same file a second time. DuckDB
//! is shown if a Python has it (`TOKENLAKE_BENCH_PYTHON` names one).

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::float_arithmetic,
    reason = "a bench prints and may stop at what is wrong"
)]

mod support;

use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use support::ndjson::{self, Order};
use support::program::{data_files, duckdb, folder, tokenlake};

const EVENTS_DEFAULT: u64 = 1_000_000;
/// Memory that DuckDB is given: as much as it takes, and about what our job is bounded by.
const LIMITS: [&str; 2] = ["", "1GB"];

/// Prints seconds, and peak memory in MiB.
const COPY: &str = "
import duckdb, resource, sys, time
source, out, limit = sys.argv[1:]
duckdb.execute(\"SET threads = 2; SET enable_progress_bar = false; SET TimeZone = 'UTC'\")
if limit:
    duckdb.execute(f\"SET memory_limit = '{limit}'; SET temp_directory = '{out}.tmp'\")
start = time.perf_counter()
duckdb.execute(f\"\"\"COPY (
    SELECT *, CAST(ts AS DATE) AS event_date
    FROM read_json('{source}', format = 'newline_delimited')
    ORDER BY event_date, org_id, ts
) TO '{out}' (FORMAT parquet, PARTITION_BY (event_date), COMPRESSION zstd)\"\"\")
took = time.perf_counter() - start
print(took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
";

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let has = |word: &str| args.iter().any(|arg| arg == word);
    let order = if has("shuffled") { Order::Shuffled } else { Order::Time };
    let sizes: Vec<u64> = args.iter().filter_map(|arg| arg.parse().ok()).collect();
    for events in if sizes.is_empty() { vec![EVENTS_DEFAULT] } else { sizes } {
        let folder = tempfile::tempdir_in(folder()).unwrap();
        let source = folder.path().join("events.ndjson");
        ndjson::write(&source, events, order);
        let mib = source.metadata().unwrap().len() >> 20;
        println!("\n{events} events, {mib} MiB, {order:?}");
        let archive = folder.path().join("archive");
        let ours = backfill("tokenlake", &archive, &source, events);
        println!("{:<16} {}", "files", data_files(&archive).len());
        if has("again") {
            backfill("again", &archive, &source, events);
        }
        for limit in LIMITS {
            let out = tempfile::tempdir_in(folder.path()).unwrap();
            let out = out.path().join("duckdb");
            let (source, out) = (source.to_str().unwrap(), out.to_str().unwrap());
            let Some(printed) = duckdb(COPY, &[source, out, limit]) else {
                println!("{:<16} not found", "DuckDB");
                break;
            };
            let words: Vec<f64> =
                printed.split_whitespace().map(|it| it.parse().unwrap()).collect();
            let rate = events as f64 / words.first().unwrap();
            show(&format!("DuckDB {limit}"), rate, words.last().unwrap());
            println!("{:<16} {:.2} times DuckDB's rate", "ratio", ours / rate);
        }
    }
}

/// Runs a job in its own process; returns events per second.
fn backfill(name: &str, archive: &Path, source: &Path, events: u64) -> f64 {
    let start = Instant::now();
    let mut command = tokenlake(archive);
    command.args(["backfill", "--org", "*"]).arg(source);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut most_kib = 0;
    while child.try_wait().unwrap().is_none() {
        let status = std::fs::read_to_string(&status).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        most_kib = most_kib.max(kib.unwrap_or_default());
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert!(child.wait().unwrap().success(), "the job failed");
    let rate = events as f64 / start.elapsed().as_secs_f64();
    show(name, rate, &((most_kib >> 10) as f64));
    rate
}

fn show(name: &str, rate: f64, mib: &f64) {
    println!("{name:<16} {rate:>9.0} events/s, {mib:.0} MiB at most");
}
