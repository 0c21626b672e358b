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
    /// Inputs that cannot be used or read; each was named before.
    #[error(
        "{0} inputs could not be read, as told above; all else is in: mend them and run the same command again"
    )]
    Inputs(u64),
    /// A column that `--map` names, and that no input has.
    #[error("--map {field}={column}: no input has {column:?}; nothing was committed")]
    NoColumn {
        /// The field.
        field: String,
        /// The column.
        column: String,
    },
    /// No row is an event.
    #[error("all {rows} rows were rejected; the first: {first}")]
    AllRejected {
        /// How many.
        rows: u64,
        /// Where it was and why.
        first: String,
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
            Self::Unusable { .. }
            | Self::Unreadable { .. }
            | Self::Inputs(_)
            | Self::NoColumn { .. }
            | Self::AllRejected { .. } => Kind::Invalid,
            Self::Rejects { .. } | Self::Spill { .. } => Kind::Unavailable,
            Self::Archive(error) => error.kind(),
            Self::Series(error) => error.kind(),
            Self::Event(error) => error.kind(),
            Self::Internal(_) => Kind::Internal,
        }
    }

    pub(super) fn unusable(input: impl Into<String>, reason: impl Into<String>) -> Self {
        let reason = reason.into().replace(char::is_control, " ");
        Self::Unusable { input: input.into(), reason }
    }

    /// In one line, whatever the library said.
    pub(super) fn unreadable(input: &str, reason: &dyn std::fmt::Display) -> Self {
        let reason = reason.to_string().replace(char::is_control, " ");
        Self::Unreadable { input: input.to_owned(), reason }
    }
}
