//! What maintenance asks of an open archive: commits that change no sum, the vacuum, and the judge.

use std::sync::Arc;
use std::time::Duration;

use super::Archive;
use super::error::ArchiveError;
use super::file::data_file::DataFile;
use super::ledger_name::LedgerName;
use super::log::snapshot::Snapshot;
use super::upkeep::judge::Judge;
use super::upkeep::rewrite::Rewritten;
use super::upkeep::vacuum::StaleFiles;

impl Archive {
    /// Moves the events of live files of one date into one new file. If memory has no room for all,
    /// only the first files are moved. No event changes. `None` if another process has removed one
    /// of the files meanwhile.
    ///
    /// # Errors
    /// Corrupt, naming the file, if one is damaged; `NotMerged`; Unavailable.
    pub async fn rewrite(
        &self,
        files: &[Arc<DataFile>],
    ) -> Result<Option<Rewritten>, ArchiveError> {
        self.upkeep.rewrite(files).await
    }

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
        self.upkeep.expire(snapshot, ledger).await
    }

    /// Finds the data files and ledgers that no version has named for longer than `grace`.
    ///
    /// # Errors
    /// Unavailable or Corrupt.
    pub async fn stale_files(&self, grace: Duration) -> Result<StaleFiles, ArchiveError> {
        self.upkeep.stale_files(grace).await
    }

    /// Deletes stale files, after an empty commit (the fence). Returns how many.
    ///
    /// # Errors
    /// Unavailable or Corrupt; some may be deleted.
    pub async fn vacuum(&self, stale: StaleFiles) -> Result<usize, ArchiveError> {
        self.upkeep.vacuum(stale).await
    }

    /// The judge of files that other programs wrote.
    pub fn judge(&self) -> &Judge {
        &self.upkeep.judge
    }
}
