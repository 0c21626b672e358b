//! The plan of a repair: the files that are live afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::thinned::ThinnedFile;
use crate::archive::file::data_file::DataFile;

/// Files that a repair restores and removes.
#[derive(Debug, Clone, Default)]
pub struct RepairPlan {
    /// Files that are live afterwards.
    pub keeps: Vec<Arc<DataFile>>,
    /// Of these, the ones that are not live now, by path.
    pub restores: BTreeMap<Arc<str>, Arc<DataFile>>,
    /// Live files that go, by path.
    pub removes: BTreeSet<Arc<str>>,
    /// True if the table's description goes back to that of the good version.
    pub describes: bool,
    /// Of the kept files, those that are new.
    pub(super) thinned: Vec<Arc<ThinnedFile>>,
}

impl RepairPlan {
    /// True if there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.restores.is_empty() && self.removes.is_empty() && !self.describes
    }

    /// Of the kept files, those that are new.
    pub fn thinned(&self) -> &[Arc<ThinnedFile>] {
        &self.thinned
    }

    /// The same plan, which also puts new files in the place of such as go.
    pub fn with_thinned(mut self, files: &[Arc<ThinnedFile>]) -> Self {
        self.keeps.extend(files.iter().map(|new| new.file.clone()));
        self.thinned.extend(files.iter().cloned());
        self
    }
}
