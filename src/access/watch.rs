//! Decides which records of keys to look at, and when: those in use, by name, or all of them, by a
//! listing, whichever costs fewer requests. Keys that are not used cost nothing.

use std::time::Duration;

/// The interval between looks.
pub(super) const EVERY: Duration = Duration::from_millis(1_500);
/// A key is in use if it was used within this time. It covers Prometheus' default scrape interval
/// of one minute, so such requests seldom wait for a read.
pub(super) const IN_USE: Duration = Duration::from_secs(150);
/// Records on one page of a listing.
const PAGE: usize = 1_000;
/// The cost of a page, in reads of a record.
const PAGE_COST: usize = 6;
/// How often all keys are listed even if none is in use, because telemetry reports when recently
/// used keys expire. The time per page, and the minimum.
const LISTED_EVERY: Duration = Duration::from_secs(30);
const LISTED_EVERY_MIN: Duration = Duration::from_secs(600);

/// How many keys there are to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Demand {
    /// Keys in memory.
    pub(super) known: usize,
    /// Keys that were used within [`IN_USE`].
    pub(super) in_use: usize,
    /// Keys that were used since the last look.
    pub(super) since: usize,
}

/// What to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WatchScope {
    /// Nothing.
    None,
    /// The records of the keys that were used within [`IN_USE`].
    InUse,
    /// The records of keys used since the last look; the others are read when they are used.
    Since,
    /// All records, by a listing.
    All,
}

/// What is known of the number of keys in the archive.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeyCount {
    /// The number of keys at the last listing, if there was one.
    keys: Option<usize>,
    /// The time of that listing, or of the watch's start, by the clock that includes sleep.
    at: Duration,
}

impl KeyCount {
    /// The state when a watch begins.
    pub(super) fn not_yet(at: Duration) -> Self {
        Self { keys: None, at }
    }

    /// The state after a listing.
    pub(super) fn of(keys: usize, at: Duration) -> Self {
        Self { keys: Some(keys), at }
    }

    /// The state after a time in which no key was in memory.
    pub(super) fn idle(self, at: Duration) -> Self {
        if self.keys.is_none() { Self::not_yet(at) } else { self }
    }

    /// What to look at now.
    pub(super) fn next(self, demand: Demand, now: Duration) -> WatchScope {
        let Demand { known, in_use, since } = demand;
        let pages = self.keys.map(|keys| keys.div_ceil(PAGE).max(1));
        let every = LISTED_EVERY.saturating_mul(pages.unwrap_or(1).try_into().unwrap_or(u32::MAX));
        if known > 0 && now.saturating_sub(self.at) >= every.max(LISTED_EVERY_MIN) {
            return WatchScope::All;
        }
        match pages.map(|pages| pages.saturating_mul(PAGE_COST)) {
            _ if in_use == 0 => WatchScope::None,
            _ if in_use <= PAGE_COST => WatchScope::InUse,
            None => WatchScope::All,
            Some(cost) if cost <= since.max(PAGE_COST) => WatchScope::All,
            Some(_) if since > 0 => WatchScope::Since,
            Some(_) => WatchScope::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(keys: Option<usize>, known: usize, in_use: usize, since: usize) -> WatchScope {
        KeyCount { keys, at: Duration::ZERO }.next(Demand { known, in_use, since }, EVERY)
    }

    #[test]
    fn what_costs_least_is_looked_at() {
        for (keys, known, in_use, since, look) in [
            (None, 0, 0, 0, WatchScope::None),
            (Some(100_000), 5_000, 0, 0, WatchScope::None),
            (None, 5, 5, 0, WatchScope::InUse),
            (Some(100_000), 5_000, 6, 6, WatchScope::InUse),
            (None, 7, 7, 0, WatchScope::All),
            (Some(1_000), 900, 7, 0, WatchScope::All),
            (Some(1_001), 900, 900, 11, WatchScope::Since),
            (Some(1_001), 900, 900, 12, WatchScope::All),
            (Some(100_000), 900, 900, 1, WatchScope::Since),
            (Some(100_000), 900, 900, 0, WatchScope::None),
            (Some(100_000), 65_000, 65_000, 600, WatchScope::All),
        ] {
            assert_eq!(next(keys, known, in_use, since), look, "{keys:?} {known} {in_use} {since}");
        }
    }

    #[test]
    fn all_are_listed_now_and_then_and_the_more_there_are_the_less_often() {
        let demand = Demand { known: 1, in_use: 0, since: 0 };
        for (keys, after) in [(None, 600), (Some(1), 600), (Some(100_000), 3_000)] {
            let listed = KeyCount { keys, at: Duration::from_secs(10) };
            let at = |seconds: u64| listed.next(demand, Duration::from_secs(10 + seconds));
            assert_eq!((at(after - 1), at(after)), (WatchScope::None, WatchScope::All), "{keys:?}");
        }
    }
}
