//! The work of one commit: the rows of all waiting callers, which of them are new, and their files.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use chrono::NaiveDate;
use deltalake_core::kernel::Add;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use uuid::Uuid;

use super::known_ids::{IdLookup, KnownIds};
use crate::archive::error::ArchiveError;
use crate::archive::file::data_file::added::add_action;
use crate::archive::file::data_file::date_of;
use crate::archive::file::date_rows::DateRows;
use crate::archive::file::file_write::EncodedFile;
use crate::archive::file::gather_rows::RowPlace;
use crate::archive::file::ids::{IdHasher, IdSet};
use crate::archive::file::new_cells::Making;
use crate::archive::grace::UNCOMMITTED_MAX;
use crate::archive::log::snapshot::Snapshot;
use crate::archive::log::table::{FORMAT, FORMAT_OF_SHOWBACK};
use crate::archive::parquet::columns::{text, times};
use crate::archive::paths;
use crate::clock::{DAY, Micros};
use crate::event::{EventBatch, has_corrections};

/// Files that are encoded and put side by side.
const FILES: usize = 8;
/// From this many rows on, a look for all of them takes longer than others' commits. So after a
/// lost race, only the files that came meanwhile are looked at.
const LARGE_ROWS: usize = 8 * 1024;

/// A new file of one date, put but not yet committed.
#[derive(Debug)]
pub struct UncommittedFile {
    /// Its statistics for the log.
    pub add: Add,
    /// When it was begun, by the clock that counts sleep.
    begun_at: Duration,
}

/// Rows that wait for one commit.
#[derive(Debug)]
pub struct Group {
    batches: Arc<Vec<RecordBatch>>,
    dates: BTreeMap<NaiveDate, Arc<DateRows>>,
    /// Put, but not yet committed.
    files: BTreeMap<NaiveDate, UncommittedFile>,
    /// The layout that a table needs to hold the rows.
    format: u64,
}

impl Group {
    /// Gathers batches; of two events with one identity, the first is kept.
    ///
    /// # Errors
    /// Internal, if a batch does not have the schema of events.
    pub fn gather(batches: &[EventBatch], hasher: IdHasher) -> Result<Self, ArchiveError> {
        let mut gathered = Gathered::with_room_for(batches)?;
        for (number, batch) in (0..).zip(batches) {
            gathered.add(number, batch.record_batch(), hasher)?;
        }
        let batches = batches.iter().map(|batch| batch.record_batch().clone());
        let dates = gathered.dates.into_iter().map(|one| (one.date, Arc::new(one.rows))).collect();
        let batches: Vec<RecordBatch> = batches.collect();
        let format = match batches.iter().any(has_corrections) {
            true => FORMAT_OF_SHOWBACK,
            false => FORMAT,
        };
        Ok(Self { batches: Arc::new(batches), dates, files: BTreeMap::new(), format })
    }

    /// The layout that a table needs to hold the rows.
    pub fn format(&self) -> u64 {
        self.format
    }

    /// Marks the events that the table has by now. Files with such events are planned anew.
    ///
    /// # Errors
    /// As [`KnownIds::find`].
    pub async fn mark_known(
        &mut self,
        known: &mut KnownIds,
        snapshot: &Snapshot,
    ) -> Result<(), ArchiveError> {
        let ids = self.batches.iter().map(|batch| text(batch, "event_id"));
        let ids = ids.collect::<Result<Vec<_>, _>>()?;
        let dates = self.dates.iter();
        let asked = dates.map(|(date, rows)| IdLookup { date: *date, rows, ids: &ids });
        let asked: Vec<_> = asked.collect();
        let found = known.find(snapshot, &asked).await?;
        for (date, found) in found {
            self.mark(date, &found);
        }
        Ok(())
    }

    /// As [`Group::mark_known`], if the events of version `since` are marked already. Returns
    /// false, and marks nothing, if the group is small or the arrivals after that version are not
    /// known.
    ///
    /// # Errors
    /// As [`KnownIds::find`].
    pub async fn mark_arrived(
        &mut self,
        known: &mut KnownIds,
        since: u64,
        snapshot: &Snapshot,
    ) -> Result<bool, ArchiveError> {
        let large = self.dates.values().map(|rows| rows.len()).sum::<usize>() >= LARGE_ROWS;
        if !large {
            return Ok(false);
        }
        let dates = self.dates.keys().copied().collect::<Vec<_>>();
        let Some(arrived) = known.arrived(since, snapshot, &dates).await? else {
            return Ok(false);
        };
        for date in dates {
            if let Some(ids) = arrived.get(&date) {
                self.mark(date, ids);
            }
        }
        Ok(true)
    }

    fn mark(&mut self, date: NaiveDate, known: &IdSet) {
        let Some(rows) = self.dates.get_mut(&date) else { return };
        if Arc::make_mut(rows).mark(known) {
            self.files.remove(&date);
        }
    }

    /// Forgets files that were put so long before `elapsed` that a vacuum may have deleted them;
    /// they are written anew, under other names.
    pub fn forget_old_files(&mut self, elapsed: Duration) {
        self.files.retain(|_, file| elapsed.saturating_sub(file.begun_at) < UNCOMMITTED_MAX);
    }

