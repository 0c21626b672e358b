//! The file of rejected rows.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Error, Write as _};
use std::path::{Path, PathBuf};

use super::BackfillError;
use super::decode::Reject;
use crate::new_file::NewFile;

/// Bytes of a line that are read to decide whether it is a rejected row.
const LINE_BYTES_MAX: u64 = 64 << 20;

/// Writes rejected rows as NDJSON, or only counts them. The file gets its name at the end.
#[derive(Debug)]
pub(super) struct Rejects {
    file: Option<(PathBuf, NewFile)>,
    pub(super) count: u64,
    /// The first one's summary, for the user.
    pub(super) first: Option<String>,
}

impl Rejects {
    /// Creates the file next to an older one, which stays until the end.
    pub(super) fn create(path: Option<&Path>) -> Result<Self, BackfillError> {
        let create = |path: &Path| match NewFile::create(path) {
            Ok(file) => Ok((path.to_owned(), file)),
            Err(source) => Err(failed(path, source)),
        };
        Ok(Self { file: path.map(create).transpose()?, count: 0, first: None })
    }

    pub(super) fn add(&mut self, rejects: &[Reject]) -> Result<(), BackfillError> {
        self.count += rejects.len() as u64;
        self.first = self.first.take().or_else(|| rejects.first().map(Reject::summary));
        let Some((path, file)) = &mut self.file else { return Ok(()) };
        for reject in rejects {
            let line = serde_json::to_writer(&mut *file, reject).map_err(Error::from);
            line.and_then(|()| file.write_all(b"\n")).map_err(|source| failed(path, source))?;
        }
        Ok(())
    }

    /// Gives the file its name.
    pub(super) fn finish(&mut self) -> Result<(), BackfillError> {
        let Some((path, mut file)) = self.file.take() else { return Ok(()) };
        file.keep().map_err(|source| failed(&path, source))
    }
}

/// Whether a file is empty or holds rejected rows of an earlier run, by its first line.
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
