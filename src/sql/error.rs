//! What can go wrong with a query.

use std::error::Error as _;

use datafusion::error::DataFusionError;

use super::nodes::FarError;
use super::postgres::Refused;
use super::words::{in_plain_words, without_reports};
use crate::archive::{ArchiveError, DataFile, OfObject};
use crate::error::Kind;

/// A query that failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SqlError {
    /// A data file could not be read.
    #[error(transparent)]
    File(#[from] ArchiveError),
    /// The user's query cannot be answered.
    #[error("{0}")]
    Asked(String),
    /// The user's query needs more memory than it may use.
    #[error("{0}")]
    Exceeded(String),
    /// A node did not answer as it should.
    #[error("{0}")]
    Node(String),
    /// What files have of a dimension, or of start times, is still being added up.
    #[error("{what} being added up from data files ({files} are left); ask again in a moment")]
    NotYet {
        /// The subject of the sentence, with its verb.
        what: String,
        /// Files that are left.
        files: usize,
    },
    /// A defect in one of our own queries.
    #[error("internal error in the query {query}: {reason}; please report it")]
    Query {
        /// The query's name.
        query: &'static str,
        /// DataFusion's message.
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
    /// What the caller can do about the error.
    pub fn kind(&self) -> Kind {
        match self {
            Self::File(error) => error.kind(),
            Self::Asked(_) | Self::Exceeded(_) => Kind::Invalid,
            Self::Node(_) | Self::NotYet { .. } => Kind::Unavailable,
            Self::Query { .. } => Kind::Internal,
        }
    }

    /// Classifies DataFusion's error: unreachable storage, a damaged file, or a defect.
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

    /// The same for those for whom there is no table of reports.
    pub(super) fn without_reports(self) -> Self {
        match self {
            Self::Asked(words) => Self::Asked(without_reports(&words)),
            error => error,
        }
    }

    /// Classifies the error of an operator's query that may have run on nodes, whose errors come as
    /// text. Whoever sends a text like it in a query that runs here must not be believed.
    pub(super) fn of_spread(error: &DataFusionError) -> Self {
        let far = FarError::of_text(&error.to_string());
        far.map_or_else(|| Self::of_asked(error), Self::from)
    }

    /// Classifies the error of a user's query: a file that could not be read, or a fault of the
    /// query.
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

impl From<FarError> for SqlError {
    fn from(error: FarError) -> Self {
        match error {
            FarError::Corrupt { path, reason } => {
                Self::File(ArchiveError::Corrupt { path, reason })
            }
            FarError::Foreign { path, reason } => {
                Self::File(ArchiveError::Foreign { path, reason })
            }
            FarError::Unavailable { doing, reason } => {
                let words = std::io::Error::other(reason);
                Self::File(ArchiveError::unavailable(doing, words))
            }
            FarError::Refused(why) => Self::Asked(why),
            FarError::Node(words) => Self::Node(words),
        }
    }
}

/// The archive's own error, if it is among the causes: it names the file.
fn of_archive(error: &DataFusionError) -> Option<&ArchiveError> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(at) = cause {
        if let Some(error) = at.downcast_ref::<ArchiveError>() {
            return Some(error);
        }
        // Partitions may share the error, which then is not returned by `source`.
        if let Some(DataFusionError::Shared(error)) = at.downcast_ref() {
            return of_archive(error);
        }
        cause = at.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_nodes_error_is_believed_only_of_nodes() {
        let text = FarError::Node("the node is gone".to_owned()).to_text();
        let error = DataFusionError::Execution(text);
        assert!(matches!(SqlError::of_spread(&error), SqlError::Node(_)));
        assert!(matches!(SqlError::of_asked(&error), SqlError::Asked(_)));
    }
}
