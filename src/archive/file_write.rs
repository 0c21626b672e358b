//! Turning sorted rows into a data file.

use arrow::array::{AsArray as _, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::TimestampMicrosecondType;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;

use super::ArchiveError;
use super::data_file::StoredPartial;
use super::file_layout;
use super::ids::EventHash;
use super::partial::NewPartial;
use super::stats::Stats;

/// A file's bytes and what the log says of it.
#[derive(Debug)]
pub struct EncodedFile {
    /// The Parquet file.
    pub bytes: Bytes,
    /// For the log.
    pub stats: Stats,
    /// The fingerprints of its events; none of a file too large for a filter of them, if it was
    /// written piece by piece.
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
    /// Encodes the rows of one date, which are sorted by [`file_layout::SORT_COLUMNS`], and whose
    /// fingerprints are `ids`. Takes processor time in proportion to the rows.
    ///
    /// # Errors
    /// Internal, if Arrow or Parquet refuse the rows.
    pub fn encode(rows: &RecordBatch, ids: Vec<EventHash>) -> Result<Self, ArchiveError> {
        let mut file = Self::start(rows, rows.num_rows())?;
        file.write(rows, ids)?;
        file.writer.flush().map_err(|error| internal(&error))?;
        Ok(file)
    }

    /// Begins a file of `count` rows that are written piece by piece; `first` are some of them.
    ///
    /// # Errors
    /// As [`OpenFile::encode`].
    pub fn start(first: &RecordBatch, count: usize) -> Result<Self, ArchiveError> {
        let options = file_layout::options(first, count).map_err(|error| internal(&error))?;
        let bytes = Vec::with_capacity(first.num_rows() * 64);
        let writer = ArrowWriter::try_new_with_options(bytes, first.schema(), options)
            .map_err(|error| internal(&error))?;
        Ok(Self { writer, stats: Stats::default(), ids: Vec::new() })
    }

    /// Adds rows that come after all before them.
    ///
    /// # Errors
    /// As [`OpenFile::encode`].
    pub fn write(&mut self, rows: &RecordBatch, ids: Vec<EventHash>) -> Result<(), ArchiveError> {
        self.writer.write(rows).map_err(|error| internal(&error))?;
        self.stats.merge(Stats::of(rows));
        self.ids.extend(ids);
        Ok(())
    }

    /// Adds the partial of the rows, where there is one, and ends the file. Readers of Parquet go by
    /// the footer, which does not name it.
    ///
    /// # Errors
    /// Internal, if Parquet refuses.
    pub fn finish(mut self, partial: Option<NewPartial>) -> Result<EncodedFile, ArchiveError> {
        let partial = match partial {
            None => None,
            Some(NewPartial { bytes, sql_version, plain }) => {
                self.writer.flush().map_err(|error| internal(&error))?;
                let start = self.writer.bytes_written() as u64;
                self.writer.write_all(&bytes).map_err(|error| internal(&error))?;
                let range = start..start + bytes.len() as u64;
                Some(StoredPartial { sql_version, range, plain })
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

/// The times of events.
///
/// # Errors
/// Internal, if they are not there.
pub fn times(rows: &RecordBatch) -> Result<&TimestampMicrosecondArray, ArchiveError> {
    rows.column_by_name("ts")
        .and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>())
        .ok_or_else(|| ArchiveError::internal("reading a batch", "no column ts"))
}
