//! When a message is tried again, and when it is given up.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::archive::Record;

/// The longest pause, but for what a receiver asks for.
const PAUSE_MAX: Duration = Duration::from_secs(3_600);
/// How long pauses may be in all. It is counted in pauses rather than by a clock, so that a clock that
/// jumps gives nothing up.
const PATIENCE: Duration = Duration::from_secs(24 * 3_600);

/// How a try ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TryOutcome {
    /// The receiver took it.
    Taken,
    /// The receiver is gone and wants no more.
    Gone,
    /// It may be taken later.
    Failed {
        /// Why, without secrets.
        reason: String,
        /// How long the receiver asks to wait.
        retry_after: Option<Duration>,
    },
}

impl TryOutcome {
    /// What a status of HTTP says.
    pub fn of_status(status: u16, retry_after: Option<Duration>) -> Self {
        match status {
            200..=299 => Self::Taken,
            410 => Self::Gone,
            300..=399 => {
                let reason = format!("HTTP status {status}; redirects are not followed");
                Self::Failed { reason, retry_after }
            }
            _ => Self::Failed { reason: format!("HTTP status {status}"), retry_after },
        }
    }
}

/// The tries of a message so far, none of which was taken.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attempts {
    /// How many.
    pub tries: u32,
    /// The pauses until the next one, in all.
    pub waited_seconds: u64,
    /// The pause until the next one.
    pub pause_seconds: u64,
    /// Why the last one failed.
    pub reason: String,
}

impl Record for Attempts {}

impl Attempts {
    /// The pause after the first failure; each further one is twice as long.
    pub const FIRST_PAUSE: Duration = Duration::from_secs(5);

    /// With one more failure, and the pause until the next try; `None` if there is none.
    pub fn failed(&self, reason: String, retry_after: Option<Duration>) -> Option<Self> {
        let left = PATIENCE.as_secs().saturating_sub(self.waited_seconds);
        if left == 0 {
            return None;
        }
        let doubled = Self::FIRST_PAUSE.saturating_mul(1 << self.tries.min(20));
        let pause = doubled.min(PAUSE_MAX).max(retry_after.unwrap_or_default());
        // The last try is at the end of the day.
        let pause_seconds = pause.as_secs().min(left);
        Some(Self {
            tries: self.tries.saturating_add(1),
            waited_seconds: self.waited_seconds + pause_seconds,
            pause_seconds,
            reason,
        })
    }

    /// The pause until the next try.
    pub fn pause(&self) -> Duration {
        Duration::from_secs(self.pause_seconds)
    }
}

/// How the delivery of a crossing ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The receiver took the message.
    Delivered,
    /// It did not for a day.
    GivenUp,
    /// The receiver was gone, or is by this message.
    Gone,
    /// The budget is there no longer.
    Removed,
}

/// The mark that a crossing's message needs no more tries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndMark {
    /// How it ended.
    pub ending: Ending,
    /// Tries, with the last one.
    pub tries: u32,
    /// Why the last one failed.
    pub reason: Option<String>,
    /// When it ended, in µs since 1970.
    pub at_us: i64,
}

impl Record for EndMark {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The pauses while nobody answers.
    fn pauses(retry_after: Option<Duration>) -> Vec<u64> {
        let mut attempts = Attempts::default();
        let mut pauses = Vec::new();
        while let Some(next) = attempts.failed("x".to_owned(), retry_after) {
            pauses.push(next.pause_seconds);
            attempts = next;
        }
        pauses
    }

    #[test]
    fn pauses_grow_from_five_seconds_over_a_day() {
        let pauses = pauses(None);
        assert_eq!(pauses[..10], [5, 10, 20, 40, 80, 160, 320, 640, 1_280, 2_560]);
        assert_eq!((pauses[10], pauses.iter().sum::<u64>()), (3_600, 24 * 3_600));
    }

    #[test]
    fn what_the_receiver_asks_for_is_waited_within_the_day() {
        assert_eq!(pauses(Some(Duration::from_secs(7)))[..3], [7, 10, 20]);
        assert_eq!(pauses(Some(Duration::from_secs(7_200))), [7_200; 12]);
        assert_eq!(pauses(Some(Duration::MAX)), [24 * 3_600]);
    }

    #[test]
    fn a_status_is_a_success_an_end_or_a_reason_to_try_again() {
        for status in [200, 202, 204, 299] {
            assert_eq!(TryOutcome::of_status(status, None), TryOutcome::Taken);
        }
        assert_eq!(TryOutcome::of_status(410, None), TryOutcome::Gone);
        for status in [301, 307, 400, 401, 404, 408, 429, 500, 503] {
            assert!(
                matches!(TryOutcome::of_status(status, None), TryOutcome::Failed { .. }),
                "{status}"
            );
        }
    }

    proptest! {
        #[test]
        fn a_day_is_never_exceeded_and_ends(asked in proptest::collection::vec(0_u64..200_000, 1..50)) {
            let mut attempts = Attempts::default();
            let mut at = asked.iter().cycle();
            while let Some(next) = attempts.failed(String::new(), at.next().copied().map(Duration::from_secs)) {
                prop_assert!(next.pause_seconds > 0 && next.waited_seconds <= 24 * 3_600);
                prop_assert!(next.tries < 1_000);
                attempts = next;
            }
            prop_assert_eq!(attempts.waited_seconds, 24 * 3_600);
        }
    }
}
