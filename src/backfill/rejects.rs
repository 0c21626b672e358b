//! The file of refused rows.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use super::BackfillError;
use super::decode::Reject;

/// Keeps refused rows as NDJSON, or only counts them.
#[derive(Debug)]
pub(super) struct Rejects {
    file: Option<(PathBuf, BufWriter<File>)>,
    pub(super) count: u64,
}

impl Rejects {
    /// Makes the file, over an older one.
    pub(super) fn create(path: Option<&Path>) -> Result<Self, BackfillError> {
        let create = |path: &Path| {
            let file = File::create(path).map_err(|source| failed(path, source))?;
            Ok::<_, BackfillError>((path.to_owned(), BufWriter::new(file)))
        };
        Ok(Self { file: path.map(create).transpose()?, count: 0 })
    }

    pub(super) fn add(&mut self, rejects: &[Reject]) -> Result<(), BackfillError> {
        self.count += rejects.len() as u64;
        let Some((path, file)) = &mut self.file else { return Ok(()) };
        for reject in rejects {
            let line = serde_json::to_writer(&mut *file, reject).map_err(std::io::Error::from);
            line.and_then(|()| file.write_all(b"\n")).map_err(|source| failed(path, source))?;
        }
        Ok(())
    }

    pub(super) fn finish(&mut self) -> Result<(), BackfillError> {
        match &mut self.file {
            Some((path, file)) => file.flush().map_err(|source| failed(path, source)),
            None => Ok(()),
        }
    }
}

fn failed(path: &Path, source: std::io::Error) -> BackfillError {
    BackfillError::Rejects { path: path.display().to_string(), source }
}
