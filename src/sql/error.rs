//! What can go wrong with a query.

use std::error::Error as StdError;

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
        let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
        while let Some(error) = cause {
            if let Some(error) = error.downcast_ref::<object_store::Error>() {
                return Self::File(ArchiveError::reading(&path, error));
            }
            if is_damage(error) {
                return Self::File(ArchiveError::damaged(&path, error));
            }
            cause = error.source();
        }
        Self::Query { query, reason: error.to_string() }
    }
}

fn is_damage(error: &(dyn StdError + 'static)) -> bool {
    use arrow::error::ArrowError;
    use parquet::errors::ParquetError;
    match (error.downcast_ref::<ParquetError>(), error.downcast_ref::<ArrowError>()) {
        (Some(error), _) => !matches!(error, ParquetError::External(_)),
        (_, Some(error)) => matches!(error, ArrowError::ParquetError(_) | ArrowError::IpcError(_)),
        (None, None) => false,
    }
}
