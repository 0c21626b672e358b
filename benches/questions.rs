//! Ten questions of a large archive, each by a new process of `tokenlake sql -c`, beside DuckDB in a new
//! connection over the same files: time, and the most memory.
//!
//! `cargo bench --bench questions -- 10000000`; the default is ten million events. The archive is made once
//! and kept in `target/tmp`. A Python with `duckdb` asks (`TOKENLAKE_BENCH_PYTHON` names one).

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a bench prints and may stop at what is wrong"
)]

mod support;

use support::program::{archive_of, duckdb, tokenlake};

const EVENTS_DEFAULT: u64 = 10_000_000;
/// Times that each question is asked.
const RUNS: &str = "7";
const ASKED: &str = include_str!("questions/questions.py");

fn main() {
    let events = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(EVENTS_DEFAULT);
    let archive = archive_of(events);
    let program = tokenlake(&archive).get_program().to_str().unwrap().to_owned();
    let told = duckdb(ASKED, &[&program, archive.to_str().unwrap(), RUNS]);
    match told {
        Some(told) => println!("{events} events\n{told}"),
        None => println!("no Python with duckdb; TOKENLAKE_BENCH_PYTHON names one"),
    }
}
