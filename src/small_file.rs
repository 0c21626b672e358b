//! Small files that an operator gives: secrets, certificates, keys.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// More than any of them has.
const BYTES_MAX: usize = 512 * 1024;

/// Why a file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read {path}: {reason}", path = .path.display())]
pub struct ReadError {
    path: PathBuf,
    reason: String,
}

/// Reads a file; one that is not small is not read whole.
///
/// # Errors
/// [`ReadError`].
pub fn read(path: &Path) -> Result<Vec<u8>, ReadError> {
    let failed = |reason: String| ReadError { path: path.to_owned(), reason };
    let text = read_up_to(path, BYTES_MAX + 1).map_err(|error| failed(error.to_string()))?;
    if text.len() > BYTES_MAX {
        return Err(failed(format!("it is larger than {BYTES_MAX} bytes")));
    }
    Ok(text)
}

fn read_up_to(path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let bytes_max = u64::try_from(bytes_max).unwrap_or(u64::MAX);
    File::open(path)?.take(bytes_max).read_to_end(&mut text)?;
    Ok(text)
}
