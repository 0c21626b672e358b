//! A clock for programs under test, which is moved while they run.

use tempfile::TempDir;

/// Moves the clocks of the programs that are given it.
#[derive(Debug)]
pub struct TestClock(TempDir);

impl TestClock {
    /// One that goes by the machine's.
    pub fn new() -> Self {
        let clock = Self(tempfile::tempdir().unwrap());
        clock.set(0, 0);
        clock
    }

    /// The setting that gives a program this clock.
    pub fn environment(&self) -> (&'static str, String) {
        ("TOKENLAKE_TEST_CLOCK", self.0.path().join("clock").to_str().unwrap().to_owned())
    }

    /// Moves the wall clock, and elapsed time, by so many seconds from the machine's.
    pub fn set(&self, wall: i64, elapsed: u64) {
        // At once, so that nobody reads a half of it.
        let new = self.0.path().join("new");
        std::fs::write(&new, format!("{wall} {elapsed}\n")).unwrap();
        std::fs::rename(&new, self.0.path().join("clock")).unwrap();
    }
}
