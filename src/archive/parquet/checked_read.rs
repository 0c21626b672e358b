//! Reading a data file with its checksums verified.
//!
//! Parquet's own page checksums are optional, and our writer adds none. A flipped bit inside a page
//! can decode to other numbers without an error. So the log carries a CRC-32 of every block of a
//! file, and data is read in whole blocks that are verified. A small file is read by one request,
//! footer and columns together.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use super::checksums::{BLOCK_BYTES, Checksums};
use super::footer::{END_BYTES, FooterFlaw, check_footer, footer_range};

/// Files up to this size are read whole.
const WHOLE_BYTES_MAX: u64 = 256 * 1024;
/// Bytes that a check of a whole file holds at a time.
const CHECK_BYTES: u64 = 64 * BLOCK_BYTES;
/// Bytes that are read first from the end of a larger file. They usually include the whole footer.
const FOOTER_HINT_BYTES: usize = 64 * 1024;

/// An object whose bytes can be verified by checksums, or a part of one that is itself a Parquet
/// file.
#[derive(Debug, Clone)]
pub struct CheckedObject {
    path: Path,
    size_bytes: u64,
    /// `None` if another program wrote the object: then nothing is verified.
    checksums: Option<Checksums>,
    part: Range<u64>,
}

impl CheckedObject {
    /// A whole object. Its path is relative to the archive.
    pub fn new(path: Path, size_bytes: u64, checksums: Option<Checksums>) -> Self {
        Self { path, size_bytes, checksums, part: 0..size_bytes }
    }

    /// The part of the object in the range `part`; `None` if the range is not inside the object.
    pub fn part(self, part: Range<u64>) -> Option<Self> {
        let inside = part.start <= part.end && part.end <= self.size_bytes;
        inside.then_some(Self { part, ..self })
    }

    /// Bytes of the part, which is the whole object by default.
    pub fn part_bytes(&self) -> u64 {
        self.part.end - self.part.start
    }

    /// Bytes of the whole object.
    pub(super) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// The checksums of the whole object.
    pub(super) fn checksums(&self) -> Option<&Checksums> {
        self.checksums.as_ref()
    }

    /// Where the part begins in the object.
    pub fn part_start(&self) -> u64 {
        self.part.start
    }

    /// Path relative to the archive.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Reads one object for the Parquet decoder.
#[derive(Debug)]
pub struct CheckedReader {
    store: Arc<dyn ObjectStore>,
    object: CheckedObject,
    /// What is read by one request, if it is read at all.
    whole: Option<Range<u64>>,
    /// Verified blocks by their start; no two overlap.
    held: BTreeMap<u64, Bytes>,
}

impl CheckedReader {
    /// A reader of an object in the archive whose root is `store`.
    pub fn new(store: Arc<dyn ObjectStore>, object: CheckedObject) -> Self {
        let whole = (object.size_bytes <= WHOLE_BYTES_MAX).then_some(0..object.size_bytes);
        Self { store, object, whole, held: BTreeMap::new() }
    }

    /// The same, which reads the part by one request if it has at most this many bytes.
    pub(super) fn at_once(self, bytes_max: u64) -> Self {
        let small = self.object.part_bytes() <= bytes_max;
        let part = small.then(|| self.object.part.clone());
        Self { whole: self.whole.or(part), ..self }
    }

    /// Reads the whole file, some blocks at a time, and verifies every byte of it.
    ///
    /// # Errors
    /// The store fails, or a checksum is wrong.
    pub async fn check_all(&self) -> Result<()> {
        self.checksums().await.map(drop)
    }

    /// As [`Self::check_all`], and returns the checksums of the file.
    ///
    /// # Errors
    /// As [`Self::check_all`].
    pub async fn checksums(&self) -> Result<Checksums> {
        let (mut start, mut found) = (0, Vec::new());
        while start < self.object.size_bytes {
            let range = start..self.object.size_bytes.min(start + CHECK_BYTES);
            let runs = self.fetch(std::slice::from_ref(&range)).await?;
            found.extend(runs.iter().map(|run| Checksums::of(run)));
            start = range.end;
        }
        Ok(Checksums::joined(&found))
    }

    /// As [`Self::read`], with ranges that are relative to the part.
    async fn read_in_part(&mut self, mut ranges: Vec<Range<u64>>) -> Result<Vec<Bytes>> {
        if let Some(beyond) = ranges.iter().find(|range| range.end > self.object.part_bytes()) {
            return Err(short(beyond));
        }
        let start = self.object.part.start;
        for range in &mut ranges {
            *range = range.start + start..range.end + start;
        }
        self.read(ranges).await
    }

    /// Reads ranges of the object. Each block is requested once, however many columns share it: the
    /// blocks of one call are read together, and those at a run's ends are held for later calls.
    async fn read(&mut self, ranges: Vec<Range<u64>>) -> Result<Vec<Bytes>> {
        let missing = self.missing(self.whole.as_ref().map_or(&ranges[..], std::slice::from_ref));
        let runs = self.fetch(&missing).await?;
        let mut pieces = self.held.clone();
        for (range, run) in missing.iter().zip(runs) {
            self.hold(range.start, &run);
            pieces.insert(range.start, run);
        }
        ranges.iter().map(|range| cut(&pieces, range).ok_or_else(|| short(range))).collect()
    }

    /// Makes sure that the library can parse the footer.
    async fn check_footer(&mut self, size: u64) -> Result<()> {
        let refused = |flaw: FooterFlaw| match flaw {
            FooterFlaw::Damaged => ParquetError::General(flaw.to_string()),
            FooterFlaw::Long(_) | FooterFlaw::Deep => ParquetError::NYI(flaw.to_string()),
        };
        let Some(start) = size.checked_sub(END_BYTES) else { return Ok(()) };
        let end = self.get_bytes(start..size).await?;
        let Some(place) = footer_range(size, &end).map_err(refused)? else { return Ok(()) };
        let footer = self.get_bytes(place).await?;
        check_footer(&footer).map_err(refused)
    }

