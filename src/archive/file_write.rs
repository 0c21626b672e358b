//! Turning rows into a data file: sorted by (`org_id`, `ts`), zstd, dictionaries, page index, and
//! a Bloom filter on `event_id`.

use arrow::array::{AsArray as _, RecordBatch};
use arrow::compute::{SortColumn, lexsort_to_indices, take_record_batch};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::ArchiveError;
use super::data_file::StoredPartial;
use super::ids::{EventHash, IdHasher};
use super::partial::NewPartial;
use super::stats::Stats;

/// Rows of a row group.
const GROUP_ROWS: usize = 128 * 1024;
/// Rows of a page: one org's hour should be a few pages.
const PAGE_ROWS: usize = 4 * 1024;
const ZSTD_LEVEL: i32 = 3;
/// Batches ask for hundreds of ids at once, so that a filter must seldom be wrong to be of use.
const BLOOM_FPP: f64 = 1e-4;
const SORT_COLUMNS: [&str; 2] = ["org_id", "ts"];
/// Texts that hardly repeat: a dictionary would only be built to be dropped.
const UNIQUE_COLUMN: &str = "event_id";

/// A file's bytes and what the log says of it.
#[derive(Debug)]
pub struct EncodedFile {
    /// The Parquet file.
    pub bytes: Bytes,
    /// For the log.
    pub stats: Stats,
    /// The fingerprints of its events.
    pub ids: Vec<EventHash>,
    /// The partial inside of it.
    pub partial: Option<StoredPartial>,
}

/// A data file whose rows are encoded, and that still lacks its end.
#[derive(Debug)]
pub struct OpenFile {
    writer: ArrowWriter<Vec<u8>>,
    stats: Stats,
    ids: Vec<EventHash>,
}

impl OpenFile {
    /// Encodes the rows of one date. Takes processor time in proportion to the rows.
    ///
    /// # Errors
    /// Internal, if Arrow or Parquet refuse the rows.
    pub fn encode(rows: &RecordBatch, hasher: &IdHasher) -> Result<Self, ArchiveError> {
        let sort = SORT_COLUMNS
            .iter()
            .filter_map(|name| rows.column_by_name(name))
            .map(|column| SortColumn { values: column.clone(), options: None });
        let order = lexsort_to_indices(&sort.collect::<Vec<_>>(), None)
            .map_err(|error| internal(&error))?;
        let rows = take_record_batch(rows, &order).map_err(|error| internal(&error))?;
        let bytes = Vec::with_capacity(rows.num_rows() * 64);
        let mut writer = ArrowWriter::try_new(bytes, rows.schema(), Some(properties(&rows)?))
            .map_err(|error| internal(&error))?;
        writer.write(&rows).map_err(|error| internal(&error))?;
        writer.flush().map_err(|error| internal(&error))?;
        let (orgs, ids) = (text(&rows, "org_id")?, text(&rows, "event_id")?);
        let ids = orgs.iter().zip(ids);
        let ids = ids.map(|(org, id)| hasher.hash(org.unwrap_or_default(), id.unwrap_or_default()));
        Ok(Self { writer, stats: Stats::of(&rows), ids: ids.collect() })
    }

    /// Adds the partial of the rows, where there is one, and ends the file. Readers of Parquet go by
    /// the footer, which does not name it.
    ///
    /// # Errors
    /// Internal, if Parquet refuses.
    pub fn finish(mut self, partial: Option<NewPartial>) -> Result<EncodedFile, ArchiveError> {
        let partial = match partial {
            None => None,
            Some(NewPartial { bytes, sql_version }) => {
                let start = self.writer.bytes_written() as u64;
                self.writer.write_all(&bytes).map_err(|error| internal(&error))?;
                let range = start..start + bytes.len() as u64;
                Some(StoredPartial { sql_version, range })
            }
        };
        let bytes = self.writer.into_inner().map_err(|error| internal(&error))?.into();
        Ok(EncodedFile { bytes, stats: self.stats, ids: self.ids, partial })
    }
}

fn internal(error: &dyn std::fmt::Display) -> ArchiveError {
    ArchiveError::internal("encoding a data file", error)
}

/// A required text column.
///
/// # Errors
/// Internal, if it is not there.
pub fn text<'a>(
    rows: &'a RecordBatch,
    name: &'static str,
) -> Result<&'a arrow::array::StringArray, ArchiveError> {
    rows.column_by_name(name)
        .and_then(|column| column.as_string_opt::<i32>())
        .ok_or_else(|| ArchiveError::internal("reading a batch", format!("no text column {name}")))
}

fn properties(rows: &RecordBatch) -> Result<WriterProperties, ArchiveError> {
    let level = ZstdLevel::try_new(ZSTD_LEVEL)
        .map_err(|error| ArchiveError::internal("choosing compression", error))?;
    let schema = rows.schema();
    // Parquet counts leaf columns; those sorted by stand before the only nested one.
    let sorting = SORT_COLUMNS.iter().filter_map(|name| {
        let column_idx = i32::try_from(schema.index_of(name).ok()?).ok()?;
        Some(SortingColumn { column_idx, descending: false, nulls_first: false })
    });
    let id = ColumnPath::from(UNIQUE_COLUMN);
    let ids = u64::try_from(rows.num_rows().min(GROUP_ROWS)).unwrap_or(u64::MAX);
    Ok(WriterProperties::builder()
        .set_created_by(concat!("tokenlake ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_write_batch_size(PAGE_ROWS)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_sorting_columns(Some(sorting.collect()))
        .set_column_dictionary_enabled(id.clone(), false)
        .set_column_bloom_filter_enabled(id.clone(), true)
        .set_column_bloom_filter_fpp(id.clone(), BLOOM_FPP)
        .set_column_bloom_filter_max_ndv(id, ids)
        .build())
}
