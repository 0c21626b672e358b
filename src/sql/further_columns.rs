//! The columns that only some cells have: those of dimensions and of corrections all, those without hours
//! the start alone.

use arrow::array::ArrayRef;
use arrow::datatypes::Field;

use super::SqlError;
use super::columns::ResultColumns;
use super::sums::{Earliest, FurtherSums, Stored as _};

/// The column of start times alone.
const START: &str = "first_ingested";

/// Which of [`FurtherSums`] cells have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FurtherColumns {
    /// None of them.
    None,
    /// The start alone.
    Start,
    /// All of them.
    All,
}

impl FurtherColumns {
    /// Those that a batch of cells has.
    fn in_cells(columns: &ResultColumns<'_>) -> Self {
        if FurtherSums::fields().iter().all(|field| columns.has(field.name())) {
            return Self::All;
        }
        if columns.has(START) { Self::Start } else { Self::None }
    }

    /// Their columns.
    pub(super) fn fields(self) -> Vec<Field> {
        match self {
            Self::None => Vec::new(),
            Self::Start => vec![Earliest::field(START)],
            Self::All => FurtherSums::fields(),
        }
    }

    /// Rows as columns.
    pub(super) fn columns<'a>(
        self,
        rows: impl Iterator<Item = &'a FurtherSums> + Clone,
    ) -> Result<Vec<ArrayRef>, SqlError> {
        match self {
            Self::None => Ok(Vec::new()),
            Self::Start => Ok(vec![Earliest::column(rows.map(|row| row.first_ingested))?]),
            Self::All => FurtherSums::columns(rows),
        }
    }
}

impl FurtherSums {
    /// Those of each row, as far as the cells have them.
    pub(super) fn in_cells(columns: &ResultColumns<'_>) -> Result<Vec<Self>, SqlError> {
        match FurtherColumns::in_cells(columns) {
            FurtherColumns::None => Ok(Vec::new()),
            FurtherColumns::All => Self::read(columns),
            FurtherColumns::Start => {
                let starts = Earliest::read(columns, START)?.into_iter();
                Ok(starts
                    .map(|first_ingested| Self { first_ingested, ..Self::default() })
                    .collect())
            }
        }
    }
}
