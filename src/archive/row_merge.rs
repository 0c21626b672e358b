//! The rows of several files of one date as one sequence, sorted as the rows of a file are, in
//! memory that does not grow with the files.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use arrow::array::{RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::compute::{SortColumn, concat, interleave_record_batch, lexsort_to_indices};
use arrow::error::ArrowError;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::ObjectStore;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};

use super::checked_read::{CheckedObject, CheckedReader};
use super::file_layout::SORT_COLUMNS;
use super::file_write::{text, times};
use super::foreign::foreign_rows;
use super::weighed::{BatchSize, weighed_rows};
use super::{ArchiveError, DataFile};
use crate::clock::Micros;
use crate::event;

/// Decoded rows that all inputs hold together, about, and their bytes.
const DECODED_ROWS: usize = 32 * 1024;
const DECODED_BYTES: usize = 64 << 20;
/// The least and the most of one input.
const INPUT_ROWS: (usize, usize) = (128, 4 * 1024);
/// Rows that are given at a time, and their bytes.
const CHUNK_ROWS: usize = 8 * 1024;
const CHUNK_BYTES: usize = 16 << 20;
/// What open files may take before a row of theirs is decoded: row groups as they are stored, and
/// pages.
const OPEN_BYTES: u64 = 192 << 20;
/// Rows of a page, at most.
const PAGE_ROWS: u64 = 4 * 1024;
/// Rows of a file of another program that is not sorted are all held; more bytes are not.
const UNSORTED_BYTES_MAX: usize = 128 << 20;
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
    /// What they weigh, about.
    picked_bytes: usize,
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
    /// What a row weighs, about.
    row_bytes: usize,
    /// Its place among those held.
    held: usize,
}

