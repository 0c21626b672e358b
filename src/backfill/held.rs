//! Decoded rows that wait for their commit, by date, so that files are few and large.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::spill::Extent;
use crate::event::EventBatch;

/// The most rows of one commit.
const COMMIT_ROWS_MAX: usize = 1 << 20;
/// A date to which this many chunks have added nothing is treated as complete: logs are written in
/// the order of time.
const COLD_CHUNKS: u64 = 16;
/// The fraction (1/n) of a full commit that makes a file worth writing.
const COLD_SHARE: usize = 8;
/// Rows that may wait before all are committed. It bounds the disk space that they take, and the
/// work that is repeated after a job was killed.
const ROWS_MAX: usize = 16 << 20;

/// The fraction (1/n) of the memory for rows that one commit may take: its rows are held three
/// times, as read, sorted, and encoded.
const COMMIT_SHARE: usize = 4;
/// The part of it from which on rows are put aside.
const SPILL_SHARE: usize = 2;
/// The part of it from which on commits are behind.
const BEHIND_SHARE: usize = 4;

/// Rows of one date.
#[derive(Debug, Default)]
struct Pile {
    batches: Vec<EventBatch>,
    /// Bytes in memory.
    bytes: usize,
    extents: Vec<Extent>,
    /// Bytes of all rows, as they would be in memory.
    bytes_all: usize,
    rows_all: usize,
    /// The job's first row that may be here.
    first: u64,
    /// The last chunk that added rows.
    touched: u64,
}

/// All waiting rows.
#[derive(Debug)]
pub(super) struct HeldRows {
    dates: BTreeMap<NaiveDate, Pile>,
    /// Bytes in memory.
    bytes: usize,
    rows: usize,
    /// Memory for rows that wait or are being committed, in bytes.
    bytes_max: usize,
    /// Approximate bytes of a full commit.
    commit_bytes: usize,
    chunks: u64,
    /// Everything that waits must be committed before more is collected.
    flushing: bool,
}

/// The rows of one commit.
#[derive(Debug, Default)]
pub(super) struct Load {
    pub(super) batches: Vec<EventBatch>,
    pub(super) extents: Vec<Extent>,
    /// Bytes that the load takes in memory.
    pub(super) bytes: usize,
    rows: usize,
}

/// The conditions under which a commit is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// If there are rows for a full commit.
    Full,
    /// Memory is short: also for dates that seem complete.
    Room,
    /// In any case.
    All,
}

impl HeldRows {
    /// Holds nothing yet, and up to `bytes_max` in memory.
    pub(super) fn new(bytes_max: usize) -> Self {
        let (dates, chunks, commit_bytes) = (BTreeMap::new(), 0, bytes_max / COMMIT_SHARE);
        Self { dates, bytes: 0, rows: 0, bytes_max, commit_bytes, chunks, flushing: false }
    }

    /// Begins another chunk.
    pub(super) fn next_chunk(&mut self) {
        self.chunks += 1;
    }

    /// Adds rows of a date; `at` is the job's row from which on they came.
    pub(super) fn add(&mut self, date: NaiveDate, batch: EventBatch, at: u64) {
        let (bytes, rows) = (batch.record_batch().get_array_memory_size(), batch.len());
        let pile = self.dates.entry(date).or_insert_with(|| Pile { first: at, ..Pile::default() });
        pile.rows_all += rows;
        pile.bytes += bytes;
        pile.bytes_all += bytes;
        pile.touched = self.chunks;
        pile.batches.push(batch);
        self.bytes += bytes;
        self.rows += rows;
        self.flushing |= self.rows >= ROWS_MAX;
    }

    /// True if more may come while a commit takes `committing` bytes.
    pub(super) fn has_room(&self, committing: usize) -> bool {
        self.bytes + committing <= self.bytes_max
    }

