//! The file of refused rows.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{BufRead as _, BufReader, BufWriter, Error, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use super::BackfillError;
use super::decode::Reject;

/// What other files have, too: the system takes off what it should.
const MODE: u32 = 0o666;
/// Bytes of a line that tell whether it is a rejected row.
const LINE_BYTES_MAX: u64 = 64 << 20;

/// Keeps refused rows as NDJSON, or only counts them. They are gathered in a file of another name, which
/// gets its own at the end.
#[derive(Debug)]
pub(super) struct Rejects {
    file: Option<Kept>,
    pub(super) count: u64,
    /// The first, for people.
    pub(super) first: Option<String>,
}

#[derive(Debug)]
struct Kept {
    path: PathBuf,
    file: BufWriter<File>,
    /// What gets the name at the end; none for a pipe or a device.
    made: Option<TempPath>,
}

impl Rejects {
    /// Makes the file beside an older one, which stays until the end.
    pub(super) fn create(path: Option<&Path>) -> Result<Self, BackfillError> {
        let create = |path: &Path| Kept::create(path).map_err(|source| failed(path, source));
        Ok(Self { file: path.map(create).transpose()?, count: 0, first: None })
    }

    pub(super) fn add(&mut self, rejects: &[Reject]) -> Result<(), BackfillError> {
        self.count += rejects.len() as u64;
        self.first = self.first.take().or_else(|| rejects.first().map(Reject::summary));
        let Some(Kept { path, file, .. }) = &mut self.file else { return Ok(()) };
        for reject in rejects {
            let line = serde_json::to_writer(&mut *file, reject).map_err(Error::from);
            line.and_then(|()| file.write_all(b"\n")).map_err(|source| failed(path, source))?;
        }
        Ok(())
    }

    /// Gives the file its name.
    pub(super) fn finish(&mut self) -> Result<(), BackfillError> {
        let Some(Kept { path, mut file, made }) = self.file.take() else { return Ok(()) };
        file.flush().map_err(|source| failed(&path, source))?;
        let persisted = made.map_or(Ok(()), |made| made.persist(&path));
        persisted.map_err(|error| failed(&path, error.error))
    }
}

impl Kept {
    fn create(path: &Path) -> Result<Self, Error> {
        // A link stays one.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let about = path.metadata().ok();
        if about.as_ref().is_some_and(|about| !about.is_file()) {
            let file = OpenOptions::new().write(true).open(&path)?;
            return Ok(Self { path, file: BufWriter::new(file), made: None });
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let made = tempfile::Builder::new()
            .prefix(".tokenlake-rejects-")
            .permissions(Permissions::from_mode(MODE))
            .tempfile_in(folder.unwrap_or(Path::new(".")))?;
        let (file, made) = made.into_parts();
        Ok(Self { path, file: BufWriter::new(file), made: Some(made) })
    }
}

/// Whether a file holds rejected rows of an earlier run, or nothing, as far as its first line tells.
pub(super) fn is_of_rejects(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    let mut line = Vec::new();
    let read =
        std::io::Read::take(BufReader::new(file), LINE_BYTES_MAX).read_until(b'\n', &mut line);
    let value = serde_json::from_slice::<serde_json::Value>(&line).ok();
    let names = ["file", "line", "error", "row"];
    let has_names = value.as_ref().and_then(|value| value.as_object()).is_some_and(|object| {
        object.len() == names.len() && names.iter().all(|name| object.contains_key(*name))
    });
    read.is_ok() && (line.is_empty() || has_names)
}

fn failed(path: &Path, source: Error) -> BackfillError {
    BackfillError::Rejects { path: path.display().to_string(), source }
}
