//! A merge of the sorted rows of several files of one date, in memory that does not grow with the
//! files.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use arrow::array::{RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::compute::interleave_record_batch;
use arrow::error::ArrowError;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::ObjectStore;

use super::data_file::DataFile;
use super::merge_input::{MergeInput, RowStream};
use crate::archive::error::ArchiveError;
use crate::archive::parquet::columns::{text, times};
use crate::clock::Micros;

/// About how many decoded rows all inputs hold together, and their bytes.
const DECODED_ROWS: usize = 32 * 1024;
const DECODED_BYTES: usize = 64 << 20;
/// The least and the most decoded rows of one input.
const INPUT_ROWS: (usize, usize) = (128, 4 * 1024);
/// Rows that are returned at a time, and their bytes.
const CHUNK_ROWS: usize = 8 * 1024;
const CHUNK_BYTES: usize = 16 << 20;
/// Bytes that open files may take: stored row groups, pages, and all rows of foreign files.
const OPEN_BYTES: u64 = 128 << 20;
/// All rows of a foreign file are held while it is merged. A file whose rows have more bytes is not
/// merged.
const FOREIGN_BYTES_MAX: u64 = 64 << 20;
/// Files whose footers are read at the same time.
const OPENED: usize = 16;

/// The sort key of a row.
type SortKey = (String, Micros);

/// Merges the rows of files.
pub(in crate::archive) struct RowMerge {
    inputs: Vec<FileCursor>,
    /// The next row of each input that has one.
    next: BinaryHeap<Reverse<(SortKey, usize)>>,
    /// The batches that contain picked rows or next rows.
    held: Vec<RecordBatch>,
    /// The picked rows in order: the index of the batch in `held`, and of the row in it.
    picked: Vec<(usize, usize)>,
    /// The approximate bytes of the picked rows.
    picked_bytes: usize,
}

/// One of the merged files.
struct FileCursor {
    path: String,
    rows: RowStream,
    batch: Option<Batch>,
}

/// The batch that contains an input's next row.
struct Batch {
    orgs: StringArray,
    times: TimestampMicrosecondArray,
    row: usize,
    /// The approximate bytes of a row.
    row_bytes: usize,
    /// Its index in `held`.
    held: usize,
}

impl RowMerge {
    /// Opens the files, or only the first ones (at least two) if all would take too much memory
    /// together. Also returns how many it opened.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the file; `NotMerged`, naming a foreign file or one of a newer
    /// program.
    pub async fn open(
        store: &Arc<dyn ObjectStore>,
        files: &[Arc<DataFile>],
    ) -> Result<(Self, usize), ArchiveError> {
        let described = futures::stream::iter(files.to_vec()).map(|file| {
            let store = store.clone();
            async move { MergeInput::read(&store, file).await }
        });
        let described = described.buffered(OPENED).try_collect::<Vec<_>>().await?;
        let (least, most) = INPUT_ROWS;
        let count = described.len().max(1);
        let rows_max = (DECODED_ROWS / count).clamp(least, most);
        let bytes = (DECODED_BYTES / count) as u64;
        let (mut inputs, mut left) = (Vec::with_capacity(count), OPEN_BYTES);
        for file in described {
            let path = file.file.path_in_archive();
            let may_wait = inputs.len() >= 2;
            let most = if may_wait { left.min(FOREIGN_BYTES_MAX) } else { FOREIGN_BYTES_MAX };
            if may_wait && file.open_bytes() > left {
                break;
            }
            let (rows, taken) = match file.open(store.clone(), rows_max, bytes, most).await {
                Err(ArchiveError::NotMerged { .. }) if may_wait => break,
                opened => opened?,
            };
            left = left.saturating_sub(taken);
            inputs.push(FileCursor { path, rows, batch: None });
        }
        let (next, held, picked, picked_bytes) = Default::default();
        let mut merge = Self { inputs, next, held, picked, picked_bytes };
        for input in 0..merge.inputs.len() {
            merge.load(input, None).await?;
        }
        let used = merge.inputs.len();
        Ok((merge, used))
    }

