//! The commit that takes expired files out of the table.

use std::collections::HashMap;
use std::sync::Arc;

use deltalake_core::kernel::{Action, Remove};

use super::Upkeep;
use super::actions::{name_ledger, remove};
use crate::archive::error::ArchiveError;
use crate::archive::file::data_file::DataFile;
use crate::archive::ledger_name::LedgerName;
use crate::archive::log::snapshot::Snapshot;
use crate::archive::paths;
use crate::clock::Micros;

impl Upkeep {
    /// Takes all live files before the floor of `ledger` out of the table. The commit makes the
    /// version after `snapshot` and names the ledger, which must contain the totals of these files.
    /// `None` if another commit came first: the expiry must then be planned anew.
    ///
    /// # Errors
    /// Unavailable, in which case the commit may exist or still appear; or Corrupt.
    pub async fn expire(
        &self,
        snapshot: &Snapshot,
        ledger: LedgerName,
    ) -> Result<Option<Arc<Snapshot>>, ArchiveError> {
        let now = self.commits.clock.now();
        let pointer = name_ledger(ledger, "expiring events", now)?;
        let removes = snapshot.files_before(ledger.floor()).map(|file| remove_action(file, now));
        let actions = std::iter::once(pointer).chain(removes).collect();
        let entry = self.commits.entry_after(snapshot, "DELETE", actions)?;
        let put = self.commits.put(snapshot.version() + 1, &entry).await?;
        Ok(put.map(|_| self.commits.follower.current()))
    }
}

fn remove_action(file: &DataFile, now: Micros) -> Action {
    Action::Remove(Remove {
        extended_file_metadata: Some(true),
        partition_values: Some(HashMap::from([(
            paths::PARTITION.to_owned(),
            Some(file.date.to_string()),
        )])),
        size: i64::try_from(file.size_bytes).ok(),
        ..remove(&file.path, true, now)
    })
}
