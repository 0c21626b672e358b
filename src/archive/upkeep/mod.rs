//! Maintenance of a table: expiry, rewrites, repairs, the vacuum, and the judge of foreign files.

mod actions;
pub(super) mod declaration;
pub(super) mod expiry;
pub(super) mod judge;
mod new_rows;
pub(super) mod old_ledgers;
pub(super) mod repair;
pub(super) mod repair_plan;
pub(super) mod rewrite;
pub(super) mod thinned;
pub(super) mod vacuum;

use std::sync::Arc;

use async_trait::async_trait;
use object_store::ObjectStore;

use self::judge::Judge;
use crate::archive::error::ArchiveError;
use crate::archive::file::data_file::DataFile;
use crate::archive::file::partial_maker::PartialMaker;
use crate::archive::log::entry::NewEntry;
use crate::archive::log::snapshot::Snapshot;
use crate::archive::versions::commits::{Commits, FOLLOW_BEFORE_PUT};
use crate::archive::write::foreign_check::ForeignCheck;

/// The state that maintenance shares.
#[derive(Debug)]
pub(in crate::archive) struct Upkeep {
    pub store: Arc<dyn ObjectStore>,
    pub commits: Arc<Commits>,
    pub partials: Option<Arc<dyn PartialMaker>>,
    /// Who judges what is made ours, and claims its organisations.
    pub judge: Arc<Judge>,
}

impl Upkeep {
    /// Commits the entry that `plan` makes for the newest version; after a lost race, the one that
    /// it makes for the version after that. Returns the version that was made, or `None` if `plan`
    /// returns none.
    ///
    /// # Errors
    /// As [`Commits::put`]: the put may be in doubt.
    pub async fn commit(
        &self,
        mut plan: impl FnMut(&Snapshot) -> Result<Option<NewEntry>, ArchiveError>,
    ) -> Result<Option<Arc<Snapshot>>, ArchiveError> {
        let Commits { follower, log, .. } = &*self.commits;
        let _turn = self.commits.turn.lock().await;
        let mut snapshot = match follower.age() > FOLLOW_BEFORE_PUT {
            true => follower.newest().await?,
            false => follower.current(),
        };
        loop {
            let Some(entry) = plan(&snapshot)? else { return Ok(None) };
            let version = snapshot.version() + 1;
            if let Some(entry) = self.commits.put(version, &entry).await? {
                // The follower may be past it already; this is the version itself.
                return log.apply(&snapshot, &entry).map(|made| Some(Arc::new(made)));
            }
            snapshot = follower.newest().await?;
        }
    }
}

/// A repair takes all of a file out, whoever's events break a rule. So it is judged for all.
#[async_trait]
impl ForeignCheck for Judge {
    async fn check_foreign(
        &self,
        snapshot: &Snapshot,
        file: &Arc<DataFile>,
    ) -> Result<(), ArchiveError> {
        self.check(snapshot, file, None).await
    }

    async fn check_foreign_rows(
        &self,
        snapshot: &Snapshot,
        file: &Arc<DataFile>,
    ) -> Result<(), ArchiveError> {
        self.check_rules(snapshot, file).await
    }
}