    /// True if rows are to be put aside.
    pub(super) fn is_short(&self) -> bool {
        self.bytes > self.bytes_max / SPILL_SHARE
    }

    /// True if so much waits that commits are what takes longest.
    pub(super) fn is_behind(&self) -> bool {
        self.bytes > self.bytes_max / BEHIND_SHARE
    }

    /// Whether everything must be committed first.
    pub(super) fn is_flushing(&self) -> bool {
        self.flushing
    }

    pub(super) fn is_empty(&self) -> bool {
        self.dates.is_empty()
    }

    /// The job's first row that may still wait; `None` if none waits.
    pub(super) fn first(&self) -> Option<u64> {
        self.dates.values().map(|pile| pile.first).min()
    }

    /// Takes a date that fills a commit, or several dates that fill one together, the earliest
    /// first: a commit also looks for duplicates on neighbouring dates.
    pub(super) fn take(&mut self, need: Need) -> Option<Load> {
        self.flushing &= !self.dates.is_empty();
        let dates = self.ready(need);
        self.load(dates)
    }

    /// Whether there are rows to take.
    pub(super) fn has_ready(&self, need: Need) -> bool {
        !self.ready(need).is_empty()
    }

    fn ready(&self, need: Need) -> Vec<NaiveDate> {
        let all = need == Need::All || self.flushing;
        let full = self.dates.iter().find(|(_, pile)| self.fills(pile.bytes_all, pile.rows_all));
        if !all && let Some((date, _)) = full {
            return vec![*date];
        }
        let ready = |pile: &Pile| {
            let cold = pile.touched + COLD_CHUNKS < self.chunks;
            all || cold && pile.bytes_all >= self.commit_bytes / COLD_SHARE
        };
        let (mut dates, mut bytes, mut rows, mut whole) = (Vec::new(), 0, 0, false);
        for (date, pile) in self.dates.iter().filter(|(_, pile)| ready(pile)) {
            whole = self.fills(bytes + pile.bytes_all, rows + pile.rows_all);
            if whole && !dates.is_empty() {
                break;
            }
            bytes += pile.bytes_all;
            rows += pile.rows_all;
            dates.push(*date);
        }
        if whole || all || need == Need::Room { dates } else { Vec::new() }
    }

    fn fills(&self, bytes: usize, rows: usize) -> bool {
        bytes >= self.commit_bytes || rows >= COMMIT_ROWS_MAX
    }

    fn load(&mut self, dates: Vec<NaiveDate>) -> Option<Load> {
        let mut load = Load::default();
        for pile in dates.into_iter().filter_map(|date| self.dates.remove(&date)) {
            self.bytes -= pile.bytes;
            load.bytes += pile.bytes_all;
            load.rows += pile.rows_all;
            load.batches.extend(pile.batches);
            load.extents.extend(pile.extents);
        }
        self.rows -= load.rows;
        (load.rows > 0).then_some(load)
    }

    /// Takes all rows that are in memory, to be spilled.
    pub(super) fn unload(&mut self) -> Vec<(NaiveDate, Vec<EventBatch>)> {
        self.bytes = 0;
        let piles = self.dates.iter_mut().filter(|(_, pile)| !pile.batches.is_empty());
        let unload = |(date, pile): (&NaiveDate, &mut Pile)| {
            pile.bytes = 0;
            (*date, std::mem::take(&mut pile.batches))
        };
        piles.map(unload).collect()
    }

    /// Records where unloaded rows lie.
    pub(super) fn unloaded(&mut self, date: NaiveDate, extent: Extent) {
        if let Some(pile) = self.dates.get_mut(&date) {
            pile.extents.push(extent);
        }
    }

    /// Whether unloaded rows still wait.
    pub(super) fn has_unloaded(&self) -> bool {
        self.dates.values().any(|pile| !pile.extents.is_empty())
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new(self.bytes_max);
    }
}

#[cfg(test)]
#[path = "held_tests.rs"]
mod tests;
