//! What of an imported file a table cannot say.

use std::collections::BTreeMap;
use std::fmt;

/// Something that a table cannot say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What it is.
    pub reason: String,
    /// The models that it is of.
    pub models: Vec<String>,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason, self.models.join(", "))
    }
}

/// What could not be said, by reason.
#[derive(Debug, Default)]
pub(super) struct Notes(BTreeMap<String, Vec<String>>);

impl Notes {
    /// Adds a model to those of a reason.
    pub(super) fn add(&mut self, reason: impl Into<String>, model: &str) {
        let models = self.0.entry(reason.into()).or_default();
        if models.last().is_none_or(|last| last != model) {
            models.push(model.to_owned());
        }
    }

    /// All of them, by reason.
    pub(super) fn into_list(self) -> Vec<Note> {
        self.0.into_iter().map(|(reason, models)| Note { reason, models }).collect()
    }
}
