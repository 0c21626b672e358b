//! Rewriting: the events of several data files of one date become one file, in a commit that
//! changes no events.
//!
//! A crash leaves either a file that no entry names, or the whole commit. Files that came meanwhile
//! stay: the commit names its inputs, and is abandoned if one of them is no longer live.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch, StringArray, new_null_array};
use arrow::datatypes::{DataType, Field};
use deltalake_core::kernel::{Action, Add};
use object_store::path::Path;
use uuid::Uuid;

use super::Upkeep;
use super::actions::remove;
use crate::archive::error::ArchiveError;
use crate::archive::file::data_file::DataFile;
use crate::archive::file::data_file::added::add_action;
use crate::archive::file::file_write::{OpenFile, blocking};
use crate::archive::file::ids::{EventHash, IDS_MAX, IdHasher};
use crate::archive::file::new_cells::{Making, NewBlocks};
use crate::archive::file::row_merge::RowMerge;
use crate::archive::grace::UNCOMMITTED_MAX;
use crate::archive::log::entry::NewEntry;
use crate::archive::log::newer::OfObject as _;
use crate::archive::log::snapshot::Snapshot;
use crate::archive::log::table::FORMAT;
use crate::archive::parquet::columns::text;
use crate::archive::paths;
use crate::archive::store::upload::Upload;
use crate::error::Kind;
use crate::event::{Dimensions, attributes_of, has_corrections};

/// Bytes that are passed to an upload at a time.
const UPLOAD_BYTES: usize = 8 << 20;
/// Columns without sums, which are left out of the rows that a partial is made from.
const UNSUMMED: [&str; 4] = ["event_id", "source", ATTRIBUTES, "cost_source"];
/// Of these only what sums of dimensions are made of is kept.
const ATTRIBUTES: &str = "attributes";

/// The result of a rewrite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rewritten {
    /// How many of the files, from the first on.
    pub files: usize,
    /// Bytes of the new file.
    pub bytes: u64,
}

impl Upkeep {
    /// Moves the events of `inputs` into one new file. If memory has no room for all, only the
    /// first ones are moved, but at least two. `None` if an input was removed meanwhile.
    ///
    /// # Errors
    /// Corrupt, naming the file, if an input is damaged, or has another number of rows than the log
    /// says; `NotMerged`, naming it, if it takes too much memory. Unavailable, also with the commit
    /// in doubt.
    pub async fn rewrite(
        &self,
        inputs: &[Arc<DataFile>],
    ) -> Result<Option<Rewritten>, ArchiveError> {
        let begun_at = self.commits.clock.elapsed();
        if !are_live(inputs, &self.commits.follower.current()) {
            return Ok(None);
        }
        let (add, used) = match self.write(inputs).await {
            // Another process may have rewritten and removed it, or a file compared with it.
            Err(error) if error.kind() == Kind::Corrupt => {
                let newest = self.commits.follower.newest().await?;
                let has_gone = error.object().is_some_and(|path| newest.is_without(path));
                return if has_gone || !are_live(inputs, &newest) { Ok(None) } else { Err(error) };
            }
            written => written?,
        };
        // The remaining inputs are left for the next rewrite.
        let inputs = inputs.get(..used).unwrap_or(inputs);
        let bytes = add.size.unsigned_abs();
        let committed = self.commit(|snapshot| self.entry(snapshot, inputs, &add, begun_at)).await;
        Ok(committed?.map(|_| Rewritten { files: used, bytes }))
    }

    fn entry(
        &self,
        snapshot: &Snapshot,
        inputs: &[Arc<DataFile>],
        add: &Add,
        begun_at: Duration,
    ) -> Result<Option<NewEntry>, ArchiveError> {
        let is_old = self.commits.clock.elapsed().saturating_sub(begun_at) >= UNCOMMITTED_MAX;
        if is_old || !are_live(inputs, snapshot) {
            return Ok(None);
        }
        let now = self.commits.clock.now();
        let removes = inputs.iter().map(|file| Action::Remove(remove(&file.path, false, now)));
        let actions = std::iter::once(Action::Add(add.clone())).chain(removes);
        self.commits.entry_with_files(snapshot, "OPTIMIZE", actions, FORMAT).map(Some)
    }

