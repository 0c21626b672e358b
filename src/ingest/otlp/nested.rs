//! Values that are lists, maps or bytes as compact JSON: so far as an event can hold them.

use super::record::AttributeValue;
use crate::event::ATTRIBUTE_BYTES_MAX;

/// Lists and maps within each other. Each of them is a call on the stack.
const DEPTH_MAX: usize = 16;

/// The compact JSON of a value, as it is written.
#[derive(Debug, Default)]
pub(super) struct NestedText {
    text: String,
    depth: usize,
}

impl NestedText {
    /// What `write` writes; none if that is too much, too deep or broken.
    pub(super) fn of(write: impl FnOnce(&mut Self) -> Option<()>) -> Option<String> {
        let mut nested = Self::default();
        write(&mut nested).map(|()| nested.text)
    }

    /// Adds a list or a map: its elements, each after [`NestedText::next`].
    pub(super) fn within(
        &mut self,
        [open, close]: [&str; 2],
        elements: impl FnOnce(&mut Self) -> Option<()>,
    ) -> Option<()> {
        if self.depth == DEPTH_MAX {
            return None;
        }
        self.depth += 1;
        self.push(open)?;
        elements(self)?;
        self.push(close)?;
        self.depth -= 1;
        Some(())
    }

    /// Begins another element.
    pub(super) fn next(&mut self) -> Option<()> {
        if self.text.ends_with(['[', '{']) { Some(()) } else { self.push(",") }
    }

    /// Begins another element with a name.
    pub(super) fn next_named(&mut self, name: &str) -> Option<()> {
        self.next()?;
        self.quoted(name)?;
        self.push(":")
    }

    /// Adds a single value. JSON has no infinite numbers.
    pub(super) fn single(&mut self, value: Option<&AttributeValue<'_>>) -> Option<()> {
        match value {
            Some(AttributeValue::Text(text)) => self.quoted(text),
            Some(AttributeValue::Double(double)) if !double.is_finite() => self.push("null"),
            Some(value) => self.push(&value.text()),
            None => self.push("null"),
        }
    }

    /// Adds a text in quotes.
    pub(super) fn quoted(&mut self, text: &str) -> Option<()> {
        self.push(&serde_json::Value::from(text).to_string())
    }

    fn push(&mut self, text: &str) -> Option<()> {
        let bytes = self.text.len().saturating_add(text.len());
        (bytes <= ATTRIBUTE_BYTES_MAX).then(|| self.text.push_str(text))
    }
}