impl RowMerge {
    /// Opens files, the first ones of them if all would take too much memory together, but two at
    /// least. Gives how many.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the file.
    pub async fn open(
        store: &Arc<dyn ObjectStore>,
        files: &[Arc<DataFile>],
    ) -> Result<(Self, usize), ArchiveError> {
        let described = futures::stream::iter(files.to_vec()).map(|file| {
            let store = store.clone();
            async move { Described::read(&store, file).await }
        });
        let mut described = described.buffered(OPENED).try_collect::<Vec<_>>().await?;
        let sums = described.iter().scan(0_u64, |sum, file| {
            *sum = sum.saturating_add(file.open_bytes());
            Some(*sum)
        });
        let fitting = sums.take_while(|sum| *sum <= OPEN_BYTES).count();
        described.truncate(fitting.max(2));
        let (count, (least, most)) = (described.len(), INPUT_ROWS);
        let rows_max = (DECODED_ROWS / count.max(1)).clamp(least, most);
        let size = BatchSize { rows_max, bytes: DECODED_BYTES / count.max(1), trusted: true };
        let opened = futures::stream::iter(described).map(|file| {
            let store = store.clone();
            async move { Ok((file.file.path_in_archive(), file.open(store, size).await?)) }
        });
        let opened = opened.buffered(OPENED).try_collect::<Vec<_>>().await?;
        let inputs = opened.into_iter().map(|(path, rows)| Input { path, rows, batch: None });
        let (next, held, picked) = Default::default();
        let mut merge = Self { inputs: inputs.collect(), next, held, picked, picked_bytes: 0 };
        for input in 0..merge.inputs.len() {
            merge.load(input, None).await?;
        }
        Ok((merge, count))
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

    /// Picks rows of one input as long as they come before all of the others'. Gives the key of its
    /// last row where its batch has no more.
    fn pick(&mut self, input: usize) -> Result<Option<Key>, ArchiveError> {
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
    async fn load(&mut self, number: usize, last: Option<Key>) -> Result<(), ArchiveError> {
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

/// Whether rows are as many as are given at a time.
fn is_chunk(picked: &[(usize, usize)], bytes: usize) -> bool {
    picked.len() >= CHUNK_ROWS || bytes >= CHUNK_BYTES
}

/// A file, and its footer if the file is ours.
struct Described {
    file: Arc<DataFile>,
    footer: Option<ArrowReaderMetadata>,
}

impl Described {
    async fn read(store: &Arc<dyn ObjectStore>, file: Arc<DataFile>) -> Result<Self, ArchiveError> {
        if !file.is_ours() {
            return Ok(Self { file, footer: None });
        }
        let mut reader = CheckedReader::new(store.clone(), CheckedObject::of(&file));
        let options = ArrowReaderOptions::new().with_schema(event::schema());
        let footer = ArrowReaderMetadata::load_async(&mut reader, options).await;
        let footer = footer.map_err(|error| ArchiveError::of_read(&file.path_in_archive(), &error))?;
        Ok(Self { file, footer: Some(footer) })
    }

    /// What it takes as long as it is open.
    fn open_bytes(&self) -> u64 {
        let Some(footer) = &self.footer else { return UNSORTED_BYTES_MAX as u64 };
        let groups = footer.metadata().row_groups().iter().map(|group| {
            let [rows, bytes, stored] =
                [group.num_rows(), group.total_byte_size(), group.compressed_size()]
                    .map(|number| u64::try_from(number).unwrap_or_default());
            let pages = bytes.saturating_mul(PAGE_ROWS.min(rows)) / rows.max(1);
            stored.saturating_add(pages)
        });
        groups.max().unwrap_or_default()
    }

    /// Its rows, sorted. Those of another program's file may not be; they are sorted here.
    async fn open(
        self,
        store: Arc<dyn ObjectStore>,
        size: BatchSize,
    ) -> Result<Rows, ArchiveError> {
        let Self { file, footer } = self;
        let Some(footer) = footer else { return sorted_rows(store, &file, size.rows_max).await };
        let path = file.path_in_archive();
        let all = ProjectionMask::all();
        let rows = weighed_rows(store, CheckedObject::of(&file), footer, all, size);
        Ok(rows.map_err(move |error| ArchiveError::of_read(&path, &error)).boxed())
    }
}

/// The rows of a file of another program, in order, some at a time.
async fn sorted_rows(
    store: Arc<dyn ObjectStore>,
    file: &Arc<DataFile>,
    batch_rows: usize,
) -> Result<Rows, ArchiveError> {
    let mut rows = foreign_rows(store, file, event::schema(), batch_rows).await?;
    let (mut batches, mut bytes) = (Vec::new(), 0_usize);
    while let Some(batch) = rows.try_next().await? {
        bytes = bytes.saturating_add(batch.get_array_memory_size());
        if bytes > UNSORTED_BYTES_MAX {
            let reason = "its rows are too large to be sorted in memory, and so are not merged";
            return Err(ArchiveError::Foreign {
                path: file.path_in_archive(),
                reason: reason.to_owned(),
            });
        }
        batches.push(batch);
    }
    let order = order_of(&batches).map_err(|error| wrong(&error))?;
    let starts = (0..order.len()).step_by(batch_rows.max(1));
    let pieces = starts.map(move |start| {
        let piece = order.get(start..order.len().min(start + batch_rows.max(1)));
        let batches: Vec<_> = batches.iter().collect();
        interleave_record_batch(&batches, piece.unwrap_or_default()).map_err(|error| wrong(&error))
    });
    Ok(futures::stream::iter(pieces).boxed())
}

/// Where the rows of batches are, in the order of a file's.
fn order_of(batches: &[RecordBatch]) -> Result<Vec<(usize, usize)>, ArrowError> {
    let columns = SORT_COLUMNS.iter().filter_map(|name| {
        let parts: Vec<_> = batches.iter().filter_map(|rows| rows.column_by_name(name)).collect();
        let parts: Vec<_> = parts.iter().map(|part| part.as_ref()).collect();
        (!parts.is_empty()).then(|| concat(&parts))
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    if columns.is_empty() {
        return Ok(Vec::new());
    }
    let columns = columns.into_iter().map(|values| SortColumn { values, options: None });
    let order = lexsort_to_indices(&columns.collect::<Vec<_>>(), None)?;
    let places = batches.iter().enumerate();
    let places = places.flat_map(|(at, rows)| (0..rows.num_rows()).map(move |row| (at, row)));
    let places: Vec<_> = places.collect();
    Ok(order.values().iter().filter_map(|at| places.get(*at as usize).copied()).collect())
}

fn wrong(error: &ArrowError) -> ArchiveError {
    ArchiveError::internal("merging rows", error)
}

fn defect() -> ArchiveError {
    ArchiveError::internal("merging rows", "a row stands in no batch")
}
