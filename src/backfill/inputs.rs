//! Which files and objects a job reads, in which order and by which names.

use std::collections::HashSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::BackfillError;
use super::format::{Coding, Format};
use crate::archive::{FoundObject, Objects};

/// What makes a pattern of a path.
const WILD: [char; 3] = ['*', '?', '['];

/// One file or object.
#[derive(Debug, Clone)]
pub struct Input {
    /// Its path as found: for messages and rejected rows.
    pub(super) name: String,
    /// Its path below what was given, without the ending of a compression: part of derived ids.
    pub(super) identity: String,
    pub(super) place: Place,
    pub(super) format: Format,
    pub(super) coding: Coding,
    /// Its size as stored.
    pub(super) bytes: u64,
    /// What tells that it is still the same.
    pub(super) changed: String,
}

impl Input {
    /// A name that does not depend on where the program is started.
    pub(super) fn whole_name(&self) -> String {
        match &self.place {
            Place::File(path) => whole(path),
            Place::Object(..) => self.name.clone(),
        }
    }
}

fn whole(path: &Path) -> String {
    path.canonicalize().unwrap_or_else(|_| path.to_owned()).display().to_string()
}

/// Where an input lies.
#[derive(Debug, Clone)]
pub(super) enum Place {
    File(PathBuf),
    Object(Objects, FoundObject),
}

/// All inputs of a job.
#[derive(Debug, Default)]
pub struct Inputs {
    /// In the order given; those of a folder or pattern by name.
    pub files: Vec<Input>,
    /// Files of folders whose format nobody told.
    pub passed_over: Vec<String>,
    seen: HashSet<String>,
}

/// A file or object that was found.
struct Found {
    name: String,
    /// Below what was given.
    below: String,
    place: Place,
    bytes: u64,
    changed: String,
    /// Found by looking through a folder, where other files may lie too.
    by_folder: bool,
}

impl Inputs {
    /// Finds files, folders (all that is in them), patterns and addresses of object storage;
    /// `format` is that of all, where it is given.
    ///
    /// # Errors
    /// Unusable, if one is not there or has no format.
    pub async fn find(given: &[String], format: Option<Format>) -> Result<Self, BackfillError> {
        let mut inputs = Self::default();
        for text in given {
            let found = if Objects::are_at(text) { objects(text).await? } else { files(text)? };
            if found.is_empty() {
                return Err(BackfillError::unusable(text, "no file is there; check the name"));
            }
            for one in found {
                inputs.add(one, format)?;
            }
        }
        if inputs.files.is_empty() {
            let reason = "no file whose ending tells its format is there; give --format";
            return Err(BackfillError::unusable(given.join(" "), reason));
        }
        Ok(inputs)
    }

    /// Bytes of all.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|input| input.bytes).sum()
    }

    fn add(&mut self, found: Found, format: Option<Format>) -> Result<(), BackfillError> {
        let (coding, plain) = Coding::split(&found.name);
        let Some(format) = format.or_else(|| Format::of(plain)) else {
            if found.by_folder {
                self.passed_over.push(found.name);
                return Ok(());
            }
            let reason = "its ending tells no format; give --format ndjson, json, csv or parquet";
            return Err(BackfillError::unusable(found.name, reason));
        };
        if format == Format::Parquet && coding != Coding::Plain {
            let reason = "Parquet is not read out of .gz or .zst; decompress it first";
            return Err(BackfillError::unusable(found.name, reason));
        }
        // A file that is given twice, or by its folder too, is read once.
        let once = match &found.place {
            Place::File(path) => whole(path),
            Place::Object(..) => found.name.clone(),
        };
        if self.seen.insert(once) {
            let identity = Coding::split(&found.below).1.to_owned();
            let Found { name, place, bytes, changed, .. } = found;
            self.files.push(Input { name, identity, place, format, coding, bytes, changed });
        }
        Ok(())
    }
}

fn files(text: &str) -> Result<Vec<Found>, BackfillError> {
    let unusable = |reason: String| BackfillError::unusable(text, reason);
    let path = Path::new(text);
    let mut found = Vec::new();
    if path.exists() || !text.contains(WILD) {
        walk(path, path, false, &mut found)?;
        return Ok(found);
    }
    let base = Path::new(fixed(text));
    let matches = glob::glob(text).map_err(|error| {
        unusable(format!("is not a pattern: {error}; quote what is no pattern"))
    })?;
    for one in matches {
        let one = one.map_err(|error| unusable(format!("cannot be searched: {error}")))?;
        walk(&one, base, false, &mut found)?;
    }
    Ok(found)
}

/// The folder in front of the first wild part of a pattern.
fn fixed(pattern: &str) -> &str {
    let wild = pattern.find(WILD).unwrap_or(pattern.len());
    let head = pattern.get(..wild).unwrap_or_default();
    head.rfind('/').and_then(|slash| head.get(..=slash)).unwrap_or_default()
}

/// Adds a file, or all files below a folder by name; hidden ones and those of programs (`_…`) not.
fn walk(
    path: &Path,
    base: &Path,
    by_folder: bool,
    found: &mut Vec<Found>,
) -> Result<(), BackfillError> {
    let name = path.display().to_string();
    let failed = |error: std::io::Error| {
        BackfillError::unusable(name.clone(), format!("cannot be opened: {error}"))
    };
    let about = path.metadata().map_err(failed)?;
    if !about.is_dir() {
        let below = path.strip_prefix(base).ok().filter(|below| !below.as_os_str().is_empty());
        let below = below.or(path.file_name().map(Path::new)).unwrap_or(path);
        let below = below.display().to_string();
        let place = Place::File(path.to_owned());
        let changed = format!("{}.{:09}", about.mtime(), about.mtime_nsec());
        found.push(Found { name, below, place, bytes: about.len(), changed, by_folder });
        return Ok(());
    }
    let entries = path.read_dir().map_err(failed)?.collect::<Result<Vec<_>, _>>();
    let mut entries: Vec<_> = entries.map_err(failed)?.iter().map(|entry| entry.path()).collect();
    entries.retain(|entry| !entry.file_name().is_some_and(|name| hidden(&name.to_string_lossy())));
    entries.sort();
    entries.iter().try_for_each(|entry| walk(entry, base, true, found))
}

fn hidden(name: &str) -> bool {
    name.starts_with(['.', '_'])
}

async fn objects(url: &str) -> Result<Vec<Found>, BackfillError> {
    let unusable = |reason: String| BackfillError::unusable(url, reason);
    let wild = url.contains(WILD);
    let base = if wild { fixed(url) } else { url };
    let (objects, root, key) = Objects::open(base).map_err(|error| unusable(error.to_string()))?;
    let listed = objects.list(&key).await.map_err(|error| unusable(error.to_string()))?;
    let pattern = glob::Pattern::new(url).map_err(|error| unusable(error.to_string()))?;
    let options = glob::MatchOptions { require_literal_separator: true, ..Default::default() };
    let mut found = Vec::new();
    for object in listed {
        let name = format!("{root}{}", object.key);
        let below = object.key.strip_prefix(&key).unwrap_or(&object.key).trim_start_matches('/');
        let file = object.key.rsplit('/').next().unwrap_or_default();
        let by_folder = !wild && !below.is_empty();
        let below = if below.is_empty() { file } else { below }.to_owned();
        if by_folder && below.split('/').any(hidden)
            || wild && !pattern.matches_with(&name, options)
        {
            continue;
        }
        let (bytes, changed) = (object.bytes, object.mark().to_owned());
        let place = Place::Object(objects.clone(), object);
        found.push(Found { name, below, place, bytes, changed, by_folder });
    }
    Ok(found)
}
