//! Reads what a question needs of a date. Several dates are read at a time, because each takes some
//! requests to the store, one after another.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::{NaiveDate, NaiveTime};
use futures::future::try_join_all;

use super::pieces::{DatePart, DatePiece, DatePieces};
use super::question::UsageQuestion;
use super::sources::CellSource;
use crate::archive::Snapshot;
use crate::clock::{HOUR, Micros};
use crate::rollup::{DayCells, HourSet, Rollup};
use crate::sql::SqlError;

/// A question about the dates of a version of the table.
#[derive(Debug)]
pub struct AskedDates {
    rollup: Arc<Rollup>,
    snapshot: Arc<Snapshot>,
    question: UsageQuestion,
    sources: Vec<CellSource>,
    /// Bytes of cells that were read and wait.
    waiting: AtomicUsize,
}

/// What was read of a date.
#[derive(Debug)]
pub struct DateCells {
    pub date: NaiveDate,
    /// By source.
    pub sources: Vec<ReadCells>,
    pub pieces: Vec<DatePiece>,
    bytes: usize,
}

/// What a source has of a date.
#[derive(Debug)]
pub struct ReadCells {
    pub whole: Arc<DayCells>,
    /// By where they end in their hours.
    pub heads: BTreeMap<Micros, Arc<DayCells>>,
}

impl AskedDates {
    pub fn new(
        rollup: Arc<Rollup>,
        snapshot: Arc<Snapshot>,
        question: UsageQuestion,
        sources: Vec<CellSource>,
    ) -> Self {
        Self { rollup, snapshot, question, sources, waiting: AtomicUsize::new(0) }
    }

    pub fn question(&self) -> &UsageQuestion {
        &self.question
    }

    pub fn sources(&self) -> &[CellSource] {
        &self.sources
    }

    pub fn version(&self) -> u64 {
        self.snapshot.version()
    }

    /// Bytes of dates that were read and wait.
    pub fn bytes_ahead(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// A date waits no longer.
    pub fn taken(&self, read: &DateCells) {
        self.waiting.fetch_sub(read.bytes, Ordering::Relaxed);
    }

    /// Reads a date.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the file.
    pub async fn read(self: Arc<Self>, date: NaiveDate) -> Result<DateCells, SqlError> {
        let wholes = self.sources.iter().map(|source| {
            let read = self.rollup.day_cells(&source.scope, &self.snapshot, date);
            async { Ok::<_, SqlError>(ReadCells { whole: read.await?, heads: BTreeMap::new() }) }
        });
        let mut sources = try_join_all(wholes).await?;
        let hours = sources.iter().flat_map(|read| &read.whole.hours);
        let hours = hours.fold(0, |hours: HourSet, hour| hours | 1 << hour.hour);
        let hours = (0..HourSet::BITS).filter(|hour| hours >> hour & 1 == 1);
        let hours = hours.filter_map(|hour| usize::try_from(hour).ok());
        let pieces: Vec<_> =
            DatePieces::new(&self.question, midnight(date)).of_hours(hours).into_iter().collect();
        for (source, read) in self.sources.iter().zip(&mut sources) {
            let heads = cuts(&read.whole, &pieces, date).into_iter().map(|(head, hours)| {
                let (scope, at) = (&source.scope, (date, head));
                let cells = self.rollup.head_cells(scope, &self.snapshot, at, hours);
                async move { Ok::<_, SqlError>((head, cells.await?)) }
            });
            read.heads = try_join_all(heads).await?.into_iter().collect();
        }
        let cells = sources.iter().flat_map(|read| read.heads.values().chain([&read.whole]));
        let bytes = cells.map(|cells| cells.bytes()).sum();
        self.waiting.fetch_add(bytes, Ordering::Relaxed);
        Ok(DateCells { date, sources, pieces, bytes })
    }
}

/// Where pieces cut hours in the midst of their events, with these hours.
fn cuts(whole: &DayCells, pieces: &[DatePiece], date: NaiveDate) -> BTreeMap<Micros, HourSet> {
    let mut cuts = BTreeMap::new();
    for piece in pieces {
        let DatePart::Hour { hour, from, to } = piece.part else { continue };
        for cut in [from, to] {
            if cut > 0 && !is_whole(whole, hour, cut, date) {
                *cuts.entry(cut).or_default() |= 1 << hour;
            }
        }
    }
    cuts
}

/// True if no event of an hour is later than this in it.
pub fn is_whole(cells: &DayCells, hour: usize, head: Micros, date: NaiveDate) -> bool {
    let start = midnight(date) + Micros::try_from(hour).unwrap_or_default() * HOUR;
    cells.hour(hour).is_none_or(|events| events.last_ts < start + head)
}

fn midnight(date: NaiveDate) -> Micros {
    date.and_time(NaiveTime::MIN).and_utc().timestamp_micros()
}
