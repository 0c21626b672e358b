//! Rounds of a rolling period: a threshold that was crossed may be crossed again once less was spent for
//! a whole minute.

use std::collections::BTreeMap;
use std::time::Duration;

use super::crossing::CrossingKey;
use super::crossings::CrossingState;

/// How long less must be spent.
const BELOW: Duration = Duration::from_secs(60);

/// The rounds of one threshold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rounds {
    /// The last one; 0 before the first.
    last: u64,
    /// Whether it is over.
    is_over: bool,
    /// Since when less is spent, in elapsed time.
    below_since: Option<Duration>,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoundStep {
    /// Nothing.
    Nothing,
    /// This round has begun: the threshold was crossed.
    Begin(u64),
    /// This round is over: the threshold may be crossed again.
    End(u64),
}

impl Rounds {
    /// The rounds of a threshold by what the bucket has.
    pub fn of(threshold: u32, known: &BTreeMap<CrossingKey, CrossingState>) -> Self {
        let of_threshold =
            known.iter().filter(|(key, _)| key.threshold == threshold && key.round > 0);
        let last = of_threshold.max_by_key(|(key, _)| key.round);
        last.map_or_else(Self::default, |(key, state)| Self {
            last: key.round,
            is_over: state.is_rearmed,
            below_since: None,
        })
    }

    /// What is to be done, now that the threshold is crossed or not. `now` is elapsed time.
    pub fn see(&mut self, is_crossed: bool, now: Duration) -> RoundStep {
        let is_running = self.last > 0 && !self.is_over;
        if is_crossed {
            self.below_since = None;
            return if is_running { RoundStep::Nothing } else { RoundStep::Begin(self.last + 1) };
        }
        let since = *self.below_since.get_or_insert(now);
        if is_running && now.saturating_sub(since) >= BELOW {
            return RoundStep::End(self.last);
        }
        RoundStep::Nothing
    }

    /// The round has begun, here or elsewhere.
    pub fn begun(&mut self, round: u64) {
        if round > self.last {
            *self = Self { last: round, is_over: false, below_since: None };
        }
    }

    /// The round is over.
    pub fn ended(&mut self, round: u64) {
        self.is_over |= round == self.last;
    }

    /// The last round, if there was one.
    pub fn last(&self) -> Option<u64> {
        Some(self.last).filter(|last| *last > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_round_ends_after_a_whole_minute_below() {
        let mut rounds = Rounds::default();
        assert_eq!(rounds.see(false, at(0)), RoundStep::Nothing);
        assert_eq!(rounds.see(true, at(1)), RoundStep::Begin(1));
        rounds.begun(1);
        assert_eq!(rounds.see(true, at(2)), RoundStep::Nothing);
        assert_eq!(rounds.see(false, at(10)), RoundStep::Nothing);
        assert_eq!(rounds.see(false, at(69)), RoundStep::Nothing);
        // Crossed again before the minute was over: it begins anew, and nothing fires.
        assert_eq!(rounds.see(true, at(69)), RoundStep::Nothing);
        assert_eq!(rounds.see(false, at(70)), RoundStep::Nothing);
        assert_eq!(rounds.see(false, at(130)), RoundStep::End(1));
        rounds.ended(1);
        assert_eq!(rounds.see(false, at(131)), RoundStep::Nothing);
        assert_eq!(rounds.see(true, at(132)), RoundStep::Begin(2));
        rounds.begun(2);
        assert_eq!((rounds.see(true, at(133)), rounds.last()), (RoundStep::Nothing, Some(2)));
    }

    #[test]
    fn what_the_bucket_has_is_gone_on_from() {
        let key = |round, threshold| CrossingKey { start_us: 0, round, threshold };
        let state = |is_rearmed| CrossingState { is_done: true, is_rearmed };
        let known = BTreeMap::from([
            (key(1, 80), state(true)),
            (key(2, 80), state(false)),
            (key(10, 50), state(true)),
        ]);
        let mut eighty = Rounds::of(80, &known);
        assert_eq!(eighty.see(true, at(0)), RoundStep::Nothing);
        assert_eq!(Rounds::of(50, &known).see(true, at(0)), RoundStep::Begin(11));
        assert_eq!(Rounds::of(100, &known).see(true, at(0)), RoundStep::Begin(1));
    }
}