    /// Writes and puts the new file. Returns how many inputs it contains: all, or as many as fit
    /// into memory together.
    async fn write(&self, inputs: &[Arc<DataFile>]) -> Result<(Add, usize), ArchiveError> {
        let defect = |reason: &str| ArchiveError::internal("rewriting files", reason.to_owned());
        let date = inputs.first().ok_or_else(|| defect("there are none"))?.date;
        if inputs.iter().any(|file| file.date != date) {
            return Err(defect("they are of several dates"));
        }
        // In the new file, rows of other programs would pass for ours.
        self.judge.check_all(&self.commits.follower.current(), inputs, None).await?;
        let path = paths::data_file(date, Uuid::new_v4());
        let (mut rows, used) = RowMerge::open(&self.store, inputs).await?;
        let inputs = inputs.get(..used).unwrap_or(inputs);
        let table = self.commits.follower.current().table().clone();
        let mut file = NewRows::new(inputs, table.hasher, table.dimensions.clone())?;
        while let Some(more) = rows.next().await? {
            file = blocking(move || file.add(&more)).await?;
        }
        drop(rows);
        let NewRows { file: open, summed, count, rows, .. } = file;
        let Some(open) = open.filter(|_| count == rows) else {
            let reason = format!("with its neighbours it holds {rows} events, not {count}");
            let first = inputs.first().map_or_else(String::new, |file| file.path_in_archive());
            return Err(ArchiveError::corrupt(first, reason));
        };
        let blocks = match self.partials.clone() {
            Some(maker) => Making { maker, dimensions: table.dimensions }.make(&path, summed).await,
            None => NewBlocks::default(),
        };
        let now = self.commits.clock.now();
        let place = Path::from(paths::in_archive(&path));
        let (add, bytes) = blocking(move || {
            let encoded = open.finish(blocks)?;
            let add = Add { data_change: false, ..add_action(&path, date, &encoded, now) };
            Ok((add, encoded.bytes))
        })
        .await?;
        let mut upload = Upload::new(self.store.clone(), place);
        // In parts, because the bytes that wait to be sent are a copy.
        for part in bytes.chunks(UPLOAD_BYTES) {
            upload.add(part).await?;
        }
        upload.finish().await?;
        Ok((add, used))
    }
}

fn are_live(files: &[Arc<DataFile>], snapshot: &Snapshot) -> bool {
    files.iter().all(|file| snapshot.is_live(file))
}

/// The new file, while rows are added to it.
struct NewRows {
    file: Option<OpenFile>,
    /// The rows that its partial is made from.
    summed: Vec<RecordBatch>,
    /// How many rows there are according to the log.
    count: usize,
    /// Bytes of the inputs.
    bytes: usize,
    rows: usize,
    hasher: IdHasher,
    dimensions: Arc<Dimensions>,
}

impl NewRows {
    fn new(
        inputs: &[Arc<DataFile>],
        hasher: IdHasher,
        dimensions: Arc<Dimensions>,
    ) -> Result<Self, ArchiveError> {
        let mut count = 0_u64;
        for file in inputs {
            let unknown = || ArchiveError::internal("rewriting files", "their rows are not known");
            count = count.saturating_add(file.rows.ok_or_else(unknown)?);
        }
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let bytes = inputs.iter().fold(0, |sum: u64, file| sum.saturating_add(file.size_bytes));
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        let summed = Vec::new();
        Ok(Self { file: None, summed, count, bytes, rows: 0, hasher, dimensions })
    }

    fn add(mut self, rows: &RecordBatch) -> Result<Self, ArchiveError> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => OpenFile::start(rows, self.count, self.bytes)?,
        };
        // A file with more rows has no filter of ids.
        let ids = if self.count <= IDS_MAX { hashes(rows, self.hasher)? } else { Vec::new() };
        file.write(rows, ids)?;
        let alike = self.summed.last().filter(|last| last.num_rows() == rows.num_rows());
        let summed = without_unsummed(rows, alike, &self.dimensions)?;
        self.summed.push(summed);
        self.rows += rows.num_rows();
        Ok(Self { file: Some(file), ..self })
    }
}

fn hashes(rows: &RecordBatch, hasher: IdHasher) -> Result<Vec<EventHash>, ArchiveError> {
    let (orgs, ids) = (text(rows, "org_id")?, text(rows, "event_id")?);
    let pairs = orgs.iter().zip(ids);
    let hash = |(org, id): (Option<&str>, Option<&str>)| {
        hasher.hash(org.unwrap_or_default(), id.unwrap_or_default())
    };
    Ok(pairs.map(hash).collect())
}

/// The same rows with empty columns where there are no sums; those columns are most of the bytes.
/// `alike` is an earlier result with as many rows, whose empty columns are reused.
fn without_unsummed(
    rows: &RecordBatch,
    alike: Option<&RecordBatch>,
    dimensions: &Dimensions,
) -> Result<RecordBatch, ArchiveError> {
    let (schema, count) = (rows.schema(), rows.num_rows());
    let tells = !dimensions.is_empty() || has_corrections(rows);
    let nothing = |field: &Field| -> Option<ArrayRef> {
        match alike.and_then(|alike| alike.column_by_name(field.name())) {
            Some(nothing) => Some(nothing.clone()),
            None if field.is_nullable() => Some(new_null_array(field.data_type(), count)),
            None if *field.data_type() == DataType::Utf8 => {
                Some(Arc::new(StringArray::from_iter_values(std::iter::repeat_n("", count))))
            }
            None => None,
        }
    };
    let columns = schema.fields().iter().zip(rows.columns()).map(|(field, column)| {
        let name = field.name().as_str();
        if tells && name == ATTRIBUTES {
            return attributes_of(column, dimensions).unwrap_or_else(|| column.clone());
        }
        let left_out = UNSUMMED.contains(&name);
        left_out.then(|| nothing(field)).flatten().unwrap_or_else(|| column.clone())
    });
    let columns = columns.collect();
    RecordBatch::try_new(schema.clone(), columns)
        .map_err(|error| ArchiveError::internal("rewriting files", error))
}
