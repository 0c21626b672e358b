//! What is made of a result, and of the times of its bucket.

use super::error::ReportFileError;
use super::object::ReportObject;
use crate::archive::{ReportFigures, ReportGroup, ReportSpan};
use crate::clock::{DAY, Micros};
use crate::event::time::EARLIEST;

/// After all buckets: 2100-01-01T00:00:00Z.
const LATEST: Micros = 4_102_444_800_000_000;

/// A result of a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ReportResult {
    /// What it is told apart by.
    pub(super) group: ReportGroup,
    /// What it says.
    pub(super) figures: ReportFigures,
}

/// The time of a bucket.
///
/// # Errors
/// It is none, or longer than a day.
pub(super) fn span(start: Micros, end: Micros) -> Result<ReportSpan, ReportFileError> {
    if start < EARLIEST || end > LATEST || start >= end {
        return Err(ReportFileError::new("its times are no bucket between 2015 and 2100"));
    }
    if end - start > DAY {
        return Err(ReportFileError::new(
            "it is longer than a day; ask for buckets of a minute, an hour or a day",
        ));
    }
    Ok([start, end])
}

/// A figure that a result must have.
///
/// # Errors
/// It has none.
pub(super) fn required<T>(figure: Option<T>, name: &str) -> Result<T, ReportFileError> {
    figure.ok_or_else(|| {
        ReportFileError::new(format!("it has no {name}; is it a report of another --format?"))
    })
}

/// Refuses a result with an amount, which one of usage has not.
///
/// # Errors
/// It has one.
pub(super) fn of_usage(result: &ReportObject<'_>) -> Result<(), ReportFileError> {
    match result.has("amount") {
        true => Err(ReportFileError::new(
            "it has an amount, so it is a report of costs; choose that --format",
        )),
        false => Ok(()),
    }
}

/// The sum of figures, if there is any.
pub(super) fn sum(figures: &[Option<i64>]) -> Option<i64> {
    let mut told = figures.iter().flatten();
    let first = *told.next()?;
    Some(told.fold(first, |sum, figure| sum.saturating_add(*figure)))
}