    /// Runs of whole blocks around `ranges`, without blocks that are held.
    fn missing(&self, ranges: &[Range<u64>]) -> Vec<Range<u64>> {
        let around =
            |range: &Range<u64>| range.start / BLOCK_BYTES..range.end.div_ceil(BLOCK_BYTES);
        let blocks = ranges.iter().filter(|range| !range.is_empty()).flat_map(around);
        let blocks: BTreeSet<_> =
            blocks.map(|block| block * BLOCK_BYTES).filter(|start| !self.holds(*start)).collect();
        let mut runs: Vec<Range<u64>> = Vec::new();
        for start in blocks {
            let end = (start + BLOCK_BYTES).min(self.object.size_bytes);
            match runs.last_mut() {
                Some(last) if last.end == start => last.end = end,
                _ => runs.push(start..end),
            }
        }
        runs
    }

    fn holds(&self, at: u64) -> bool {
        let before = self.held.range(..=at).next_back();
        before.is_some_and(|(start, bytes)| at - start < bytes.len() as u64)
    }

    /// Holds a small file or a short run, such as a footer, as a whole. Of a longer run it holds
    /// only the ends, because a neighbouring column may begin or end in them.
    fn hold(&mut self, start: u64, run: &Bytes) {
        let block_bytes = usize::try_from(BLOCK_BYTES).unwrap_or(usize::MAX);
        if self.whole.is_some() || run.len() <= 2 * block_bytes {
            self.held.insert(start, run.clone());
            return;
        }
        let last = (run.len() - 1) / block_bytes * block_bytes;
        // Copies, so that the run itself is freed once it is decoded.
        for (from, to) in [(0, block_bytes), (last, run.len())] {
            let end = Bytes::copy_from_slice(&run.slice(from..to));
            self.held.insert(start + from as u64, end);
        }
    }

    /// Reads runs of whole blocks and verifies them.
    async fn fetch(&self, runs: &[Range<u64>]) -> Result<Vec<Bytes>> {
        if runs.is_empty() {
            return Ok(Vec::new());
        }
        // For one range too: of a local file the other call takes two turns on another thread.
        let found = match self.store.get_ranges(&self.object.path, runs).await {
            Ok(found) => found,
            Err(error) => return Err(self.why(error).await),
        };
        for (range, run) in runs.iter().zip(&found) {
            if run.len() as u64 != range.end - range.start {
                return Err(short(range));
            }
            if let Some(checksums) = &self.object.checksums {
                checksums.verify(range.start / BLOCK_BYTES, run)?;
            }
        }
        Ok(found)
    }

    /// The reason for a failed read. Every store reports a read past the end in its own way. So the
    /// size of the object tells a file that was cut from a store that is unavailable.
    async fn why(&self, error: object_store::Error) -> ParquetError {
        let logged = self.object.size_bytes;
        match self.store.head(&self.object.path).await {
            Ok(found) if found.size != logged => ParquetError::EOF(format!(
                "it has {} bytes, but the log says {logged} bytes",
                found.size
            )),
            _ => ParquetError::External(Box::new(error)),
        }
    }
}

/// The bytes of a range, joined from adjacent pieces; `None` if some are missing.
fn cut(pieces: &BTreeMap<u64, Bytes>, range: &Range<u64>) -> Option<Bytes> {
    let Some((first, bytes)) = pieces.range(..=range.start).next_back() else {
        return range.is_empty().then(Bytes::new);
    };
    if let Some(found) = slice(bytes, *first, range) {
        return Some(found);
    }
    let mut joined = Vec::new();
    let mut at = range.start;
    for (start, bytes) in pieces.range(*first..) {
        let end = range.end.min(start + bytes.len() as u64);
        joined.extend_from_slice(&slice(bytes, *start, &(at..end))?);
        at = end;
        if at == range.end {
            break;
        }
    }
    (at == range.end).then(|| joined.into())
}

fn slice(bytes: &Bytes, start: u64, range: &Range<u64>) -> Option<Bytes> {
    let from = usize::try_from(range.start.checked_sub(start)?).ok()?;
    let to = usize::try_from(range.end.checked_sub(start)?).ok()?;
    (from <= to && to <= bytes.len()).then(|| bytes.slice(from..to))
}

fn short(range: &Range<u64>) -> ParquetError {
    ParquetError::EOF(format!("it ends before byte {}", range.end))
}

impl AsyncFileReader for CheckedReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        async move { Ok(self.read_in_part(vec![range]).await?.pop().unwrap_or_default()) }.boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        self.read_in_part(ranges).boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        async move {
            let size = self.object.part_bytes();
            if self.whole.is_none() {
                self.get_bytes(size.saturating_sub(FOOTER_HINT_BYTES as u64)..size).await?;
            }
            self.check_footer(size).await?;
            let mut reader = ParquetMetaDataReader::new();
            if let Some(options) = options {
                reader = reader
                    .with_column_index_policy(options.column_index_policy())
                    .with_offset_index_policy(options.offset_index_policy());
            }
            let metadata = reader
                .with_prefetch_hint(Some(FOOTER_HINT_BYTES))
                .load_and_finish(&mut *self, size);
            Ok(Arc::new(metadata.await?))
        }
        .boxed()
    }
}

#[cfg(test)]
#[path = "checked_read_tests.rs"]
mod tests;
