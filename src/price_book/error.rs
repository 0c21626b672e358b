//! Why a table of prices is not imported.

use thiserror::Error;

use crate::archive::ArchiveError;
use crate::error::Kind;
use crate::pricing::{ImportError, TableError};

/// Why a table of prices is not imported.
#[derive(Debug, Clone, Error)]
pub enum PriceBookError {
    /// The store fails, or what it holds is damaged.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The file is no table.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The table is wrong.
    #[error(transparent)]
    Table(#[from] TableError),
    /// All tables of an archive together have a size that a server can hold.
    #[error(
        "all tables would take {bytes} bytes, and at most {max} may be in force; import fewer rules"
    )]
    TooLarge {
        /// Bytes of all tables as JSON.
        bytes: u64,
        /// The most that there may be.
        max: u64,
    },
    /// Others import at the same time.
    #[error("other imports came first {0} times; try again")]
    Contended(u32),
    /// A defect.
    #[error("cannot read the table: {0}")]
    Internal(&'static str),
}

impl PriceBookError {
    /// What the caller can do about the error.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Archive(error) => error.kind(),
            Self::Import(_) | Self::Table(_) | Self::TooLarge { .. } => Kind::Invalid,
            Self::Contended(_) => Kind::Unavailable,
            Self::Internal(_) => Kind::Internal,
        }
    }
}
