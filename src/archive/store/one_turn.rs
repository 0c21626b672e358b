//! Small files of a directory, opened and read in one turn of a thread that may block.
//!
//! `object_store` takes a turn to open a file and another to read it. To open an archive takes a
//! read of each entry of its log, so that most of the time would go to the hand-overs.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::PathBuf;
use std::time::SystemTime;

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use object_store::path::Path;
use object_store::{Error, GetOptions, GetResult, GetResultPayload, ObjectMeta, Result};

/// A longer range is read as the caller takes it.
const READ_BYTES_MAX: u64 = 64 << 10;

/// What `LocalFileSystem` answers to the same request, but with the bytes if they are few. Blocks.
///
/// # Errors
/// NotFound; Precondition or NotModified by the options; Generic if the file cannot be read.
pub(super) fn get(file: PathBuf, location: Path, options: &GetOptions) -> Result<GetResult> {
    let opened = File::open(&file).map_err(|error| failed(&file, error))?;
    let about = opened.metadata().map_err(|error| failed(&file, error))?;
    if about.is_dir() {
        return Err(failed(&file, io::Error::new(ErrorKind::NotFound, "it is a directory")));
    }
    let meta = meta_of(&about, location);
    options.check_preconditions(&meta)?;
    let range = match &options.range {
        Some(range) => range.as_range(meta.size).map_err(|error| generic(error.into()))?,
        None => 0..meta.size,
    };
    let payload = if options.head || range.end - range.start > READ_BYTES_MAX {
        GetResultPayload::File(opened, file)
    } else {
        let bytes = read(&opened, &range).map_err(|error| failed(&file, error))?;
        GetResultPayload::Stream(stream::iter([Ok(bytes)]).boxed())
    };
    Ok(GetResult { payload, meta, range, attributes: object_store::Attributes::default() })
}

fn read(file: &File, range: &Range<u64>) -> io::Result<Bytes> {
    let length = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, range.start)?;
    Ok(bytes.into())
}

/// As `LocalFileSystem` describes a file, also in its listings.
fn meta_of(about: &Metadata, location: Path) -> ObjectMeta {
    let modified = about.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    let since = modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let (inode, size) = (about.ino(), about.len());
    let e_tag = format!("{inode:x}-{:x}-{size:x}", since.as_micros());
    ObjectMeta { location, last_modified: modified.into(), size, e_tag: Some(e_tag), version: None }
}

fn failed(file: &std::path::Path, source: io::Error) -> Error {
    let path = file.display().to_string();
    match source.kind() {
        ErrorKind::NotFound => Error::NotFound { path, source: source.into() },
        _ => generic(format!("cannot read {path}: {source}").into()),
    }
}

fn generic(source: Box<dyn std::error::Error + Send + Sync>) -> Error {
    Error::Generic { store: "DurableLocal", source }
}
