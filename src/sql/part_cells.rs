//! The cells of dimensions that are made of rows: of those that are about to become a file, and of those
//! that a file has.

use std::ops::Bound;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, BooleanArray, RecordBatch};
use arrow::compute::nullif;
use arrow::datatypes::{Decimal128Type, Field, Int64Type, Schema};
use arrow::error::ArrowError;
use futures::{Stream, TryStreamExt as _, stream};

use super::cell_columns::cell_columns;
use super::cell_kind::CellKind;
use super::part_sums::RowsByPart;
use super::partial_row::{PartialRow, org_and_value};
use super::partials::shorten;
use super::query::DIMENSION_CELLS;
use super::row_columns::ROW_COLUMNS;
use super::{Engine, SqlError};
use crate::archive::{ArchiveError, DataFile, stored_rows};
use crate::event::Dimension;

/// From so many cells on, those of a file are given as a piece.
const PIECE_CELLS: usize = 16 * 1024;

/// The cells of a dimension in rows; `None` if there are more than `cells_max`.
///
/// # Errors
/// [`SqlError::Query`], only for a defect.
pub fn part_cells(
    dimension: &Dimension,
    rows: &[RecordBatch],
    cells_max: usize,
) -> Result<Option<Vec<PartialRow>>, SqlError> {
    let mut sums = RowsByPart::of(&dimension.attribute);
    for rows in rows {
        sums.add(rows, cells_max)?;
        if sums.cells() > cells_max {
            return Ok(None);
        }
    }
    Ok(Some(sums.take()))
}

impl Engine {
    /// The cells of a dimension, made of the rows of a file: at least those of the parts in a range of
    /// names. They come in pieces, of which a later one may have more of the same cell.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the file, now or from the stream.
    pub async fn part_cells_in(
        &self,
        dimension: &Dimension,
        file: &DataFile,
        parts: (Bound<&str>, Bound<&str>),
    ) -> Result<impl Stream<Item = Result<Vec<PartialRow>, SqlError>>, SqlError> {
        let orgs = (org_bound(parts.0), org_bound(parts.1));
        let rows = stored_rows(self.store(), file, &ROW_COLUMNS, orgs).await?;
        let path: Arc<str> = file.path_in_archive().into();
        let state = (rows, RowsByPart::of(&dimension.attribute));
        Ok(stream::try_unfold(state, move |(mut rows, mut sums)| {
            let path = path.clone();
            async move {
                while let Some(more) = rows.try_next().await? {
                    sums.add(&more, usize::MAX).map_err(|error| match error {
                        SqlError::Query { reason, .. } => {
                            ArchiveError::corrupt(&*path, reason).into()
                        }
                        other => other,
                    })?;
                    if sums.cells() >= PIECE_CELLS {
                        return Ok(Some((sums.take(), (rows, sums))));
                    }
                }
                let last = sums.take();
                Ok((!last.is_empty()).then_some((last, (rows, sums))))
            }
        }))
    }
}

/// A bound on organisations that holds all of those whose parts a bound lets in.
fn org_bound(part: Bound<&str>) -> Bound<&str> {
    let org = |part| org_and_value(part).map_or(part, |(org, _)| org);
    match part {
        Bound::Included(part) | Bound::Excluded(part) => Bound::Included(org(part)),
        Bound::Unbounded => Bound::Unbounded,
    }
}

/// Cells of a dimension in the form in which they are stored.
///
/// # Errors
/// [`SqlError::Query`], if a sum has more digits than a decimal can hold.
pub fn part_columns(kind: &CellKind, cells: &[PartialRow]) -> Result<RecordBatch, SqlError> {
    let cells = cell_columns(kind, cells)?;
    let stored = as_in_sql(&cells).and_then(|cells| shorten(&cells));
    stored
        .map_err(|error| SqlError::Query { query: DIMENSION_CELLS.name, reason: error.to_string() })
}

/// With nulls for sums of no money at all, as the query has them.
fn as_in_sql(cells: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let missing = |name: &str| ArrowError::SchemaError(format!("no column {name}"));
    let count = |name: &str| {
        let counts = cells.column_by_name(name).and_then(|counts| counts.as_primitive_opt());
        counts.ok_or_else(|| missing(name))
    };
    let (calls, unpriced) = (count("requests")?, count("unpriced")?);
    let calls: &arrow::array::PrimitiveArray<Int64Type> = calls;
    let none_priced: BooleanArray =
        calls.values().iter().zip(unpriced.values()).map(|(all, none)| Some(all == none)).collect();
    let columns = cells.schema_ref().fields().iter().zip(cells.columns());
    let columns = columns.map(|(field, column)| -> Result<(Field, ArrayRef), ArrowError> {
        let column = match field.name().as_str() {
            "cost_usd" => nullif(column, &none_priced)?,
            "corrected_cost_usd" | "credits_usd" => {
                let sums = column.as_primitive_opt::<Decimal128Type>();
                let sums = sums.ok_or_else(|| missing(field.name()))?;
                let zero: BooleanArray = sums.iter().map(|sum| Some(sum == Some(0))).collect();
                nullif(column, &zero)?
            }
            _ => column.clone(),
        };
        Ok((field.as_ref().clone().with_nullable(column.null_count() > 0), column))
    });
    let (fields, columns): (Vec<_>, Vec<_>) =
        columns.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}
