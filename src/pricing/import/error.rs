//! Why a file is not imported.

use thiserror::Error;

use crate::pricing::table::TableError;

/// Why a file is not imported.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ImportError {
    /// No JSON, or of no known form.
    #[error("it is no table of prices: {0}")]
    Form(String),
    /// A price that is none.
    #[error("{model}: {field}: {reason}")]
    Price {
        /// The model.
        model: String,
        /// The field.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The table is wrong.
    #[error(transparent)]
    Table(#[from] TableError),
}
