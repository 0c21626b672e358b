//! The floor date applied to new events.

use chrono::{NaiveDate, NaiveTime};

use crate::archive::error::ArchiveError;
use crate::event::{EventBatch, Rejection};

/// The events of a batch from the floor on, and a rejection of each earlier one.
///
/// # Errors
/// Internal only.
pub fn refuse_before_floor(
    batch: &EventBatch,
    floor: NaiveDate,
) -> Result<(EventBatch, Vec<Rejection>), ArchiveError> {
    let reason =
        format!("ts: before the floor {floor}; older events have expired and are no longer taken");
    let start = floor.and_time(NaiveTime::MIN).and_utc().timestamp_micros();
    let kept = batch.refuse_before(start, &reason);
    kept.map_err(|error| ArchiveError::internal("separating expired events", error))
}