    /// Encodes and puts the files of new events that are not put yet.
    ///
    /// # Errors
    /// Unavailable, or Internal.
    pub(in crate::archive) async fn write_files(
        &mut self,
        how: &FileSettings,
    ) -> Result<(), ArchiveError> {
        let missing = self.dates.iter().filter(|(date, _)| !self.files.contains_key(date));
        let work = missing
            .map(|(date, rows)| write_file(how.clone(), *date, self.batches.clone(), rows.clone()));
        let mut work = futures::stream::iter(work.collect::<Vec<_>>()).buffer_unordered(FILES);
        while let Some(file) = work.try_next().await? {
            if let Some((date, file)) = file {
                self.files.insert(date, file);
            }
        }
        Ok(())
    }

    /// The files to commit, by date.
    pub fn files(&self) -> &BTreeMap<NaiveDate, UncommittedFile> {
        &self.files
    }

    /// Takes out the fingerprints of the events in the file of a date.
    pub fn take_ids(&mut self, date: NaiveDate) -> IdSet {
        let Some(rows) = self.dates.get_mut(&date).map(Arc::make_mut) else {
            return IdSet::default();
        };
        let new = rows.take_new();
        new.unwrap_or_else(|| rows.new_rows().map(|(_, hash)| hash).collect())
    }

    /// New events and duplicates, by batch.
    pub fn counts(&self) -> HashMap<usize, (usize, usize)> {
        let mut counts: HashMap<usize, (usize, usize)> = HashMap::new();
        for rows in self.dates.values() {
            for (batch, new, duplicates) in rows.counts() {
                let count = counts.entry(batch as usize).or_default();
                count.0 += new;
                count.1 += duplicates;
            }
        }
        counts
    }
}

/// Rows by date, while they are gathered.
#[derive(Default)]
struct Gathered {
    dates: Vec<GatheredDate>,
    /// The index in `dates` for each day since 1970.
    places: HashMap<i64, usize>,
}

struct GatheredDate {
    date: NaiveDate,
    rows: DateRows,
}

impl Gathered {
    /// All dates of the batches, still without rows.
    fn with_room_for(batches: &[EventBatch]) -> Result<Self, ArchiveError> {
        let mut days: HashMap<i64, (Micros, usize)> = HashMap::new();
        for batch in batches {
            let times = times(batch.record_batch())?.values();
            for run in times.chunk_by(|a, b| a.div_euclid(DAY) == b.div_euclid(DAY)) {
                let Some(ts) = run.first() else { continue };
                days.entry(ts.div_euclid(DAY)).or_insert((*ts, 0)).1 += run.len();
            }
        }
        let mut gathered = Self::default();
        for (day, (ts, rows)) in days {
            let date = date_of(ts).ok_or_else(|| internal("a time outside the calendar"))?;
            gathered.places.insert(day, gathered.dates.len());
            gathered.dates.push(GatheredDate { date, rows: DateRows::with_capacity(rows) });
        }
        Ok(gathered)
    }

    fn add(
        &mut self,
        number: u32,
        batch: &RecordBatch,
        hasher: IdHasher,
    ) -> Result<(), ArchiveError> {
        let (orgs, ids, times) = (text(batch, "org_id")?, text(batch, "event_id")?, times(batch)?);
        let mut last = None;
        let (mut own, mut neighbours) = (0, [None; 2]);
        let rows = (0_u32..).zip(orgs.iter().zip(ids).zip(times.values()));
        let mut of_org = ("", hasher.of_org(""));
        for (row, ((org, id), ts)) in rows {
            let org = org.unwrap_or_default();
            if of_org.0 != org {
                of_org = (org, hasher.of_org(org));
            }
            let day = ts.div_euclid(DAY);
            if last != Some(day) {
                let at = |day| self.places.get(&day).copied();
                own = at(day).ok_or_else(|| internal("a date that was not begun"))?;
                neighbours = [at(day - 1), at(day + 1)];
                last = Some(day);
            }
            let hash = of_org.1.hash(id.unwrap_or_default());
            let holds =
                |place: &usize| self.dates.get(*place).is_some_and(|date| date.rows.holds(&hash));
            let elsewhere = neighbours.iter().flatten().any(holds);
            let own = self.dates.get_mut(own);
            let own = own.ok_or_else(|| internal("a date that was not begun"))?;
            own.rows.push(RowPlace { batch: number, row }, hash, elsewhere);
        }
        Ok(())
    }
}

fn internal(error: &str) -> ArchiveError {
    ArchiveError::internal("gathering batches", error.to_owned())
}

/// Where and how files are written.
#[derive(Debug, Clone)]
pub(in crate::archive) struct FileSettings {
    pub store: Arc<dyn ObjectStore>,
    pub making: Option<Making>,
    pub now: Micros,
    /// By the clock that counts sleep.
    pub elapsed: Duration,
}

/// Writes the file of one date, if it has new rows.
async fn write_file(
    to: FileSettings,
    date: NaiveDate,
    batches: Arc<Vec<RecordBatch>>,
    rows: Arc<DateRows>,
) -> Result<Option<(NaiveDate, UncommittedFile)>, ArchiveError> {
    let gathering = |error| ArchiveError::internal("sorting rows", error);
    let path = paths::data_file(date, Uuid::new_v4());
    let order = tokio::task::spawn_blocking(move || rows.order(batches)).await;
    let order = order.map_err(gathering)??;
    if order.ids.is_empty() {
        return Ok(None);
    }
    let encoded = EncodedFile::of(order, &path, to.making).await?;
    let add = add_action(&path, date, &encoded, to.now);
    let place = Path::from(paths::in_archive(&add.path));
    to.store
        .put(&place, encoded.bytes.into())
        .await
        .map_err(|error| ArchiveError::unavailable(format!("writing {place}"), error))?;
    Ok(Some((date, UncommittedFile { add, begun_at: to.elapsed })))
}
