//! Reading a data file with its checksums verified.
//!
//! Parquet's own page checksums are optional and this writer has none, and a flipped bit inside a
//! page can decode to other numbers without an error. So the log carries a CRC-32 of every block
//! of a file, and whatever is read is read in whole blocks and compared. A small file is one
//! request, footer and columns together.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use super::data_file::DataFile;

/// Bytes that one checksum covers.
const BLOCK_BYTES: u64 = 64 * 1024;
/// Files up to this size are read whole.
const WHOLE_BYTES_MAX: u64 = 256 * 1024;
/// What a check of a whole file holds at a time.
const CHECK_BYTES: u64 = 64 * BLOCK_BYTES;
/// What is read of a larger file's end at first; it holds the footer of a usual one.
const FOOTER_HINT_BYTES: usize = 64 * 1024;

/// The checksums of a file's blocks. Text form: base64 of the little-endian CRC-32s.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checksums(Vec<u32>);

impl Checksums {
    /// The checksums of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let block_bytes = usize::try_from(BLOCK_BYTES).unwrap_or(usize::MAX);
        Self(bytes.chunks(block_bytes).map(crc32fast::hash).collect())
    }

    /// The text for a tag.
    pub fn to_text(&self) -> String {
        let bytes: Vec<u8> = self.0.iter().flat_map(|crc| crc.to_le_bytes()).collect();
        STANDARD_NO_PAD.encode(bytes)
    }

    /// Reads a tag; `None` if it is not checksums.
    pub fn from_text(text: &str) -> Option<Self> {
        let bytes = STANDARD_NO_PAD.decode(text).ok()?;
        let (words, rest) = bytes.as_chunks::<4>();
        rest.is_empty().then(|| Self(words.iter().map(|word| u32::from_le_bytes(*word)).collect()))
    }

    /// Verifies bytes that start at block `first`.
    fn verify(&self, first: u64, bytes: &[u8]) -> Result<()> {
        let first = usize::try_from(first).unwrap_or(usize::MAX);
        let found = Self::of(bytes);
        let known = self.0.get(first..).unwrap_or_default();
        match found.0.iter().zip(known).position(|(found, known)| found != known) {
            None if known.len() >= found.0.len() => Ok(()),
            None => Err(ParquetError::General("it is longer than its checksums".into())),
            Some(block) => {
                let at = (first + block) as u64 * BLOCK_BYTES;
                Err(ParquetError::General(format!(
                    "the checksum of the block at byte {at} is wrong"
                )))
            }
        }
    }
}

/// Reads one data file for the Parquet decoder.
#[derive(Debug)]
pub struct CheckedReader {
    store: Arc<dyn ObjectStore>,
    file: Arc<DataFile>,
    path: Path,
    /// Verified runs of bytes by their start: a small file, or a larger one's end.
    held: BTreeMap<u64, Bytes>,
}

impl CheckedReader {
    /// A reader of `file` in the archive whose root `store` is.
    pub fn new(store: Arc<dyn ObjectStore>, file: Arc<DataFile>) -> Self {
        let path = Path::from(file.path_in_archive());
        Self { store, file, path, held: BTreeMap::new() }
    }

    /// Reads the whole file, some blocks at a time, and verifies every byte of it.
    ///
    /// # Errors
    /// As the store or the checksums have it.
    pub async fn check_all(&self) -> Result<()> {
        let mut start = 0;
        while start < self.file.size_bytes {
            let range = start..self.file.size_bytes.min(start + CHECK_BYTES);
            self.fetch(std::slice::from_ref(&range)).await?;
            start = range.end;
        }
        Ok(())
    }

    async fn read(&mut self, ranges: Vec<Range<u64>>) -> Result<Vec<Bytes>> {
        if self.file.size_bytes <= WHOLE_BYTES_MAX && self.held.is_empty() {
            let whole = self.fetch(&[0..self.file.size_bytes]).await?;
            self.held.extend(whole.into_iter().map(|bytes| (0, bytes)));
        }
        let missing: Vec<_> =
            ranges.iter().filter(|range| self.cut(range).is_none()).cloned().collect();
        let runs = self.fetch(&missing).await?;
        let mut runs = missing.into_iter().zip(runs);
        ranges
            .into_iter()
            .map(|range| match self.cut(&range) {
                Some(bytes) => Ok(bytes),
                None => {
                    let (_, run) = runs.next().ok_or_else(|| short(&range))?;
                    slice(&run, self.outward(&range).start, &range).ok_or_else(|| short(&range))
                }
            })
            .collect()
    }

