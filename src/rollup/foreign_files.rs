//! Data files that other programs wrote: judged before they are counted, and their checksums noted
//! as soon as they come.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::Rollup;
use crate::archive::Snapshot;
use crate::event::OrgId;
use crate::sql::SqlError;

/// Between two looks for new files.
const PAUSE: Duration = Duration::from_secs(1);
/// After one at which a file could not be read.
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(60);

impl Rollup {
    /// Makes sure that the foreign live files that may hold an organisation's rows may be counted.
    ///
    /// # Errors
    /// Corrupt, with the rule that a file breaks, or Unavailable.
    pub async fn check_foreign(&self, snapshot: &Snapshot, org_id: &OrgId) -> Result<(), SqlError> {
        let org_id = org_id.as_str();
        let files = snapshot.files().filter(|file| file.may_hold_org(org_id));
        Ok(self.sources.engine.judge().check_all(snapshot, files, Some(org_id)).await?)
    }

    /// Notes the checksums of foreign files for as long as new versions come.
    pub async fn keep_foreign_noted(&self, mut versions: watch::Receiver<Arc<Snapshot>>) {
        let mut noted = HashSet::new();
        loop {
            let snapshot = versions.borrow_and_update().clone();
            match self.sources.engine.judge().note_all(&snapshot, &mut noted).await {
                Ok(()) => tokio::time::sleep(PAUSE).await,
                Err(error) => {
                    // Whoever counts the file gets the same error.
                    tracing::debug!(%error, "the checksums of a foreign file are not noted");
                    tokio::time::sleep(PAUSE_AFTER_ERROR).await;
                    continue;
                }
            }
            if versions.changed().await.is_err() {
                return;
            }
        }
    }
}
