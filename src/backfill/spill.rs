//! Rows that do not fit in memory, in a file without a name: it vanishes with the process, however
//! that ends.

use std::fs::File;
use std::io::{BufReader, BufWriter, Error, Read, Result, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;

use super::BackfillError;
use crate::event::EventBatch;

/// Bytes written or read at once.
const BUFFER_BYTES: usize = 1 << 20;

/// A file of batches.
#[derive(Debug)]
pub(super) struct Spill {
    folder: PathBuf,
    place: Mutex<Option<SpillFile>>,
}

#[derive(Debug)]
struct SpillFile {
    file: Arc<File>,
    end: u64,
}

/// The place of some batches in the file.
#[derive(Debug)]
pub(super) struct Extent {
    start: u64,
    end: u64,
    crc: u32,
}

impl Spill {
    /// A file in this folder, created when it is first needed.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, place: Mutex::new(None) }
    }

    /// Writes batches. Blocks; one caller at a time.
    pub(super) fn put(&self, batches: &[EventBatch]) -> std::result::Result<Extent, BackfillError> {
        let failed = |source| BackfillError::Spill { folder: self.folder.clone(), source };
        let mut place = self.place.lock();
        let known = match place.take() {
            Some(known) => known,
            None => {
                let file = tempfile::tempfile_in(&self.folder).map_err(failed)?;
                SpillFile { file: file.into(), end: 0 }
            }
        };
        let SpillFile { file, end } = place.insert(known);
        let part = SpillPart { file, at: *end, left: u64::MAX, crc: crc32fast::Hasher::new() };
        let mut buffer = BufWriter::with_capacity(BUFFER_BYTES, part);
        EventBatch::store(batches, &mut buffer)?;
        buffer.flush().map_err(failed)?;
        let part = buffer.into_inner().map_err(|error| failed(error.into_error()))?;
        let (start, crc) = (*end, part.crc.finalize());
        *end = part.at;
        Ok(Extent { start, end: part.at, crc })
    }

    /// Reads batches back. Blocks.
    pub(super) fn get(
        &self,
        extent: &Extent,
    ) -> std::result::Result<Vec<EventBatch>, BackfillError> {
        let failed = |source| BackfillError::Spill { folder: self.folder.clone(), source };
        let file = self.place.lock().as_ref().map(|place| place.file.clone());
        let file = file.ok_or_else(|| failed(Error::other("the file is gone")))?;
        let left = extent.end - extent.start;
        let part = SpillPart { file: &file, at: extent.start, left, crc: crc32fast::Hasher::new() };
        let mut buffer = BufReader::with_capacity(BUFFER_BYTES, part);
        let batches = EventBatch::restore(&mut buffer)?;
        std::io::copy(&mut buffer, &mut std::io::sink()).map_err(failed)?;
        if buffer.into_inner().crc.finalize() != extent.crc {
            return Err(failed(Error::other("the bytes read are not those written")));
        }
        Ok(batches)
    }

    /// Frees the disk space, once none of the batches is needed any more.
    pub(super) fn clear(&self) {
        *self.place.lock() = None;
    }
}

/// A part of the file, written or read from its start to its end.
struct SpillPart<'a> {
    file: &'a File,
    at: u64,
    left: u64,
    crc: crc32fast::Hasher,
}

impl std::io::Write for SpillPart<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let count = self.file.write_at(bytes, self.at)?;
        self.crc.update(bytes.get(..count).unwrap_or_default());
        self.at += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

impl Read for SpillPart<'_> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        let end = into.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let into = into.get_mut(..end).unwrap_or_default();
        let count = self.file.read_at(into, self.at)?;
        self.crc.update(into.get(..count).unwrap_or_default());
        self.at += count as u64;
        self.left -= count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{EventBatchBuilder, OrgRule};
    use crate::ingest;

    fn batch(ids: std::ops::Range<u32>) -> EventBatch {
        let mut builder = EventBatchBuilder::new(OrgRule::Own, 1_770_000_000_000_000);
        for id in ids {
            let line = format!(
                r#"{{"event_id":"{id}","org_id":"acme","ts":1769000000,"cost_usd":0.5,"attributes":{{"a":"{id}"}}}}"#
            );
            builder.push(0, &ingest::fields(&line).unwrap());
        }
        builder.finish().unwrap().batch
    }

    fn rows(batches: &[EventBatch]) -> Vec<&arrow::array::RecordBatch> {
        batches.iter().map(EventBatch::record_batch).collect()
    }

    #[test]
    fn what_is_put_aside_comes_back() {
        let spill = Spill::new(std::env::temp_dir());
        let parts = [vec![batch(0..1_000), batch(1_000..1_001)], vec![batch(5..50)]];
        let extents: Vec<_> = parts.iter().map(|part| spill.put(part).unwrap()).collect();
        for (part, extent) in parts.iter().zip(&extents).rev() {
            assert_eq!(rows(&spill.get(extent).unwrap()), rows(part));
        }
        spill.clear();
        assert!(spill.get(&extents[0]).is_err());
    }

    #[test]
    fn what_changed_on_the_disk_is_noticed() {
        let spill = Spill::new(std::env::temp_dir());
        let extent = spill.put(&[batch(0..1_000)]).unwrap();
        let file = spill.place.lock().as_ref().unwrap().file.clone();
        let middle = extent.end / 2;
        let mut byte = [0];
        file.read_exact_at(&mut byte, middle).unwrap();
        file.write_all_at(&[byte[0] ^ 1], middle).unwrap();
        assert!(spill.get(&extent).is_err());
    }

    #[test]
    fn a_folder_that_cannot_be_used_is_named() {
        let spill = Spill::new("/nowhere/at/all".into());
        let error = spill.put(&[batch(0..1)]).unwrap_err().to_string();
        assert!(error.contains("/nowhere/at/all") && error.contains("TMPDIR"), "{error}");
    }
}
