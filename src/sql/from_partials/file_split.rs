//! Decides which files' partials can answer a query about their rows.

use std::sync::Arc;

use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

use super::constant::Needs;
use crate::archive::{DataFile, LosslessColumns};
use crate::clock::{DAY, HOUR, Micros};
use crate::event::API_CALL;
use crate::sql::file_bounds::days;
use crate::sql::presummed::Resolution;
use crate::sql::presummed_table::PresummedFiles;
use crate::sql::sql_version;

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
            match lossless.and_then(|_| resolution(file, needs)) {
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
