//! What can go wrong with what the program is asked.

use std::time::Duration;

use crate::access::AccessError;
use crate::admission::AdmissionError;
use crate::archive::{ArchiveError, OfObject};
use crate::budget::BudgetError;
use crate::error::Kind;
use crate::sql::SqlError;
use crate::usage::UsageError;
use crate::worker::WorkerError;

/// Dates in one request; a batch of more dates needs a backfill.
pub(super) const DATES_MAX: usize = 400;

/// Why the program could not do what the caller asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppError {
    /// Access is refused.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The archive could not be read or written.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A query over the archive failed.
    #[error(transparent)]
    Sql(SqlError),
    /// A question about usage cannot be answered.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// A budget is refused, or cannot be looked at.
    #[error(transparent)]
    Budget(BudgetError),
    /// A user's query was not answered completely.
    #[error(transparent)]
    Worker(#[from] WorkerError),
    /// The work did not finish in time.
    #[error("no answer within {0:?}; try again")]
    Deadline(Duration),
    /// A batch has events of too many dates.
    #[error("the events are of {0} dates, more than {DATES_MAX}; use: tokenlake backfill")]
    TooManyDates(usize),
    /// A defect.
    #[error("internal error: {0}; please report it")]
    Internal(String),
}

impl From<SqlError> for AppError {
    fn from(error: SqlError) -> Self {
        match error {
            SqlError::File(error) => Self::Archive(error),
            error => Self::Sql(error),
        }
    }
}

impl From<BudgetError> for AppError {
    fn from(error: BudgetError) -> Self {
        match error {
            BudgetError::Archive(error) => Self::Archive(error),
            error => Self::Budget(error),
        }
    }
}

impl From<AdmissionError> for AppError {
    fn from(error: AdmissionError) -> Self {
        match error {
            AdmissionError::Claim(error) | AdmissionError::Prices(error) => Self::Archive(error),
            AdmissionError::Pricing(error) => Self::Internal(error.to_string()),
            AdmissionError::Series(error) => error.into(),
        }
    }
}

impl OfObject for AppError {
    fn object(&self) -> Option<&str> {
        match self {
            Self::Archive(error) => error.object(),
            Self::Sql(error) => error.object(),
            Self::Worker(error) => error.object(),
            _ => None,
        }
    }
}

impl AppError {
    /// What the caller can do about the error.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Access(error) => error.kind(),
            Self::Archive(error) => error.kind(),
            Self::Sql(error) => error.kind(),
            Self::Usage(error) => error.kind(),
            Self::Budget(error) => error.kind(),
            Self::Worker(error) => error.kind(),
            Self::Deadline(_) => Kind::Unavailable,
            Self::TooManyDates(_) => Kind::Invalid,
            Self::Internal(_) => Kind::Internal,
        }
    }
}
