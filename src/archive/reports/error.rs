//! Why a report is not imported.

use thiserror::Error;

use crate::archive::error::ArchiveError;
use crate::error::Kind;

/// Why a report is not imported.
#[derive(Debug, Clone, Error)]
pub enum ReportsError {
    /// The store fails, or what it holds is damaged.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A date has more rows than a reader can hold.
    #[error(
        "{date} would have {rows} rows of this report, and at most {max} may be there; report by \
         fewer groups, or by longer buckets"
    )]
    TooManyRows {
        /// The date, in UTC.
        date: String,
        /// How many rows there would be.
        rows: usize,
        /// The most that there may be.
        max: usize,
    },
    /// The texts of the rows of a date are more than a reader can hold.
    #[error(
        "{date} would have {bytes} bytes of texts in this report, and at most {max} may be there; \
         report by fewer groups, or by longer buckets"
    )]
    TooMuchText {
        /// The date, in UTC.
        date: String,
        /// How many bytes there would be.
        bytes: usize,
        /// The most that there may be.
        max: usize,
    },
    /// An organisation has more dates than a catalogue can list.
    #[error("{parts} dates of reports would be there, and at most {max} may be")]
    TooManyParts {
        /// How many there would be, each date of each report counted.
        parts: usize,
        /// The most that there may be.
        max: usize,
    },
    /// Others import at the same time.
    #[error("other imports came first {0} times; try again")]
    Contended(u32),
}

impl ReportsError {
    /// What the caller can do about the error.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Archive(error) => error.kind(),
            Self::TooManyRows { .. } | Self::TooMuchText { .. } | Self::TooManyParts { .. } => {
                Kind::Invalid
            }
            Self::Contended(_) => Kind::Unavailable,
        }
    }
}
