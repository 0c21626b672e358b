//! Repair: a way out of commits of other programs that cannot be vouched for.
//!
//! Either they are undone, by a commit that restores the files that they removed and removes those
//! that they put in their place. Or they are accepted: the sums of events that are gone go into the
//! ledger, and events that came in twice are taken out.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use chrono::{Days, NaiveDate};
use serde::Serialize;

use crate::archive::{
    ArchiveError, Broken, DataFile, EventHash, ForeignCommit, IdReader, Judge, LedgerCells,
    LedgerName, Ledgers, NewLedger, OfObject, RepairPlan, Repairs, ThinnedFile,
};
use crate::error::Kind;
use crate::rollup::Rollup;
use crate::sql::{SqlError, sql_version};

/// Tries of one repair while other programs commit.
const TRIES: usize = 16;
/// The floor of a ledger if nothing has expired: no event is before it.
pub const NO_FLOOR: NaiveDate = match NaiveDate::from_ymd_opt(1970, 1, 1) {
    Some(date) => date,
    None => NaiveDate::MIN,
};

/// How a repair treats commits that cannot be vouched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// They are undone; events that were only appended stay.
    Undo,
    /// They stay, and no counter falls.
    Accept,
}

/// What a repair did, or would do.
#[derive(Debug, Serialize)]
pub struct Repaired {
    /// The last version that can be vouched for.
    pub good_version: u64,
    /// Why the first commit after it is refused; `None` if there is nothing to repair.
    pub refused: Option<String>,
    /// Data files that become live again.
    pub restored: usize,
    /// Data files that are taken out.
    pub removed: usize,
    /// Of these, those that were put back without the events that are in the table elsewhere.
    #[serde(skip_serializing_if = "is_zero")]
    pub rewritten: usize,
    /// Files of other programs that break a rule and are taken out, one line each.
    #[serde(skip)]
    pub unfit: Vec<String>,
    /// The commits after that version.
    #[serde(skip)]
    pub commits: Vec<ForeignCommit>,
}

/// Why a repair is not possible.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// Files to be restored are no longer in the store.
    #[error(
        "it cannot be taken back: {count} data files are gone from the store, such as {first}; \
         restore them from a backup, or keep the table as it is now: tokenlake repair --accept \
         (no counter falls by that)"
    )]
    Gone {
        /// Number of rows.
        count: usize,
        /// One of them, relative to the archive.
        first: String,
    },
    /// The sums of files that are gone are not known.
    #[error(
        "it cannot be accepted: the sums of {0} are not known; restore it from a \
         backup, then: tokenlake repair"
    )]
    Untold(String),
    /// The newest entries of the log do not exist.
    #[error("{0}; their content is not known, so they cannot be restored")]
    Cut(String),
    /// Other programs were always faster.
    #[error("other programs keep committing to the table; stop them and try again")]
    Contended,
    /// The archive could not be read or written.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Sums could not be made.
    #[error(transparent)]
    Sql(#[from] SqlError),
}

/// Everything that a repair needs.
#[derive(Debug)]
pub struct Repair {
    /// The log.
    pub repairs: Repairs,
    /// The ledgers.
    pub ledgers: Ledgers,
    /// Judges files of other programs.
    pub judge: Judge,
    /// Makes the sums for a ledger.
    pub rollup: Rollup,
}

