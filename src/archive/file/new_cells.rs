//! What new files carry besides their rows: their partial, the cells of each declared dimension, and those
//! of corrections.

use std::sync::Arc;

use arrow::array::RecordBatch;
use bytes::Bytes;

use super::partial_maker::{CellsError, FurtherKind, NewPartial, PartialMaker, encode};
use crate::event::{Dimensions, has_corrections};

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
        let partial = NewPartial::make(self.maker.clone(), path, rows.clone());
        let (partial, further) = tokio::join!(partial, cells);
        NewBlocks { partial, further: further.into_iter().flatten().collect() }
    }
}

async fn cells_of(
    maker: Arc<dyn PartialMaker>,
    kind: FurtherKind,
    path: &str,
    rows: Vec<RecordBatch>,
) -> Option<NewCells> {
    let name = match kind {
        FurtherKind::Dimension(_) => "dimension",
        FurtherKind::Corrections => "corrections",
    };
    let without = |error: CellsError| {
        tracing::warn!(%error, path, ?kind, "a data file goes without some of its sums");
    };
    let (of, wanted) = (path.to_owned(), kind.clone());
    let made = tokio::spawn(async move { maker.make_cells(&of, &wanted, rows).await }).await;
    let made = made.unwrap_or_else(|error| Err(error.into()));
    let (version, cells) = made.map_err(&without).ok()?;
    let bytes = encode(&cells).map_err(|error| without(error.into())).ok()?;
    Some(NewCells { name, bytes, version })
}