    /// Reads whole blocks around each range and verifies them.
    async fn fetch(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let outward: Vec<_> = ranges.iter().map(|range| self.outward(range)).collect();
        let runs = match &outward[..] {
            [] => return Ok(Vec::new()),
            [one] => self.store.get_range(&self.path, one.clone()).await.map(|run| vec![run]),
            many => self.store.get_ranges(&self.path, many).await,
        };
        let runs = runs.map_err(|error| ParquetError::External(Box::new(error)))?;
        for (range, run) in outward.iter().zip(&runs) {
            if run.len() as u64 != range.end - range.start {
                return Err(short(range));
            }
            if let Some(checksums) = &self.file.checksums {
                checksums.verify(range.start / BLOCK_BYTES, run)?;
            }
        }
        Ok(runs)
    }

    fn outward(&self, range: &Range<u64>) -> Range<u64> {
        if self.file.checksums.is_none() {
            return range.clone();
        }
        let end = range.end.next_multiple_of(BLOCK_BYTES).min(self.file.size_bytes);
        range.start / BLOCK_BYTES * BLOCK_BYTES..end.max(range.end)
    }

    /// The range out of what is held.
    fn cut(&self, range: &Range<u64>) -> Option<Bytes> {
        let (start, bytes) = self.held.range(..=range.start).next_back()?;
        slice(bytes, *start, range)
    }
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
        async move { Ok(self.read(vec![range]).await?.pop().unwrap_or_default()) }.boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        self.read(ranges).boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        async move {
            let size = self.file.size_bytes;
            if size > WHOLE_BYTES_MAX && self.held.is_empty() {
                let start = self.outward(&(size - FOOTER_HINT_BYTES as u64..size)).start;
                let end = self.fetch(&[start..size]).await?;
                self.held.extend(end.into_iter().map(|bytes| (start, bytes)));
            }
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
mod tests {
    use super::*;
    use chrono::NaiveDate;
    use object_store::memory::InMemory;
    use proptest::prelude::*;

    fn reader(content: &[u8], stored: &[u8]) -> CheckedReader {
        let file = DataFile::for_tests(
            "f",
            content.len() as u64,
            NaiveDate::MIN,
            Some(Checksums::of(content)),
        );
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let place = Path::from(file.path_in_archive());
        futures::executor::block_on(store.put(&place, Bytes::copy_from_slice(stored).into()))
            .unwrap();
        CheckedReader::new(store, Arc::new(file))
    }

    fn content(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i * 31 % 251) as u8).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn ranges_come_back_as_stored(len in 1usize..400_000, cuts in prop::collection::vec((0.0..1.0, 0.0..1.0), 1..6)) {
            let content = content(len);
            let at = |part: f64| (part * len as f64) as u64;
            let ranges: Vec<_> = cuts.iter().map(|(a, b): &(f64, f64)| at(a.min(*b))..at(a.max(*b))).collect();
            let mut reader = reader(&content, &content);
            let found = futures::executor::block_on(reader.get_byte_ranges(ranges.clone())).unwrap();
            for (range, bytes) in ranges.iter().zip(found) {
                prop_assert_eq!(&bytes[..], &content[range.start as usize..range.end as usize]);
            }
        }

        #[test]
        fn no_flipped_bit_is_read(len in 1usize..400_000, at in 0.0..1.0, bit in 0u8..8) {
            let content = content(len);
            let mut stored = content.clone();
            let at = (at * len as f64) as usize;
            stored[at] ^= 1 << bit;
            let range = at as u64..at as u64 + 1;
            let error = futures::executor::block_on(reader(&content, &stored).get_bytes(range)).unwrap_err();
            prop_assert!(error.to_string().contains("checksum"));
        }
    }

    #[test]
    fn a_cut_file_is_noticed() {
        let content = content(300_000);
        let mut reader = reader(&content, &content[..200_000]);
        assert!(futures::executor::block_on(reader.get_bytes(190_000..210_000)).is_err());
    }

    #[test]
    fn checksums_survive_their_text() {
        let checksums = Checksums::of(&content(200_000));
        assert_eq!(Checksums::from_text(&checksums.to_text()), Some(checksums));
    }
}
