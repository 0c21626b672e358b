//! The judge of data files that other programs wrote: whether all their rows hold the rules of the
//! columns, and whether each of their events stands in the table once.
//!
//! Files never change, so neither does what is found in one alone. That its events stood in a file
//! of ours before it came cannot change either: whoever commits after it looks for its ids. Only of
//! other foreign files there may be new ones. So a file is read once in a process's life, before
//! the first of its numbers is shown.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};
use object_store::ObjectStore;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::doubles::{Doubled, Doubles};
use super::{foreign_rows, refused};
use crate::archive::data_file::date_of;
use crate::archive::file_write::{text, times};
use crate::archive::known_ids::around;
use crate::archive::{ArchiveError, DataFile, IdReader, Records, Snapshot, paths};
use crate::byte_lru::ByteLru;
use crate::error::Kind;
use crate::event;

/// Rows that are judged at a time.
const BATCH_ROWS: usize = 8 * 1024;
/// Files that are judged side by side: each holds some ids.
const SIDE_BY_SIDE: usize = 2;
/// Records of organisations that are read side by side.
const RECORDS: usize = 16;
/// Memory for what was found, and of one file's part in it, about.
const FOUND_BYTES_MAX: usize = 16 << 20;
const FOUND_BYTES: usize = 512;

/// A live file that must not be counted, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The file.
    pub file: Arc<DataFile>,
    /// The rule that it breaks, as the end of a sentence whose subject is the file.
    pub reason: String,
}

/// What is known of one file.
#[derive(Debug, Default)]
struct Known {
    /// The rule of the columns that it breaks; `None` before it was read.
    rows: Option<Result<(), String>>,
    /// Its events that are in it twice, or in files of ours.
    ours: Option<Vec<Doubled>>,
    /// Foreign files that were looked at, and its events in them.
    others: HashMap<Arc<str>, Vec<Doubled>>,
}

type Slot = Arc<tokio::sync::Mutex<Known>>;

/// Judges files, each once.
#[derive(Debug)]
pub struct Judge {
    store: Arc<dyn ObjectStore>,
    records: Records,
    slots: Mutex<ByteLru<Arc<str>, Slot>>,
    turns: Semaphore,
}

impl Judge {
    /// A judge of files in the archive whose root `store` is.
    pub fn new(store: Arc<dyn ObjectStore>) -> Self {
        let slots = Mutex::new(ByteLru::new(FOUND_BYTES_MAX));
        let records = Records::new(store.clone());
        Self { store, records, slots, turns: Semaphore::new(SIDE_BY_SIDE) }
    }

