//! Objects of other programs, of which a few members are looked up by name.

use std::borrow::Cow;

use crate::event::FieldValue;
use crate::event::json_text::{self, Member};

/// The members of an object. Those that nobody asks for are not read.
#[derive(Debug, Default)]
pub(in crate::ingest) struct Object<'a> {
    members: Vec<Member<'a>>,
}

impl<'a> Object<'a> {
    /// Reads an object.
    ///
    /// # Errors
    /// Why it is none.
    pub(in crate::ingest) fn of(json: &'a str) -> Result<Self, serde_json::Error> {
        json_text::members(json).map(|members| Self { members })
    }

    /// The source of a member, unless it is null. Of several with one name the first one counts.
    pub(in crate::ingest) fn get(&self, name: &str) -> Option<&'a str> {
        let found = self.members.iter().find(|member| member.name == name);
        found.map(|member| member.value).filter(|value| *value != "null")
    }

    /// An object within; an empty one if there is none.
    pub(in crate::ingest) fn object(&self, name: &str) -> Self {
        self.get(name).and_then(|value| Self::of(value).ok()).unwrap_or_default()
    }

    /// The text of a string or a number, unless it is blank. Python has `NaN` in place of a number that
    /// it does not know.
    pub(in crate::ingest) fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        match json_text::field_value(self.get(name)?).ok()? {
            FieldValue::Number(text) if text == "NaN" => None,
            FieldValue::Text(text) | FieldValue::Mended(text) | FieldValue::Number(text) => {
                Some(text).filter(|text| !text.trim().is_empty())
            }
            _ => None,
        }
    }

    /// The first of these members that has a text.
    pub(in crate::ingest) fn first_text(&self, names: &[&str]) -> Option<Cow<'a, str>> {
        names.iter().find_map(|name| self.text(name))
    }

    /// Any value; none for null.
    pub(in crate::ingest) fn value(&self, name: &str) -> Option<FieldValue<'a>> {
        json_text::field_value(self.get(name)?).ok()
    }
}
