//! The ids of one date that a process keeps, and the files that they are from.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::NaiveDate;

use crate::archive::file::data_file::DataFile;
use crate::archive::file::ids::IdSet;
use crate::archive::log::snapshot::{Arrival, Snapshot};

/// Memory of one name in the set of files that were read.
pub(super) const FILE_BYTES: usize = 160;

/// The ids of one date.
#[derive(Debug, Default)]
pub(super) struct DateIds {
    /// Their fingerprints.
    pub ids: IdSet,
    /// Files whose ids are in `ids`.
    pub read: HashSet<Arc<str>>,
    /// Live files not in `read`, as of `version`.
    pub unread: Vec<Arc<DataFile>>,
    /// The version that both are of.
    pub version: Option<u64>,
    /// True once its files have been read into `ids`, which new commits then extend.
    pub kept: bool,
    /// The turn of their last use.
    pub used: u64,
}

impl DateIds {
    /// Memory held, about.
    pub fn bytes(&self) -> usize {
        set_bytes(self.ids.len()) + self.read.len() * FILE_BYTES
    }

    /// Whether all ids of the date are in memory, as of a version.
    pub fn is_whole_at(&self, version: u64) -> bool {
        self.kept && self.unread.is_empty() && self.version == Some(version)
    }

    /// Brings `unread` up to `snapshot`.
    pub fn catch_up(&mut self, date: NaiveDate, snapshot: &Snapshot) {
        if self.version == Some(snapshot.version()) {
            return;
        }
        let arrivals = self.version.and_then(|version| snapshot.arrivals_since(version));
        match arrivals {
            Some(arrivals) => {
                let came = arrivals.filter(|came| came.file.date == date);
                let (new, moved): (Vec<_>, Vec<_>) = came.partition(|came| came.data_change);
                self.unread.extend(self.not_read(new.into_iter().map(|came| &came.file)));
                self.take_moved(date, snapshot, &moved);
            }
            None => {
                self.forget_unless_live(date, snapshot);
                self.unread = self.not_read(snapshot.files_of(date));
            }
        }
        self.unread.retain(|file| snapshot.is_live(file));
        self.version = Some(snapshot.version());
    }

    /// Takes in files with rows that were moved. These rows are known if all files that they may
    /// come from are either read or still live.
    fn take_moved(&mut self, date: NaiveDate, snapshot: &Snapshot, moved: &[&Arrival]) {
        let files = moved.iter().map(|came| &came.file);
        if self.unread.iter().any(|file| !snapshot.is_live(file)) {
            self.unread.extend(self.not_read(files));
        } else if !moved.is_empty() {
            self.read.extend(files.map(|file| file.path.clone()));
            // The names of files that are gone would fill the memory.
            let live: HashSet<_> = snapshot.files_of(date).map(|file| &file.path).collect();
            self.read.retain(|path| live.contains(path));
        }
    }

    /// Forgets all ids if one of their files is gone, when nothing says what became of its events: a
    /// repair may have taken them out, and then they are new if they come again.
    fn forget_unless_live(&mut self, date: NaiveDate, snapshot: &Snapshot) {
        let live: HashSet<_> = snapshot.files_of(date).map(|file| &file.path).collect();
        if self.read.iter().any(|path| !live.contains(path)) {
            *self = Self { used: self.used, ..Self::default() };
        }
    }

    /// Those of these files that were not read.
    pub fn not_read<'a>(
        &self,
        files: impl Iterator<Item = &'a Arc<DataFile>>,
    ) -> Vec<Arc<DataFile>> {
        files.filter(|file| !self.read.contains(&file.path)).cloned().collect()
    }
}

/// Memory of a hash set of `ids` fingerprints: a power of two of slots, at most 7/8 full, each of
/// 16 bytes and a control byte.
pub(super) fn set_bytes(ids: usize) -> usize {
    if ids == 0 {
        return 0;
    }
    let slots = (ids.saturating_mul(8) / 7).checked_next_power_of_two();
    slots.unwrap_or(usize::MAX).saturating_mul(17)
}
