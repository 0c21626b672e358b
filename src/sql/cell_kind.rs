//! The kinds of cells that stand in for events: those of partials, those without hours, those of each
//! dimension, and those of corrections. Each is made by a query of its own, and used only where the
//! version of that query matches.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use super::further_columns::FurtherColumns;
use super::query::{
    correction_version, day_version, dimension_version, redeclared_version, sql_version,
};
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
    /// Nothing, and no hours either, but when the first event was ingested: those of `day_cells.sql`.
    Days,
}

/// The cells of one dimension.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct DimensionCells {
    /// The dimension.
    pub dimension: Arc<Dimension>,
    version: Arc<str>,
    totals_version: Arc<str>,
}

/// Cells of dimensions that are remembered: each scrape asks for them, and their versions are hashes of a
/// query.
static KNOWN: Mutex<VecDeque<Arc<DimensionCells>>> = Mutex::new(VecDeque::new());
/// More than an archive has dimensions, so that those that were removed do not push out the others.
const KNOWN_MAX: usize = 16;

impl CellKind {
    /// The cells of a dimension.
    pub fn of(dimension: &Arc<Dimension>) -> Self {
        let mut known = KNOWN.lock();
        if let Some(cells) = known.iter().find(|cells| cells.dimension == *dimension) {
            return Self::Dimension(cells.clone());
        }
        let version = dimension_version(&dimension.attribute);
        let totals_version = redeclared_version(&version, &dimension.id);
        let dimension = dimension.clone();
        let cells = Arc::new(DimensionCells { dimension, version, totals_version });
        if known.len() == KNOWN_MAX {
            known.pop_front();
        }
        known.push_back(cells.clone());
        Self::Dimension(cells)
    }

    /// The version of the cells that files carry: of the query, and of the attribute.
    pub fn version(&self) -> Arc<str> {
        match self {
            Self::Core => sql_version(),
            Self::Dimension(cells) => cells.version.clone(),
            Self::Corrections => correction_version(),
            Self::Days => day_version(),
        }
    }

    /// The version of sums over files, and of what has expired: also of the declaration, since what
    /// expired while there was none is missing.
    pub fn totals_version(&self) -> Arc<str> {
        match self {
            Self::Core => sql_version(),
            Self::Dimension(cells) => cells.totals_version.clone(),
            Self::Corrections => correction_version(),
            Self::Days => day_version(),
        }
    }

    /// The dimension; none of other kinds.
    pub fn dimension(&self) -> Option<&Arc<Dimension>> {
        match self {
            Self::Core | Self::Corrections | Self::Days => None,
            Self::Dimension(cells) => Some(&cells.dimension),
        }
    }

    /// Which of [`FurtherSums`](super::FurtherSums) its cells have.
    pub(super) fn further_columns(&self) -> FurtherColumns {
        match self {
            Self::Core => FurtherColumns::None,
            Self::Days => FurtherColumns::Start,
            Self::Dimension(_) | Self::Corrections => FurtherColumns::All,
        }
    }

    /// True if older files lack the cells, and so may have to be read row by row.
    pub fn may_be_missing(&self) -> bool {
        matches!(self, Self::Dimension(_) | Self::Days)
    }

    /// What is being made, for people who wait for it.
    pub fn being_made(&self) -> String {
        match self {
            Self::Dimension(cells) => format!("the dimension {} is", cells.dimension.name),
            Self::Days => "start times are".to_owned(),
            Self::Core => "sums are".to_owned(),
            Self::Corrections => "corrections are".to_owned(),
        }
    }
}
