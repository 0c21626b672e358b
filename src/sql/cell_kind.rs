//! The kinds of cells that stand in for events: those of partials, those of each dimension, and those of
//! corrections. Each is
//! made by a query of its own, and used only where the version of that query matches.

use std::sync::Arc;

use super::query::{correction_version, dimension_version, redeclared_version, sql_version};
use crate::event::Dimension;

/// What cells tell apart besides organisation, provider, model and hour.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CellKind {
    /// Nothing: those of `partial.sql`.
    Core,
    /// The values of a dimension: those of `dimension_cells.sql`.
    Dimension(Arc<DimensionCells>),
    /// Nothing, of corrections: those of `correction_cells.sql`. A file of ours without them has none.
    Corrections,
}

/// The cells of one dimension.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct DimensionCells {
    /// The dimension.
    pub dimension: Arc<Dimension>,
    version: Arc<str>,
    totals_version: Arc<str>,
}

impl CellKind {
    /// The cells of a dimension.
    pub fn of(dimension: &Arc<Dimension>) -> Self {
        let version = dimension_version(&dimension.attribute);
        let totals_version = redeclared_version(&version, &dimension.id);
        Self::Dimension(Arc::new(DimensionCells {
            dimension: dimension.clone(),
            version,
            totals_version,
        }))
    }

    /// The version of the cells that files carry: of the query, and of the attribute.
    pub fn version(&self) -> Arc<str> {
        match self {
            Self::Core => sql_version(),
            Self::Dimension(cells) => cells.version.clone(),
            Self::Corrections => correction_version(),
        }
    }

    /// The version of sums over files, and of what has expired: also of the declaration, since what
    /// expired while there was none is missing.
    pub fn totals_version(&self) -> Arc<str> {
        match self {
            Self::Core => sql_version(),
            Self::Dimension(cells) => cells.totals_version.clone(),
            Self::Corrections => correction_version(),
        }
    }

    /// The dimension; none of other kinds.
    pub fn dimension(&self) -> Option<&Arc<Dimension>> {
        match self {
            Self::Core | Self::Corrections => None,
            Self::Dimension(cells) => Some(&cells.dimension),
        }
    }

    /// True if its cells have [`FurtherSums`](super::FurtherSums).
    pub fn has_further_sums(&self) -> bool {
        *self != Self::Core
    }
}
