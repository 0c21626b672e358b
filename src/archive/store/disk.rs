//! Files of one directory tree that survive a loss of power. Everything here blocks.
//!
//! A file is durable once its bytes, its entry in its directory, and the entries of that directory
//! and of every directory above it (up to the root) have reached the disk.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use object_store::PutPayload;
use parking_lot::Mutex;

/// A failed step on a file.
#[derive(Debug, thiserror::Error)]
pub(in crate::archive) enum DiskError {
    /// The name is taken; the file that holds it is durable under that name.
    #[error("{} exists already", path.display())]
    Exists { path: PathBuf, source: io::Error },
    /// Anything else: a full disk, missing permission, a file where a directory belongs.
    #[error("cannot {action} {}: {source}", path.display())]
    Failed { action: &'static str, path: PathBuf, source: io::Error },
}

impl DiskError {
    fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Failed { action, path: path.to_path_buf(), source }
    }
}

impl From<DiskError> for object_store::Error {
    fn from(error: DiskError) -> Self {
        match &error {
            DiskError::Exists { path, .. } => {
                Self::AlreadyExists { path: path.display().to_string(), source: error.into() }
            }
            DiskError::Failed { path, source, .. } => match source.kind() {
                ErrorKind::PermissionDenied => Self::PermissionDenied {
                    path: path.display().to_string(),
                    source: error.into(),
                },
                _ => Self::Generic { store: "DurableLocal", source: error.into() },
            },
        }
    }
}

/// What a write does if its target exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::archive) enum Existing {
    /// Keep it and fail with [`DiskError::Exists`].
    Keep,
    /// Replace it in one step.
    Replace,
}

/// A directory tree written durably.
#[derive(Debug)]
pub(in crate::archive) struct Disk {
    root: PathBuf,
    /// The number of the next temporary file. It starts at random, so that processes seldom pick
    /// the same one.
    next_number: AtomicU64,
    /// Directories whose entries, up to the root, are known to be durable. It is not enough that a
    /// directory exists: another process may have made it and not synced it yet.
    anchored: Mutex<HashSet<PathBuf>>,
}

impl Disk {
    /// The tree under `root`, which exists.
    pub(in crate::archive) fn new(root: PathBuf) -> Self {
        Self { root, next_number: AtomicU64::new(rand::random()), anchored: Mutex::default() }
    }

    /// Writes `payload` to `target` whole or not at all, and returns once it is durable. If the
    /// last step fails (syncing the directory), the file may exist, durable or not.
    pub(in crate::archive) fn write(
        &self,
        target: &Path,
        payload: &PutPayload,
        existing: Existing,
    ) -> Result<(), DiskError> {
        let begun = self.begin(target)?;
        let placed = begun.write(0, payload).and_then(|()| begun.place(existing));
        match placed {
            // Also if the name is taken: the caller may recognise its own earlier attempt there and
            // report it as committed.
            Ok(()) | Err(DiskError::Exists { .. }) => self.sync_parent(target).and(placed),
            Err(_) => placed,
        }
    }

    /// Gives a file that was begun its name, in place of what has it, and returns once it is
    /// durable.
    pub(in crate::archive) fn finish(&self, begun: &BegunFile) -> Result<(), DiskError> {
        begun.place(Existing::Replace)?;
        self.sync_parent(&begun.target)
    }

    /// Makes the entry of `target` in its directory durable.
    fn sync_parent(&self, target: &Path) -> Result<(), DiskError> {
        let directory = target.parent().unwrap_or(&self.root);
        sync_entry(directory)?;
        self.anchor(directory)
    }

    /// Syncs the entries of `directory` and of those above it that are not known to be durable.
    fn anchor(&self, directory: &Path) -> Result<(), DiskError> {
        let unknown: Vec<PathBuf> = {
            let anchored = self.anchored.lock();
            directory
                .ancestors()
                .take_while(|level| *level != self.root && !anchored.contains(*level))
                .map(Path::to_path_buf)
                .collect()
        };
        for level in &unknown {
            sync_entry(level.parent().unwrap_or(&self.root))?;
        }
        self.anchored.lock().extend(unknown);
        Ok(())
    }

