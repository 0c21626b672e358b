//! Errors for queries that are refused, and quotes of the query in them.

use datafusion::error::DataFusionError;

/// Why a query is refused, in words that say what to do.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub(in crate::sql) struct Refused(pub String);

/// An error that the user can fix.
pub(in crate::sql) fn refused(why: &str) -> DataFusionError {
    DataFusionError::External(Box::new(Refused(why.to_owned())))
}

/// A quote of the user's text for an error: short, and on one line.
pub(super) fn quoted(text: &str) -> String {
    const CHARS_MAX: usize = 80;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("'{}…'", line.get(..end).unwrap_or_default()),
        None => format!("'{line}'"),
    }
}
