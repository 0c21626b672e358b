//! The rows of one date in a commit: where they stand, which of them are new, and in which order a
//! file has them.

use std::collections::HashMap;

use arrow::array::{RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::compute::interleave_record_batch;

use super::ArchiveError;
use super::file_write::{text, times};
use super::ids::{EventHash, IdSet, QuickHash};
use crate::clock::Micros;

/// A row of one of several batches.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// The batch.
    pub batch: u32,
    /// The row in it.
    pub row: u32,
}

/// The rows of one date, in the order in which they came.
#[derive(Debug, Default, Clone)]
pub struct DateRows {
    places: Vec<Place>,
    hashes: Vec<EventHash>,
    duplicate: Vec<bool>,
}

/// New rows as a file has them.
#[derive(Debug)]
pub struct SortedRows {
    /// Sorted by `org_id` and `ts`.
    pub rows: RecordBatch,
    /// Their fingerprints.
    pub ids: Vec<EventHash>,
}

impl DateRows {
    /// Adds a row.
    pub fn push(&mut self, place: Place, hash: EventHash, duplicate: bool) {
        self.places.push(place);
        self.hashes.push(hash);
        self.duplicate.push(duplicate);
    }

    /// Rows, new ones and duplicates.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// New rows and duplicates, batch by batch; a batch may come more than once.
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

    /// The rows that are new as far as is known.
    pub fn new_rows(&self) -> impl Iterator<Item = (Place, EventHash)> {
        let rows = self.places.iter().zip(&self.hashes).zip(&self.duplicate);
        rows.filter(|(_, duplicate)| !**duplicate).map(|((place, hash), _)| (*place, *hash))
    }

    /// Marks the new rows that `known` has; true if there is one.
    pub fn mark(&mut self, known: &IdSet) -> bool {
        let mut any = false;
        for (hash, duplicate) in self.hashes.iter().zip(&mut self.duplicate) {
            if !*duplicate && known.contains(hash) {
                (*duplicate, any) = (true, true);
            }
        }
        any
    }

    /// The new rows, sorted; `None` if there are none.
    ///
    /// # Errors
    /// Internal, if these are not the batches that the rows stand in.
    pub fn sorted(&self, batches: &[RecordBatch]) -> Result<Option<SortedRows>, ArchiveError> {
        let order = self.order(batches)?;
        if order.is_empty() {
            return Ok(None);
        }
        // Only batches that have such a row, under numbers of their own.
        let (mut used, mut numbers) = (Vec::new(), vec![None; batches.len()]);
        let mut places = Vec::with_capacity(order.len());
        for (place, _) in &order {
            let number = numbers.get_mut(place.batch as usize).ok_or_else(defect)?;
            if number.is_none() {
                *number = Some(used.len());
                used.push(batches.get(place.batch as usize).ok_or_else(defect)?);
            }
            places.push((number.unwrap_or_default(), place.row as usize));
        }
        let rows = interleave_record_batch(&used, &places)
            .map_err(|error| ArchiveError::internal("sorting rows", error))?;
        Ok(Some(SortedRows { rows, ids: order.into_iter().map(|(_, hash)| hash).collect() }))
    }

    /// The new rows by organisation, and by time in each; equal ones as they came.
    fn order(&self, batches: &[RecordBatch]) -> Result<Vec<(Place, EventHash)>, ArchiveError> {
        let columns = batches.iter().map(|batch| Ok((text(batch, "org_id")?, times(batch)?)));
        let columns = columns.collect::<Result<Vec<_>, ArchiveError>>()?;
        let mut orgs: HashMap<&str, Vec<(Micros, Place, EventHash)>, QuickHash> =
            HashMap::default();
        for (place, hash) in self.new_rows() {
            let (org, ts) = value(&columns, place).ok_or_else(defect)?;
            orgs.entry(org).or_default().push((ts, place, hash));
        }
        let mut orgs: Vec<_> = orgs.into_iter().collect();
        orgs.sort_unstable_by_key(|(org, _)| *org);
        let mut order = Vec::with_capacity(self.places.len());
        for (_, mut rows) in orgs {
            rows.sort_by_key(|(ts, ..)| *ts);
            order.extend(rows.into_iter().map(|(_, place, hash)| (place, hash)));
        }
        Ok(order)
    }
}

type Columns<'a> = (&'a StringArray, &'a TimestampMicrosecondArray);

fn value<'a>(columns: &[Columns<'a>], place: Place) -> Option<(&'a str, Micros)> {
    let (orgs, times) = columns.get(place.batch as usize)?;
    let ts = *times.values().get(place.row as usize)?;
    Some((orgs.value(place.row as usize), ts))
}

fn defect() -> ArchiveError {
    ArchiveError::internal("sorting rows", "a row stands in no batch")
}
