//! The clock of simulated time, which stands still while anything is computed.

use std::time::Duration;

use tokenlake::clock::{Clock, Micros, SystemClock};
use tokio::time::Instant;

/// Time that began when the fleet was started.
#[derive(Debug)]
pub struct SimulatedClock {
    began: Instant,
    began_at: Micros,
}

impl SimulatedClock {
    pub fn start() -> Self {
        Self { began: Instant::now(), began_at: SystemClock.now() }
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Micros {
        self.began_at + Micros::try_from(self.elapsed().as_micros()).unwrap()
    }

    fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}