impl Repair {
    /// Repairs the table; with `dry_run`, only reports what would be done.
    ///
    /// # Errors
    /// Why a repair is not possible; nothing has been changed then.
    pub async fn run(&self, way: Way, dry_run: bool) -> Result<Repaired, RepairError> {
        self.rollup.keep_made();
        for _ in 0..TRIES {
            let broken = self.repairs.find().await?;
            if let Some(reason) = broken.refused().filter(|_| broken.is_cut() && way == Way::Undo) {
                return Err(RepairError::Cut(reason.to_string()));
            }
            let (plan, unfit) = match self.plan(&broken, way).await {
                Err(error) if self.has_moved_on(&broken, &error).await? => continue,
                planned => planned?,
            };
            let repaired = Repaired {
                good_version: broken.good().version(),
                refused: broken.refused().map(ToString::to_string),
                restored: plan.restores.len(),
                removed: plan.removes.len(),
                rewritten: plan.thinned().len(),
                unfit: unfit.values().cloned().collect(),
                commits: broken.commits(),
            };
            if broken.refused().is_none() && plan.is_empty() {
                return Ok(repaired);
            }
            let gone = self.repairs.gone(&plan).await?;
            if let Some(first) = gone.first() {
                return Err(RepairError::Gone { count: gone.len(), first: first.clone() });
            }
            let lost = match way {
                Way::Undo => None,
                Way::Accept => self.lost(&broken, &plan, &unfit).await?,
            };
            if dry_run {
                return Ok(repaired);
            }
            let ledger = match lost {
                None => broken.good().ledger(),
                Some(lost) => Some(self.ledger(&broken, lost).await?),
            };
            if self.repairs.commit(&broken, &plan, ledger).await? {
                return Ok(repaired);
            }
        }
        Err(RepairError::Contended)
    }

    /// True if `error` is explained by what has happened to the table since `broken` was found.
    async fn has_moved_on(
        &self,
        broken: &Broken,
        error: &RepairError,
    ) -> Result<bool, RepairError> {
        if error.object().is_none() {
            return Ok(false);
        }
        Ok(self.repairs.find().await?.now().explains(error, broken.now()))
    }

    /// The plan, and the files of other programs that break a rule, with the rule.
    async fn plan(
        &self,
        broken: &Broken,
        way: Way,
    ) -> Result<(RepairPlan, BTreeMap<Arc<str>, String>), RepairError> {
        let Twice { mut out, thinned, mut unfit } = match way {
            Way::Undo => Twice::default(),
            Way::Accept => self.twice(broken).await?,
        };
        loop {
            let plan = match way {
                Way::Undo => broken.undo(&out),
                Way::Accept => broken.accept(&out).with_thinned(&thinned),
            };
            let after = broken.good().of_files(plan.keeps.iter().cloned());
            let mut findings = self.judge.judge(&after).await?;
            // Of two files with the same events, the one that came later is taken out.
            findings.sort_by(|a, b| a.entry.cmp(&b.entry));
            let Some(last) = findings.pop() else { return Ok((plan, unfit)) };
            out.insert(last.file.path.clone());
            unfit.insert(last.file.path.clone(), line(&last.file, &last.reason));
        }
    }

    /// What keeps counters from falling if the files of a plan become the live ones; `None` if the
    /// ledger does.
    async fn lost(
        &self,
        broken: &Broken,
        plan: &RepairPlan,
        unfit: &BTreeMap<Arc<str>, String>,
    ) -> Result<Option<LostSums>, RepairError> {
        // Files that break a rule were never counted.
        let counted = broken.good().files().filter(|file| !unfit.contains_key(&file.path));
        let good = Arc::new(broken.good().of_files(counted.cloned()));
        let keeps: HashSet<_> = plan.keeps.iter().map(|file| &file.path).collect();
        if good.files().all(|file| keeps.contains(&file.path)) {
            return Ok(None);
        }
        let cells = match self.rollup.fold_lost(&good, &plan.keeps).await {
            Err(SqlError::File(ArchiveError::Corrupt { path, .. })) => {
                return Err(RepairError::Untold(path));
            }
            cells => cells?,
        };
        let rows = |files: &mut dyn Iterator<Item = &Arc<DataFile>>| -> u64 {
            files.map(|file| file.rows.unwrap_or_default()).fold(0, u64::saturating_add)
        };
        let events = rows(&mut good.files()).saturating_sub(rows(&mut plan.keeps.iter()));
        Ok(Some(LostSums { cells, events }))
    }

    /// The ledger that has what is lost, too.
    async fn ledger(&self, broken: &Broken, lost: LostSums) -> Result<LedgerName, RepairError> {
        let good = broken.good();
        let expired = match self.ledgers.of(good).await? {
            Some(ledger) => ledger.events(),
            None => 0,
        };
        let new = NewLedger {
            table_id: &good.table().id,
            floor: good.floor().unwrap_or(NO_FLOOR),
            events: expired.saturating_add(lost.events),
            sql_version: &sql_version(),
            before: good.ledger(),
        };
        Ok(self.ledgers.put(new, lost.cells).await?)
    }

