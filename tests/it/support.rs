//! Shared code of the tests.

pub mod alertmanager;
pub mod app;
pub mod archive;
pub mod authority;
pub mod client;
pub mod clock;
pub mod delta_parts;
pub mod environment;
pub mod events;
pub mod exact;
pub mod fleet;
pub mod foreign;
pub mod foreign_files;
pub mod issuer;
pub mod lake;
pub mod listening;
pub mod mutation;
pub mod process;
pub mod prometheus;
pub mod proxy;
pub mod random;
pub mod readers;
pub mod resident;
pub mod rewrite;
pub mod s3;
pub mod scrape;
pub mod table;
pub mod totals;
pub mod trace;
pub mod webhook;
pub mod wide;

use std::time::{Duration, Instant};

/// Calls `look` until it gives something, for at most `within`.
pub fn poll<T>(within: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < within, "not within {within:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
