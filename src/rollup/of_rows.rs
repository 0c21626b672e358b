//! Makes the cells of files of their rows, where nobody stored them.

use std::sync::Arc;

use futures::TryStreamExt as _;
use futures::future::BoxFuture;
use tokio::sync::Semaphore;

use super::partial::Partial;
use super::scope::Bounds;
use crate::archive::{ArchiveError, DataFile};
use crate::sql::{CellKind, Engine, SqlError};
use crate::telemetry::Telemetry;

/// Files whose rows are read side by side for cells other than the core's.
const ROW_TURNS: usize = 2;

/// Makes cells of rows.
#[derive(Debug)]
pub struct OfRows {
    engine: Arc<Engine>,
    /// Taken to make cells other than the core's: the rows of a file are many times what is made of them,
    /// and attributes are most of that.
    turns: Semaphore,
    telemetry: Telemetry,
}

impl OfRows {
    /// A maker that nobody uses yet.
    pub fn new(engine: Arc<Engine>, telemetry: Telemetry) -> Self {
        Self { engine, turns: Semaphore::new(ROW_TURNS), telemetry }
    }

    /// All cells of a kind.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the file.
    pub async fn all(
        &self,
        kind: &CellKind,
        file: &Arc<DataFile>,
    ) -> Result<Arc<Partial>, SqlError> {
        let _turn = match kind {
            CellKind::Core => None,
            _ => self.turns.acquire().await.ok(),
        };
        let cells = match kind.dimension() {
            Some(dimension) => {
                let all = (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
                let pieces = self.engine.part_cells_in(dimension, file, all).await?;
                pieces.try_concat().await?
            }
            None => {
                // Boxed, so that the compiler need not look through the types of all futures around it.
                let cells: BoxFuture<'_, _> = Box::pin(self.engine.cells(kind, file));
                cells.await?
            }
        };
        self.count(kind);
        Ok(Arc::new(Partial::new(cells)))
    }

    /// The cells of a dimension, piece by piece: at least those of the parts in a range of names.
    ///
    /// # Errors
    /// As [`OfRows::all`].
    pub async fn pieces(
        &self,
        kind: &CellKind,
        file: &Arc<DataFile>,
        parts: Bounds<'_>,
        mut each: impl FnMut(&Partial),
    ) -> Result<(), SqlError> {
        let none = || ArchiveError::internal("making cells of rows", "they are of no dimension");
        let dimension = kind.dimension().ok_or_else(none)?;
        let _turn = self.turns.acquire().await.ok();
        let pieces = self.engine.part_cells_in(dimension, file, parts).await?;
        let mut pieces = std::pin::pin!(pieces);
        while let Some(cells) = pieces.try_next().await? {
            each(&Partial::new(cells));
        }
        Ok(())
    }

    /// Counts a file whose cells were made.
    pub fn count(&self, kind: &CellKind) {
        match kind {
            CellKind::Dimension(made) => self.telemetry.dimensions.made(&made.dimension.name),
            CellKind::Days => self.telemetry.dimensions.start_made(),
            CellKind::Core | CellKind::Corrections => {}
        }
    }
}
