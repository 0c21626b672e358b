//! The search for inputs on this machine: files, folders, patterns, and Delta tables.

use std::collections::{BTreeMap, HashMap};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::found::{
    FoundBy, FoundFile, InputPlace, Search, WILD, fixed, hidden, hidden_match, is_parquet,
};
use super::hive::{fields_of, fields_of_folder};
use super::patterns;
use super::tables::{self, TableKind};
use crate::archive::{LiveFile, live_files_in};
use crate::backfill::{BackfillError, InputFormat};
use crate::new_file::{FileId, file_id};

/// Finds the inputs that a path or pattern names.
pub(super) async fn find(text: &str, format: Option<InputFormat>) -> Result<Search, BackfillError> {
    let path = Path::new(text);
    let pattern = !path.exists() && text.contains(WILD);
    let base = if pattern { Path::new(fixed(text)) } else { path };
    let mut walk = Walk { base: base.to_owned(), format, ..Walk::default() };
    if pattern {
        let unusable = |reason: String| BackfillError::unusable(text, reason);
        let matches = patterns::find(text).map_err(|error| {
            unusable(format!("is not a pattern: {error}; write a literal *, ? or [ in brackets"))
        })?;
        for (folder, error) in matches.failed {
            let folder = folder.display();
            walk.search.failed.push(unusable(format!("{folder} cannot be searched: {error}")));
        }
        for one in matches.paths {
            let below = one.strip_prefix(base).unwrap_or(&one);
            if !hidden_match(text, &below.to_string_lossy()) {
                walk.take(&one, FoundBy::Pattern);
            }
        }
    } else {
        walk.take(path, FoundBy::Name);
    }
    walk.read_tables().await;
    Ok(walk.search)
}

/// The requested part of a Delta table.
#[derive(Debug, Default)]
struct WantedFiles {
    /// Folders and files of the table, as whole paths; its root for the whole table.
    within: Vec<PathBuf>,
    /// Files that were named one by one.
    named: Vec<PathBuf>,
}

/// A walk through folders.
#[derive(Default)]
struct Walk {
    /// The folder to which the names in derived ids are relative.
    base: PathBuf,
    format: Option<InputFormat>,
    search: Search,
    /// Delta tables by their roots.
    delta: BTreeMap<PathBuf, WantedFiles>,
    /// The tables of the folders seen so far.
    known: HashMap<PathBuf, Option<TableKind>>,
    refused: Vec<PathBuf>,
    /// The folders on the path to the current one: a link may lead back into one.
    above: Vec<FileId>,
}

impl Walk {
    /// Adds a given path, or a match of a pattern.
    fn take(&mut self, path: &Path, by: FoundBy) {
        let Some(about) = self.about(path) else { return };
        let whole = absolute(path);
        let name = path.to_string_lossy();
        let table = if about.is_dir() || is_parquet(&name, self.format) {
            self.table_of(&whole)
        } else {
            None
        };
        match table {
            Some((root, TableKind::Delta)) => {
                let part = self.delta.entry(root).or_default();
                if by == FoundBy::Name && about.is_file() {
                    part.named.push(whole.clone());
                }
                part.within.push(whole);
            }
            Some((root, table)) => self.refuse(root, table),
            None if about.is_dir() => self.folder(path, &about),
            None => self.file(path, &about, by),
        }
    }

    fn about(&mut self, path: &Path) -> Option<Metadata> {
        match path.metadata() {
            Ok(about) => Some(about),
            Err(error) => {
                self.failed(path, &error);
                None
            }
        }
    }

    fn failed(&mut self, path: &Path, error: &std::io::Error) {
        let reason = format!("cannot be opened: {error}");
        self.search.failed.push(BackfillError::unusable(path.display().to_string(), reason));
    }

    fn refuse(&mut self, root: PathBuf, table: TableKind) {
        if !self.refused.contains(&root) {
            self.search.failed.push(table.refusal(&root.display().to_string()));
            self.refused.push(root);
        }
    }

    /// The outermost table that a whole path is or lies in.
    fn table_of(&mut self, whole: &Path) -> Option<(PathBuf, TableKind)> {
        let mut found = None;
        for folder in whole.ancestors() {
            let known = self.known.entry(folder.to_owned());
            if let Some(table) = *known.or_insert_with(|| TableKind::at(folder)) {
                found = Some((folder.to_owned(), table));
            }
        }
        found
    }

