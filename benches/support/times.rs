//! Times of one repeated operation.

use std::fmt;
use std::time::Duration;

/// Times of one repeated operation, of which there is at least one.
pub struct Times(pub Vec<Duration>);

impl Times {
    pub fn quantile(&self, percent: usize) -> Duration {
        let mut times = self.0.clone();
        times.sort_unstable();
        times[(times.len() * percent / 100).min(times.len() - 1)]
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (middle, late) = (self.quantile(50), self.quantile(99));
        write!(f, "{middle:.1?} in the middle, 99th percentile {late:.1?} ({} times)", self.0.len())
    }
}
