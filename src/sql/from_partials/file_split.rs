//! Decides which files' partials can answer a query about their rows.

use std::sync::Arc;

use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

use super::constant::Needs;
use crate::archive::{DataFile, LosslessColumns};
use crate::clock::{DAY, HOUR, Micros};
use crate::event::API_CALL;
use crate::sql::cell_kind::CellKind;
use crate::sql::file_bounds::days;
use crate::sql::presummed::Resolution;
use crate::sql::presummed_table::PresummedFiles;
use crate::sql::sql_version;

/// Cells of up to so many bytes are read in any case.
const SMALL_BYTES: u64 = 64 * 1024;
/// About what a stored cell takes.
const CELL_BYTES: u64 = 18;
/// About as many rows take as long to read as a cell.
const ROWS_OF_CELL: u64 = 2;

/// Files by the way they are read.
pub(in crate::sql) struct FileSplit {
    pub presummed: PresummedFiles,
    pub rows: Vec<Arc<DataFile>>,
}

impl FileSplit {
    /// `calls_alone` is true if the query excludes everything but calls.
    pub(in crate::sql) fn of(files: &[Arc<DataFile>], needs: &Needs, calls_alone: bool) -> Self {
        let version = sql_version();
        let mut split = Self { presummed: Vec::new(), rows: Vec::new() };
        for file in files {
            let lossless =
                file.lossless(&version).filter(|lossless| tells(*lossless, needs, calls_alone));
            let resolution = lossless.and_then(|_| resolution(file, needs));
            match resolution.filter(|resolution| are_fewer(file, *resolution)) {
                Some(resolution) => split.presummed.push((file.clone(), resolution)),
                None => split.rows.push(file.clone()),
            }
        }
        split
    }
}

/// True for `event_type = 'api_call'`, which selects the rows that partials count.
pub(super) fn asks_for_calls(filter: &Expr) -> bool {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = filter else {
        return false;
    };
    let is_type = |expr: &Expr| matches!(expr, Expr::Column(column) if column.name == "event_type");
    let is_call = |expr: &Expr| matches!(expr, Expr::Literal(kind, _) if kind.try_as_str() == Some(Some(API_CALL)));
    (is_type(left) && is_call(right)) || (is_call(left) && is_type(right))
}

fn tells(lossless: LosslessColumns, needs: &Needs, calls_alone: bool) -> bool {
    (lossless.calls || calls_alone)
        && (lossless.provider || !needs.provider)
        && (lossless.model || !needs.model)
}

/// True if the cells of a file are worth reading in place of its rows: where an organisation has few
/// calls in an hour, there is nearly a cell for each.
fn are_fewer(file: &DataFile, resolution: Resolution) -> bool {
    let days =
        (resolution == Resolution::Day).then(|| file.stored_cells(&CellKind::Days.version()));
    let stored = days.flatten().or_else(|| file.stored_partial(&sql_version()));
    let bytes = stored.map_or(0, |stored| stored.part_bytes());
    bytes <= SMALL_BYTES || file.rows.is_none_or(|rows| bytes / CELL_BYTES <= rows / ROWS_OF_CELL)
}

/// The coarsest grain whose cells are not divided by a cut; `None` if a cut divides an hour.
fn resolution(file: &DataFile, needs: &Needs) -> Option<Resolution> {
    let midnight = Micros::from(days(file)) * DAY;
    let date = (midnight, midnight + DAY - 1);
    // Bounds may be wider than the date.
    let (first, last) =
        file.time_bounds().map_or(date, |(low, high)| (low.max(date.0), high.min(date.1)));
    let mut inside = needs.cuts.iter().filter(|cut| first < **cut && **cut <= last).peekable();
    if inside.peek().is_none() {
        return Some(if needs.hours { Resolution::Hour } else { Resolution::Day });
    }
    inside.all(|cut| cut % HOUR == 0).then_some(Resolution::Hour)
}
