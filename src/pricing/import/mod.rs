//! Reads tables of others: genai-prices' JSON of version 2, and LiteLLM's. What they say and a rule cannot
//! is listed.

mod draft;
mod error;
mod genai;
mod genai_form;
mod litellm;
mod names;
mod notes;
mod regex;
mod spans;

use serde_json::value::RawValue;

use self::notes::Notes;
use super::ordered::Ordered;
use super::table::Table;
use super::text::TableText;

pub use self::error::ImportError;
pub use self::notes::Note;

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

/// Reads a table of any known form, which the content tells. `name` is the table's, if it has none.
///
/// # Errors
/// The first thing that is wrong with it. A file without a rule, or with a price below 0, is wrong.
pub fn import(json: &[u8], name: &str) -> Result<Import, ImportError> {
    let wrong = |error: serde_json::Error| ImportError::Form(error.to_string());
    // Editors of Windows put a byte order mark before the text.
    let json = json.strip_prefix("\u{feff}".as_bytes()).unwrap_or(json);
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
    Ok(Import { form, table, notes: notes.into_list() })
}

#[cfg(test)]
mod tests;
