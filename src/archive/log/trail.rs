//! The log entries on which a new version rests.

use super::entry::Entry;
use crate::archive::chain::EntryLink;

/// The entries on which a new version rests, except those that a later one names.
#[derive(Debug, Default)]
pub struct Trail(Vec<(u64, Option<EntryLink>)>);

impl Trail {
    /// Adds the entry after the last one, which was found to follow it.
    pub(super) fn follow(&mut self, version: u64, entry: &Entry) {
        if entry.before.is_some() {
            self.0.pop_if(|(last, _)| *last + 1 == version);
        }
        self.add(version, entry);
    }

    /// Adds an entry that vouches for no other.
    pub(super) fn add(&mut self, version: u64, entry: &Entry) {
        self.0.push((version, entry.link));
    }

    /// The versions and their links, oldest first.
    pub(super) fn entries(&self) -> &[(u64, Option<EntryLink>)] {
        &self.0
    }
}
