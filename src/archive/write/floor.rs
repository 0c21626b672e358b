//! The floor date applied to new events.

use std::sync::Arc;

use chrono::{NaiveDate, NaiveTime};

use super::group::Group;
use crate::archive::error::ArchiveError;
use crate::archive::log::snapshot::Snapshot;
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

/// The events that may be committed under a floor date.
pub(super) struct AboveFloor {
    /// The floor date.
    pub floor: Option<NaiveDate>,
    /// Those from the floor on.
    pub group: Group,
    /// The events that the floor rejects, by batch.
    pub rejected: Vec<Vec<Rejection>>,
}

/// Gathers the events that the floor of `snapshot` admits.
///
/// # Errors
/// As [`Group::gather`].
pub(super) async fn gather(
    batches: Arc<Vec<EventBatch>>,
    snapshot: &Snapshot,
) -> Result<AboveFloor, ArchiveError> {
    let (floor, hasher) = (snapshot.floor(), snapshot.table().hasher);
    let gathered = tokio::task::spawn_blocking(move || {
        let Some(floor) = floor else { return Ok((Group::gather(&batches, hasher)?, Vec::new())) };
        let split = batches.iter().map(|batch| refuse_before_floor(batch, floor));
        let split: Vec<_> = split.collect::<Result<_, ArchiveError>>()?;
        let (above, rejected): (Vec<_>, Vec<_>) = split.into_iter().unzip();
        Ok((Group::gather(&above, hasher)?, rejected))
    });
    let gathered = gathered.await.map_err(|error| ArchiveError::internal("gathering", error))?;
    gathered.map(|(group, rejected)| AboveFloor { floor, group, rejected })
}