    /// Adds all files below a folder in the order of their names, without hidden ones and those of
    /// programs (`_…`).
    fn folder(&mut self, path: &Path, about: &Metadata) {
        let id = file_id(about);
        if self.above.contains(&id) {
            return;
        }
        let entries = path.read_dir().and_then(|entries| {
            entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()
        });
        let mut entries = match entries {
            Ok(entries) => entries,
            Err(error) => return self.failed(path, &error),
        };
        let is_hidden = |name: &std::ffi::OsStr| hidden(&name.to_string_lossy());
        entries.retain(|entry| !entry.file_name().is_some_and(is_hidden));
        entries.sort();
        self.above.push(id);
        for entry in entries {
            let Some(about) = self.about(&entry) else { continue };
            if !about.is_dir() {
                self.file(&entry, &about, FoundBy::Folder);
                continue;
            }
            match TableKind::at(&entry) {
                None => self.folder(&entry, &about),
                Some(TableKind::Delta) => {
                    let root = absolute(&entry);
                    self.delta.entry(root.clone()).or_default().within.push(root);
                }
                Some(table) => self.refuse(entry, table),
            }
        }
        self.above.pop();
    }

    fn file(&mut self, path: &Path, about: &Metadata, by: FoundBy) {
        let place = InputPlace::File(path.to_owned());
        self.search.found.push(FoundFile {
            below: self.below(path),
            bytes: about.len(),
            changed: changed(about),
            folders: fields_of(&absolute(path).to_string_lossy()),
            by,
            irregular: !about.is_file(),
            file_id: Some(file_id(about)),
            ..FoundFile::new(path.display().to_string(), place)
        });
    }

    /// A path below the given one; just the file's name if the file itself was given.
    fn below(&self, path: &Path) -> String {
        let below = path.strip_prefix(&self.base).ok();
        let below = below.filter(|below| !below.as_os_str().is_empty());
        let below = below.or(path.file_name().map(Path::new)).unwrap_or(path);
        below.display().to_string()
    }

    /// Adds the files that Delta tables name.
    async fn read_tables(&mut self) {
        for (root, part) in std::mem::take(&mut self.delta) {
            match live_files_in(&root).await {
                Ok(files) => self.table(&root, &part, files),
                Err(error) => {
                    let name = root.display().to_string();
                    self.search.failed.push(BackfillError::unusable(name, error.to_string()));
                }
            }
        }
    }

    fn table(&mut self, root: &Path, part: &WantedFiles, files: Vec<LiveFile>) {
        if files.is_empty() {
            self.search.failed.push(tables::empty(&root.display().to_string()));
        }
        let above = fields_of_folder(&root.to_string_lossy());
        let mut named = part.named.clone();
        for file in files {
            let path = root.join(&file.path);
            named.retain(|named| *named != path);
            if !part.within.iter().any(|within| path.starts_with(within)) {
                continue;
            }
            // A missing file is an input that cannot be read.
            let about = path.metadata().ok();
            let mut folders = above.to_vec();
            folders.retain(|(name, _)| !file.columns.iter().any(|(own, _)| own == name));
            folders.extend(file.columns);
            let below = path.strip_prefix(absolute(&self.base)).ok().and_then(Path::to_str);
            let below = below.filter(|below| !below.is_empty()).unwrap_or(&file.path).to_owned();
            self.search.found.push(FoundFile {
                below,
                bytes: file.bytes,
                changed: about.as_ref().map(changed).unwrap_or_default(),
                folders: folders.into(),
                by: FoundBy::Folder,
                of_table: true,
                irregular: about.as_ref().is_some_and(|about| !about.is_file()),
                file_id: about.as_ref().map(file_id),
                ..FoundFile::new(path.display().to_string(), InputPlace::File(path))
            });
        }
        for path in named {
            let name = path.display().to_string();
            self.search.failed.push(tables::not_live(&name, &root.display().to_string()));
        }
    }
}

fn changed(about: &Metadata) -> String {
    format!("{}.{:09}", about.mtime(), about.mtime_nsec())
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
