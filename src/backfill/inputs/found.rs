//! A file or object found as an input, and the rules for patterns and hidden names.

use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use super::hive::Folders;
use crate::archive::{FoundObject, Objects};
use crate::backfill::BackfillError;
use crate::backfill::format::{Compression, InputFormat};
use crate::new_file::{FileId, file_id, stream_about};

/// The name of stdin as an input.
pub(super) const STDIN: &str = "-";
/// The characters that make a path a pattern.
pub(super) const WILD: [char; 3] = ['*', '?', '['];

/// One file or object.
#[derive(Debug, Clone)]
pub struct Input {
    /// Its path as found: for messages and rejected rows.
    pub(in crate::backfill) name: String,
    /// Its path below the given name, without the ending of a compression; part of derived ids.
    pub(in crate::backfill) identity: String,
    pub(in crate::backfill) place: InputPlace,
    /// None for stdin, whose first bytes decide.
    pub(in crate::backfill) format: Option<InputFormat>,
    /// The compression by the name; the first bytes may show another.
    pub(in crate::backfill) coding: Compression,
    /// Its size as stored.
    pub(in crate::backfill) bytes: u64,
    /// A mark that changes when its content changes.
    pub(in crate::backfill) changed: String,
    /// The fields that the names of its folders add to each row.
    pub(in crate::backfill) folders: Folders,
    /// Whether it is a file of a table, which names the columns: a column that the file lacks is
    /// null in all its rows.
    pub(in crate::backfill) of_table: bool,
    pub(super) by: FoundBy,
    pub(super) file_id: Option<FileId>,
}

/// How a file was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum FoundBy {
    /// It was named.
    #[default]
    Name,
    /// A pattern matches it.
    Pattern,
    /// In a folder, among files of any kind.
    Folder,
}

impl Input {
    /// A name that does not depend on the current folder.
    pub(in crate::backfill) fn whole_name(&self) -> String {
        match &self.place {
            InputPlace::File(path) => whole(path),
            InputPlace::Object(..) | InputPlace::Stdin => self.name.clone(),
        }
    }

    /// An input for a file that a test wrote.
    #[cfg(test)]
    pub(in crate::backfill) fn for_tests(path: &Path, format: Option<InputFormat>) -> Self {
        let bytes = path.metadata().map_or(0, |about| about.len());
        let found =
            FoundFile { bytes, ..FoundFile::new(String::new(), InputPlace::File(path.to_owned())) };
        Self::new(found, format)
    }

    pub(super) fn new(found: FoundFile, format: Option<InputFormat>) -> Self {
        let coding = Compression::split(&found.name).0;
        let identity = Compression::split(&found.below).1.to_owned();
        let FoundFile { name, place, bytes, changed, folders, of_table, by, file_id, .. } = found;
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
            by,
            file_id,
        }
    }
}

pub(super) fn whole(path: &Path) -> String {
    path.canonicalize().unwrap_or_else(|_| path.to_owned()).display().to_string()
}

/// The place where an input lies.
#[derive(Debug, Clone)]
pub(in crate::backfill) enum InputPlace {
    File(PathBuf),
    Object(Objects, FoundObject),
    Stdin,
}

/// A file or object that was found.
pub(super) struct FoundFile {
    pub(super) name: String,
    /// The path below the given name.
    pub(super) below: String,
    pub(super) place: InputPlace,
    pub(super) bytes: u64,
    pub(super) changed: String,
    pub(super) folders: Folders,
    pub(super) by: FoundBy,
    pub(super) of_table: bool,
    /// A pipe, a device or a socket.
    pub(super) irregular: bool,
    pub(super) file_id: Option<FileId>,
}

impl FoundFile {
    pub(super) fn new(name: String, place: InputPlace) -> Self {
        Self {
            below: name.clone(),
            name,
            place,
            bytes: 0,
            changed: String::new(),
            folders: Folders::default(),
            by: FoundBy::Name,
            of_table: false,
            irregular: false,
            file_id: None,
        }
    }

    pub(super) fn stdin() -> Self {
        let file_id = stream_about(std::io::stdin().as_fd()).map(|about| file_id(&about));
        Self { file_id, ..Self::new(STDIN.to_owned(), InputPlace::Stdin) }
    }
}

/// The result of searching for one of the given names.
#[derive(Default)]
pub(super) struct Search {
    pub(super) found: Vec<FoundFile>,
    pub(super) failed: Vec<BackfillError>,
}

/// The folder before the first wild part of a pattern.
pub(super) fn fixed(pattern: &str) -> &str {
    let wild = pattern.find(WILD).unwrap_or(pattern.len());
    let head = pattern.get(..wild).unwrap_or_default();
    head.rfind('/').and_then(|slash| head.get(..=slash)).unwrap_or_default()
}

/// Whether a file is hidden or a program's own (`_…`): such files are skipped unless they are
/// named.
pub(super) fn hidden(name: &str) -> bool {
    name.starts_with(['.', '_']) && name != "." && name != ".."
}

/// Whether a match of a pattern is hidden although the pattern names nothing hidden. `below` is the
/// match's path below the fixed part of the pattern.
pub(super) fn hidden_match(pattern: &str, below: &str) -> bool {
    let wild = pattern.get(fixed(pattern).len()..).unwrap_or_default();
    !wild.split('/').any(hidden) && below.split('/').any(hidden)
}

/// Whether a file is read as Parquet, by its name.
pub(super) fn is_parquet(name: &str, format: Option<InputFormat>) -> bool {
    format.or_else(|| InputFormat::of(Compression::split(name).1)) == Some(InputFormat::Parquet)
}
