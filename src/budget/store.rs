//! The editions of budgets in the bucket.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};
use parking_lot::Mutex;

use super::error::BudgetError;
use super::name::BudgetName;
use super::stored::BudgetRecord;
use crate::archive::{
    ArchiveError, BUDGETS, RecordMark, Records, Stored, budget_edition, budget_of, budgets_of,
};
use crate::error::Kind;
use crate::event::OrgId;

/// Budgets of an organisation.
pub const BUDGETS_MAX: usize = 100;
/// Attempts to put an edition while others put theirs.
const CHANGE_TRIES: usize = 20;
/// Records that are read at a time.
const READS: usize = 16;

/// Budgets as they are in force: the newest edition of each, by organisation and name.
pub type Editions = BTreeMap<(Arc<str>, BudgetName), Arc<BudgetRecord>>;

/// Reads and changes budgets. Editions that were read once are kept, for they never change.
#[derive(Debug)]
pub struct BudgetStore {
    records: Records,
    read: Mutex<HashMap<String, Arc<BudgetRecord>>>,
}

impl BudgetStore {
    /// The budgets of an archive.
    pub fn new(records: Records) -> Self {
        Self { records, read: Mutex::default() }
    }

    /// The records that they are among.
    pub fn records(&self) -> &Records {
        &self.records
    }

    /// Every budget of every organisation. One whose newest edition is damaged is left out, and
    /// logged. Takes one request per thousand editions, and one for each that is new.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn all(&self) -> Result<Editions, ArchiveError> {
        let found = self.records.list(BUDGETS).await?;
        let editions = self.newest_of(found).await?;
        let mut read = self.read.lock();
        read.retain(|_, known| {
            let key = (known.org_id.as_str().into(), known.name.clone());
            editions.get(&key).is_some_and(|newest| newest.edition == known.edition)
        });
        drop(read);
        Ok(in_force(editions))
    }

    /// The budgets of an organisation.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn of_org(&self, org_id: &OrgId) -> Result<Editions, ArchiveError> {
        let found = self.records.list(budgets_of(&org_id.lowercase()).as_ref()).await?;
        Ok(in_force(self.newest_of(found).await?))
    }

    /// The newest edition of a budget; one without a budget if there is none.
    ///
    /// # Errors
    /// Unavailable or Corrupt.
    pub async fn newest(&self, org: &str, name: &BudgetName) -> Result<BudgetRecord, ArchiveError> {
        let folder = budgets_of(&org.to_ascii_lowercase()).join(format!("budget={name}"));
        let found = self.records.list(folder.as_ref()).await?;
        let newest = found
            .iter()
            .filter_map(|found| Some((budget_of(&found.path)?.2, found)))
            .max_by_key(|(edition, _)| *edition);
        match newest {
            None => Ok(BudgetRecord::none(org, name)),
            Some((_, found)) => {
                let read = self.read(found).await?;
                Ok(read.map_or_else(|| BudgetRecord::none(org, name), |read| (*read).clone()))
            }
        }
    }

    /// Puts the edition that `change` makes of the newest one, unless it makes none.
    ///
    /// # Errors
    /// That of `change`; [`BudgetError::Contended`]; Unavailable or Corrupt.
    pub async fn change(
        &self,
        org: &str,
        name: &BudgetName,
        change: impl Fn(&BudgetRecord) -> Result<Option<BudgetRecord>, BudgetError>,
    ) -> Result<Option<BudgetRecord>, BudgetError> {
        for _ in 0..CHANGE_TRIES {
            let newest = self.newest(org, name).await?;
            let Some(next) = change(&newest)? else { return Ok(None) };
            let path = budget_edition(&org.to_ascii_lowercase(), name.as_str(), next.edition);
            if self.records.put_new(&path, &next).await? {
                return Ok(Some(next));
            }
        }
        Err(BudgetError::Contended(name.to_string()))
    }

    /// The newest editions among what a listing found.
    async fn newest_of(&self, found: Vec<RecordMark>) -> Result<Editions, ArchiveError> {
        let mut newest: BTreeMap<(String, String), (u64, RecordMark)> = BTreeMap::new();
        for mark in found {
            let Some((org, name, edition)) = budget_of(&mark.path) else { continue };
            let key = (org.to_owned(), name.to_owned());
            if newest.get(&key).is_none_or(|(known, _)| *known < edition) {
                newest.insert(key, (edition, mark));
            }
        }
        let reads = newest.into_values().map(|(_, mark)| async move {
            match self.read(&mark).await {
                Err(error) if error.kind() == Kind::Corrupt => {
                    tracing::warn!(%error, "a budget cannot be read; it fires nothing until it is set again");
                    Ok(None)
                }
                read => read,
            }
        });
        let read = futures::stream::iter(reads).buffer_unordered(READS);
        let editions = read.try_filter_map(async |record| Ok(record));
        let keyed = editions
            .map_ok(|record| ((record.org_id.as_str().into(), record.name.clone()), record));
        keyed.try_collect().await
    }

    async fn read(&self, mark: &RecordMark) -> Result<Option<Arc<BudgetRecord>>, ArchiveError> {
        let path = mark.path.to_string();
        if let Some(known) = self.read.lock().get(&path) {
            return Ok(Some(known.clone()));
        }
        let Some(Stored { record, .. }) = self.records.get::<BudgetRecord>(&mark.path).await?
        else {
            return Ok(None);
        };
        let record = Arc::new(record);
        self.read.lock().insert(path, record.clone());
        Ok(Some(record))
    }
}

/// Those that are not removed.
fn in_force(mut editions: Editions) -> Editions {
    editions.retain(|_, record| record.budget.is_some());
    editions
}
