//! The editions of budgets in the bucket: which of them is the newest.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};
use parking_lot::Mutex;

use super::name::BudgetName;
use super::stored::BudgetRecord;
use crate::archive::{ArchiveError, BUDGETS, RecordMark, Records, Stored, budget_of, budgets_of};
use crate::error::Kind;
use crate::event::OrgId;

/// Budgets of an organisation.
pub const BUDGETS_MAX: usize = 100;
/// Records that are read at a time.
const READS: usize = 16;
/// Listings while editions that they find are deleted.
const LISTINGS: usize = 5;

/// Budgets as they are in force: the newest edition of each, by organisation and name.
pub type Editions = BTreeMap<(Arc<str>, BudgetName), Arc<BudgetRecord>>;

/// Reads and changes budgets. Editions that were read once are kept, for they never change.
#[derive(Debug)]
pub struct BudgetStore {
    pub(super) records: Records,
    read: Mutex<HashMap<String, Arc<BudgetRecord>>>,
    /// The paths of damaged editions that were logged.
    logged: Mutex<HashSet<String>>,
}

/// The newest edition of a budget, as a listing found it.
#[derive(Debug)]
struct FoundBudget {
    path: String,
    edition: u64,
    /// What it says; or that it is damaged.
    read: Result<Arc<BudgetRecord>, ArchiveError>,
}

/// The newest edition of a budget of an organisation.
#[derive(Debug)]
pub(super) struct Newest {
    /// The edition; without a budget if there is none, or if nobody can read it.
    pub(super) record: BudgetRecord,
    /// Why nobody can.
    pub(super) damage: Option<ArchiveError>,
}

impl BudgetStore {
    /// The budgets of an archive.
    pub fn new(records: Records) -> Self {
        let (read, logged) = Default::default();
        Self { records, read, logged }
    }

    /// The records that they are among.
    pub fn records(&self) -> &Records {
        &self.records
    }

