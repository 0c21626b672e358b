//! The rows of several files of one date as one sequence, sorted as the rows of a file are, in
//! memory that does not grow with the files.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use arrow::array::{RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::compute::{
    SortColumn, concat_batches, interleave_record_batch, lexsort_to_indices, take_record_batch,
};
use arrow::error::ArrowError;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::ObjectStore;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;

use super::checked_read::{CheckedObject, CheckedReader};
use super::file_layout::SORT_COLUMNS;
use super::file_write::{text, times};
use super::foreign::foreign_rows;
use super::{ArchiveError, DataFile};
use crate::clock::Micros;
use crate::event;

/// Decoded rows that all inputs hold together, about.
const DECODED_ROWS: usize = 32 * 1024;
/// The least and the most of one input.
const INPUT_ROWS: (usize, usize) = (128, 4 * 1024);
/// Rows that are given at a time.
const CHUNK_ROWS: usize = 8 * 1024;
/// Files that are opened side by side.
const OPENED: usize = 16;

/// What rows are sorted by.
type Key = (String, Micros);
type Rows = BoxStream<'static, Result<RecordBatch, ArchiveError>>;

/// Merges the rows of files.
pub(super) struct RowMerge {
    inputs: Vec<Input>,
    /// The next row of each input that has one.
    next: BinaryHeap<Reverse<(Key, usize)>>,
    /// Batches that picked rows, or next rows, stand in.
    held: Vec<RecordBatch>,
    /// Rows in order, by their batch among those held.
    picked: Vec<(usize, usize)>,
}

/// One file.
struct Input {
    path: String,
    rows: Rows,
    batch: Option<Batch>,
}

/// The batch that an input's next row stands in.
struct Batch {
    orgs: StringArray,
    times: TimestampMicrosecondArray,
    row: usize,
    /// Its place among those held.
    held: usize,
}

impl RowMerge {
    /// Opens files.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the file.
    pub async fn open(
        store: &Arc<dyn ObjectStore>,
        files: &[Arc<DataFile>],
    ) -> Result<Self, ArchiveError> {
        let (least, most) = INPUT_ROWS;
        let batch_rows = (DECODED_ROWS / files.len().max(1)).clamp(least, most);
        let opened = futures::stream::iter(files.to_vec()).map(|file| {
            let store = store.clone();
            async move { Ok((file.path_in_archive(), open(store, &file, batch_rows).await?)) }
        });
        let opened = opened.buffered(OPENED).try_collect::<Vec<_>>().await?;
        let inputs = opened.into_iter().map(|(path, rows)| Input { path, rows, batch: None });
        let (next, held, picked) = Default::default();
        let mut merge = Self { inputs: inputs.collect(), next, held, picked };
        for input in 0..merge.inputs.len() {
            merge.load(input, None).await?;
        }
        Ok(merge)
    }

    /// The next rows; `None` after the last.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the file.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>, ArchiveError> {
        while self.picked.len() < CHUNK_ROWS {
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
        self.let_go();
        Ok(Some(rows))
    }

    /// Picks rows of one input as long as they come before all of the others'. Gives the key of its
    /// last row where its batch has no more.
    fn pick(&mut self, input: usize) -> Result<Option<Key>, ArchiveError> {
        let batch = self.inputs.get_mut(input).and_then(|input| input.batch.as_mut());
        let batch = batch.ok_or_else(defect)?;
        let until = self.next.peek();
        loop {
            self.picked.push((batch.held, batch.row));
            batch.row += 1;
            let Some((org, ts)) = batch.key() else {
                batch.row -= 1;
                return Ok(Some(batch.owned_key().ok_or_else(defect)?));
            };
            let before = until.is_none_or(|Reverse(((other, at), _))| (org, ts) <= (other, *at));
            if !before || self.picked.len() >= CHUNK_ROWS {
                let key = (org.to_owned(), ts);
                self.next.push(Reverse((key, input)));
                return Ok(None);
            }
        }
    }

    /// Reads the next batch of an input whose last row so far is `last`.
    async fn load(&mut self, number: usize, last: Option<Key>) -> Result<(), ArchiveError> {
        let input = self.inputs.get_mut(number).ok_or_else(defect)?;
        input.batch = None;
        while let Some(rows) = input.rows.try_next().await? {
            if rows.num_rows() == 0 {
                continue;
            }
            let (orgs, times) = (text(&rows, "org_id")?.clone(), times(&rows)?.clone());
            let batch = Batch { orgs, times, row: 0, held: self.held.len() };
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

    /// Holds only batches that next rows stand in.
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

    fn owned_key(&self) -> Option<Key> {
        self.key().map(|(org, ts)| (org.to_owned(), ts))
    }

    fn is_sorted_after(&self, last: Option<&Key>) -> bool {
        let rows = self.orgs.iter().map(Option::unwrap_or_default).zip(self.times.values());
        let first = last.map(|(org, ts)| (org.as_str(), ts));
        first.into_iter().chain(rows).is_sorted()
    }
}

/// The rows of a file, sorted. Those of a writer of another program may not be; they are sorted
/// here, all at once.
async fn open(
    store: Arc<dyn ObjectStore>,
    file: &Arc<DataFile>,
    batch_rows: usize,
) -> Result<Rows, ArchiveError> {
    if !file.is_ours() {
        let all = foreign_rows(store, file, event::schema(), batch_rows).await?;
        let all = all.try_collect::<Vec<_>>().await?;
        let all = concat_batches(&event::schema(), &all).map_err(|error| wrong(&error))?;
        let sorted = sorted(&all).map_err(|error| wrong(&error))?;
        return Ok(futures::stream::iter([Ok(sorted)]).boxed());
    }
    let damaged = {
        let path = file.path_in_archive();
        move |error| ArchiveError::of_read(&path, &error)
    };
    let reader = CheckedReader::new(store, CheckedObject::of(file));
    let options = ArrowReaderOptions::new().with_schema(event::schema());
    let builder = ParquetRecordBatchStreamBuilder::new_with_options(reader, options).await;
    let rows = builder.map_err(&damaged)?.with_batch_size(batch_rows).build();
    Ok(rows.map_err(&damaged)?.map_err(damaged).boxed())
}

fn sorted(rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let columns = SORT_COLUMNS.iter().filter_map(|name| rows.column_by_name(name));
    let columns = columns.map(|values| SortColumn { values: values.clone(), options: None });
    take_record_batch(rows, &lexsort_to_indices(&columns.collect::<Vec<_>>(), None)?)
}

fn wrong(error: &ArrowError) -> ArchiveError {
    ArchiveError::internal("merging rows", error)
}

fn defect() -> ArchiveError {
    ArchiveError::internal("merging rows", "a row stands in no batch")
}
