//! The kinds of meters: counters, levels and timings.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

/// Upper bounds in seconds, from a read of cached data to the longest deadline.
pub(super) const DURATION_BOUNDS: [f64; 16] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0,
];

/// A counter of things that happened.
#[derive(Clone, Debug, Default)]
pub struct Count(pub(super) Counter);

impl Count {
    /// Counts one more.
    pub fn inc(&self) {
        self.0.inc();
    }

    /// The count so far.
    pub fn get(&self) -> u64 {
        self.0.get()
    }

    /// Counts `n` more.
    pub fn add(&self, n: usize) {
        self.0.inc_by(u64::try_from(n).unwrap_or(u64::MAX));
    }
}

/// A level that goes up and down.
#[derive(Clone, Debug, Default)]
pub struct Level(pub(super) Gauge);

impl Level {
    /// Sets the level.
    pub fn set(&self, value: impl TryInto<i64>) {
        self.0.set(value.try_into().unwrap_or(i64::MAX));
    }

    /// Raises the level by `amount`.
    pub fn add(&self, amount: usize) {
        self.0.inc_by(i64::try_from(amount).unwrap_or(i64::MAX));
    }

    /// Lowers the level by `amount`.
    pub fn sub(&self, amount: usize) {
        self.0.dec_by(i64::try_from(amount).unwrap_or(i64::MAX));
    }
}

/// A count and durations of something that is done, exposed in seconds.
#[derive(Clone, Debug)]
pub struct Timing(pub(super) Histogram);

impl Default for Timing {
    fn default() -> Self {
        Self(Histogram::new(DURATION_BOUNDS))
    }
}

impl Timing {
    /// Counts one run that took `elapsed`.
    pub fn observe(&self, elapsed: Duration) {
        self.0.observe(elapsed.as_secs_f64());
    }
}
