//! Output files for users: each is written under a temporary name in the same folder, and renamed
//! once it is whole. Until then an older file stays, and a partial file never has the final name.
//!
//! A path that is not a regular file (a pipe, a device), or that stdout or stderr already go to, is
//! written to directly.

use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io::{BufWriter, Result, Write};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use tempfile::TempPath;

/// The usual mode of new files; the system applies its umask.
const MODE: u32 = 0o666;
/// The permission bits of a mode.
const MODE_BITS: u32 = 0o777;
/// The suffix of names of files that are not whole yet.
const PARTIAL: &str = ".partial";

/// Files that are not whole yet.
static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// A file's identity on its machine, independent of its names: device and inode.
pub type FileId = (u64, u64);

/// The identity of a file.
pub fn file_id(about: &Metadata) -> FileId {
    (about.dev(), about.ino())
}

/// The metadata of the file that an open stream reads from or writes to.
pub fn stream_about(stream: BorrowedFd<'_>) -> Option<Metadata> {
    File::from(stream.try_clone_to_owned().ok()?).metadata().ok()
}

/// Whether a file lies, or would lie, in a subfolder of `folder`, whatever names lead there.
pub fn lies_within(path: &Path, folder: &Path) -> bool {
    let Ok(folder) = folder.metadata().map(|about| file_id(&about)) else { return false };
    let Some(whole) = whole(path) else { return false };
    let mut above = whole.ancestors().skip(2).filter_map(|folder| folder.metadata().ok());
    above.any(|about| file_id(&about) == folder)
}

/// Whether a file is, or would be, `folder`'s file `name`, whatever names lead there.
pub fn is_file_of(path: &Path, folder: &Path, name: &str) -> bool {
    let id = |path: &Path| path.metadata().ok().map(|about| file_id(&about));
    let Some(whole) = whole(path) else { return false };
    let would_be = whole.file_name().is_some_and(|found| found == name)
        && id(folder).is_some_and(|folder| whole.parent().and_then(id) == Some(folder));
    would_be || id(&folder.join(name)).is_some_and(|file| id(&whole) == Some(file))
}

/// The path without links of a file that exists or would be made.
fn whole(path: &Path) -> Option<PathBuf> {
    let whole = path.canonicalize().or_else(|_| match path.file_name() {
        Some(name) => folder_of(path).canonicalize().map(|folder| folder.join(name)),
        None => path.canonicalize(),
    });
    whole.ok()
}

/// Removes unfinished files, for a process that must end at once.
pub fn remove_unfinished() {
    for path in UNFINISHED.lock().drain(..) {
        // The process is ending, so a failure has nowhere to go.
        let _ = std::fs::remove_file(path);
    }
}

/// A file being written. Dropped before it is kept, it leaves nothing.
#[derive(Debug)]
pub struct NewFile {
    path: PathBuf,
    file: BufWriter<File>,
    /// The temporary file; none once it is renamed, and none for a path that is written to
    /// directly.
    made: Option<TempPath>,
}

impl NewFile {
    /// Begins a file. A link stays a link: its target is replaced.
    ///
    /// # Errors
    /// The system's error.
    pub fn create(path: &Path) -> Result<Self> {
        let about = path.metadata().ok();
        let id = about.as_ref().map(file_id);
        if let Some(stream) = standard_stream(id) {
            return Ok(Self { path: path.to_owned(), file: BufWriter::new(stream), made: None });
        }
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if about.as_ref().is_some_and(|about| !about.is_file()) {
            let file = OpenOptions::new().write(true).open(&path)?;
            return Ok(Self { path, file: BufWriter::new(file), made: None });
        }
        let mode = about.map_or(MODE, |about| about.permissions().mode() & MODE_BITS);
        let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        let made = tempfile::Builder::new()
            .prefix(&format!(".{name}."))
            .suffix(PARTIAL)
            .permissions(Permissions::from_mode(mode))
            .tempfile_in(folder_of(&path))?;
        let (file, made) = made.into_parts();
        UNFINISHED.lock().push(made.to_path_buf());
        Ok(Self { path, file: BufWriter::new(file), made: Some(made) })
    }

    /// Renames the file to its final name. Later writes are added to it.
    ///
    /// # Errors
    /// The system's error.
    pub fn keep(&mut self) -> Result<()> {
        self.file.flush()?;
        let Some(made) = self.made.take() else { return Ok(()) };
        forget(&made);
        made.persist(&self.path).map_err(|error| error.error)
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> Result<()> {
        self.file.flush()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        self.made.iter().for_each(|made| forget(made));
    }
}

fn forget(path: &Path) {
    UNFINISHED.lock().retain(|unfinished| unfinished != path);
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Stdout or stderr, if it goes to the file with this id.
fn standard_stream(id: Option<FileId>) -> Option<File> {
    let (stdout, stderr) = (std::io::stdout(), std::io::stderr());
    let streams = [stdout.as_fd(), stderr.as_fd()];
    let same = |stream: &&BorrowedFd<'_>| {
        id.is_some() && stream_about(**stream).map(|about| file_id(&about)) == id
    };
    let stream = streams.iter().find(same)?;
    stream.try_clone_to_owned().ok().map(File::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_has_its_name_once_it_is_whole_and_leaves_nothing_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.csv");
        std::fs::write(&path, "old").unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let mut file = NewFile::create(&path).unwrap();
        file.write_all(b"new").unwrap();
        let partial = names(folder.path()).remove(0);
        assert!(partial.starts_with(".out.csv.") && partial.ends_with(PARTIAL), "{partial}");
        drop(file);
        assert_eq!(names(folder.path()), ["out.csv"]);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        let mut file = NewFile::create(&path).unwrap();
        file.write_all(b"new").unwrap();
        file.keep().unwrap();
        file.write_all(b" and more").unwrap();
        file.keep().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new and more");
        assert_eq!(path.metadata().unwrap().permissions().mode() & MODE_BITS, 0o640);
        assert_eq!(names(folder.path()), ["out.csv"]);
    }

    #[test]
    fn a_link_stays_one_and_what_lies_in_a_folder_is_told_by_all_its_names() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("archive/events");
        std::fs::create_dir_all(&inside).unwrap();
        let archive = folder.path().join("archive");
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        std::fs::write(&real, "old").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let mut file = NewFile::create(&link).unwrap();
        file.write_all(b"new").unwrap();
        file.keep().unwrap();
        assert!(link.is_symlink());
        assert_eq!(std::fs::read_to_string(&real).unwrap(), "new");
        let other = folder.path().join("other");
        std::os::unix::fs::symlink(&inside, &other).unwrap();
        for (path, lies) in [
            ("archive/x", false),
            ("archive", false),
            ("archive/events/x", true),
            ("other/x", true),
            ("other/../x", false),
            ("archive/../x", false),
            ("x", false),
            ("gone/x", false),
        ] {
            assert_eq!(lies_within(&folder.path().join(path), &archive), lies, "{path}");
        }
    }
}
