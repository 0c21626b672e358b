//! The result of decoding: rows that satisfy every rule, and a rejection for each other event.

use arrow::array::{AsArray as _, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::TimestampMicrosecondType;
use arrow::error::ArrowError;
use serde::Serialize;
use thiserror::Error;

use super::mended::Mended;
use crate::clock::Micros;
use crate::error::Kind;

/// Events that satisfy every rule of [`super::schema()`], in the order sent.
///
/// Only [`super::EventBatchBuilder`] makes one, so no caller has to check the rows again.
#[derive(Clone, Debug)]
pub struct EventBatch {
    record_batch: RecordBatch,
    indices: Vec<u32>,
}

impl EventBatch {
    pub(super) fn new(record_batch: RecordBatch, indices: Vec<u32>) -> Self {
        Self { record_batch, indices }
    }

    /// The rows, in the columns of [`super::schema()`].
    pub fn record_batch(&self) -> &RecordBatch {
        &self.record_batch
    }

    /// For each row, the index of its event in the request. The indices rise, unless batches were
    /// concatenated.
    pub fn indices(&self) -> &[u32] {
        &self.indices
    }

    /// The rows with these numbers, in this order.
    ///
    /// # Errors
    /// Internal, if there is no such row.
    pub fn take(&self, rows: &UInt32Array) -> Result<Self, EventError> {
        let places = rows.values().iter().filter_map(|row| usize::try_from(*row).ok());
        let indices = places.filter_map(|row| self.indices.get(row).copied()).collect();
        Ok(Self::new(take_record_batch(&self.record_batch, rows)?, indices))
    }

    /// Splits off the rows before `from`, each as a rejection with `reason`.
    ///
    /// # Errors
    /// Internal only.
    pub fn refuse_before(
        &self,
        from: Micros,
        reason: &str,
    ) -> Result<(Self, Vec<Rejection>), EventError> {
        let times = self.record_batch.column_by_name("ts");
        let times = times.and_then(|ts| ts.as_primitive_opt::<TimestampMicrosecondType>());
        let times = times.map_or(&[][..], |times| times.values());
        if times.iter().all(|ts| *ts >= from) {
            return Ok((self.clone(), Vec::new()));
        }
        let ids = self.record_batch.column_by_name("event_id");
        let ids = ids.and_then(|ids| ids.as_string_opt::<i32>());
        let (mut kept, mut refused) = (Vec::new(), Vec::new());
        for ((row, ts), index) in (0_u32..).zip(times).zip(&self.indices) {
            if *ts >= from {
                kept.push(row);
                continue;
            }
            let (at, row) = (usize::try_from(*index), usize::try_from(row));
            let event_id = ids.zip(row.ok()).map(|(ids, row)| ids.value(row).to_owned());
            let index = at.unwrap_or(usize::MAX);
            refused.push(Rejection { index, event_id, error: reason.to_owned() });
        }
        Ok((self.take(&UInt32Array::from(kept))?, refused))
    }

    /// The rows of all batches, in order.
    ///
    /// # Errors
    /// Internal, if there are more than one batch can hold.
    pub fn concat(batches: &[Self]) -> Result<Self, EventError> {
        let rows = concat_batches(&super::schema(), batches.iter().map(Self::record_batch))?;
        Ok(Self::new(rows, batches.iter().flat_map(|batch| &batch.indices).copied().collect()))
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }
}

/// A rejected event; its neighbours are not affected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rejection {
    /// The event's index in its request, from 0.
    pub index: usize,
    /// The event's id if it is text or a number, cut to 256 bytes.
    pub event_id: Option<String>,
    /// What is wrong, beginning with the column's name if one column is to blame.
    pub error: String,
}

/// All events of one request.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// The events that may be stored.
    pub batch: EventBatch,
    /// The rejections that are kept, by rising index.
    pub rejections: Vec<Rejection>,
    /// Number of further rejected events, which are only counted.
    pub rejected_more: usize,
    /// Entries of `attributes` dropped by its limits, in all events of the batch.
    pub attributes_dropped: u64,
    /// Other metadata that is not stored as sent.
    pub mended: Mended,
}

impl Decoded {
    /// Number of events seen, valid and rejected.
    pub fn events(&self) -> usize {
        self.batch.len() + self.rejected()
    }

    /// Memory that the rejections take.
    pub fn rejection_bytes(&self) -> usize {
        let bytes = |rejection: &Rejection| {
            let id = rejection.event_id.as_ref().map_or(0, String::len);
            size_of::<Rejection>() + id + rejection.error.len()
        };
        self.rejections.iter().map(bytes).sum()
    }

    /// Number of rejected events.
    pub fn rejected(&self) -> usize {
        self.rejections.len() + self.rejected_more
    }
}

/// A failure of this module itself, independent of the events.
#[derive(Debug, Error)]
pub enum EventError {
    /// The checked columns do not form a batch.
    #[error("cannot assemble a batch of events: {0}")]
    Batch(#[from] ArrowError),
}

impl EventError {
    /// Always internal: the caller can do nothing about a defect.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Batch(_) => Kind::Internal,
        }
    }
}
