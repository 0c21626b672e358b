//! `FIELD=COLUMN` and `FIELD=VALUE`, as the command line has them.

use crate::event::sent_columns;

/// The prefix of an attribute's name.
const ATTRIBUTE: &str = "attributes.";

/// True for a column that a producer sets; every other name is an attribute.
pub(super) fn is_field(name: &str) -> bool {
    sent_columns().any(|column| column == name)
}

/// A field with the column that supplies it, or with its default value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldPair {
    pub(super) field: String,
    pub(super) other: String,
}

impl std::fmt::Display for FieldPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}={}", self.field, self.other)
    }
}

impl FieldPair {
    /// Reads `field=…`, where the field is a column of events or `attributes.NAME`.
    ///
    /// # Errors
    /// What to write instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (field, other) = text.split_once('=').ok_or("write field=…, like model=deployment")?;
        let (name, attribute) = match field.strip_prefix(ATTRIBUTE) {
            Some(name) => (name, true),
            None => (field, false),
        };
        if is_field(name) == attribute || name.is_empty() {
            let fields = sent_columns().collect::<Vec<_>>().join(", ");
            return Err(format!("the fields are {fields} and attributes.NAME"));
        }
        if other.is_empty() {
            return Err("there is nothing after the =".to_owned());
        }
        Ok(Self { field: name.to_owned(), other: other.to_owned() })
    }

    /// As [`FieldPair::parse`], for a default.
    ///
    /// # Errors
    /// What to write instead. An id, for example, cannot be the same for all events.
    pub fn parse_default(text: &str) -> Result<Self, String> {
        let pair = Self::parse(text)?;
        match pair.field.as_str() {
            "event_id" => Err("events with the same event_id count once".to_owned()),
            "attributes" => Err("write attributes.NAME=value".to_owned()),
            _ => Ok(pair),
        }
    }

    /// The field's name.
    pub fn field(&self) -> &str {
        &self.field
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_name_fields() {
        for wrong in
            ["model", "=x", "model=", "input_token=x", "attributes.model=x", "attributes.=x"]
        {
            assert!(FieldPair::parse(wrong).is_err(), "{wrong}");
        }
        assert!(FieldPair::parse_default("event_id=1").is_err());
        assert_eq!(FieldPair::parse("attributes.k=a=b").unwrap().other, "a=b");
    }
}
