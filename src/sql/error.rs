//! What can go wrong with a query.

use std::error::Error as _;

use datafusion::error::DataFusionError;

use super::postgres::Refused;
use super::words::in_plain_words;
use crate::archive::{ArchiveError, DataFile, OfObject};
use crate::error::Kind;

/// A query that failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SqlError {
    /// A data file could not be read.
    #[error(transparent)]
    File(#[from] ArchiveError),
    /// What a person asked cannot be answered.
    #[error("{0}")]
    Asked(String),
    /// What a person asked needs more than it may use.
    #[error("{0}")]
    Exceeded(String),
    /// The query itself did.
    #[error("internal error in the query {query}: {reason}; please report it")]
    Query {
        /// The query's name.
        query: &'static str,
        /// DataFusion's words.
        reason: String,
    },
}

impl OfObject for SqlError {
    fn object(&self) -> Option<&str> {
        match self {
            Self::File(error) => error.object(),
            _ => None,
        }
    }
}

impl SqlError {
    /// What the error asks of the caller.
    pub fn kind(&self) -> Kind {
        match self {
            Self::File(error) => error.kind(),
            Self::Asked(_) | Self::Exceeded(_) => Kind::Invalid,
            Self::Query { .. } => Kind::Internal,
        }
    }

    /// Sorts DataFusion's error: a store that is away, a file that is damaged, or a defect.
    pub(super) fn of(
        query: &'static str,
        files: &[std::sync::Arc<DataFile>],
        error: &DataFusionError,
    ) -> Self {
        if let Some(error) = of_archive(error) {
            return Self::File(error.clone());
        }
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

    /// Sorts the error of a person's query: a file that could not be read, or what was asked.
    pub(super) fn of_asked(error: &DataFusionError) -> Self {
        if let Some(error) = of_archive(error) {
            return Self::File(error.clone());
        }
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(at) = cause {
            if let Some(DataFusionError::Shared(error)) = at.downcast_ref() {
                return Self::of_asked(error);
            }
            if let Some(Refused(why)) = at.downcast_ref() {
                return Self::Asked(why.clone());
            }
            if let Some(error) = at.downcast_ref::<parquet::errors::ParquetError>()
                && error.source().is_none()
            {
                return Self::File(ArchiveError::of_read("one of the data files", error));
            }
            cause = at.source();
        }
        match error.find_root() {
            DataFusionError::ResourcesExhausted(_) => Self::Exceeded(
                "the query needs more memory than it may use; ask for fewer rows or groups"
                    .to_owned(),
            ),
            root => Self::Asked(in_plain_words(root)),
        }
    }
}

/// The archive's own error among the causes: it names the file.
fn of_archive(error: &DataFusionError) -> Option<&ArchiveError> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(at) = cause {
        if let Some(error) = at.downcast_ref::<ArchiveError>() {
            return Some(error);
        }
        // It may be shared by several partitions, and then is no cause of its own.
        if let Some(DataFusionError::Shared(error)) = at.downcast_ref() {
            return of_archive(error);
        }
        cause = at.source();
    }
    None
}
