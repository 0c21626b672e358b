//! The commit that takes expired files out of the table, and what the floor date asks of events.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{NaiveDate, NaiveTime};
use deltalake_core::kernel::{Action, Remove, Transaction};

use super::ledger::{LEDGER_APP, LedgerName};
use super::snapshot::Snapshot;
use super::{Archive, ArchiveError, DataFile, paths};
use crate::clock::Micros;
use crate::event::{EventBatch, Rejection};

impl Archive {
    /// Takes all live files before the floor of `ledger` out of the table, in the next version after
    /// `snapshot`, which names that ledger; their totals must be in it. `None` if another's commit
    /// came first: what is to go must be planned anew.
    ///
    /// # Errors
    /// Unavailable, and then the commit may stand or come to stand; or Corrupt.
    pub async fn expire(
        &self,
        snapshot: &Snapshot,
        ledger: LedgerName,
    ) -> Result<Option<Arc<Snapshot>>, ArchiveError> {
        let now = self.commits.clock.now();
        let number = ledger.number().ok_or_else(|| {
            ArchiveError::internal("expiring events", "the floor date is before 1970")
        })?;
        let pointer = Action::Txn(Transaction {
            app_id: LEDGER_APP.to_owned(),
            version: number,
            last_updated: Some(now / 1_000),
        });
        let removes = snapshot.files_before(ledger.floor()).map(|file| remove_action(file, now));
        let actions = std::iter::once(pointer).chain(removes).collect();
        let entry = self.commits.entry_after(snapshot, "DELETE", actions)?;
        let put = self.commits.put(snapshot.version() + 1, &entry).await?;
        Ok(put.map(|_| self.commits.follower.current()))
    }
}

fn remove_action(file: &DataFile, now: Micros) -> Action {
    Action::Remove(Remove {
        path: file.path.to_string(),
        data_change: true,
        deletion_timestamp: Some(now / 1_000),
        extended_file_metadata: Some(true),
        partition_values: Some(HashMap::from([(
            paths::PARTITION.to_owned(),
            Some(file.date.to_string()),
        )])),
        size: i64::try_from(file.size_bytes).ok(),
        ..Remove::default()
    })
}

/// The events of a batch that are dated from the floor on, and a rejection of each that is not.
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
    kept.map_err(|error| ArchiveError::internal("telling expired events", error))
}