    /// Makes sure that a file may be counted, as of a version; with `org`, for that organisation:
    /// events of others that stand twice do not concern it. Files of ours may.
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
            Some(reason) => Err(refused(&file.path_in_archive(), reason)),
            None => Ok(()),
        }
    }

    /// As [`Judge::check`], of several files, of which only some may be foreign.
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

    /// The live files of a version that must not be counted, by date; those that cannot be read are
    /// passed over, as whoever reads them finds that.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn judge(&self, snapshot: &Snapshot) -> Result<Vec<Finding>, ArchiveError> {
        let mut findings = Vec::new();
        for file in snapshot.files().filter(|file| !file.is_ours()) {
            match self.find(snapshot, file, None).await {
                Ok(None) => {}
                Ok(Some(reason)) => findings.push(Finding { file: file.clone(), reason }),
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
    ) -> Result<Option<String>, ArchiveError> {
        let slot = self.slot(&file.path);
        let mut known = slot.lock().await;
        let closed = |error| ArchiveError::internal("judging a file", error);
        if known.rows.is_none() {
            let _turn = self.turns.acquire().await.map_err(closed)?;
            known.rows = Some(match self.check_rows(file).await {
                Ok(()) => Ok(()),
                Err(ArchiveError::Foreign { reason, .. }) => Err(reason),
                Err(error) => return Err(error),
            });
        }
        if let Some(Err(reason)) = &known.rows {
            return Ok(Some(reason.clone()));
        }
        if !snapshot.is_live(file) {
            // Its rows live on in another, which was made of what held the rules.
            return Ok(None);
        }
        let near = around(file.date).flat_map(|date| snapshot.files_of(date));
        let near = near.filter(|other| other.path != file.path);
        let (ours, foreign): (Vec<_>, Vec<_>) = near.cloned().partition(|other| other.is_ours());
        let new: Vec<_> =
            foreign.iter().filter(|other| !known.others.contains_key(&other.path)).collect();
        if known.ours.is_none() || !new.is_empty() {
            let _turn = self.turns.acquire().await.map_err(closed)?;
            let reader = IdReader::new(self.store.clone(), snapshot.table().hasher);
            let own = if known.ours.is_none() { ours } else { Vec::new() };
            let others = own.iter().chain(new.iter().copied()).cloned().collect();
            let mut found = Doubles::find(&reader, file, others).await?;
            for other in new {
                let of_other = found.extract_if(.., |doubled| doubled.other == other.path);
                known.others.insert(other.path.clone(), of_other.collect());
            }
            known.ours.get_or_insert(found);
        }
        let live = foreign.iter().filter_map(|other| known.others.get(&other.path));
        let doubled = known.ours.iter().chain(live).flatten();
        let doubled = doubled.filter(|doubled| org.is_none_or(|org| doubled.concerns(org)));
        Ok(told(file, doubled))
    }

    /// Reads all rows.
    async fn check_rows(&self, file: &Arc<DataFile>) -> Result<(), ArchiveError> {
        let path = file.path_in_archive();
        let broken = |reason: &str| Err(refused(&path, reason));
        let rows = foreign_rows(self.store.clone(), file, event::schema(), BATCH_ROWS);
        let (mut rows, mut count, mut orgs) = (rows.await?, 0_u64, BTreeMap::new());
        while let Some(rows) = rows.try_next().await? {
            count += rows.num_rows() as u64;
            let times = times(&rows)?.values();
            if times.iter().any(|ts| date_of(*ts) != Some(file.date)) {
                return broken("it has a row of another date than its event_date");
            }
            if times.iter().any(|ts| !file.may_hold_time(*ts, *ts)) {
                return broken("it has a row outside its bounds of ts in the log");
            }
            for org in text(&rows, "org_id")?.iter().flatten() {
                let lower = org.to_ascii_lowercase();
                if orgs.get(&lower).is_some_and(|known: &String| known == org) {
                    continue;
                }
                if !file.may_hold_org(org) {
                    return broken("it has a row outside its bounds of org_id in the log");
                }
                if orgs.insert(lower, org.to_owned()).is_some() {
                    return broken("it has organisations that differ only in case");
                }
            }
        }
        if file.rows.is_some_and(|rows| rows != count) {
            return broken("it has another number of rows than the log says");
        }
        self.check_spellings(&path, orgs).await
    }

    /// Compares names of organisations, by their lower case, with those that stand.
    async fn check_spellings(
        &self,
        path: &str,
        orgs: BTreeMap<String, String>,
    ) -> Result<(), ArchiveError> {
        let records = orgs.into_iter().map(|(lower, org)| async move {
            let standing = self.records.get::<String>(&paths::org(&lower)).await?;
            Ok::<_, ArchiveError>(standing.is_none_or(|standing| standing == org))
        });
        let mut alike = futures::stream::iter(records).buffer_unordered(RECORDS);
        while let Some(alike) = alike.try_next().await? {
            if !alike {
                let reason =
                    "it has an organisation that differs from one that stands in case only";
                return Err(refused(path, reason));
            }
        }
        Ok(())
    }

    fn slot(&self, path: &Arc<str>) -> Slot {
        let mut slots = self.slots.lock();
        if let Some(slot) = slots.get_mut(path) {
            return slot.clone();
        }
        let slot = Slot::default();
        slots.put(path.clone(), slot.clone(), FOUND_BYTES);
        slot
    }
}

/// What is wrong with doubled events, in one sentence's end.
fn told<'a>(file: &DataFile, doubled: impl Iterator<Item = &'a Doubled>) -> Option<String> {
    let (twice, elsewhere): (Vec<_>, Vec<_>) =
        doubled.partition(|doubled| doubled.other == file.path);
    let events = |doubled: &[&Doubled]| doubled.iter().map(|doubled| doubled.events).sum::<u64>();
    match (twice.as_slice(), elsewhere.as_slice()) {
        ([], []) => None,
        ([], [first, ..]) => Some(format!(
            "{} of its events stand in the table already, as in {}",
            events(&elsewhere),
            paths::in_archive(&first.other)
        )),
        (twice, _) => Some(format!("{} of its events stand in it twice", events(twice))),
    }
}
