//! What comes out of decoding: rows that hold every rule, and the events that do not.

use arrow::array::{AsArray as _, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::TimestampMicrosecondType;
use arrow::error::ArrowError;
use serde::Serialize;
use thiserror::Error;

use super::mended::Mended;
use crate::clock::Micros;
use crate::error::Kind;

/// Events that hold every rule of [`super::schema()`], in the order sent.
///
/// Only [`super::EventBatchBuilder`] makes one, so whoever has one need not check again.
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

    /// For each row, the index that its event has in the request: rising, unless batches were put
    /// together.
    pub fn indices(&self) -> &[u32] {
        &self.indices
    }

    /// The rows at these places, in this order.
    ///
    /// # Errors
    /// Internal, for a place where no row is.
    pub fn take(&self, rows: &UInt32Array) -> Result<Self, EventError> {
        let places = rows.values().iter().filter_map(|row| usize::try_from(*row).ok());
        let indices = places.filter_map(|row| self.indices.get(row).copied()).collect();
        Ok(Self::new(take_record_batch(&self.record_batch, rows)?, indices))
    }

    /// The rows from an instant on, and a rejection, for this reason, of each before it.
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

    /// The rows of all batches, one after the other.
    ///
    /// # Errors
    /// Internal, if they are more than one batch can hold.
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

/// An event that was refused; its neighbours are not affected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rejection {
    /// The event's index in its request, from 0.
    pub index: usize,
    /// The event's id where it has one that is text or a number, cut to 256 bytes.
    pub event_id: Option<String>,
    /// What is wrong, beginning with the column's name where one is to blame.
    pub error: String,
}

/// All events of one request.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// The events that may be stored.
    pub batch: EventBatch,
    /// The others, by rising index, as far as they are kept.
    pub rejections: Vec<Rejection>,
    /// How many others there were beyond those.
    pub rejected_more: usize,
    /// Entries of `attributes` that were over its limits, in all events of the batch.
    pub attributes_dropped: u64,
    /// What else of the metadata of these events is not stored as it was sent.
    pub mended: Mended,
}

impl Decoded {
    /// Number of events seen, good and bad.
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

    /// Number of events refused.
    pub fn rejected(&self) -> usize {
        self.rejections.len() + self.rejected_more
    }
}

/// A failure of this module itself, whatever the events.
#[derive(Debug, Error)]
pub enum EventError {
    /// The checked columns do not make up a batch.
    #[error("cannot assemble a batch of events: {0}")]
    Batch(#[from] ArrowError),
}

impl EventError {
    /// What the caller can do: nothing, this is a defect.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Batch(_) => Kind::Internal,
        }
    }
}
