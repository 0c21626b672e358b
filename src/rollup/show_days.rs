//! The usage of scopes by UTC date: of the partials of a date's files, and of the rows of hours that
//! are cut.

use std::sync::Arc;

use chrono::{NaiveDate, NaiveTime};
use futures::{StreamExt as _, TryStreamExt as _};
use tokio_util::task::AbortOnDropHandle;

use super::Rollup;
use super::cache::Ask;
use super::cells_of_files::each_of_files;
use super::day_cells::{DayBuilder, DayCells};
use super::days::{ALL_HOURS, DayKey, HourSet, files_of};
use super::partial::Partial;
use super::scope::UsageScope;
use super::sources::Sources;
use crate::archive::{ArchiveError, DataFile, Snapshot, date_of};
use crate::clock::{DAY, HOUR, Micros};
use crate::sql::SqlError;

/// Files whose rows are read side by side for one answer.
const ROWS_SIDE_BY_SIDE: usize = 2;

impl Rollup {
    /// The dates on which a scope may have events in `from..to`, in order.
    pub fn dates_of(
        &self,
        scope: &UsageScope,
        snapshot: &Snapshot,
        (from, to): (Micros, Micros),
    ) -> Vec<NaiveDate> {
        let (first, last) = (date_of(from), date_of(to.saturating_sub(1)));
        let Some((first, last)) = first.zip(last).filter(|_| from < to) else { return Vec::new() };
        let files = snapshot.files_between(first, last).filter(|file| {
            file.may_hold_org(scope.org_id.as_str()) && file.may_hold_time(from, to - 1)
        });
        let mut dates: Vec<_> = files.map(|file| file.date).collect();
        dates.dedup();
        dates
    }

    /// The usage of a scope on a date, by hour.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the file: never a sum without it.
    pub async fn day_cells(
        self: &Arc<Self>,
        scope: &Arc<UsageScope>,
        snapshot: &Arc<Snapshot>,
        date: NaiveDate,
    ) -> Result<Arc<DayCells>, SqlError> {
        let (scope, snapshot) = (scope.clone(), snapshot.clone());
        self.cells_of(AskedDay { scope, snapshot, date, head: 0, hours: ALL_HOURS }).await
    }

    /// The same of the events in the first `head` of each of some hours of the date, from rows. Other
    /// hours may be in it too.
    ///
    /// # Errors
    /// As [`Rollup::day_cells`], by which foreign files must have been judged.
    pub async fn head_cells(
        self: &Arc<Self>,
        scope: &Arc<UsageScope>,
        snapshot: &Arc<Snapshot>,
        (date, head): (NaiveDate, Micros),
        hours: HourSet,
    ) -> Result<Arc<DayCells>, SqlError> {
        let (scope, snapshot) = (scope.clone(), snapshot.clone());
        self.cells_of(AskedDay { scope, snapshot, date, head, hours }).await
    }

    async fn cells_of(self: &Arc<Self>, asked: AskedDay) -> Result<Arc<DayCells>, SqlError> {
        let gap = self.days.gap(&asked.key(), &asked.scope, &asked.snapshot);
        if let Some(cells) = gap.filled(asked.hours) {
            return Ok(cells);
        }
        let (rollup, is_whole) = (self.clone(), asked.head == 0);
        let made = tokio::spawn(async move { rollup.make(&asked).await });
        let made = match is_whole {
            // The work may outlast the caller's deadline, and its result is kept.
            true => made.await,
            // Ranges may cut hours anywhere: what nobody waits for would pile up.
            false => AbortOnDropHandle::new(made).await,
        };
        made.map_err(|error| ArchiveError::internal("adding up a date", error))?
    }

