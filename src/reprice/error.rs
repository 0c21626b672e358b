//! What ends a reprice early.

use crate::archive::{ArchiveError, OfObject};
use crate::error::Kind;
use crate::event::EventError;
use crate::sql::SqlError;

/// What ended a reprice early. Corrections that were committed before it stay.
#[derive(Debug, thiserror::Error)]
pub enum RepriceError {
    /// The archive failed.
    #[error("{0}; what was committed stays: run the same command again")]
    Archive(#[from] ArchiveError),
    /// Sums that files carry cannot be read.
    #[error("{0}; what was committed stays: run the same command again")]
    Sums(#[from] SqlError),
    /// A defect in reading events or in making corrections.
    #[error(transparent)]
    Event(#[from] EventError),
}

impl OfObject for RepriceError {
    fn object(&self) -> Option<&str> {
        match self {
            Self::Archive(error) => error.object(),
            Self::Sums(error) => error.object(),
            Self::Event(_) => None,
        }
    }
}

impl RepriceError {
    /// What the caller can do about the error.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Archive(error) => error.kind(),
            Self::Sums(error) => error.kind(),
            Self::Event(error) => error.kind(),
        }
    }
}
