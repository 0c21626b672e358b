//! Repairs: one commit that replaces all commits after the last version that can be vouched for.
//!
//! A follower stops before the first commit that it refuses. It looks ahead for a repair that names
//! the version where it stopped, and then moves past the repair in one step. What the commits
//! between did is neither counted nor taken away.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use arrow::array::RecordBatch;
use deltalake_core::kernel::{Action, Add};
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt as _};

use super::actions::{name_ledger, remove};
use super::repair_plan::RepairPlan;
use super::thinned::ThinnedFile;
use crate::archive::chain::EntryLink;
use crate::archive::error::ArchiveError;
use crate::archive::file::data_file::DataFile;
use crate::archive::file::file_read::IdReader;
use crate::archive::file::ids::EventHash;
use crate::archive::file::partial_maker::PartialMaker;
use crate::archive::ledger_name::LedgerName;
use crate::archive::log::checkpoint::{LogRetention, described};
use crate::archive::log::entry::{self, Entry, Heading, NewEntry};
use crate::archive::log::head_note::HeadNote;
use crate::archive::log::snapshot::Snapshot;
use crate::archive::log::table::FORMAT;
use crate::archive::log::vouched::Vouched;
use crate::archive::log::{Log, Put};
use crate::archive::paths;
use crate::archive::sums::ledger::Ledgers;
use crate::archive::versions::opening::OpenedTable;
use crate::clock::Clock;

/// Objects that are looked for side by side.
const LOOKS: usize = 16;
/// How many times a table is opened to find what needs repair, while others repair it.
const FINDS: usize = 4;

/// What one commit after the last good version did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignCommit {
    /// The version that it made.
    pub version: u64,
    /// Its operation and program, in its own words.
    pub by: String,
    /// Files that it added, and the events in them, if it gives every count.
    pub added: (usize, Option<u64>),
    /// Files that it removed.
    pub removed: usize,
    /// True if it only adds events, so that a repair keeps it.
    pub only_appends: bool,
}

/// A table at its last good version, and as it is now.
#[derive(Debug)]
pub struct Broken {
    good: Snapshot,
    /// Why the commits after it are refused; `None` if none is.
    refused: Option<ArchiveError>,
    /// True if that is because the newest entries do not exist.
    is_cut: bool,
    entries: Vec<Entry>,
    now: Snapshot,
    /// The link of the newest entry.
    head: Option<EntryLink>,
}

impl Broken {
    /// The last version that can be vouched for.
    pub fn good(&self) -> &Snapshot {
        &self.good
    }

    /// The newest version, as any reader of Delta sees it.
    pub fn now(&self) -> &Snapshot {
        &self.now
    }

    /// True if the newest entries of the log do not exist.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Why the commit after the last good version is refused; `None` if none is.
    pub fn refused(&self) -> Option<&ArchiveError> {
        self.refused.as_ref()
    }

    /// True if a repair of what followed the last good version is among the entries after it.
    fn has_repair(&self) -> bool {
        self.entries.iter().any(|entry| entry.repairs_after == Some(self.good.version()))
    }

    /// The commits after the last good version.
    pub fn commits(&self) -> Vec<ForeignCommit> {
        let versions = self.good.version() + 1..;
        let commit = |(version, entry): (u64, &Entry)| ForeignCommit {
            version,
            by: entry.by.clone(),
            added: (entry.adds.len(), entry.rows()),
            removed: entry.removes.len(),
            only_appends: only_appends(entry),
        };
        versions.zip(&self.entries).map(commit).collect()
    }

    /// The plan that undoes everything but appends. Appended files that are in `unfit` go too.
    pub fn undo(&self, unfit: &BTreeSet<Arc<str>>) -> RepairPlan {
        let appended = self.entries.iter().filter(|entry| only_appends(entry));
        let appended = appended.flat_map(|entry| &entry.adds).filter_map(|add| {
            let file = DataFile::from_add(add).ok()?;
            let expired = self.good.floor().is_some_and(|floor| file.date < floor);
            (!expired).then(|| Arc::new(file))
        });
        let mut keeps: BTreeMap<Arc<str>, Arc<DataFile>> =
            self.good.files().map(|file| (file.path.clone(), file.clone())).collect();
        for file in appended {
            keeps.entry(file.path.clone()).or_insert(file);
        }
        keeps.retain(|path, _| !unfit.contains(path));
        self.plan(keeps)
    }

    /// The plan that keeps what is live now, except the files in `unfit`.
    pub fn accept(&self, unfit: &BTreeSet<Arc<str>>) -> RepairPlan {
        let live = self.now.files().map(|file| (file.path.clone(), file.clone()));
        self.plan(live.filter(|(path, _)| !unfit.contains(path)).collect())
    }

