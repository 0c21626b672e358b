//! Tests of simulated histories: servers, jobs and clients on one bucket whose every access can
//! fail, in simulated time. Each history comes from a seed.
//!
//! `TOKENLAKE_TEST_HISTORIES=10000` runs this many, from seed 0 or from `TOKENLAKE_TEST_FIRST_SEED` on;
//! `TOKENLAKE_TEST_SEED=17` runs a single one.

mod actors;
mod book;
mod bucket;
mod counts;
mod delta;
mod faults;
mod foreign;
mod history;
mod host;
mod keys;
mod link;
mod operator;
mod place;
mod reprice;
mod showback;
mod swap;
mod trouble;
mod usage;
mod world;

use std::panic::catch_unwind;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use self::counts::Counts;
use crate::support::environment::number;

/// Seeds that have once led to a wrong answer, one a line.
const FOUND: &str = include_str!("sim/seeds.txt");
/// Histories of a usual run.
const HISTORIES: u64 = 24;
/// Seeds that are named.
const NAMED_MAX: usize = 5;

/// Runs the histories of some seeds; gives what happened, and the seeds that failed.
fn run(seeds: &[u64]) -> (Counts, Vec<u64>) {
    let (all, next, failed) = (Counts::default(), AtomicU64::new(0), Mutex::new(Vec::new()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let at = usize::try_from(next.fetch_add(1, Ordering::SeqCst)).unwrap();
                    let Some(seed) = seeds.get(at) else { return };
                    match catch_unwind(|| history::run(*seed)) {
                        Ok(counts) => all.merge(&counts),
                        Err(_) => {
                            eprintln!("that was in the history of seed {seed}");
                            failed.lock().unwrap().push(*seed);
                        }
                    }
                    if failed.lock().unwrap().len() >= NAMED_MAX {
                        return;
                    }
                }
            });
        }
    });
    (all, failed.into_inner().unwrap())
}

#[test]
fn every_event_counts_once_in_every_history() {
    let seeds: Vec<u64> = match number("TOKENLAKE_TEST_SEED") {
        Some(seed) => vec![seed],
        None => {
            let histories = number("TOKENLAKE_TEST_HISTORIES").unwrap_or(HISTORIES);
            let first = number("TOKENLAKE_TEST_FIRST_SEED").unwrap_or(0);
            let found = FOUND.lines().map(|line| line.parse().unwrap());
            found.chain(first..first + histories).collect()
        }
    };
    let began = std::time::Instant::now();
    let (counts, failed) = run(&seeds);
    eprintln!("{counts}\n{:>12} seconds", began.elapsed().as_secs());
    assert_eq!(failed, [0_u64; 0], "seeds that failed; run one by TOKENLAKE_TEST_SEED=…");
}

/// The patches of `tests/planted-bugs` must keep up with the sources.
#[test]
fn bugs_can_still_be_planted() {
    let root = env!("CARGO_MANIFEST_DIR");
    let patches = std::fs::read_dir(format!("{root}/tests/planted-bugs")).unwrap();
    let patches = patches.map(|entry| entry.unwrap().path());
    let patches: Vec<_> =
        patches.filter(|path| path.extension().is_some_and(|ending| ending == "patch")).collect();
    assert_eq!(patches.len(), 9);
    for patch in patches {
        let tried = std::process::Command::new("patch")
            .args(["--dry-run", "--strip=1", "--directory", root, "--input"])
            .arg(&patch)
            .output();
        match tried {
            Ok(tried) => assert!(
                tried.status.success(),
                "{}: {}",
                patch.display(),
                String::from_utf8_lossy(&tried.stdout)
            ),
            Err(error) => eprintln!("passed over: patch is not there: {error}"),
        }
    }
}
