//! Stored cells that stand for those of a kind: its own, or those of the core with one start for all.

use std::ops::Bound;

use futures::{Stream, StreamExt as _, TryStreamExt as _};

use super::cell_kind::CellKind;
use super::partial_row::{PartialRow, started};
use super::partials::partial_rows;
use super::query::sql_version;
use super::{Engine, SqlError};
use crate::archive::{ArchiveError, CellReader, CheckedObject, DataFile};
use crate::clock::Micros;

/// The cells that a file carries.
#[derive(Debug, Clone)]
pub struct CarriedCells {
    /// Where they lie.
    pub object: CheckedObject,
    /// When the events of all of them began, if they are the core's, in place of those without hours.
    pub start: Option<Micros>,
}

impl CarriedCells {
    /// The cells of a kind that a file carries; `None` if they must be made of its rows.
    pub fn of(kind: &CellKind, file: &DataFile) -> Option<Self> {
        if let Some(object) = file.stored_cells(&kind.version()) {
            return Some(Self { object, start: None });
        }
        let start = file.ingested_at().filter(|_| *kind == CellKind::Days)?;
        let object = file.stored_partial(&sql_version())?;
        Some(Self { object, start: Some(start) })
    }
}

/// Sums of many files, in an object of their own.
#[derive(Debug, Clone)]
pub struct SumsBase {
    /// The cells.
    pub cells: CellReader,
    /// As that of [`CarriedCells`].
    pub start: Option<Micros>,
}

impl From<CellReader> for SumsBase {
    fn from(cells: CellReader) -> Self {
        Self { cells, start: None }
    }
}

impl SumsBase {
    /// The sums of the organisations in a range of names, or of parts of them.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the object.
    pub async fn of_orgs(
        &self,
        orgs: (Bound<&str>, Bound<&str>),
    ) -> Result<Vec<PartialRow>, SqlError> {
        let cells: Vec<_> = self.cells.of_orgs(orgs)?.try_collect().await?;
        Ok(started(partial_rows(&cells)?, self.start))
    }
}

impl Engine {
    /// The cells that a file carries, of all organisations, of one, or of parts of one.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the file.
    pub async fn stored_partial(
        &self,
        CarriedCells { object, start }: CarriedCells,
        orgs: (Bound<&str>, Bound<&str>),
    ) -> Result<Vec<PartialRow>, SqlError> {
        let path = object.path().to_string();
        let cells = CellReader::read_all(self.store(), object, orgs).await?;
        partial_rows(&cells).map(|rows| started(rows, start)).map_err(|error| match error {
            // The file's writer did not write what its SQL version says.
            SqlError::Query { reason, .. } => ArchiveError::corrupt(path, reason).into(),
            other => other,
        })
    }

    /// As [`Engine::stored_partial`] for a range of organisations, piece by piece.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the file, now or from the stream.
    pub async fn stored_pieces(
        &self,
        CarriedCells { object, start }: CarriedCells,
        orgs: (Bound<&str>, Bound<&str>),
    ) -> Result<impl Stream<Item = Result<Vec<PartialRow>, SqlError>>, SqlError> {
        let cells = CellReader::open(self.store(), object).await?;
        Ok(cells.of_orgs(orgs)?.map(move |cells| Ok(started(partial_rows(&[cells?])?, start))))
    }
}
