//! The errors of a query that runs in another process.

use serde::{Deserialize, Serialize};

use crate::archive::OfObject;
use crate::error::Kind;
use crate::sql::SqlError;

/// An error of a query that was not answered completely. It is sent from a worker to its server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum WorkerError {
    /// The user can fix the query.
    #[error("{0}")]
    Asked(String),
    /// The query exceeded its memory or its time.
    #[error("{0}")]
    Exceeded(String),
    /// Too many queries are running.
    #[error("too many queries are running; try again in a second")]
    Busy,
    /// Storage is unreachable.
    #[error("{0}")]
    Unavailable(String),
    /// Stored data is damaged.
    #[error("{words}")]
    Corrupt {
        /// The message.
        words: String,
        /// The object, relative to the archive.
        object: Option<String>,
    },
    /// A defect.
    #[error("internal error: {0}; please report it")]
    Broken(String),
}

impl OfObject for WorkerError {
    fn object(&self) -> Option<&str> {
        match self {
            Self::Corrupt { object, .. } => object.as_deref(),
            _ => None,
        }
    }
}

impl WorkerError {
    /// What the caller can do about the error.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Asked(_) | Self::Exceeded(_) => Kind::Invalid,
            Self::Busy | Self::Unavailable(_) => Kind::Unavailable,
            Self::Corrupt { .. } => Kind::Corrupt,
            Self::Broken(_) => Kind::Internal,
        }
    }

    /// Converts the error of a query, in its worker.
    pub(super) fn of(error: &SqlError) -> Self {
        let words = error.to_string();
        match error {
            SqlError::Exceeded(_) => Self::Exceeded(words),
            error => match error.kind() {
                Kind::Unavailable => Self::Unavailable(words),
                Kind::Corrupt => Self::Corrupt { words, object: error.object().map(str::to_owned) },
                Kind::Internal => Self::Broken(words),
                _ => Self::Asked(words),
            },
        }
    }
}
