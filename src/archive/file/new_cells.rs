//! What new files carry besides their rows: their partial, the same without hours, the cells of each
//! declared dimension, and those of corrections.

use std::sync::Arc;

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use bytes::Bytes;

use super::partial_maker::{CellsError, FurtherKind, NewPartial, PartialMaker, encode};
use crate::clock::Micros;
use crate::event::{DIMENSIONS_MAX, Dimensions, has_corrections};

/// Encoded cells.
#[derive(Debug)]
pub struct NewCells {
    /// What the log calls them.
    pub name: &'static str,
    /// As `CellWriter` writes them.
    pub bytes: Bytes,
    /// The version of what made them.
    pub version: Arc<str>,
}

/// All that a new file carries besides its rows.
#[derive(Debug, Default)]
pub struct NewBlocks {
    /// Its partial, if one could be made.
    pub partial: Option<NewPartial>,
    /// Further cells, as far as they could be made.
    pub further: Vec<NewCells>,
    /// When all of its events were ingested, if that is one instant.
    pub ingested: Option<Micros>,
}

/// Cells without hours are left out where there are more than this many of a hundred cells with them.
const DAYS_PERCENT_MAX: usize = 50;

/// Cells of a dimension are left out where they would take more than one of so many bytes of the rows:
/// with the most dimensions that there may be, they take a tenth.
const DIMENSION_SHARE: usize = 10 * DIMENSIONS_MAX;
/// And they are not made where there would be more than one for so many rows, which takes more bytes than
/// that.
const ROWS_OF_CELL: usize = 16;
/// What the log calls them.
const DIMENSION: &str = "dimension";

impl NewBlocks {
    /// Those that a file carries whose rows take so many bytes: without the cells of dimensions that
    /// have nearly as many as rows. They are made of the rows where somebody asks.
    pub fn beside(mut self, row_bytes: usize) -> Self {
        let is_small = |cells: &NewCells| cells.bytes.len() <= row_bytes / DIMENSION_SHARE;
        self.further.retain(|cells| cells.name != DIMENSION || is_small(cells));
        self
    }
}

/// Makes what new files carry, as of one version of the table.
#[derive(Debug, Clone)]
pub struct Making {
    /// Makes cells.
    pub maker: Arc<dyn PartialMaker>,
    /// The dimensions that are declared.
    pub dimensions: Arc<Dimensions>,
}

impl Making {
    /// What the new file `path` carries of these rows. What cannot be made costs those who read the
    /// file time, and nothing else.
    pub async fn make(self, path: &str, rows: Vec<RecordBatch>) -> NewBlocks {
        let kinds = self.dimensions.iter().cloned().map(FurtherKind::Dimension);
        let corrections = rows.iter().any(has_corrections).then_some(FurtherKind::Corrections);
        let cells = kinds.chain(corrections).map(|kind| {
            let maker = self.maker.clone();
            cells_of(maker, kind, path, rows.clone())
        });
        let cells = futures::future::join_all(cells);
        let core = self.core(path, rows.clone());
        let ((partial, days), further) = tokio::join!(core, cells);
        let further = days.into_iter().chain(further.into_iter().flatten()).collect();
        // Without calls it has no start.
        let ingested = partial.as_ref().and_then(|_| one_instant(&rows));
        NewBlocks { partial, further, ingested }
    }

    /// The partial, and the same without hours. Those are left out where they would be nearly as many and
    /// tell nothing that the partial and one instant do not.
    async fn core(
        &self,
        path: &str,
        rows: Vec<RecordBatch>,
    ) -> (Option<NewPartial>, Option<NewCells>) {
        let partial = NewPartial::make(self.maker.clone(), path, rows.clone()).await;
        let Some(made) = &partial else { return (None, None) };
        let many = made.series * 100 > made.cells * DAYS_PERCENT_MAX;
        if many && one_instant(&rows).is_some() {
            return (partial, None);
        }
        let days = cells_of(self.maker.clone(), FurtherKind::Days, path, rows).await;
        (partial, days)
    }
}

async fn cells_of(
    maker: Arc<dyn PartialMaker>,
    kind: FurtherKind,
    path: &str,
    rows: Vec<RecordBatch>,
) -> Option<NewCells> {
    let (name, cells_max) = match kind {
        FurtherKind::Dimension(_) => {
            (DIMENSION, rows.iter().map(RecordBatch::num_rows).sum::<usize>() / ROWS_OF_CELL)
        }
        FurtherKind::Corrections => ("corrections", usize::MAX),
        FurtherKind::Days => ("days", usize::MAX),
    };
    let without = |error: CellsError| {
        tracing::warn!(%error, path, ?kind, "a data file goes without some of its sums");
    };
    let (of, wanted) = (path.to_owned(), kind.clone());
    let made =
        tokio::spawn(async move { maker.make_cells(&of, &wanted, rows, cells_max).await }).await;
    let made = made.unwrap_or_else(|error| Err(error.into()));
    let (version, cells) = made.map_err(&without).ok()??;
    let bytes = encode(&cells).map_err(|error| without(error.into())).ok()?;
    Some(NewCells { name, bytes, version })
}

/// When all of these rows were ingested; `None` if that is not known, or not one instant.
fn one_instant(rows: &[RecordBatch]) -> Option<Micros> {
    let mut one = None;
    for rows in rows {
        let times = rows.column_by_name("ingested_at")?;
        let times = times.as_primitive_opt::<TimestampMicrosecondType>()?;
        let all = times.values();
        if times.null_count() > 0 || one.is_some_and(|one| all.first().is_some_and(|at| *at != one))
        {
            return None;
        }
        let Some(first) = all.first() else { continue };
        if all.iter().any(|at| at != first) {
            return None;
        }
        one = Some(*first);
    }
    one
}
