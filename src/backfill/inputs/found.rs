//! One file or object that was found, and how patterns and names are read.

use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use super::hive::Folders;
use crate::archive::{FoundObject, Objects};
use crate::backfill::BackfillError;
use crate::backfill::format::{Coding, Format};
use crate::new_file::{FileId, file_id, stream_about};

/// The name of what comes in by stdin.
pub(super) const STDIN: &str = "-";
/// What makes a pattern of a path.
pub(super) const WILD: [char; 3] = ['*', '?', '['];

/// One file or object.
#[derive(Debug, Clone)]
pub struct Input {
    /// Its path as found: for messages and rejected rows.
    pub(in crate::backfill) name: String,
    /// Its path below what was given, without the ending of a compression: part of derived ids.
    pub(in crate::backfill) identity: String,
    pub(in crate::backfill) place: Place,
    /// None for stdin, whose bytes tell.
    pub(in crate::backfill) format: Option<Format>,
    /// What the name says; the bytes may say otherwise.
    pub(in crate::backfill) coding: Coding,
    /// Its size as stored.
    pub(in crate::backfill) bytes: u64,
    /// What tells that it is still the same.
    pub(in crate::backfill) changed: String,
    /// The fields that the names of its folders give to each of its rows.
    pub(in crate::backfill) folders: Folders,
    /// A table names its columns: one that it lacks is null in all its rows.
    pub(in crate::backfill) of_table: bool,
    pub(super) by_folder: bool,
    pub(super) file_id: Option<FileId>,
}

impl Input {
    /// A name that does not depend on where the program is started.
    pub(in crate::backfill) fn whole_name(&self) -> String {
        match &self.place {
            Place::File(path) => whole(path),
            Place::Object(..) | Place::Stdin => self.name.clone(),
        }
    }

    /// A file that holds what a test wrote.
    #[cfg(test)]
    pub(in crate::backfill) fn for_tests(path: &Path, format: Option<Format>) -> Self {
        let bytes = path.metadata().map_or(0, |about| about.len());
        let found = Found { bytes, ..Found::new(String::new(), Place::File(path.to_owned())) };
        Self::new(found, format)
    }

    pub(super) fn new(found: Found, format: Option<Format>) -> Self {
        let coding = Coding::split(&found.name).0;
        let identity = Coding::split(&found.below).1.to_owned();
        let Found { name, place, bytes, changed, folders, of_table, by_folder, file_id, .. } =
            found;
        Self {
            name,
            identity,
            place,
            format,
            coding,
            bytes,
            changed,
            folders,
            of_table,
            by_folder,
            file_id,
        }
    }
}

pub(super) fn whole(path: &Path) -> String {
    path.canonicalize().unwrap_or_else(|_| path.to_owned()).display().to_string()
}

/// Where an input lies.
#[derive(Debug, Clone)]
pub(in crate::backfill) enum Place {
    File(PathBuf),
    Object(Objects, FoundObject),
    Stdin,
}

/// A file or object that was found.
pub(super) struct Found {
    pub(super) name: String,
    /// Below what was given.
    pub(super) below: String,
    pub(super) place: Place,
    pub(super) bytes: u64,
    pub(super) changed: String,
    pub(super) folders: Folders,
    /// Found by looking through a folder or by a pattern, where other files may lie too.
    pub(super) by_folder: bool,
    pub(super) of_table: bool,
    /// A pipe, a device or a socket.
    pub(super) irregular: bool,
    pub(super) file_id: Option<FileId>,
}

impl Found {
    pub(super) fn new(name: String, place: Place) -> Self {
        Self {
            below: name.clone(),
            name,
            place,
            bytes: 0,
            changed: String::new(),
            folders: Folders::default(),
            by_folder: false,
            of_table: false,
            irregular: false,
            file_id: None,
        }
    }

    pub(super) fn stdin() -> Self {
        let file_id = stream_about(std::io::stdin().as_fd()).map(|about| file_id(&about));
        Self { file_id, ..Self::new(STDIN.to_owned(), Place::Stdin) }
    }
}

/// What one of the given names led to.
#[derive(Default)]
pub(super) struct Search {
    pub(super) found: Vec<Found>,
    pub(super) failed: Vec<BackfillError>,
}

/// The folder in front of the first wild part of a pattern.
pub(super) fn fixed(pattern: &str) -> &str {
    let wild = pattern.find(WILD).unwrap_or(pattern.len());
    let head = pattern.get(..wild).unwrap_or_default();
    head.rfind('/').and_then(|slash| head.get(..=slash)).unwrap_or_default()
}

/// Hidden files, and those of programs (`_…`): passed over unless they are named.
pub(super) fn hidden(name: &str) -> bool {
    name.starts_with(['.', '_']) && name != "." && name != ".."
}

/// Whether a pattern's match, of which this is what lies below the pattern's fixed part, is hidden
/// though the pattern names nothing hidden.
pub(super) fn hidden_match(pattern: &str, below: &str) -> bool {
    let wild = pattern.get(fixed(pattern).len()..).unwrap_or_default();
    !wild.split('/').any(hidden) && below.split('/').any(hidden)
}

/// Whether it is read as Parquet, as far as its name tells.
pub(super) fn is_parquet(name: &str, format: Option<Format>) -> bool {
    format.or_else(|| Format::of(Coding::split(name).1)) == Some(Format::Parquet)
}
