//! What can be wrong with a question about usage.

use crate::error::Kind;

/// Why a question about usage cannot be answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// Neither a date nor a time.
    #[error(
        "{text:?} is no time for {name}; send a date as 2026-03-01, or a time with an offset as \
         2026-03-01T00:00:00Z"
    )]
    Time {
        /// The parameter.
        name: &'static str,
        /// What was sent, shortened.
        text: String,
    },
    /// The range ends before it begins.
    #[error("from is after to; exchange them")]
    Order,
    /// An unknown step.
    #[error("unknown step {0:?}; the steps are total, hour, day, week and month")]
    Step(String),
    /// An unknown zone.
    #[error(
        "unknown timezone {0:?}; use a name of the IANA database, such as Europe/Berlin or UTC"
    )]
    Zone(String),
    /// An unknown group.
    #[error("cannot group by {unknown:?}; there are {known}")]
    Group {
        /// What was sent, shortened.
        unknown: String,
        /// What there is.
        known: String,
    },
    /// A group that is named twice.
    #[error("group_by has {0} twice; name each group once")]
    Twice(String),
    /// More than one dimension.
    #[error("group_by has the dimensions {0} and {1}; use one at a time")]
    Dimensions(String, String),
    /// An unknown format.
    #[error("unknown format {0:?}; the formats are json and csv")]
    Format(String),
    /// An unknown parameter.
    #[error(
        "unknown parameter {0:?}; the parameters are from, to, step, timezone, group_by and format"
    )]
    Parameter(String),
    /// A parameter that is sent twice.
    #[error("{0} is sent twice; send it once")]
    Repeated(&'static str),
}

impl UsageError {
    /// What the caller can do about the error.
    pub fn kind(&self) -> Kind {
        Kind::Invalid
    }
}
