//! Counts of what happened in a run, for its report.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    Histories,
    Requests,
    /// Refused before anything happened.
    Refused,
    /// It happened, and an error was the answer.
    AnswerLost,
    /// It happened, and the store's own retry found it.
    FoundOwn,
    /// An error was the answer, and it happened later.
    Late,
    /// A read broke off.
    BrokenOff,
    /// It took seconds.
    Slow,
    Crashes,
    /// Storage away, a process halted, a clock set, time that passed at once.
    Upheavals,
    /// Another bucket in the place of the right one.
    Exchanges,
    /// Commits of another program that are refused.
    Troubles,
    Acknowledged,
    Scrapes,
    Rewrites,
    Deleted,
    Expiries,
    /// Commits of another program.
    Foreign,
    /// Checkpoints of the log by another program.
    LogCheckpoints,
    Repairs,
    /// Dimensions that came or went.
    Declarations,
    /// Corrections by those who reprice.
    Repriced,
}

const NAMES: [(Count, &str); 22] = [
    (Count::Histories, "histories"),
    (Count::Requests, "requests to the store"),
    (Count::Refused, "refused"),
    (Count::AnswerLost, "answers lost"),
    (Count::FoundOwn, "found as their own"),
    (Count::Late, "that happened after their error"),
    (Count::BrokenOff, "reads broken off"),
    (Count::Slow, "that took seconds"),
    (Count::Crashes, "crashes"),
    (Count::Upheavals, "outages, halts, steps and leaps of time"),
    (Count::Exchanges, "exchanges of the bucket"),
    (Count::Troubles, "commits of another program that are refused"),
    (Count::Acknowledged, "events acknowledged"),
    (Count::Scrapes, "scrapes compared"),
    (Count::Rewrites, "rewrites"),
    (Count::Deleted, "files deleted"),
    (Count::Expiries, "expiries"),
    (Count::Foreign, "commits of another program"),
    (Count::LogCheckpoints, "checkpoints of the log by it"),
    (Count::Repairs, "repairs"),
    (Count::Declarations, "declarations of dimensions"),
    (Count::Repriced, "corrections by reprices"),
];

const FAULTS: std::ops::RangeInclusive<usize> = Count::Refused as usize..=Count::Troubles as usize;

#[derive(Debug, Default)]
pub struct Counts([AtomicU64; NAMES.len()]);

impl Counts {
    pub fn add(&self, what: Count, count: u64) {
        self.0[what as usize].fetch_add(count, Ordering::Relaxed);
    }

    /// Everything that went wrong on purpose.
    pub fn faults(&self) -> u64 {
        self.0[FAULTS].iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// Adds those of another.
    pub fn merge(&self, other: &Self) {
        for (what, _) in NAMES {
            self.add(what, other.0[what as usize].load(Ordering::Relaxed));
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, name) in NAMES {
            writeln!(f, "{:>12} {name}", self.0[what as usize].load(Ordering::Relaxed))?;
        }
        write!(f, "{:>12} faults in all", self.faults())
    }
}
