//! A new file that maintenance makes of sorted rows, so that these are never all in memory.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, new_null_array};
use arrow::datatypes::{DataType, Field};
use bytes::Bytes;
use chrono::NaiveDate;
use deltalake_core::kernel::Add;
use object_store::ObjectStore;
use object_store::path::Path;
use uuid::Uuid;

use crate::archive::error::ArchiveError;
use crate::archive::file::data_file::added::add_action;
use crate::archive::file::file_write::{OpenFile, blocking};
use crate::archive::file::ids::{EventHash, IDS_MAX, IdHasher};
use crate::archive::file::new_cells::{Making, NewBlocks};
use crate::archive::file::partial_maker::PartialMaker;
use crate::archive::log::table::TableInfo;
use crate::archive::parquet::columns::text;
use crate::archive::paths;
use crate::archive::store::upload::Upload;
use crate::clock::Micros;
use crate::event::{Dimensions, attributes_of, has_corrections};

/// Bytes that are passed to an upload at a time.
const UPLOAD_BYTES: usize = 8 << 20;
/// Columns without sums, which are left out of the rows that a partial is made from.
const UNSUMMED: [&str; 4] = ["event_id", "source", ATTRIBUTES, "cost_source"];
/// Of these only what sums of dimensions are made of is kept.
const ATTRIBUTES: &str = "attributes";

/// An encoded file that is not stored yet.
#[derive(Debug)]
pub(super) struct NewDataFile {
    /// What the log is to say of it.
    pub add: Add,
    bytes: Bytes,
}

impl NewDataFile {
    /// Stores it.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn put(&self, store: &Arc<dyn ObjectStore>) -> Result<(), ArchiveError> {
        let place = Path::from(paths::in_archive(&self.add.path));
        let mut upload = Upload::new(store.clone(), place);
        // In parts, because the bytes that wait to be sent are a copy.
        for part in self.bytes.chunks(UPLOAD_BYTES) {
            upload.add(part).await?;
        }
        upload.finish().await
    }
}

/// The new file, while rows are added to it.
pub(super) struct NewRows {
    file: Option<OpenFile>,
    /// The rows that its partial is made from.
    summed: Vec<RecordBatch>,
    /// How many rows it is to have.
    count: usize,
    /// Bytes that it will have, about.
    bytes: usize,
    rows: usize,
    hasher: IdHasher,
    dimensions: Arc<Dimensions>,
}

impl NewRows {
    /// Begins a file of so many rows and about so many bytes, in a table.
    pub fn new(count: usize, bytes: usize, table: &TableInfo) -> Self {
        let (hasher, dimensions) = (table.hasher, table.dimensions.clone());
        Self { file: None, summed: Vec::new(), count, bytes, rows: 0, hasher, dimensions }
    }

    /// How many rows it has so far.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Adds rows that sort after all earlier ones. CPU-bound.
    ///
    /// # Errors
    /// Internal, if Arrow or Parquet refuse the rows.
    pub fn add(mut self, rows: &RecordBatch) -> Result<Self, ArchiveError> {
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

    /// Ends the file of a date, with the cells that it carries if they can be made.
    ///
    /// # Errors
    /// Internal, if it has no rows or Parquet refuses them.
    pub async fn finish(
        self,
        date: NaiveDate,
        partials: Option<Arc<dyn PartialMaker>>,
        now: Micros,
    ) -> Result<NewDataFile, ArchiveError> {
        let Self { file, summed, dimensions, .. } = self;
        let open = file
            .ok_or_else(|| ArchiveError::internal("writing a file", "it has no rows".to_owned()))?;
        let path = paths::data_file(date, Uuid::new_v4());
        let blocks = match partials {
            Some(maker) => Making { maker, dimensions }.make(&path, summed).await,
            None => NewBlocks::default(),
        };
        blocking(move || {
            let encoded = open.finish(blocks)?;
            Ok(NewDataFile { add: add_action(&path, date, &encoded, now), bytes: encoded.bytes })
        })
        .await
    }
}

/// The fingerprints of the events of rows, in their order.
///
/// # Errors
/// Internal, if they lack the columns.
pub(super) fn hashes(rows: &RecordBatch, hasher: IdHasher) -> Result<Vec<EventHash>, ArchiveError> {
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
