//! The values of one event by column, for decoders that have no time to make a list of fields.

use std::borrow::Cow;

use super::FieldValue;
use super::row::Named;

type Entry<'a> = (Cow<'a, str>, FieldValue<'a>);

/// Columns, and two names that are tokenlake's own to set, and passed over.
const SLOTS: usize = 16;

/// The values of one event. It is filled again and again.
#[derive(Debug)]
pub struct Slots<'a> {
    values: [FieldValue<'a>; SLOTS],
    /// Which names were given, if only as null.
    given: u16,
    unnamed: Vec<Entry<'a>>,
}

impl Default for Slots<'_> {
    fn default() -> Self {
        Self { values: [const { FieldValue::Null }; SLOTS], given: 0, unnamed: Vec::new() }
    }
}

impl<'a> Slots<'a> {
    /// An event without values.
    pub fn clear(&mut self) {
        for (at, value) in self.values.iter_mut().enumerate() {
            if self.given >> at & 1 == 1 {
                *value = FieldValue::Null;
            }
        }
        self.given = 0;
        self.unnamed.clear();
    }

    /// Adds a value; false if its name was given before.
    pub fn set(&mut self, name: &'a str, value: FieldValue<'a>) -> bool {
        let Some(at) = place(name) else {
            let known = self.unnamed.iter().any(|(known, _)| known == name);
            self.unnamed.push((Cow::Borrowed(name), value));
            return !known;
        };
        let given = self.given >> at & 1 == 1;
        self.replace(name, value);
        !given
    }

    /// Gives a value where there is none or null.
    pub fn set_default(&mut self, name: &'a str, value: FieldValue<'a>) {
        match place(name).and_then(|at| self.values.get_mut(at).map(|slot| (at, slot))) {
            Some((at, slot)) if *slot == FieldValue::Null => {
                *slot = value;
                self.given |= 1 << at;
            }
            Some(_) => {}
            None => {
                let mut known = self.unnamed.iter();
                if !known.any(|(known, value)| known == name && *value != FieldValue::Null) {
                    self.unnamed.push((Cow::Borrowed(name), value));
                }
            }
        }
    }

    /// Gives a column another value.
    pub fn replace(&mut self, column: &str, value: FieldValue<'a>) {
        let Some(at) = place(column) else { return };
        self.given |= 1 << at;
        if let Some(slot) = self.values.get_mut(at) {
            *slot = value;
        }
    }

    /// The value of a column.
    pub fn get(&self, name: &str) -> Option<&FieldValue<'a>> {
        self.values.get(place(name)?).filter(|value| **value != FieldValue::Null)
    }

    pub(super) fn named(&self) -> Named<'_> {
        let [
            event_id,
            org_id,
            event_type,
            ts,
            provider,
            model,
            input,
            output,
            cached_input,
            cache_write,
            reasoning,
            cost_usd,
            source,
            attributes,
            ..,
        ] = self.values.each_ref().map(|value| Some(value).filter(|it| **it != FieldValue::Null));
        let unnamed = self.unnamed.iter().filter(|(_, value)| *value != FieldValue::Null);
        Named {
            event_id,
            org_id,
            event_type,
            ts,
            provider,
            model,
            input,
            output,
            cached_input,
            cache_write,
            reasoning,
            cost_usd,
            source,
            attributes,
            unnamed: unnamed.collect(),
        }
    }
}

fn place(name: &str) -> Option<usize> {
    Some(match name {
        "event_id" => 0,
        "org_id" => 1,
        "event_type" => 2,
        "ts" => 3,
        "provider" => 4,
        "model" => 5,
        "input_tokens" => 6,
        "output_tokens" => 7,
        "cached_input_tokens" => 8,
        "cache_write_tokens" => 9,
        "reasoning_tokens" => 10,
        "cost_usd" => 11,
        "source" => 12,
        "attributes" => 13,
        "ingested_at" => 14,
        "event_date" => 15,
        _ => return None,
    })
}
