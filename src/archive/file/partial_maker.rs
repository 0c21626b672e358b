//! The partials of new files, made while the rows are in memory.

use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use bytes::Bytes;

use super::lossless::LosslessColumns;
use crate::archive::error::ArchiveError;
use crate::archive::parquet::cells::{CellWriter, series_in};
use crate::event::Dimension;

/// Which cells a file carries beside its partial.
#[derive(Debug, Clone)]
pub enum FurtherKind {
    /// Those of the values of a dimension.
    Dimension(Arc<Dimension>),
    /// Those of corrections, in files that have some.
    Corrections,
    /// Those of the partial without hours, with the time at which the first event was ingested.
    Days,
}

/// Why cells could not be made: a defect.
pub type CellsError = Box<dyn std::error::Error + Send + Sync>;

/// Cells, and the version of what made them.
pub type MadeCells = (Arc<str>, Vec<RecordBatch>);

/// Makes the partial of a file: the cells that it adds to the usage of each organisation. The
/// archive does not know what they contain, only that they are sorted by `org_id`.
#[async_trait]
pub trait PartialMaker: std::fmt::Debug + Send + Sync {
    /// The version of the SQL that makes the partials. A partial of another version is never used.
    fn sql_version(&self) -> Arc<str>;

    /// The partial of a new file, whose rows come in pieces. `path` is the file's path, relative to
    /// the table.
    ///
    /// # Errors
    /// Any defect. A file without a partial takes longer to read, and has no other drawback.
    async fn make(
        &self,
        path: &str,
        rows: Vec<RecordBatch>,
    ) -> Result<Vec<RecordBatch>, CellsError>;

    /// As [`PartialMaker::make`], further cells. Those of a dimension are `None` if there are more than
    /// `cells_max`. They are never no batch: where no row counts, there is one without a row.
    ///
    /// # Errors
    /// As [`PartialMaker::make`].
    async fn make_cells(
        &self,
        path: &str,
        kind: &FurtherKind,
        rows: Vec<RecordBatch>,
        cells_max: usize,
    ) -> Result<Option<MadeCells>, CellsError>;
}

/// An encoded partial.
#[derive(Debug)]
pub struct NewPartial {
    /// As [`CellWriter`] writes it.
    pub bytes: Bytes,
    /// The version of the SQL that made it.
    pub sql_version: Arc<str>,
    /// The columns whose values it preserves exactly.
    pub lossless: LosslessColumns,
    /// How many cells it has.
    pub cells: usize,
    /// How many there are without hours.
    pub series: usize,
}

impl NewPartial {
    /// The partial of the rows of the new file `path`, if one can be made.
    pub async fn make(
        maker: Arc<dyn PartialMaker>,
        path: &str,
        rows: Vec<RecordBatch>,
    ) -> Option<Self> {
        // In its own task, so that not even a panic makes the commit fail.
        let (sql_version, of, made_of) = (maker.sql_version(), path.to_owned(), rows.clone());
        let cells = tokio::spawn(async move { maker.make(&of, made_of).await }).await;
        let cells = cells.unwrap_or_else(|error| Err(error.into()));
        let cells = cells
            .inspect_err(|error| tracing::warn!(%error, path, "no partial of a data file was made"))
            .ok()?;
        // Where nothing counts there is none.
        cells.first()?;
        let bytes = encode(&cells);
        let bytes = bytes
            .inspect_err(|error| tracing::warn!(%error, path, "no partial of a data file was made"))
            .ok()?;
        let count = cells.iter().map(RecordBatch::num_rows).sum();
        let (lossless, series) = (LosslessColumns::of(&rows, &cells), series_in(&cells));
        Some(Self { bytes, sql_version, lossless, cells: count, series })
    }
}

/// Cells as they are stored.
///
/// # Errors
/// Internal, if there is no batch, or Parquet refuses one.
pub(super) fn encode(cells: &[RecordBatch]) -> Result<Bytes, ArchiveError> {
    let none = || ArchiveError::internal("encoding sums", "there are none");
    let mut writer = CellWriter::new(cells.first().ok_or_else(none)?.schema())?;
    cells.iter().try_for_each(|cells| writer.write(cells))?;
    writer.finish()
}
