//! Errors that keep their kind on the way from one process to another.
//!
//! The engine carries an error of ours as its text alone. So the text is one that no other error has, and
//! the process that shows the error reads it back.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use datafusion::error::DataFusionError;
use serde::{Deserialize, Serialize};

use crate::archive::ArchiveError;
use crate::sql::postgres::Refused;

/// What comes before and after an error of ours in a text.
const BEFORE: &str = "tokenlake-node-error<";
const AFTER: char = '>';
/// What the engine says of a plan that did not arrive before the request to run it, and 10 seconds.
const LATE: &str = "timed-out while waiting for the plan";

/// An error of another process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::sql) enum FarError {
    /// An object is damaged or missing.
    Corrupt { path: String, reason: String },
    /// Rows of another program that must not be counted.
    Foreign { path: String, reason: String },
    /// The store did not answer.
    Unavailable { doing: String, reason: String },
    /// The user can fix the query.
    Refused(String),
    /// A node did not answer as it should, in words that say what to do.
    Node(String),
}

impl FarError {
    /// The error with these causes, if it is one of ours.
    fn of(error: &DataFusionError) -> Option<Self> {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(at) = cause {
            if let Some(DataFusionError::Shared(error)) = at.downcast_ref() {
                return Self::of(error);
            }
            if let Some(Refused(why)) = at.downcast_ref() {
                return Some(Self::Refused(why.clone()));
            }
            if let Some(error) = at.downcast_ref() {
                return Self::of_archive(error);
            }
            cause = at.source();
        }
        None
    }

    fn of_archive(error: &ArchiveError) -> Option<Self> {
        Some(match error.clone() {
            ArchiveError::Corrupt { path, reason } => Self::Corrupt { path, reason },
            ArchiveError::Foreign { path, reason } => Self::Foreign { path, reason },
            ArchiveError::Unavailable { doing, source } => {
                Self::Unavailable { doing, reason: source.to_string() }
            }
            _ => return None,
        })
    }

    /// The error in a text, if there is one: ours, or the engine's of a plan that was late.
    pub(in crate::sql) fn of_text(text: &str) -> Option<Self> {
        let late = || {
            let words = "a node waited 10 seconds for its share of the query's plan, which did not arrive; \
                         see whether the network is slow, and ask again, or ask without --nodes";
            text.contains(LATE).then(|| Self::Node(words.to_owned()))
        };
        Self::found_in(text).or_else(late)
    }

    /// The error of ours in a text, if there is one.
    pub(super) fn found_in(text: &str) -> Option<Self> {
        let (_, rest) = text.split_once(BEFORE)?;
        let (sealed, _) = rest.split_once(AFTER)?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(sealed).ok()?).ok()
    }

    /// The text that carries the error.
    pub(in crate::sql) fn to_text(&self) -> String {
        // An enum of texts always has a JSON form.
        let json = serde_json::to_vec(self).unwrap_or_default();
        format!("{BEFORE}{}{AFTER}", URL_SAFE_NO_PAD.encode(json))
    }
}

/// The same error, so that it keeps its kind in another process.
pub(super) fn sealed(error: DataFusionError) -> DataFusionError {
    match FarError::of(&error) {
        Some(ours) => DataFusionError::Execution(ours.to_text()),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn an_error_of_ours_is_read_back_from_any_text() {
        let corrupt = ArchiveError::corrupt("events/x.parquet", "a \"quoted\" <reason>");
        let store = ArchiveError::unavailable("reading x", std::io::Error::other("slow down"));
        for error in [
            DataFusionError::External(Box::new(corrupt)),
            DataFusionError::External(Box::new(store)),
            DataFusionError::External(Box::new(Refused("divide by something else".to_owned()))),
        ] {
            let expected = FarError::of(&error).unwrap();
            let shared = DataFusionError::Shared(Arc::new(error)).context("while computing");
            let text = format!("{:?}", sealed(shared).to_string());
            assert_eq!(FarError::found_in(&text), Some(expected));
        }
        let other = sealed(DataFusionError::Execution("x".to_owned())).to_string();
        assert_eq!(FarError::found_in(&other), None);
        for text in ["tokenlake-node-error<", "tokenlake-node-error<e30>", "<>"] {
            assert_eq!(FarError::found_in(text), None);
        }
    }
}
