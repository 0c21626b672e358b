//! The usage of scopes by UTC date that is in memory: an LRU bounded in bytes. A date's usage is a
//! function of its files, so it stays for as long as they do, and new files are added to it.

use std::sync::Arc;

use chrono::NaiveDate;
use parking_lot::Mutex;

use super::day_cells::{DayCells, HOURS};
use super::scope::UsageScope;
use crate::archive::{DataFile, Snapshot};
use crate::byte_lru::ByteLru;
use crate::clock::Micros;

/// Memory of an entry in addition to its cells.
const ENTRY_BYTES: usize = 160;

/// Hours of a date, a bit for each.
pub type HourSet = u32;
/// All of them.
pub const ALL_HOURS: HourSet = (1 << HOURS) - 1;

/// A scope's key, a date, and where in an hour a head ends; 0 for whole hours.
pub type DayKey = (Arc<str>, NaiveDate, Micros);

#[derive(Debug, Clone)]
struct Kept {
    /// The version at which these were the date's files.
    version: u64,
    /// Their paths, in order.
    files: Vec<Arc<str>>,
    /// The hours that were read.
    hours: HourSet,
    cells: Arc<DayCells>,
}

/// The usage of dates that is in memory.
#[derive(Debug)]
pub struct Days {
    kept: Mutex<ByteLru<DayKey, Kept>>,
}

/// What of a date is in memory already, and what must be read.
#[derive(Debug)]
pub struct Gap {
    /// The date's files; none if they are those of what is in memory.
    pub files: Vec<Arc<DataFile>>,
    /// Those that came since.
    pub fresh: Vec<Arc<DataFile>>,
    /// The hours that are in memory.
    pub hours: HourSet,
    /// Their cells.
    pub cells: Option<Arc<DayCells>>,
}

impl Gap {
    /// The cells, if nothing of these hours must be read.
    pub fn filled(&self, hours: HourSet) -> Option<Arc<DayCells>> {
        let is_filled = self.fresh.is_empty() && hours & !self.hours == 0;
        self.cells.clone().filter(|_| is_filled)
    }
}

impl Days {
    /// Without a date, with room for `bytes_max`.
    pub fn new(bytes_max: usize) -> Self {
        Self { kept: Mutex::new(ByteLru::new(bytes_max)) }
    }

    /// What is there of a date at a version.
    pub fn gap(&self, key: &DayKey, scope: &UsageScope, snapshot: &Snapshot) -> Gap {
        let mut kept = self.kept.lock();
        let known = kept.get_mut(key);
        if let Some(known) = &known
            && known.version == snapshot.version()
        {
            let (hours, cells) = (known.hours, Some(known.cells.clone()));
            return Gap { files: Vec::new(), fresh: Vec::new(), hours, cells };
        }
        let files = files_of(scope, snapshot, key.1);
        let Some(known) = known else {
            return Gap { fresh: files.clone(), files, hours: 0, cells: None };
        };
        let mut before = known.files.iter().peekable();
        let is_fresh = |file: &&Arc<DataFile>| before.next_if(|path| **path == file.path).is_none();
        let fresh: Vec<_> = files.iter().filter(is_fresh).cloned().collect();
        if before.peek().is_some() {
            // Some were rewritten.
            return Gap { fresh: files.clone(), files, hours: 0, cells: None };
        }
        if fresh.is_empty() {
            known.version = snapshot.version();
        }
        Gap { files, fresh, hours: known.hours, cells: Some(known.cells.clone()) }
    }

    /// Keeps what was made of the files of a date.
    pub fn keep(
        &self,
        key: DayKey,
        snapshot: &Snapshot,
        files: &[Arc<DataFile>],
        (hours, cells): (HourSet, &Arc<DayCells>),
    ) {
        let files: Vec<_> = files.iter().map(|file| file.path.clone()).collect();
        let paths: usize = files.iter().map(|path| size_of_val(path) + path.len()).sum();
        let bytes = cells.bytes() + paths + key.0.len() + ENTRY_BYTES;
        let kept = Kept { version: snapshot.version(), files, hours, cells: cells.clone() };
        self.kept.lock().put(key, kept, bytes);
    }
}

/// The files of a date that may hold events of a scope.
pub fn files_of(scope: &UsageScope, snapshot: &Snapshot, date: NaiveDate) -> Vec<Arc<DataFile>> {
    let files = snapshot.files_of(date);
    files.filter(|file| file.may_hold_org(scope.org_id.as_str())).cloned().collect()
}
