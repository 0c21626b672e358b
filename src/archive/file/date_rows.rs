//! The rows of one date in a commit: where they are, which of them are new, and their order in a
//! file.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{RecordBatch, StringArray, TimestampMicrosecondArray};

use super::by_org::ByOrg;
use super::gather_rows::{RowPlace, gather_rows};
use super::ids::{EventHash, IdSet, QuickHash};
use crate::archive::error::ArchiveError;
use crate::archive::parquet::columns::{text, times};
use crate::clock::Micros;

/// The rows of one date, in order of arrival.
#[derive(Debug, Default, Clone)]
pub struct DateRows {
    places: Vec<RowPlace>,
    hashes: Vec<EventHash>,
    duplicate: Vec<bool>,
    /// The fingerprints of the new rows.
    new: IdSet,
    /// Whether the table was found to have some of `new` already.
    marked: bool,
}

/// New rows in the order of a file: by `org_id` and `ts`.
#[derive(Debug)]
pub struct Order {
    batches: Arc<Vec<RecordBatch>>,
    places: Vec<RowPlace>,
    /// Their fingerprints.
    pub ids: Vec<EventHash>,
}

impl DateRows {
    /// No rows, with capacity for `rows`.
    pub fn with_capacity(rows: usize) -> Self {
        Self {
            places: Vec::with_capacity(rows),
            hashes: Vec::with_capacity(rows),
            duplicate: Vec::with_capacity(rows),
            new: IdSet::with_capacity_and_hasher(rows, QuickHash::default()),
            marked: false,
        }
    }

    /// Adds a row. It counts as a duplicate if this date already has the event, or if `elsewhere`
    /// is true.
    pub fn push(&mut self, place: RowPlace, hash: EventHash, elsewhere: bool) {
        self.places.push(place);
        self.hashes.push(hash);
        self.duplicate.push(elsewhere || !self.new.insert(hash));
    }

    /// Whether this date already has the event.
    pub fn holds(&self, hash: &EventHash) -> bool {
        self.new.contains(hash)
    }

    /// Takes out the set of fingerprints of the new rows; `None` if [`DateRows::mark`] found some
    /// of them in the table.
    pub fn take_new(&mut self) -> Option<IdSet> {
        (!self.marked).then(|| {
            // The capacity included duplicates.
            self.new.shrink_to_fit();
            std::mem::take(&mut self.new)
        })
    }

    /// The number of rows, new ones and duplicates.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// The batch and its numbers of new rows and duplicates; a batch may come more than once.
    pub fn counts(&self) -> Vec<(u32, usize, usize)> {
        let mut counts: Vec<(u32, usize, usize)> = Vec::new();
        for (place, duplicate) in self.places.iter().zip(&self.duplicate) {
            let (new, old) = (usize::from(!duplicate), usize::from(*duplicate));
            match counts.last_mut().filter(|(batch, ..)| *batch == place.batch) {
                Some(last) => (last.1, last.2) = (last.1 + new, last.2 + old),
                None => counts.push((place.batch, new, old)),
            }
        }
        counts
    }

    /// The rows that are new, as far as is known.
    pub fn new_rows(&self) -> impl Iterator<Item = (RowPlace, EventHash)> {
        let rows = self.places.iter().zip(&self.hashes).zip(&self.duplicate);
        rows.filter(|(_, duplicate)| !**duplicate).map(|((place, hash), _)| (*place, *hash))
    }

    /// Marks as duplicates the new rows that `known` contains; true if there are any.
    pub fn mark(&mut self, known: &IdSet) -> bool {
        let mut any = false;
        for (hash, duplicate) in self.hashes.iter().zip(&mut self.duplicate) {
            if !*duplicate && known.contains(hash) {
                (*duplicate, any) = (true, true);
            }
        }
        self.marked |= any;
        any
    }

    /// The new rows, sorted by organisation and time; equal ones in order of arrival.
    ///
    /// # Errors
    /// Internal, if these are not the batches that contain the rows.
    pub fn order(&self, batches: Arc<Vec<RecordBatch>>) -> Result<Order, ArchiveError> {
        let columns = batches.iter().map(|batch| Ok((text(batch, "org_id")?, times(batch)?)));
        let columns = columns.collect::<Result<Vec<_>, ArchiveError>>()?;
        let mut orgs = ByOrg::<Vec<SortRow>>::default();
        for (place, hash) in self.new_rows() {
            let (org, ts) = value(&columns, place).ok_or_else(defect)?;
            orgs.of(org).push((ts, place, hash));
        }
        let mut places = Vec::with_capacity(self.places.len());
        let mut ids = Vec::with_capacity(self.places.len());
        for (_, mut rows) in orgs.into_sorted() {
            rows.sort_by_key(|(ts, ..)| *ts);
            places.extend(rows.iter().map(|(_, place, _)| *place));
            ids.extend(rows.iter().map(|(.., hash)| *hash));
        }
        Ok(Order { batches, places, ids })
    }
}

impl Order {
    /// Splits the rows into the fewest ranges of at most `rows_max` rows, all of about the same
    /// size.
    pub fn parts(&self, rows_max: usize) -> Vec<Range<usize>> {
        let count = self.places.len().div_ceil(rows_max);
        let end = |part: usize| self.places.len() * part / count.max(1);
        (0..count).map(|part| end(part)..end(part + 1)).collect()
    }

    /// The rows of one part. CPU-bound, in proportion to the rows.
    ///
    /// # Errors
    /// Internal, for a defect.
    pub fn rows(&self, part: Range<usize>) -> Result<RecordBatch, ArchiveError> {
        gather_rows(&self.batches, self.places.get(part).unwrap_or_default())
    }
}

/// A new row of an organisation: the time that it is sorted by, its place, and its fingerprint.
type SortRow = (Micros, RowPlace, EventHash);

type OrgsAndTimes<'a> = (&'a StringArray, &'a TimestampMicrosecondArray);

fn value<'a>(columns: &[OrgsAndTimes<'a>], place: RowPlace) -> Option<(&'a str, Micros)> {
    let (orgs, times) = columns.get(place.batch as usize)?;
    let ts = *times.values().get(place.row as usize)?;
    Some((orgs.value(place.row as usize), ts))
}

fn defect() -> ArchiveError {
    ArchiveError::internal("sorting rows", "a row is in no batch")
}