    /// Every budget of every organisation. One whose newest edition is damaged is left out, and
    /// logged once. Takes one request per thousand editions, and one for each that is new.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn all(&self) -> Result<Editions, ArchiveError> {
        Ok(self.all_and_damaged().await?.0)
    }

    /// Every budget of every organisation, and why others cannot be read.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn all_and_damaged(&self) -> Result<(Editions, Vec<ArchiveError>), ArchiveError> {
        let (mut known, mut damaged) = (Vec::new(), Vec::new());
        for found in self.listed(BUDGETS).await? {
            match found.read {
                Ok(record) => known.push(record),
                Err(error) => damaged.push(error),
            }
        }
        Ok((in_force(known.into_iter()), damaged))
    }

    /// The budgets of an organisation.
    ///
    /// # Errors
    /// Unavailable; Corrupt, naming the edition, if that of a budget is damaged.
    pub async fn of_org(&self, org_id: &OrgId) -> Result<Editions, ArchiveError> {
        let mut known = Vec::new();
        for found in self.listed(budgets_of(&org_id.lowercase()).as_ref()).await? {
            match found.read {
                // A folder is of all spellings of a name; one of them has it.
                Ok(record) if record.org_id == org_id.as_str() => known.push(record),
                Ok(_) => {}
                Err(error) if self.is_claimed(org_id.as_str()).await? => return Err(error),
                Err(_) => {}
            }
        }
        Ok(in_force(known.into_iter()))
    }

    /// How many budgets an organisation has, with those that nobody can read.
    ///
    /// # Errors
    /// Unavailable.
    pub(super) async fn count(&self, org_id: &OrgId) -> Result<usize, ArchiveError> {
        let found = self.listed(budgets_of(&org_id.lowercase()).as_ref()).await?;
        let counts = |found: &&FoundBudget| match &found.read {
            Ok(record) => record.budget.is_some(),
            Err(_) => true,
        };
        Ok(found.iter().filter(counts).count())
    }

    /// The newest edition of a budget; one without a budget if there is none.
    ///
    /// # Errors
    /// Unavailable or Corrupt.
    pub async fn newest(&self, org: &str, name: &BudgetName) -> Result<BudgetRecord, ArchiveError> {
        let Newest { record, damage } = self.newest_edition(org, name).await?;
        damage.map_or(Ok(record), Err)
    }

    /// The newest edition of a budget, also if it is damaged. One of another spelling of the
    /// organisation's name has no budget of this one.
    ///
    /// # Errors
    /// Unavailable; NewerRecord, for what only a newer program knows is no damage, and must not be
    /// replaced.
    pub(super) async fn newest_edition(
        &self,
        org: &str,
        name: &BudgetName,
    ) -> Result<Newest, ArchiveError> {
        let none = BudgetRecord::none(org, name);
        let folder = folder_of(org, name);
        let Some(found) = self.listed(&folder).await?.pop() else {
            return Ok(Newest { record: none, damage: None });
        };
        let none = BudgetRecord { edition: found.edition, ..none };
        Ok(match found.read {
            Ok(record) if record.org_id == org => {
                Newest { record: (*record).clone(), damage: None }
            }
            Ok(_) => Newest { record: none, damage: None },
            Err(error) => match self.is_claimed(org).await?.then_some(error) {
                Some(newer @ ArchiveError::NewerRecord { .. }) => return Err(newer),
                damage => Newest { record: none, damage },
            },
        })
    }

    /// Whether an organisation's name is spelt so.
    async fn is_claimed(&self, org: &str) -> Result<bool, ArchiveError> {
        let claimed = self.records.spelling(&org.to_ascii_lowercase()).await?;
        Ok(claimed.as_deref() == Some(org))
    }

    /// The newest edition of each budget in a folder.
    async fn listed(&self, folder: &str) -> Result<Vec<FoundBudget>, ArchiveError> {
        for _ in 0..LISTINGS {
            let newest = newest_of(self.records.list(folder).await?);
            let reads = newest.into_iter().map(|(edition, mark)| self.find(edition, mark));
            let found = futures::stream::iter(reads).buffered(READS);
            let found: Vec<Option<FoundBudget>> = found.try_collect().await?;
            // One that is there no longer has a newer one.
            let Some(found) = found.into_iter().collect::<Option<Vec<_>>>() else { continue };
            let paths: HashSet<&str> = found.iter().map(|found| found.path.as_str()).collect();
            let within = format!("{folder}/");
            let stays = |path: &str| !path.starts_with(&within) || paths.contains(path);
            self.read.lock().retain(|path, _| stays(path));
            self.logged.lock().retain(|path| stays(path));
            return Ok(found);
        }
        let changing = std::io::Error::other("budgets are being changed at the same time");
        Err(ArchiveError::unavailable(format!("listing {folder}"), changing))
    }

    async fn find(
        &self,
        edition: u64,
        mark: RecordMark,
    ) -> Result<Option<FoundBudget>, ArchiveError> {
        let path = mark.path.to_string();
        let read = match self.read(&mark).await {
            Ok(None) => return Ok(None),
            Ok(Some(record)) => Ok(record),
            Err(error) if error.kind() == Kind::Corrupt => {
                if self.logged.lock().insert(path.clone()) {
                    tracing::warn!(%error, "a budget cannot be read, and fires nothing here");
                }
                Err(error)
            }
            Err(error) => return Err(error),
        };
        Ok(Some(FoundBudget { path, edition, read }))
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

/// The newest edition of each budget among what a listing found.
fn newest_of(found: Vec<RecordMark>) -> Vec<(u64, RecordMark)> {
    let mut newest: BTreeMap<(String, String), (u64, RecordMark)> = BTreeMap::new();
    for mark in found {
        let Some((org, name, edition)) = budget_of(&mark.path) else { continue };
        let key = (org.to_owned(), name.to_owned());
        if newest.get(&key).is_none_or(|(known, _)| *known < edition) {
            newest.insert(key, (edition, mark));
        }
    }
    newest.into_values().collect()
}

/// The folder of the editions of a budget.
pub(super) fn folder_of(org: &str, name: &BudgetName) -> String {
    budgets_of(&org.to_ascii_lowercase()).join(format!("budget={name}")).to_string()
}

/// Those that are not removed.
fn in_force(records: impl Iterator<Item = Arc<BudgetRecord>>) -> Editions {
    let in_force = records.filter(|record| record.budget.is_some());
    in_force.map(|record| ((record.org_id.as_str().into(), record.name.clone()), record)).collect()
}