    async fn make(&self, asked: &AskedDay) -> Result<Arc<DayCells>, SqlError> {
        // Few at a time, as organisations that are added up from all files, and apart from them.
        let _turn = self.sources.date_sums.acquire().await;
        let AskedDay { scope, snapshot, .. } = asked;
        // Another caller may have waited for the same.
        let mut gap = self.days.gap(&asked.key(), scope, snapshot);
        if let Some(cells) = gap.filled(asked.hours) {
            return Ok(cells);
        }
        let mut day =
            gap.cells.as_ref().map(|cells| DayBuilder::from_cells(cells)).unwrap_or_default();
        let missing = asked.hours & !gap.hours;
        if asked.head == 0 {
            let from = (&**snapshot, Ask::Cold);
            let fresh = gap.fresh.clone();
            let read = each_of_files(fresh, from, scope, &self.sources, |_, cells| {
                cells.iter().for_each(|(name, cells)| day.add(name, cells));
            });
            read.await?;
        } else {
            if gap.files.is_empty() {
                gap.files = files_of(scope, snapshot, asked.date);
            }
            for (files, hours) in [(&gap.fresh, gap.hours), (&gap.files, missing)] {
                read_heads(&self.sources, asked, files, hours, &mut day).await?;
            }
        }
        let cells = Arc::new(day.build());
        self.days.keep(asked.key(), snapshot, &gap.files, (gap.hours | missing, &cells));
        Ok(cells)
    }
}

/// What is asked for of a date.
#[derive(Debug)]
struct AskedDay {
    scope: Arc<UsageScope>,
    snapshot: Arc<Snapshot>,
    date: NaiveDate,
    /// Where in its hours it ends; 0 for whole hours.
    head: Micros,
    hours: HourSet,
}

impl AskedDay {
    fn key(&self) -> DayKey {
        (self.scope.shared_key(), self.date, self.head)
    }
}

/// Adds the events in the first `head` of each of some hours.
async fn read_heads(
    sources: &Sources,
    asked: &AskedDay,
    files: &[Arc<DataFile>],
    hours: HourSet,
    day: &mut DayBuilder,
) -> Result<(), SqlError> {
    let AskedDay { scope, date, head, .. } = asked;
    let midnight = date.and_time(NaiveTime::MIN).and_utc().timestamp_micros();
    let spans = runs(hours, midnight, *head);
    let mut asked = Vec::new();
    for file in files.iter().filter(|file| !sources.partials.has_none(&scope.kind, file)) {
        let spans = spans.iter().filter(|(from, to)| file.may_hold_time(*from, to - 1));
        asked.extend(spans.map(|span| (file.clone(), *span)));
    }
    let reads = asked.into_iter().map(|(file, span)| {
        let (kind, org_id) = (&scope.kind, scope.org_id.as_str());
        async move {
            let rows = sources.engine.cells_of_heads(kind, &file, org_id, span, *head).await?;
            Ok::<_, SqlError>(Partial::new(rows))
        }
    });
    let reads: Vec<_> = reads.collect();
    let mut reads = futures::stream::iter(reads).buffer_unordered(ROWS_SIDE_BY_SIDE);
    while let Some(partial) = reads.try_next().await? {
        partial.between(scope.bounds()).iter().for_each(|(name, cells)| day.add(name, cells));
    }
    Ok(())
}

/// From the start of the first to the end of the head of the last of hours that follow each other.
fn runs(hours: HourSet, midnight: Micros, head: Micros) -> Vec<(Micros, Micros)> {
    let mut runs: Vec<(Micros, Micros)> = Vec::new();
    let starts = (0..DAY / HOUR).filter(|hour| hours >> hour & 1 == 1);
    for start in starts.map(|hour| midnight + hour * HOUR) {
        match runs.last_mut() {
            Some((_, end)) if *end == start - HOUR + head => *end = start + head,
            _ => runs.push((start, start + head)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_that_follow_each_other_are_one_run() {
        let of = |hours| runs(hours, 0, 7);
        assert_eq!(of(0), []);
        assert_eq!(of(0b1011), [(0, HOUR + 7), (3 * HOUR, 3 * HOUR + 7)]);
        assert_eq!(of(ALL_HOURS), [(0, 23 * HOUR + 7)]);
    }
}
