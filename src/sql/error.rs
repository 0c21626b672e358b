//! What can go wrong with a query.

use datafusion::error::DataFusionError;

use crate::archive::{ArchiveError, DataFile};
use crate::error::Kind;

/// A query that failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SqlError {
    /// A data file could not be read.
    #[error(transparent)]
    File(#[from] ArchiveError),
    /// The query itself did.
    #[error("internal error in the query {query}: {reason}; please report it")]
    Query {
        /// The query's name.
        query: &'static str,
        /// DataFusion's words.
        reason: String,
    },
}

impl SqlError {
    /// What the error asks of the caller.
    pub fn kind(&self) -> Kind {
        match self {
            Self::File(error) => error.kind(),
            Self::Query { .. } => Kind::Internal,
        }
    }

    /// Sorts DataFusion's error: a store that is away, a file that is damaged, or a defect.
    pub(super) fn of(
        query: &'static str,
        files: &[std::sync::Arc<DataFile>],
        error: &DataFusionError,
    ) -> Self {
        let path = match files {
            [file] => file.path_in_archive(),
            files => format!("one of {} data files", files.len()),
        };
        match error.find_root() {
            DataFusionError::Plan(_)
            | DataFusionError::SQL(..)
            | DataFusionError::SchemaError(..)
            | DataFusionError::NotImplemented(_)
            | DataFusionError::Internal(_) => Self::Query { query, reason: error.to_string() },
            _ => Self::File(ArchiveError::of_read(&path, error)),
        }
    }
}
