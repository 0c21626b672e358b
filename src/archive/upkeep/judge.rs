//! The judge of data files that other programs wrote: whether all their rows follow the rules of
//! the columns, and whether each of their events is in the table only once.
//!
//! Files never change, so a finding about one file alone never changes. Which of its events were in
//! a file of ours before it came cannot change either, because a tokenlake that commits later looks
//! for its ids. Only other foreign files may be new. So a file is read once in a process's life,
//! before the first of its numbers is shown.

mod doubles;
mod first_look;
mod orgs;
mod rows;

use std::collections::HashMap;
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use parking_lot::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit};

use self::doubles::{Doubled, Doubles};
use self::orgs::OrgNaming;
use self::rows::check_rows;
use crate::archive::error::ArchiveError;
use crate::archive::file::data_file::DataFile;
use crate::archive::file::file_read::IdReader;
use crate::archive::file::first_sight;
use crate::archive::file::foreign::refused;
use crate::archive::log::entry;
use crate::archive::log::snapshot::Snapshot;
use crate::archive::paths;
use crate::archive::store::records::Records;
use crate::archive::write::known_ids::around;
use crate::byte_lru::ByteLru;
use crate::error::Kind;

/// Files that are judged side by side: each holds some ids.
const SIDE_BY_SIDE: usize = 2;
/// Log entries that are searched for the one that brought in a file.
const ENTRIES_MAX: u64 = 4_096;
const ENTRIES_SIDE_BY_SIDE: usize = 16;
/// Memory for findings, and for those about one file, about.
pub const FOUND_BYTES_MAX: usize = 16 << 20;
const FOUND_BYTES: usize = 512;

/// A live file that must not be counted, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The file.
    pub file: Arc<DataFile>,
    /// The rule that it breaks, as the end of a sentence whose subject is the file.
    pub reason: String,
    /// The log entry that brought it in, relative to the archive, if it is among the last ones.
    pub entry: Option<String>,
}

impl Finding {
    fn error(self) -> ArchiveError {
        let came = self.entry.map(|entry| format!("; it came with {entry}"));
        let reason = self.reason + &came.unwrap_or_default();
        refused(&self.file.path_in_archive(), reason)
    }
}

/// What is known of one file.
#[derive(Debug, Default)]
struct JudgedFile {
    /// The rule of the columns that it breaks, if any; `None` before it was read.
    rows: Option<Result<(), String>>,
    /// Its events that are in it twice, or in files of ours.
    ours: Option<Vec<Doubled>>,
    /// Foreign files that it was compared with, and its events in them.
    others: HashMap<Arc<str>, Vec<Doubled>>,
    /// The log entry that brought it in, once that was looked for.
    entry: Option<Option<String>>,
}

type JudgedSlot = Arc<tokio::sync::Mutex<JudgedFile>>;

/// Judges files, each once.
#[derive(Debug)]
pub struct Judge {
    store: Arc<dyn ObjectStore>,
    records: Records,
    notes: bool,
    slots: Mutex<ByteLru<Arc<str>, JudgedSlot>>,
    turns: Semaphore,
}

impl Judge {
    /// A judge of files in the archive at the root of `store`, who writes nothing.
    pub fn new(store: Arc<dyn ObjectStore>) -> Self {
        let slots = Mutex::new(ByteLru::new(FOUND_BYTES_MAX));
        let records = Records::new(store.clone());
        Self { store, records, notes: false, slots, turns: Semaphore::new(SIDE_BY_SIDE) }
    }

    /// The same judge, who notes the checksums of the files that it reads, as `first_sight.rs` says, and
    /// claims their organisations.
    pub fn noting(self) -> Self {
        Self { notes: true, ..self }
    }

    /// Makes sure that a file may be counted, as of a version. With `org`, only duplicates of that
    /// organisation's events matter. Files of ours always may be counted.
    ///
    /// # Errors
    /// Foreign, with the rule that the file breaks; Corrupt or Unavailable, if it or one that it is
    /// compared with cannot be read.
    pub async fn check(
        &self,
        snapshot: &Snapshot,
        file: &Arc<DataFile>,
        org: Option<&str>,
    ) -> Result<(), ArchiveError> {
        if file.is_ours() {
            return Ok(());
        }
        match self.find(snapshot, file, org).await? {
            Some(finding) => Err(finding.error()),
            None => Ok(()),
        }
    }

