//! The ledgers that a vacuum keeps: the one that the table names, and those that it named within
//! the grace. All others that are old enough may go.

use std::collections::HashSet;
use std::time::Duration;

use futures::TryStreamExt as _;
use object_store::ObjectMeta;
use object_store::path::Path;

use super::Upkeep;
use super::vacuum::is_older;
use crate::archive::error::ArchiveError;
use crate::archive::grace::UNCOMMITTED_MAX;
use crate::archive::log::snapshot::Snapshot;
use crate::archive::paths;
use crate::archive::sums::ledger::Ledgers;
use crate::clock::Micros;
use crate::error::Kind;

impl Upkeep {
    /// All objects of ledgers.
    pub(in crate::archive) async fn ledger_objects(&self) -> Result<Vec<ObjectMeta>, ArchiveError> {
        let found = self.store.list(Some(&Path::from(paths::LEDGERS)));
        let found = found
            .try_filter(|object| std::future::ready(paths::ledger_of(&object.location).is_some()));
        let failed = |error| ArchiveError::unavailable("listing ledgers", error);
        found.try_collect().await.map_err(failed)
    }

    /// Removes from `files` the objects of ledgers that `snapshot` names, or that a version within
    /// the grace before `at` named: readers of such a version may still need them.
    pub(in crate::archive) async fn retain_unnamed_ledgers(
        &self,
        files: &mut Vec<ObjectMeta>,
        ledgers: &[ObjectMeta],
        snapshot: &Snapshot,
        at: Micros,
        grace: Duration,
    ) -> Result<(), ArchiveError> {
        if !files.iter().any(|file| paths::ledger_of(&file.location).is_some()) {
            return Ok(());
        }
        let named = self.named_lately(ledgers, snapshot, at, grace).await?;
        files.retain(|file| {
            let Some(ledger) = paths::ledger_of(&file.location) else { return true };
            named.as_ref().is_some_and(|named| !named.contains(ledger))
        });
        Ok(())
    }

    /// Such ledgers, as their paths name them; `None` if they cannot be determined.
    async fn named_lately(
        &self,
        ledgers: &[ObjectMeta],
        snapshot: &Snapshot,
        at: Micros,
        grace: Duration,
    ) -> Result<Option<HashSet<String>>, ArchiveError> {
        let reader = Ledgers::new(self.store.clone());
        let mut named = HashSet::new();
        let mut next = snapshot.ledger();
        while let Some(name) = next {
            let mark = paths::ledger_mark(name);
            let found = ledgers.iter().find(|object| object.location == mark);
            named.extend(paths::ledger_of(&mark).map(str::to_owned));
            // Its predecessor was current until this one was committed, soon after it was stored.
            if found.is_some_and(|mark| is_older(mark, at, grace.saturating_add(UNCOMMITTED_MAX))) {
                break;
            }
            next = match reader.before(name, &snapshot.table().id).await {
                Ok(Some(before)) => before,
                Ok(None) => return Ok(None),
                Err(error) if error.kind() == Kind::Corrupt => return Ok(None),
                Err(error) => return Err(error),
            };
        }
        Ok(Some(named))
    }
}