    /// What came after the last good version and is in the table twice by that.
    async fn twice(&self, broken: &Broken) -> Result<Twice, RepairError> {
        let reader = self.repairs.id_reader(broken);
        let mut came: BTreeMap<NaiveDate, Vec<Arc<DataFile>>> = BTreeMap::new();
        for file in broken.now().files().filter(|file| !broken.good().is_live(file)) {
            came.entry(file.date).or_default().push(file.clone());
        }
        let mut twice = Twice::default();
        for (date, files) in came {
            let mut known = self.known_around(date, broken, &reader).await?;
            for file in files {
                // A file that breaks a rule is taken out: its events stand nowhere.
                if let Err(error) = self.judge.check_rules(broken.now(), &file).await {
                    twice.take_unfit(&file, error)?;
                    continue;
                }
                let ids = reader.all(&file).await?;
                let new: HashSet<_> = ids.iter().filter(|id| known.insert(**id)).copied().collect();
                if new.len() == ids.len() {
                    continue;
                }
                twice.out.insert(file.path.clone());
                if !new.is_empty() {
                    let maker = self.rollup.partial_maker();
                    twice.thinned.push(self.repairs.thinned(broken, &file, new, maker).await?);
                }
            }
        }
        Ok(twice)
    }

    /// The ids of the files on a date and its neighbours that were live at the good version and
    /// still are.
    async fn known_around(
        &self,
        date: NaiveDate,
        broken: &Broken,
        reader: &IdReader,
    ) -> Result<HashSet<EventHash>, ArchiveError> {
        let day = Days::new(1);
        let (from, to) = (date.checked_sub_days(day), date.checked_add_days(day));
        let near =
            |file: &&Arc<DataFile>| Some(file.date) >= from && to.is_none_or(|to| file.date <= to);
        let mut known = HashSet::new();
        let good = broken.good();
        for file in good.files().filter(near).filter(|file| broken.now().is_live(file)) {
            // One that breaks a rule goes, too.
            if let Err(ArchiveError::Foreign { .. }) = self.judge.check_rules(good, file).await {
                continue;
            }
            known.extend(reader.all(file).await?);
        }
        Ok(known)
    }
}

/// The sums of events that go, and their number.
struct LostSums {
    cells: LedgerCells,
    events: u64,
}

/// What came in twice.
#[derive(Debug, Default)]
struct Twice {
    /// Files that go.
    out: BTreeSet<Arc<str>>,
    /// What is put in the place of those of which only some events were in the table already.
    thinned: Vec<Arc<ThinnedFile>>,
    /// Those of them that break a rule, with the rule.
    unfit: BTreeMap<Arc<str>, String>,
}

impl Twice {
    /// Takes a file out that breaks a rule, if `error` says so.
    fn take_unfit(&mut self, file: &DataFile, error: ArchiveError) -> Result<(), ArchiveError> {
        let ArchiveError::Foreign { reason, .. } = error else { return Err(error) };
        self.out.insert(file.path.clone());
        self.unfit.insert(file.path.clone(), line(file, &reason));
        Ok(())
    }
}

/// A line about a file that breaks a rule.
fn line(file: &DataFile, reason: &str) -> String {
    format!("{}: {reason}", file.path_in_archive())
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl OfObject for RepairError {
    fn object(&self) -> Option<&str> {
        match self {
            Self::Archive(error) => error.object(),
            Self::Sql(error) => error.object(),
            _ => None,
        }
    }
}

impl RepairError {
    /// What the caller can do about the error.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Gone { .. } | Self::Untold(_) | Self::Cut(_) => Kind::Conflict,
            Self::Contended => Kind::Unavailable,
            Self::Archive(error) => error.kind(),
            Self::Sql(error) => error.kind(),
        }
    }
}
