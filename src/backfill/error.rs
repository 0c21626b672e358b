//! Why a backfill ends early.

use crate::archive::ArchiveError;
use crate::error::Kind;
use crate::event::EventError;
use crate::sql::SqlError;

/// What ended a job; what was committed before stays.
#[derive(Debug, thiserror::Error)]
pub enum BackfillError {
    /// An input that is not there, or that cannot be used.
    #[error("{input}: {reason}")]
    Unusable {
        /// The input as given.
        input: String,
        /// What is wrong and what to do.
        reason: String,
    },
    /// An input that cannot be read to its end.
    #[error(
        "{input} cannot be read: {reason}; what came before is in: mend it and run the same command again"
    )]
    Unreadable {
        /// The input's name.
        input: String,
        /// What is wrong, with the line where that is known.
        reason: String,
    },
    /// The file for rejected rows cannot be written.
    #[error("cannot write the rejected rows to {path}: {source}; choose another --rejects")]
    Rejects {
        /// The file.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// Rows that wait cannot be put aside.
    #[error(
        "cannot put rows aside in {folder}: {source}; give more --memory, or name another folder in TMPDIR"
    )]
    Spill {
        /// The folder.
        folder: std::path::PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The archive failed.
    #[error("{0}; what was committed stays: run the same command again")]
    Archive(#[from] ArchiveError),
    /// The series that organisations have cannot be told.
    #[error("{0}; what was committed stays: run the same command again")]
    Series(#[from] SqlError),
    /// A defect in gathering events.
    #[error(transparent)]
    Event(#[from] EventError),
    /// A defect.
    #[error("internal error while {0}; please report it")]
    Internal(&'static str),
}

impl BackfillError {
    /// What the error asks of the caller.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Unusable { .. } | Self::Unreadable { .. } => Kind::Invalid,
            Self::Rejects { .. } | Self::Spill { .. } => Kind::Unavailable,
            Self::Archive(error) => error.kind(),
            Self::Series(error) => error.kind(),
            Self::Event(error) => error.kind(),
            Self::Internal(_) => Kind::Internal,
        }
    }

    pub(super) fn unusable(input: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Unusable { input: input.into(), reason: reason.into() }
    }

    /// In one line, whatever the library said.
    pub(super) fn unreadable(input: &str, reason: &dyn std::fmt::Display) -> Self {
        let reason = reason.to_string().replace(char::is_control, " ");
        Self::Unreadable { input: input.to_owned(), reason }
    }
}
