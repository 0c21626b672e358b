//! Time, injected: the wall clock that events are judged by, and a clock that counts sleep.

use std::fmt::Debug;
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

/// The source of time. Code below `cli` never asks the system by itself.
pub trait Clock: Debug + Send + Sync {
    /// The wall clock, in UTC.
    fn now(&self) -> Micros;

    /// Time since an arbitrary start that never steps back and goes on while the machine sleeps.
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

/// A clock that stands still until it is told to move: for tests and replays.
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

    /// Moves the wall clock, and elapsed time when `now` lies ahead.
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