    fn plan(&self, keeps: BTreeMap<Arc<str>, Arc<DataFile>>) -> RepairPlan {
        let live: BTreeSet<_> = self.now.files().map(|file| file.path.clone()).collect();
        let restores = keeps.iter().filter(|(path, _)| !live.contains(*path));
        let restores = restores.map(|(path, file)| (path.clone(), file.clone())).collect();
        let removes = live.into_iter().filter(|path| !keeps.contains_key(path)).collect();
        let unusable = self.entries.iter().flat_map(|entry| &entry.adds);
        let unusable = unusable.filter(|add| DataFile::from_add(add).is_err());
        let unusable = unusable.map(|add| Arc::from(add.path.as_str()));
        let removes: BTreeSet<_> = unusable.chain::<BTreeSet<Arc<str>>>(removes).collect();
        let describes =
            self.entries.iter().any(|entry| entry.protocol.is_some() || entry.metadata.is_some());
        let (keeps, thinned) = (keeps.into_values().collect(), Vec::new());
        RepairPlan { keeps, restores, removes, describes, thinned }
    }
}

/// True if a commit only adds events.
fn only_appends(entry: &Entry) -> bool {
    let plain = entry.protocol.is_none() && entry.metadata.is_none();
    plain && entry.removes.is_empty() && entry.adds.iter().all(|add| add.data_change)
}

/// Finds what needs repair in one archive, and repairs it.
#[derive(Debug)]
pub struct Repairs {
    log: Log,
    ledgers: Ledgers,
}

impl Repairs {
    /// Repairs of the archive at the root of `store`.
    ///
    /// # Errors
    /// Internal only.
    pub fn new(store: Arc<dyn ObjectStore>, clock: Arc<dyn Clock>) -> Result<Self, ArchiveError> {
        Ok(Self { ledgers: Ledgers::new(store.clone()), log: Log::new(store, clock)? })
    }

    /// The table at its last good version, and as it is now.
    ///
    /// # Errors
    /// As opening an archive, except that a refused commit is no error unless there is a repair of it
    /// that does not serve.
    pub async fn find(&self) -> Result<Broken, ArchiveError> {
        let mut found = self.look().await?;
        for _ in 1..FINDS {
            if !found.has_repair() {
                break;
            }
            // It came since the table was opened, and what comes after it is sound.
            found = self.look().await?;
        }
        let is_repaired = found.has_repair();
        found.refused.take_if(|_| is_repaired).map_or(Ok(found), Err)
    }

    async fn look(&self) -> Result<Broken, ArchiveError> {
        let noted = HeadNote::read(self.log.root()).await?;
        let listing = self.log.list().await?;
        if listing.is_empty() {
            noted.iter().try_for_each(|noted| noted.check(None))?;
            return Err(ArchiveError::Missing);
        }
        let opened = self.log.open_listed(listing).await?;
        let cut = opened.has(noted.as_ref()).err();
        let is_cut = cut.is_some();
        let OpenedTable { snapshot: good, refused } = opened;
        let entries = match &refused {
            Some(_) => self.entries_after(&good).await?,
            // Nothing was refused. What has come since is not to be undone: if it is not sound, the
            // next look finds that.
            None => Vec::new(),
        };
        let now = good.raw_after(&entries);
        let head = entries.last().map_or_else(|| good.head(), |entry| entry.link);
        Ok(Broken { good, refused: refused.or(cut), is_cut, entries, now, head })
    }

    /// All entries after a version, whatever they do.
    async fn entries_after(&self, good: &Snapshot) -> Result<Vec<Entry>, ArchiveError> {
        let mut entries = Vec::new();
        let first = good.version() + 1;
        while let Some(entry) = self.log.read(first + entries.len() as u64).await? {
            entries.push(entry);
        }
        Ok(entries)
    }

    /// A file with those events of `file` that are in `keep`, each once, for a plan.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the file.
    pub async fn thinned(
        &self,
        broken: &Broken,
        file: &Arc<DataFile>,
        keep: HashSet<EventHash>,
        partials: Arc<dyn PartialMaker>,
    ) -> Result<Arc<ThinnedFile>, ArchiveError> {
        let (store, now) = (self.log.root(), self.log.clock.now());
        let table = broken.good.table();
        ThinnedFile::of(&store, table, (file, keep), partials, now).await.map(Arc::new)
    }

    /// A reader of the ids in files.
    pub fn id_reader(&self, broken: &Broken) -> IdReader {
        IdReader::new(self.log.root(), broken.good.table().hasher)
    }

