//! The values of one event by column, as the rules read them.

use std::borrow::Cow;

use super::FieldValue;
use super::column::{COLUMNS, Column};
use super::mended::{Mend, Mended};

/// Bytes that a text column other than `org_id` can hold.
pub const TEXT_BYTES_MAX: usize = 256;

/// A value with its name, as a decoder finds it.
pub type NamedValue<'f> = (Cow<'f, str>, FieldValue<'f>);

/// A value as a rule reads it: borrowed, so that passing it on costs nothing.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'f> {
    Text(&'f str),
    Number(&'f str),
    Other(&'f FieldValue<'f>),
}

impl<'f> From<&'f FieldValue<'f>> for Value<'f> {
    fn from(value: &'f FieldValue<'f>) -> Self {
        match value {
            FieldValue::Text(text) => Self::Text(text),
            FieldValue::Number(text) => Self::Number(text),
            other => Self::Other(other),
        }
    }
}

impl Value<'_> {
    /// The value as an error message shows it.
    pub(super) fn excerpt(&self) -> String {
        match *self {
            Self::Text(text) => FieldValue::Text(Cow::Borrowed(text)).excerpt(),
            Self::Number(text) => FieldValue::Number(Cow::Borrowed(text)).excerpt(),
            Self::Other(other) => other.excerpt(),
        }
    }
}

/// The values of one event.
pub(super) trait Values<'f> {
    /// The value of a column; null counts as absent.
    fn of(&self, column: Column) -> Option<Value<'f>>;

    /// The fields that are not columns, in the order sent.
    fn unnamed(&self) -> Vec<&'f NamedValue<'f>>;
}

/// The fields of an event, sorted by column.
#[derive(Debug, Default)]
pub(super) struct Named<'f> {
    values: [Option<Value<'f>>; COLUMNS],
    unnamed: Vec<&'f NamedValue<'f>>,
    /// The metadata that was left out.
    pub(super) mended: Mended,
}

impl<'f> Named<'f> {
    /// Sorts the fields by column. If a metadata column is given twice, the first value is kept.
    ///
    /// # Errors
    /// The column that is given twice, if it decides what is counted.
    pub(super) fn sort(fields: &'f [NamedValue<'f>]) -> Result<Self, String> {
        let mut sorted = Self::default();
        for entry in fields.iter().filter(|(_, value)| !matches!(value, FieldValue::Null)) {
            let column = match Column::of(&entry.0) {
                None => {
                    sorted.unnamed.push(entry);
                    continue;
                }
                Some(column) if !column.is_sent() => continue,
                Some(column) => column,
            };
            match sorted.values.get_mut(column as usize) {
                Some(slot @ None) => *slot = Some(Value::from(&entry.1)),
                _ if column.decides() => return Err(format!("{}: given more than once", entry.0)),
                _ => sorted.mended.add(Mend::Repeated),
            }
        }
        Ok(sorted)
    }
}

impl<'f> Values<'f> for Named<'f> {
    fn of(&self, column: Column) -> Option<Value<'f>> {
        self.values.get(column as usize).copied().flatten()
    }

    fn unnamed(&self) -> Vec<&'f NamedValue<'f>> {
        self.unnamed.clone()
    }
}
