//! Waiting for what another process or thread does.

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