    /// The files to be restored that are no longer in the store.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn gone(&self, plan: &RepairPlan) -> Result<Vec<String>, ArchiveError> {
        let paths: Vec<_> = plan.restores.values().map(|file| file.path_in_archive()).collect();
        let looks = futures::stream::iter(paths).map(|path| async move {
            match self.log.root.head(&Path::from(path.as_str())).await {
                Ok(_) => Ok(None),
                Err(Error::NotFound { .. }) => Ok(Some(path)),
                Err(error) => Err(ArchiveError::unavailable(format!("looking for {path}"), error)),
            }
        });
        let gone: Vec<Option<String>> = looks.buffered(LOOKS).try_collect().await?;
        Ok(gone.into_iter().flatten().collect())
    }

    /// Commits a plan for `broken`, with the ledger that is to be in force. False if another commit
    /// came first: then call [`Repairs::find`] and plan anew.
    ///
    /// # Errors
    /// Unavailable or Corrupt.
    pub async fn commit(
        &self,
        broken: &Broken,
        plan: &RepairPlan,
        ledger: Option<LedgerName>,
    ) -> Result<bool, ArchiveError> {
        for new in plan.thinned() {
            new.put(&self.log.root()).await?;
        }
        let entry = self.entry(broken, plan, ledger).await?;
        let version = broken.now.version() + 1;
        if let Put::Lost(_) = self.log.put(version, &entry).await? {
            return Ok(false);
        }
        if let Some(link) = entry::read(version, &entry.bytes)?.link {
            HeadNote::new(version, link).write(self.log.root()).await?;
        }
        Ok(true)
    }

    async fn entry(
        &self,
        broken: &Broken,
        plan: &RepairPlan,
        ledger: Option<LedgerName>,
    ) -> Result<NewEntry, ArchiveError> {
        let now = self.log.clock.now();
        let mut actions = Vec::new();
        // New files may have columns that the table lacks.
        let readied = match plan.thinned().is_empty() {
            true => None,
            false => broken.good.table().readied(FORMAT)?,
        };
        let [protocol, metadata] = broken.good.table().actions()?;
        actions.extend(plan.describes.then_some(protocol));
        actions.extend(readied.or_else(|| plan.describes.then_some(metadata)));
        actions.extend(plan.thinned().iter().map(|new| Action::Add(new.add().clone())));
        actions.extend(self.adds(broken, plan).await?.into_iter().map(Action::Add));
        let gone = plan.removes.iter().map(|path| Action::Remove(remove(path, true, now)));
        actions.extend(gone);
        if let Some(ledger) = ledger.filter(|_| ledger != broken.good.ledger()) {
            actions.push(name_ledger(ledger, "repairing", now)?);
        }
        let vouched = self.vouched(broken, plan, ledger).await?;
        actions.extend(vouched.actions(now));
        let repairs_after = Some(broken.good.version());
        entry::write("REPAIR", actions, Heading { now, before: broken.head, repairs_after })
    }

    /// The actions that make files live again, as they were.
    async fn adds(&self, broken: &Broken, plan: &RepairPlan) -> Result<Vec<Add>, ArchiveError> {
        if plan.restores.is_empty() {
            return Ok(Vec::new());
        }
        let wanted = |add: &Add| plan.restores.contains_key(add.path.as_str());
        let keep = |then: &mut Vec<Add>, rows: &RecordBatch| {
            then.extend(described::adds(rows)?.into_iter().filter(wanted));
            Ok(())
        };
        let good = broken.good.version();
        let then = self.log.for_each_action(good, LogRetention::FOREVER, Vec::new, keep).await?;
        let came = broken.entries.iter().flat_map(|entry| entry.adds.iter().cloned());
        let mut known: HashMap<String, Add> = HashMap::new();
        for add in came.chain(then) {
            known.insert(add.path.clone(), add);
        }
        let adds = plan.restores.keys().map(|path| {
            let add = known.remove(&**path).ok_or_else(|| {
                ArchiveError::corrupt(paths::in_archive(path), "the log no longer describes it")
            })?;
            Ok(Add { data_change: true, ..add })
        });
        adds.collect()
    }

    /// What a repair vouches for: all events that there are after it.
    async fn vouched(
        &self,
        broken: &Broken,
        plan: &RepairPlan,
        ledger: Option<LedgerName>,
    ) -> Result<Vouched, ArchiveError> {
        let expired = match ledger {
            Some(name) => self.ledgers.events(name, &broken.good.table().id).await?,
            None => 0,
        };
        let mut events = expired;
        for file in &plan.keeps {
            let rows = file.rows.ok_or_else(|| {
                ArchiveError::corrupt(file.path_in_archive(), "its rows cannot be counted")
            })?;
            events = events.saturating_add(rows);
        }
        Ok(Vouched { events, at: broken.now.version() + 1 })
    }
}
