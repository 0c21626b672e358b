//! Tests of `tokenlake demo`, the first command that a new user runs.

use std::path::Path;
use std::process::Command;

use tempfile::tempdir;

use crate::support::process::{Done, Server, installed, run, tokenlake};
use crate::support::scrape::{self, Series};

/// Runs the line that the demo prints, as its reader does.
fn run_line(line: &str) -> Done {
    run(Command::new("sh").args(["-c", line]))
}

/// The series that a demo's own curl line gives.
fn shown(demo: &Server) -> Series {
    let key = demo.stdout_line();
    let line = demo.stdout_line();
    assert!(key.starts_with("td_live_") && line.contains(&key), "{key} {line}");
    assert!(line.starts_with("curl "), "{line}");
    let done = run_line(&line.replacen("curl", "curl --silent --show-error --fail", 1));
    assert_eq!((done.status, done.stderr.as_str()), (0, ""));
    scrape::parse(&done.stdout)
}

fn start(archive: &Path) -> Server {
    Server::start_with(archive, &["demo"])
}

#[test]
fn the_printed_curl_line_gives_series_that_are_not_zero_and_a_second_demo_adds_nothing() {
    if !installed("curl") {
        return;
    }
    let folder = tempdir().unwrap();
    let mut demo = start(folder.path());
    let first = shown(&demo);
    assert!(first.len() > 10, "{first:?}");
    assert!(first.values().all(|value| value != "0"), "{first:?}");
    assert!(first.keys().any(|name| name.starts_with("llm_cost_usd_rolling_24h")));
    demo.terminate();
    assert_eq!(demo.wait().code(), Some(0));
    let again = shown(&start(folder.path()));
    // The window moves on; the counters stay.
    let counters = |series: Series| -> Vec<_> {
        series.into_iter().filter(|(name, _)| name.contains("_total{")).collect()
    };
    assert_eq!(counters(again), counters(first));
    assert_eq!(tokenlake(folder.path(), &["verify"]).status, 0);
}
