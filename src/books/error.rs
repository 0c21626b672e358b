//! What can go wrong with the books of a month.

use std::io;

use arrow::error::ArrowError;
use parquet::errors::ParquetError;
use thiserror::Error;

use crate::archive::{ArchiveError, OfObject};
use crate::sql::SqlError;

/// What can go wrong with the books of a month.
#[derive(Debug, Error)]
pub enum BooksError {
    /// A file of events cannot be read.
    #[error(transparent)]
    Sql(#[from] SqlError),
    /// The store fails, or what it holds is damaged.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The archive has no dimension of this name.
    #[error("there is no dimension {0}; see: tokenlake dimension list")]
    NoDimension(String),
    /// The file cannot be written.
    #[error("cannot write: {0}")]
    Write(#[from] io::Error),
    /// The file cannot be written as Parquet.
    #[error("cannot write: {0}")]
    Parquet(#[from] ParquetError),
    /// A sum does not fit 38 digits.
    #[error("cannot make the columns: {0}")]
    Columns(#[from] ArrowError),
}

impl OfObject for BooksError {
    fn object(&self) -> Option<&str> {
        match self {
            Self::Sql(error) => error.object(),
            Self::Archive(error) => error.object(),
            _ => None,
        }
    }
}