    /// Begins a file next to `target`, with the directories it needs. Its name ends in `#` and
    /// digits, which `LocalFileSystem` hides from listings.
    pub(in crate::archive) fn begin(&self, target: &Path) -> Result<BegunFile, DiskError> {
        loop {
            let number = self.next_number.fetch_add(1, Ordering::Relaxed);
            let mut name = target.as_os_str().to_owned();
            name.push(format!("#{number}"));
            let path = PathBuf::from(name);
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => return Ok(BegunFile { file, path, target: target.to_path_buf() }),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) if error.kind() == ErrorKind::NotFound => self.create_parent(target)?,
                Err(error) => return Err(DiskError::failed("create", target)(error)),
            }
        }
    }

    /// Makes the directories of `target` below the root. No write makes the root itself: if it is
    /// gone, its volume is not mounted.
    fn create_parent(&self, target: &Path) -> Result<(), DiskError> {
        let directory = target.parent().unwrap_or(&self.root);
        // Directories may have been removed by hand, so what `anchored` says may no longer hold.
        self.anchored.lock().clear();
        let levels = directory.ancestors().take_while(|level| *level != self.root);
        let levels: Vec<_> = levels.collect();
        for level in levels.into_iter().rev() {
            match fs::create_dir(level) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                made => made.map_err(DiskError::failed("create directory", level))?,
            }
        }
        if directory == self.root && !directory.is_dir() {
            return Err(DiskError::failed("find", directory)(ErrorKind::NotFound.into()));
        }
        Ok(())
    }
}

/// Creates `directory` with its parents, durably. Levels that exist are left alone.
pub(in crate::archive) fn create_directory(directory: &Path) -> Result<(), DiskError> {
    let missing: Vec<&Path> = directory.ancestors().take_while(|level| !level.exists()).collect();
    fs::create_dir_all(directory).map_err(DiskError::failed("create directory", directory))?;
    for level in missing {
        match level.parent() {
            Some(parent) if parent.as_os_str().is_empty() => sync_entry(Path::new("."))?,
            Some(parent) => sync_entry(parent)?,
            None => {}
        }
    }
    Ok(())
}

/// A file under a temporary name, which is removed if it gets no other. Errors name the target,
/// because the user does not know the temporary name.
#[derive(Debug)]
pub(in crate::archive) struct BegunFile {
    file: File,
    path: PathBuf,
    target: PathBuf,
}

impl BegunFile {
    /// Writes `payload` from byte `at` on.
    pub(in crate::archive) fn write(&self, at: u64, payload: &PutPayload) -> Result<(), DiskError> {
        let mut at = at;
        payload
            .iter()
            .try_for_each(|bytes| {
                self.file.write_all_at(bytes, at)?;
                at += bytes.len() as u64;
                Ok(())
            })
            .map_err(DiskError::failed("write", &self.target))
    }

    /// Syncs the bytes and gives them the target's name, in one step.
    fn place(&self, existing: Existing) -> Result<(), DiskError> {
        let Self { file, path, target } = self;
        file.sync_all().map_err(DiskError::failed("write", target))?;
        match existing {
            Existing::Replace => {
                fs::rename(path, target).map_err(DiskError::failed("rename a file to", target))
            }
            Existing::Keep => fs::hard_link(path, target).map_err(|source| match source.kind() {
                ErrorKind::AlreadyExists => DiskError::Exists { path: target.clone(), source },
                _ => DiskError::failed("hard-link (its file system must support that)", target)(
                    source,
                ),
            }),
        }
    }

    /// Removes the temporary name.
    pub(in crate::archive) fn remove(&self) -> Result<(), DiskError> {
        fs::remove_file(&self.path).map_err(DiskError::failed("remove a part of", &self.target))
    }
}

impl Drop for BegunFile {
    fn drop(&mut self) {
        // A rename has removed the temporary name; a hard link or a failure leaves it.
        let _ = fs::remove_file(&self.path);
    }
}

/// Flushes one file, or the entries of one directory, to the disk.
fn sync_entry(path: &Path) -> Result<(), DiskError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(DiskError::failed("sync", path))
}