    /// Makes sure that the rows of a file follow the rules, whether or not its events are in the table
    /// twice.
    ///
    /// # Errors
    /// As [`Judge::check`].
    pub async fn check_rules(
        &self,
        snapshot: &Snapshot,
        file: &Arc<DataFile>,
    ) -> Result<(), ArchiveError> {
        if file.is_ours() {
            return Ok(());
        }
        let may_correct = snapshot.table().may_hold_corrections();
        let rules = (may_correct, OrgNaming::Read);
        check_rows(&self.store, &self.records, file, rules).await.map(drop)
    }

    /// As [`Judge::check`], for several files, of which only some may be foreign.
    ///
    /// # Errors
    /// As [`Judge::check`], of the first file that has one.
    pub async fn check_all<'a>(
        &self,
        snapshot: &Snapshot,
        files: impl IntoIterator<Item = &'a Arc<DataFile>>,
        org: Option<&str>,
    ) -> Result<(), ArchiveError> {
        let foreign: Vec<_> = files.into_iter().filter(|file| !file.is_ours()).cloned().collect();
        let checks =
            foreign.into_iter().map(|file| async move { self.check(snapshot, &file, org).await });
        futures::stream::iter(checks).buffered(SIDE_BY_SIDE).try_collect().await
    }

    /// The live files of a version that must not be counted, by date. A file that cannot be read is
    /// passed over, because every reader of it gets that error.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn judge(&self, snapshot: &Snapshot) -> Result<Vec<Finding>, ArchiveError> {
        let mut findings = Vec::new();
        for file in snapshot.files().filter(|file| !file.is_ours()) {
            match self.find(snapshot, file, None).await {
                Ok(None) => {}
                Ok(Some(finding)) => findings.push(finding),
                Err(error) if error.kind() == Kind::Unavailable => return Err(error),
                Err(error) => tracing::debug!(%error, "a file cannot be judged"),
            }
        }
        Ok(findings)
    }

    /// Why a foreign file must not be counted.
    async fn find(
        &self,
        snapshot: &Snapshot,
        file: &Arc<DataFile>,
        org: Option<&str>,
    ) -> Result<Option<Finding>, ArchiveError> {
        let slot = self.slot(&file.path);
        let mut known = slot.lock().await;
        let Some(reason) = self.reason(&mut known, snapshot, file, org).await? else {
            return Ok(None);
        };
        let entry = match &known.entry {
            Some(entry) => entry.clone(),
            None => self.entry_of(snapshot, file).await,
        };
        known.entry = Some(entry.clone());
        Ok(Some(Finding { file: file.clone(), reason, entry }))
    }

    async fn reason(
        &self,
        known: &mut JudgedFile,
        snapshot: &Snapshot,
        file: &Arc<DataFile>,
        org: Option<&str>,
    ) -> Result<Option<String>, ArchiveError> {
        if let Some(reason) = self.reason_of_rows(known, snapshot, file).await? {
            return Ok(Some(reason));
        }
        if !snapshot.is_live(file) {
            // Its rows are in another file now, which was made from sound files.
            return Ok(None);
        }
        let near = around(file.date).flat_map(|date| snapshot.files_of(date));
        let near = near.filter(|other| other.path != file.path);
        let (ours, foreign): (Vec<_>, Vec<_>) = near.cloned().partition(|other| other.is_ours());
        self.compare(known, snapshot, file, (ours, &foreign)).await?;
        let live = foreign.iter().filter_map(|other| known.others.get(&other.path));
        let doubled = known.ours.iter().chain(live).flatten();
        let doubled = doubled.filter(|doubled| org.is_none_or(|org| doubled.concerns(org)));
        Ok(told(file, doubled))
    }

    /// The rule of the columns that a foreign file breaks.
    async fn reason_of_rows(
        &self,
        known: &mut JudgedFile,
        snapshot: &Snapshot,
        file: &Arc<DataFile>,
    ) -> Result<Option<String>, ArchiveError> {
        if let Some(rows) = &known.rows {
            return Ok(rows.clone().err());
        }
        let _turn = self.turn().await?;
        if self.notes {
            first_sight::note(&self.store, &self.records, file).await?;
        }
        let claims = if self.notes { OrgNaming::Make } else { OrgNaming::Read };
        let may_correct = snapshot.table().may_hold_corrections();
        match check_rows(&self.store, &self.records, file, (may_correct, claims)).await {
            Ok(is_settled) => {
                known.rows = is_settled.then_some(Ok(()));
                Ok(None)
            }
            Err(ArchiveError::Foreign { reason, .. }) => {
                // The table may come to hold corrections.
                known.rows = may_correct.then(|| Err(reason.clone()));
                Ok(Some(reason))
            }
            Err(error) => Err(error),
        }
    }

    /// Looks for the events of a file in the files near it that it was not compared with yet.
    async fn compare(
        &self,
        known: &mut JudgedFile,
        snapshot: &Snapshot,
        file: &Arc<DataFile>,
        (ours, foreign): (Vec<Arc<DataFile>>, &[Arc<DataFile>]),
    ) -> Result<(), ArchiveError> {
        let new = |other: &&Arc<DataFile>| !known.others.contains_key(&other.path);
        let new: Vec<_> = foreign.iter().filter(new).collect();
        if known.ours.is_some() && new.is_empty() {
            return Ok(());
        }
        let _turn = self.turn().await?;
        let reader = IdReader::new(self.store.clone(), snapshot.table().hasher);
        let ours = if known.ours.is_none() { ours } else { Vec::new() };
        let others = ours.iter().chain(new.iter().copied()).cloned().collect();
        let mut found = Doubles::find(&reader, file, others).await?;
        for other in new {
            let of_other = found.extract_if(.., |doubled| doubled.other == other.path);
            known.others.insert(other.path.clone(), of_other.collect());
        }
        known.ours.get_or_insert(found);
        Ok(())
    }

    async fn turn(&self) -> Result<SemaphorePermit<'_>, ArchiveError> {
        let turn = self.turns.acquire().await;
        turn.map_err(|error| ArchiveError::internal("judging a file", error))
    }

    /// The log entry that brought in a file, for the person who is to take it out.
    async fn entry_of(&self, snapshot: &Snapshot, file: &DataFile) -> Option<String> {
        let newest = snapshot.version();
        let versions = (newest.saturating_sub(ENTRIES_MAX)..=newest).rev();
        let entries = versions.map(|version| async move {
            let path = paths::log_entry(version);
            let bytes =
                self.store.get(&Path::from(path.as_str())).await.ok()?.bytes().await.ok()?;
            let entry = entry::read(version, &bytes).ok()?;
            let adds = entry.adds.iter().any(|add| *add.path == *file.path);
            Some(adds.then_some(path))
        });
        let mut entries = futures::stream::iter(entries).buffered(ENTRIES_SIDE_BY_SIDE);
        // The search ends at the first entry that cannot be read.
        while let Some(Some(entry)) = entries.next().await {
            if entry.is_some() {
                return entry;
            }
        }
        None
    }

    fn slot(&self, path: &Arc<str>) -> JudgedSlot {
        let mut slots = self.slots.lock();
        if let Some(slot) = slots.get_mut(path) {
            return slot.clone();
        }
        let slot = JudgedSlot::default();
        slots.put(path.clone(), slot.clone(), FOUND_BYTES);
        slot
    }
}

/// The finding about duplicate events, as the end of a sentence; `None` if there are none.
fn told<'a>(file: &DataFile, doubled: impl Iterator<Item = &'a Doubled>) -> Option<String> {
    let (twice, elsewhere): (Vec<_>, Vec<_>) =
        doubled.partition(|doubled| doubled.other == file.path);
    let events = |doubled: &[&Doubled]| doubled.iter().map(|doubled| doubled.events).sum::<u64>();
    match (twice.as_slice(), elsewhere.as_slice()) {
        ([], []) => None,
        ([], [first, ..]) => Some(format!(
            "{} of its events are in the table already, as in {}",
            events(&elsewhere),
            paths::in_archive(&first.other)
        )),
        (twice, _) => Some(format!("{} of its events are in it twice", events(twice))),
    }
}
