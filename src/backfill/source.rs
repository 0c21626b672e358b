//! The bytes of an input as a stream, decompressed as they are read and never whole in memory.

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Error, Read, Result, Seek as _, stdin};
use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use flate2::bufread::MultiGzDecoder;
use parquet::file::reader::{ChunkReader, Length};
use tokio::runtime::Handle;

use super::Progress;
use super::content::HEAD_BYTES;
use super::format::Compression;
use super::inputs::found::{Input, InputPlace};
use crate::archive::{FoundObject, Objects};

/// Bytes read at once from a disk.
const BUFFER_BYTES: usize = 256 << 10;
/// Bytes read at once from a bucket.
const PART_BYTES: u64 = 4 << 20;
/// The largest window of a zstd frame, as a power of two: that of `zstd --long`.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// A stream of bytes.
pub(super) type Stream = Box<dyn BufRead + Send>;

/// An opened input, at its start.
pub(super) struct OpenInput {
    /// Its first bytes, after decompression.
    pub(super) head: Vec<u8>,
    /// All bytes, including those of the head.
    pub(super) bytes: Stream,
}

/// Opens an input for reading from its start. Its first bytes decide how it is compressed, because
/// names are sometimes wrong. Blocks.
pub(super) fn open(input: &Input, progress: &Arc<Progress>) -> Result<OpenInput> {
    let stored: Box<dyn Read + Send> = match &input.place {
        InputPlace::File(path) => Box::new(File::open(path)?),
        InputPlace::Object(objects, object) => {
            Box::new(Parts::new(objects.clone(), object.clone(), 0))
        }
        InputPlace::Stdin => Box::new(stdin()),
    };
    let stored = Counted { stored, progress: progress.clone() };
    let stored = peek(Box::new(BufReader::with_capacity(BUFFER_BYTES, stored)));
    if stored.head.is_empty() && input.coding != Compression::Plain {
        return Err(Error::other("it is empty, although its name says that it is compressed"));
    }
    Ok(match Compression::of(&stored.head) {
        Compression::Plain => stored,
        Compression::Gzip => peek(Box::new(BufReader::with_capacity(
            BUFFER_BYTES,
            MultiGzDecoder::new(stored.bytes),
        ))),
        Compression::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(stored.bytes)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
            peek(Box::new(BufReader::with_capacity(BUFFER_BYTES, decoder)))
        }
    })
}

/// Reads the first bytes ahead. An error among them is returned after the bytes before it.
fn peek(mut bytes: Stream) -> OpenInput {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    let read = bytes.by_ref().take(HEAD_BYTES as u64).read_to_end(&mut head);
    let start = Cursor::new(head.clone());
    let bytes: Stream = match read {
        Ok(_) => Box::new(Read::chain(start, bytes)),
        Err(error) => Box::new(Read::chain(start, BufReader::new(Failed(Some(error))))),
    };
    OpenInput { head, bytes }
}

/// A stream that fails at its first read.
struct Failed(Option<Error>);

impl Read for Failed {
    fn read(&mut self, _: &mut [u8]) -> Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

/// Copies a stream to a file without a name, for formats that are not read from start to end.
pub(super) fn put_aside(mut bytes: Stream) -> Result<File> {
    let mut file = tempfile::tempfile()?;
    std::io::copy(&mut bytes, &mut file)?;
    file.rewind()?;
    Ok(file)
}

/// Counts the bytes that were read in the progress.
struct Counted {
    stored: Box<dyn Read + Send>,
    progress: Arc<Progress>,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        let count = self.stored.read(into)?;
        self.progress.add_bytes(count as u64);
        Ok(count)
    }
}

/// An object from some position on, read in parts. Must not be read on a runtime thread.
pub(super) struct Parts {
    objects: Objects,
    object: FoundObject,
    at: u64,
    part: Bytes,
}

impl Parts {
    fn new(objects: Objects, object: FoundObject, at: u64) -> Self {
        Self { objects, object, at, part: Bytes::new() }
    }
}

impl Read for Parts {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        if self.part.is_empty() && self.at < self.object.bytes {
            let end = self.object.bytes.min(self.at + PART_BYTES);
            let part = self.objects.read(&self.object, self.at..end);
            self.part = Handle::current().block_on(part).map_err(std::io::Error::other)?;
            self.at = end;
        }
        let count = into.len().min(self.part.len());
        if let Some(into) = into.get_mut(..count) {
            self.part.copy_to_slice(into);
        }
        Ok(count)
    }
}

/// An object as Parquet's reader needs it. Must not be read on a runtime thread.
pub(super) struct RemoteFile(pub(super) Objects, pub(super) FoundObject);

impl Length for RemoteFile {
    fn len(&self) -> u64 {
        self.1.bytes
    }
}

impl ChunkReader for RemoteFile {
    type T = BufReader<Parts>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        Ok(BufReader::new(Parts::new(self.0.clone(), self.1.clone(), start)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        let read = self.0.read(&self.1, start..start.saturating_add(length as u64));
        Handle::current()
            .block_on(read)
            .map_err(|error| parquet::errors::ParquetError::External(Box::new(error)))
    }
}