    /// The next rows; `None` after the last.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the file.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>, ArchiveError> {
        while !is_chunk(&self.picked, self.picked_bytes) {
            let Some(Reverse((_, input))) = self.next.pop() else { break };
            if let Some(last) = self.pick(input)? {
                self.load(input, Some(last)).await?;
            }
        }
        if self.picked.is_empty() {
            return Ok(None);
        }
        let held: Vec<_> = self.held.iter().collect();
        let rows = interleave_record_batch(&held, &self.picked).map_err(|error| wrong(&error))?;
        self.picked.clear();
        self.picked_bytes = 0;
        self.let_go();
        Ok(Some(rows))
    }

    /// Picks rows of one input as long as they sort before the next rows of all others. Returns the
    /// key of the batch's last row if it has no more.
    fn pick(&mut self, input: usize) -> Result<Option<SortKey>, ArchiveError> {
        let batch = self.inputs.get_mut(input).and_then(|input| input.batch.as_mut());
        let batch = batch.ok_or_else(defect)?;
        let until = self.next.peek();
        loop {
            self.picked.push((batch.held, batch.row));
            self.picked_bytes += batch.row_bytes;
            batch.row += 1;
            let Some((org, ts)) = batch.key() else {
                batch.row -= 1;
                return Ok(Some(batch.owned_key().ok_or_else(defect)?));
            };
            let before = until.is_none_or(|Reverse(((other, at), _))| (org, ts) <= (other, *at));
            if !before || is_chunk(&self.picked, self.picked_bytes) {
                let key = (org.to_owned(), ts);
                self.next.push(Reverse((key, input)));
                return Ok(None);
            }
        }
    }

    /// Reads the next batch of an input whose last row so far is `last`.
    async fn load(&mut self, number: usize, last: Option<SortKey>) -> Result<(), ArchiveError> {
        let input = self.inputs.get_mut(number).ok_or_else(defect)?;
        input.batch = None;
        while let Some(rows) = input.rows.try_next().await? {
            if rows.num_rows() == 0 {
                continue;
            }
            let (orgs, times) = (text(&rows, "org_id")?.clone(), times(&rows)?.clone());
            let row_bytes = rows.get_array_memory_size() / rows.num_rows();
            let batch = Batch { orgs, times, row: 0, row_bytes, held: self.held.len() };
            if !batch.is_sorted_after(last.as_ref()) {
                return Err(ArchiveError::corrupt(&input.path, "its rows are not sorted"));
            }
            let key = batch.owned_key().ok_or_else(defect)?;
            self.next.push(Reverse((key, number)));
            input.batch = Some(batch);
            self.held.push(rows);
            break;
        }
        Ok(())
    }

    /// Keeps only the batches that contain next rows.
    fn let_go(&mut self) {
        let mut places = HashMap::new();
        let mut kept = Vec::with_capacity(self.inputs.len());
        for batch in self.inputs.iter_mut().filter_map(|input| input.batch.as_mut()) {
            if let Some(rows) = self.held.get(batch.held) {
                places.insert(batch.held, kept.len());
                kept.push(rows.clone());
            }
            batch.held = places.get(&batch.held).copied().unwrap_or_default();
        }
        self.held = kept;
    }
}

impl Batch {
    fn key(&self) -> Option<(&str, Micros)> {
        let ts = *self.times.values().get(self.row)?;
        Some((self.orgs.value(self.row), ts))
    }

    fn owned_key(&self) -> Option<SortKey> {
        self.key().map(|(org, ts)| (org.to_owned(), ts))
    }

    fn is_sorted_after(&self, last: Option<&SortKey>) -> bool {
        let rows = self.orgs.iter().map(Option::unwrap_or_default).zip(self.times.values());
        let first = last.map(|(org, ts)| (org.as_str(), ts));
        first.into_iter().chain(rows).is_sorted()
    }
}

/// Whether the picked rows fill a chunk.
fn is_chunk(picked: &[(usize, usize)], bytes: usize) -> bool {
    picked.len() >= CHUNK_ROWS || bytes >= CHUNK_BYTES
}

fn wrong(error: &ArrowError) -> ArchiveError {
    ArchiveError::internal("merging rows", error)
}

fn defect() -> ArchiveError {
    ArchiveError::internal("merging rows", "a row is in no batch")
}
