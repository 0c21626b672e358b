//! Injected time: the wall clock by which events are judged, and elapsed time that counts sleep.

use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// Microseconds since 1970-01-01T00:00:00Z.
pub type Micros = i64;

/// One second in [`Micros`].
pub const SECOND: Micros = 1_000_000;
/// One hour in [`Micros`].
pub const HOUR: Micros = 3_600 * SECOND;
/// One day in [`Micros`].
pub const DAY: Micros = 24 * HOUR;

/// The source of time. Code below `cli` never reads the system's clocks itself.
pub trait Clock: Debug + Send + Sync {
    /// The wall clock, in UTC.
    fn now(&self) -> Micros;

    /// Time since an arbitrary start. It never steps back and goes on while the machine sleeps.
    fn elapsed(&self) -> Duration;
}

/// The machine's clocks.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "this is the one place that asks the system")]
    fn now(&self) -> Micros {
        chrono::Utc::now().timestamp_micros()
    }

    fn elapsed(&self) -> Duration {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Duration::new(
            u64::try_from(time.tv_sec).unwrap_or_default(),
            u32::try_from(time.tv_nsec).unwrap_or_default(),
        )
    }
}

/// The machine's clocks, shifted by a file that is read at each call, for tests of the whole
/// program. The file holds two numbers of seconds: one for the wall clock, which may step back, and
/// one for elapsed time. Both are 0 while the file cannot be read.
#[derive(Debug)]
pub struct ShiftedClock {
    file: PathBuf,
}

impl ShiftedClock {
    /// A clock shifted by `file`.
    pub fn by(file: PathBuf) -> Self {
        Self { file }
    }

    fn seconds(&self) -> (i64, u64) {
        let text = std::fs::read_to_string(&self.file).unwrap_or_default();
        let (wall, elapsed) = text.trim_end().split_once(' ').unwrap_or_default();
        (wall.parse().unwrap_or_default(), elapsed.parse().unwrap_or_default())
    }
}

impl Clock for ShiftedClock {
    fn now(&self) -> Micros {
        SystemClock.now().saturating_add(self.seconds().0.saturating_mul(SECOND))
    }

    fn elapsed(&self) -> Duration {
        SystemClock.elapsed().saturating_add(Duration::from_secs(self.seconds().1))
    }
}

/// A clock that moves only when it is set, for tests and replays.
#[derive(Debug)]
pub struct ManualClock {
    now: AtomicI64,
    elapsed_us: AtomicI64,
}

impl ManualClock {
    /// A clock that shows `now`.
    pub fn at(now: Micros) -> Self {
        Self { now: AtomicI64::new(now), elapsed_us: AtomicI64::new(0) }
    }

    /// Sets the wall clock; if `now` is later, elapsed time moves by as much.
    pub fn set(&self, now: Micros) {
        let before = self.now.swap(now, Ordering::SeqCst);
        if now > before {
            self.elapsed_us.fetch_add(now - before, Ordering::SeqCst);
        }
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Micros {
        self.now.load(Ordering::SeqCst)
    }

    fn elapsed(&self) -> Duration {
        Duration::from_micros(u64::try_from(self.elapsed_us.load(Ordering::SeqCst)).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_moves_by_what_its_file_says_now() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("clock");
        let clock = ShiftedClock::by(file.clone());
        let ahead = |clock: &ShiftedClock| {
            let wall = (clock.now() - SystemClock.now()) / SECOND;
            (wall, clock.elapsed().abs_diff(SystemClock.elapsed()).as_secs())
        };
        for (text, moved) in [("", (0, 0)), ("3600 7\n", (3_600, 7)), ("-3600 0", (-3_600, 0))] {
            std::fs::write(&file, text).unwrap();
            let (wall, elapsed) = ahead(&clock);
            assert!(wall.abs_diff(moved.0) <= 1, "{text}: {wall}");
            assert!(elapsed.abs_diff(moved.1) <= 1, "{text}: {elapsed}");
        }
    }
}
