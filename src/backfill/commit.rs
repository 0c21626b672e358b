//! The commit of a load: spilled rows are read back, and the commit is retried while storage is
//! unreachable.

use std::sync::Arc;
use std::time::Duration;

use super::BackfillError;
use super::held::Load;
use super::spill::Spill;
use crate::admission::Admission;
use crate::archive::{Committed, JobMark};
use crate::clock::Micros;
use crate::error::Kind;
use crate::event::{EventBatch, Rejection};

/// Pauses between tries while storage is unreachable.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
];

/// The result of one commit.
pub(super) struct Done {
    pub(super) accepted: usize,
    pub(super) duplicates: usize,
    pub(super) rejected: Vec<Rejection>,
    pub(super) mark: Option<JobMark>,
}

/// The inputs of a commit besides its load.
#[derive(Clone)]
pub(super) struct JobCommitter {
    pub(super) admission: Arc<Admission>,
    pub(super) spill: Arc<Spill>,
    pub(super) now: Micros,
}

impl JobCommitter {
    /// Commits a load, and retries while storage is unreachable. Rows that are already committed
    /// are not added twice.
    pub(super) async fn commit(
        self,
        load: Load,
        mark: Option<JobMark>,
    ) -> Result<Done, BackfillError> {
        let Load { batches, extents, .. } = load;
        let spill = self.spill.clone();
        let restored = tokio::task::spawn_blocking(move || {
            let restored = extents.iter().map(|extent| spill.get(extent));
            restored.collect::<Result<Vec<_>, _>>()
        });
        let restored =
            restored.await.map_err(|_| BackfillError::Internal("gathering events"))??;
        // Within a date, the spilled rows came first.
        let batches: Vec<_> = restored.into_iter().flatten().chain(batches).collect();
        let mut pauses = PAUSES.into_iter();
        loop {
            let error = match self.submit(batches.clone(), mark.clone()).await {
                Ok(done) => {
                    let Committed { accepted, duplicates, rejected } = done;
                    return Ok(Done { accepted, duplicates, rejected, mark });
                }
                Err(error) => error,
            };
            match pauses.next().filter(|_| error.kind() == Kind::Unavailable) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(error),
            }
        }
    }

    async fn submit(
        &self,
        batches: Vec<EventBatch>,
        mark: Option<JobMark>,
    ) -> Result<Committed, BackfillError> {
        let mut admitted = self.admission.admit_claimed(batches, self.now).await?;
        let archive = self.admission.archive();
        let outcome = archive.submit_part(admitted.take_batches(), mark).await?;
        admitted.committed(&outcome);
        Ok(outcome)
    }
}
