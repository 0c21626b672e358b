//! Reads tables of others: genai-prices' JSON of version 2, and LiteLLM's. What they say and a rule cannot
//! is listed.

mod draft;
mod genai;
mod litellm;
mod names;
mod regex;
mod spans;

use std::collections::BTreeMap;
use std::fmt;

use serde_json::value::RawValue;
use thiserror::Error;

use super::ordered::Ordered;
use super::table::{Table, TableError};
use super::text::{FORMAT, RuleText, TableText, VERSION};

/// The form of an imported file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Our own JSON.
    Tokenlake,
    /// genai-prices' JSON of version 2.
    GenaiPrices,
    /// LiteLLM's `model_prices_and_context_window.json`.
    Litellm,
}

/// A table that was read from a file, and what of the file is not in it.
#[derive(Debug)]
pub struct Import {
    /// The file's form.
    pub form: Form,
    /// The table.
    pub table: Table,
    /// What the table cannot say.
    pub notes: Vec<Note>,
}

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

/// Why a file is not imported.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ImportError {
    /// No JSON, or of no known form.
    #[error("is no table of prices: {0}")]
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

/// Reads a table of any known form, which the content tells. `name` is the table's, if it has none.
///
/// # Errors
/// The first thing that is wrong with it. A file without a rule, or with a price below 0, is wrong.
pub fn import(json: &[u8], name: &str) -> Result<Import, ImportError> {
    let wrong = |error: serde_json::Error| ImportError::Form(error.to_string());
    let first = json.iter().find(|byte| !byte.is_ascii_whitespace());
    if first == Some(&b'[') {
        let (text, notes) = genai::read(json)?;
        return made(Form::GenaiPrices, text, notes, name);
    }
    let fields: Ordered<Box<RawValue>> = serde_json::from_slice(json).map_err(wrong)?;
    if fields.get("format").is_some() {
        let table = Table::parse(json, name)?;
        return Ok(Import { form: Form::Tokenlake, table, notes: Vec::new() });
    }
    if !fields.0.is_empty() && !fields.0.iter().any(|(_, model)| litellm::is_model(model)) {
        let known = "its form is neither tokenlake's, genai-prices' version 2 nor LiteLLM's";
        return Err(ImportError::Form(known.to_owned()));
    }
    let (text, notes) = litellm::read(&fields)?;
    made(Form::Litellm, text, notes, name)
}

fn made(form: Form, text: TableText, notes: Notes, name: &str) -> Result<Import, ImportError> {
    let table = Table::of(text, name)?;
    let notes = notes.0.into_iter().map(|(reason, models)| Note { reason, models });
    Ok(Import { form, table, notes: notes.collect() })
}

/// A table of rules that were made of another form.
fn table(rules: Vec<RuleText>, resold: Ordered<Vec<String>>) -> TableText {
    let (format, version) = (FORMAT.to_owned(), VERSION);
    TableText { format, version, rules, resold, ..TableText::default() }
}

/// What could not be said, by reason.
#[derive(Debug, Default)]
struct Notes(BTreeMap<String, Vec<String>>);

impl Notes {
    fn add(&mut self, reason: impl Into<String>, model: &str) {
        let models = self.0.entry(reason.into()).or_default();
        if models.last().is_none_or(|last| last != model) {
            models.push(model.to_owned());
        }
    }
}

#[cfg(test)]
mod tests;
