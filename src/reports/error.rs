//! Why a file is no report.

use thiserror::Error;

/// Why a file is no report, and where in it.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
#[error("{place}{reason}")]
pub struct ReportFileError {
    /// As `page 2, bucket 1: `; empty for the whole file.
    place: String,
    reason: String,
}

impl ReportFileError {
    /// An error of a value, whose place is not told yet.
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self { place: String::new(), reason: reason.into() }
    }

    /// The same in one of several: the `number`th, counted from 1.
    #[must_use]
    pub(super) fn within(self, what: &str, number: usize) -> Self {
        let place = match self.place.is_empty() {
            true => format!("{what} {number}: "),
            false => format!("{what} {number}, {}", self.place),
        };
        Self { place, ..self }
    }
}
