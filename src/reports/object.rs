//! An object of a page: its members as they are written, read by name and kind.

use std::fmt;

use serde::Deserializer as _;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde_json::Deserializer;
use serde_json::value::RawValue;

use super::error::ReportFileError;
use crate::archive::{Dollars, ReportGroup};
use crate::event::money::{InvalidMoney, parse_amount};
use crate::event::{FieldValue, excerpt, json_text};

/// Bytes of a name or a value of a group.
const TEXT_BYTES_MAX: usize = 1_024;
/// Names of a group; the APIs have a dozen.
const GROUP_NAMES_MAX: usize = 64;
/// No sum of tokens or calls of a bucket is as large.
const COUNT_MAX: i128 = 1_000_000_000_000_000;

/// An object, borrowed from its page.
#[derive(Debug)]
pub(super) struct ReportObject<'p>(Vec<json_text::Member<'p>>);

impl<'p> ReportObject<'p> {
    /// Reads an object; `what` names it in errors, as `a result`.
    pub(super) fn read(json: &'p str, what: &str) -> Result<Self, ReportFileError> {
        if !json.trim_start().starts_with('{') {
            let found = excerpt(json);
            return Err(ReportFileError::new(format!("{found} is no object, as {what} is")));
        }
        json_text::members(json).map(Self).map_err(|error| ReportFileError::new(error.to_string()))
    }

    /// The source of a value; none if it is null or not there.
    pub(super) fn raw(&self, name: &str) -> Result<Option<&'p str>, ReportFileError> {
        let mut found = self.0.iter().filter(|member| member.name == name);
        let first = found.next().map(|member| member.value);
        if found.next().is_some() {
            return Err(ReportFileError::new(format!("{name} is there twice")));
        }
        Ok(first.filter(|value| *value != "null"))
    }

    /// True if it has a value of that name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|member| member.name == name && member.value != "null")
    }

    /// Reads the values of a list one by one, with their numbers from 1; false if it is null or not there.
    pub(super) fn each(
        &self,
        name: &str,
        read: impl FnMut(usize, &'p str) -> Result<(), ReportFileError>,
    ) -> Result<bool, ReportFileError> {
        let Some(json) = self.raw(name)? else { return Ok(false) };
        match each(json, read)? {
            true => Ok(true),
            false => Err(ReportFileError::new(format!("{name} is no list"))),
        }
    }

    /// A text.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, ReportFileError> {
        let Some(json) = self.raw(name)? else { return Ok(None) };
        match json_text::field_value(json) {
            Ok(FieldValue::Text(text) | FieldValue::Mended(text)) => Ok(Some(text.into_owned())),
            _ => Err(ReportFileError::new(format!("{name}: {} is no text", excerpt(json)))),
        }
    }

    /// A count: a whole number from 0 on.
    pub(super) fn count(&self, name: &str) -> Result<Option<i64>, ReportFileError> {
        let Some(json) = self.raw(name)? else { return Ok(None) };
        let amount = parse_amount(json, 0).ok().filter(|amount| amount.exact);
        let count = amount.map(|amount| amount.units).filter(|units| *units <= COUNT_MAX);
        let count = count.and_then(|units| i64::try_from(units).ok());
        let wrong = || format!("{name}: {} is no count from 0 to 10^15", excerpt(json));
        count.map(Some).ok_or_else(|| ReportFileError::new(wrong()))
    }

    /// An amount, as a number or as text of one; `places` as in [`Dollars::parse`].
    pub(super) fn amount(
        &self,
        name: &str,
        places: u8,
    ) -> Result<Option<Dollars>, ReportFileError> {
        let Some(json) = self.raw(name)? else { return Ok(None) };
        let wrong = |why: &dyn std::fmt::Display| {
            ReportFileError::new(format!("{name}: {} {why}", excerpt(json)))
        };
        let text = match json_text::field_value(json) {
            Ok(FieldValue::Text(text) | FieldValue::Number(text)) => text,
            _ => return Err(wrong(&"is no decimal number")),
        };
        Dollars::parse(&text, places).map(Some).map_err(|error| match error {
            InvalidMoney::TooLarge => wrong(&"is not below 10^12 dollars"),
            error => wrong(&error),
        })
    }

    /// What its group is told by: each text and each truth value, but for those that are `left_out` and names
    /// that come with an id.
    pub(super) fn group(&self, left_out: &[&str]) -> Result<ReportGroup, ReportFileError> {
        let mut group = ReportGroup::new();
        for member in &self.0 {
            let name = member.name.as_ref();
            if left_out.contains(&name) || name.ends_with("_name") {
                continue;
            }
            let text = match json_text::field_value(member.value) {
                Ok(FieldValue::Text(text) | FieldValue::Mended(text)) => text.trim().to_owned(),
                Ok(FieldValue::Bool(value)) => value.to_string(),
                _ => continue,
            };
            if text.len() > TEXT_BYTES_MAX || name.len() > TEXT_BYTES_MAX {
                let (name, text) = (excerpt(name), excerpt(&text));
                return Err(ReportFileError::new(format!("{name}: {text} is too long")));
            }
            if text.is_empty() {
                continue;
            }
            if group.insert(name.to_owned(), text).is_some() {
                return Err(ReportFileError::new(format!("{} is there twice", excerpt(name))));
            }
            if group.len() > GROUP_NAMES_MAX {
                let most = format!("it has more than {GROUP_NAMES_MAX} texts");
                return Err(ReportFileError::new(most));
            }
        }
        Ok(group)
    }
}

/// Reads the values of a list one by one, with their numbers from 1, so that none is kept; false if it is
/// something else.
pub(super) fn each<'p>(
    json: &'p str,
    read: impl FnMut(usize, &'p str) -> Result<(), ReportFileError>,
) -> Result<bool, ReportFileError> {
    let mut values = ListValues { read, failed: None };
    let mut source = Deserializer::from_str(json);
    let is_list = source.deserialize_seq(&mut values).is_ok();
    match values.failed {
        Some(error) => Err(error),
        None => Ok(is_list),
    }
}

struct ListValues<F> {
    read: F,
    failed: Option<ReportFileError>,
}

impl<'p, F: FnMut(usize, &'p str) -> Result<(), ReportFileError>> Visitor<'p>
    for &mut ListValues<F>
{
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'p>>(self, mut list: A) -> Result<(), A::Error> {
        let mut number = 0;
        while let Some(value) = list.next_element::<&RawValue>()? {
            number += 1;
            if let Err(error) = (self.read)(number, value.get()) {
                self.failed = Some(error);
                return Err(A::Error::custom("it ends here"));
            }
        }
        Ok(())
    }
}
