//! The errors that end a backfill early.

use crate::admission::AdmissionError;
use crate::archive::ArchiveError;
use crate::error::Kind;
use crate::event::EventError;
use crate::sql::SqlError;

/// The error that ended a job. Commits made before it stay.
#[derive(Debug, thiserror::Error)]
pub enum BackfillError {
    /// An input that does not exist or cannot be used.
    #[error("{input}: {reason}")]
    Unusable {
        /// The input as given.
        input: String,
        /// What is wrong and what to do.
        reason: String,
    },
    /// An input that cannot be read to its end.
    #[error(
        "{input} cannot be read: {reason}; fix it and run the same command again: nothing counts twice"
    )]
    Unreadable {
        /// The input's name.
        input: String,
        /// What is wrong, with the line where that is known.
        reason: String,
    },
    /// Inputs that cannot be used or read; each has been reported.
    #[error(
        "{0} inputs could not be read, as reported above; fix them and run the same command again: nothing counts twice"
    )]
    Inputs(u64),
    /// A column that `--map` names but no input has.
    #[error("--map {field}={column}: no input has {column:?}; nothing was committed")]
    NoColumn {
        /// The field.
        field: String,
        /// The column.
        column: String,
    },
    /// No row is a valid event.
    #[error("all {rows} rows were rejected; the first: {first}")]
    AllRejected {
        /// Number of rows.
        rows: u64,
        /// The first one's place and error.
        first: String,
    },
    /// The file for rejected rows cannot be written.
    #[error("cannot write the rejected rows to {path}: {source}; choose another --rejects")]
    Rejects {
        /// The file.
        path: String,
        /// The system's error.
        source: std::io::Error,
    },
    /// Waiting rows cannot be spilled to a disk.
    #[error(
        "cannot spill rows to {folder}: {source}; give more --memory, or name another folder in TMPDIR"
    )]
    Spill {
        /// The folder.
        folder: std::path::PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The organisation of all rows is spelt as no organisation may be.
    #[error(transparent)]
    Org(ArchiveError),
    /// The archive failed.
    #[error("{0}; what was committed stays: run the same command again")]
    Archive(ArchiveError),
    /// The series that organisations have cannot be read.
    #[error("{0}; what was committed stays: run the same command again")]
    Series(SqlError),
    /// A defect in collecting events.
    #[error(transparent)]
    Event(#[from] EventError),
    /// A defect.
    #[error("internal error while {0}; please report it")]
    Internal(&'static str),
}

impl From<ArchiveError> for BackfillError {
    fn from(error: ArchiveError) -> Self {
        match error {
            ArchiveError::OrgCase { .. } => Self::Org(error),
            error => Self::Archive(error),
        }
    }
}

impl From<AdmissionError> for BackfillError {
    fn from(error: AdmissionError) -> Self {
        match error {
            AdmissionError::Claim(error) | AdmissionError::Prices(error) => error.into(),
            AdmissionError::Pricing(error) => Self::Event(error),
            AdmissionError::Series(error) => Self::Series(error),
        }
    }
}

impl BackfillError {
    /// What the caller can do about the error.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Unusable { .. }
            | Self::Unreadable { .. }
            | Self::Inputs(_)
            | Self::NoColumn { .. }
            | Self::AllRejected { .. } => Kind::Invalid,
            Self::Rejects { .. } | Self::Spill { .. } => Kind::Unavailable,
            Self::Org(error) | Self::Archive(error) => error.kind(),
            Self::Series(error) => error.kind(),
            Self::Event(error) => error.kind(),
            Self::Internal(_) => Kind::Internal,
        }
    }

    pub(super) fn unusable(input: impl Into<String>, reason: impl Into<String>) -> Self {
        let reason = reason.into().replace(char::is_control, " ");
        Self::Unusable { input: input.into(), reason }
    }

    /// Keeps the library's message on one line.
    pub(super) fn unreadable(input: &str, reason: &dyn std::fmt::Display) -> Self {
        let reason = reason.to_string().replace(char::is_control, " ");
        Self::Unreadable { input: input.to_owned(), reason }
    }
}
