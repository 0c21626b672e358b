//! The values of one event by column, for the fast decoding path, which builds no list of fields.

use std::borrow::Cow;

use super::FieldValue;
use super::column::{COLUMNS, Column};
use super::values::{NamedValue, Value, Values};

const _: () = assert!(COLUMNS <= u32::BITS as usize, "Slots::given has a bit for each column");

static TRUE: FieldValue<'static> = FieldValue::Bool(true);
static FALSE: FieldValue<'static> = FieldValue::Bool(false);

/// A value exactly as in its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlainValue<'a> {
    /// Nothing; the same as an absent field.
    Null,
    /// Text.
    Text(&'a str),
    /// A number as decimal text.
    Number(&'a str),
    /// A truth value.
    Bool(bool),
}

/// A field's name with its column, so that one lookup serves many events.
#[derive(Clone, Copy, Debug)]
pub struct FieldName<'a> {
    text: &'a str,
    column: Option<Column>,
}

impl<'a> FieldName<'a> {
    /// Looks up the column of a name.
    pub fn of(text: &'a str) -> Self {
        Self { text, column: Column::of(text) }
    }

    /// The name.
    pub fn text(self) -> &'a str {
        self.text
    }
}

#[derive(Clone, Copy, Debug)]
enum ValueSlot<'a> {
    Plain(PlainValue<'a>),
    /// An index into `made`.
    Made(usize),
}

/// The values of one event; reused for event after event.
#[derive(Debug)]
pub struct Slots<'a> {
    values: [ValueSlot<'a>; COLUMNS],
    /// The columns that were given, even as null: a bit for each.
    given: u32,
    /// Values that the source does not hold as they are.
    made: Vec<FieldValue<'a>>,
    unnamed: Vec<NamedValue<'a>>,
}

impl Default for Slots<'_> {
    fn default() -> Self {
        let values = [ValueSlot::Plain(PlainValue::Null); COLUMNS];
        Self { values, given: 0, made: Vec::new(), unnamed: Vec::new() }
    }
}

impl<'a> From<PlainValue<'a>> for FieldValue<'a> {
    fn from(plain: PlainValue<'a>) -> Self {
        match plain {
            PlainValue::Null => Self::Null,
            PlainValue::Text(text) => Self::Text(Cow::Borrowed(text)),
            PlainValue::Number(text) => Self::Number(Cow::Borrowed(text)),
            PlainValue::Bool(value) => Self::Bool(value),
        }
    }
}

impl<'a> Slots<'a> {
    /// Removes all values.
    pub fn clear(&mut self) {
        self.values = [ValueSlot::Plain(PlainValue::Null); COLUMNS];
        self.given = 0;
        self.made.clear();
        self.unnamed.clear();
    }

    /// Adds a value; false if its name was already given.
    pub fn set(&mut self, name: &'a str, value: PlainValue<'a>) -> bool {
        self.set_named(FieldName::of(name), value)
    }

    /// As [`Slots::set`], for a name that has been looked up.
    #[inline]
    pub fn set_named(&mut self, name: FieldName<'a>, value: PlainValue<'a>) -> bool {
        let FieldName { text, column: Some(column) } = name else {
            let known = self.unnamed.iter().any(|(known, _)| known == name.text);
            self.unnamed.push((Cow::Borrowed(name.text), value.into()));
            return !known;
        };
        debug_assert_eq!(Column::of(text), Some(column));
        self.put(column, ValueSlot::Plain(value))
    }

    /// Sets a column to a decoded value; false if the column was already given.
    pub fn set_made(&mut self, column: &str, value: FieldValue<'a>) -> bool {
        let Some(column) = Column::of(column) else { return false };
        self.made.push(value);
        self.put(column, ValueSlot::Made(self.made.len() - 1))
    }

    #[inline]
    fn put(&mut self, column: Column, slot: ValueSlot<'a>) -> bool {
        let at = column as usize;
        let given = self.given >> at & 1 == 1;
        self.given |= 1 << at;
        if let Some(value) = self.values.get_mut(at) {
            *value = slot;
        }
        !given
    }

    /// Sets a value if there is none or null.
    pub fn set_default(&mut self, name: &'a str, text: &'a str) {
        if Column::of(name).is_some() {
            if self.is_null(name) {
                self.set(name, PlainValue::Text(text));
            }
            return;
        }
        let mut known = self.unnamed.iter();
        if !known.any(|(known, value)| known == name && !matches!(value, FieldValue::Null)) {
            self.unnamed.push((Cow::Borrowed(name), FieldValue::Text(Cow::Borrowed(text))));
        }
    }

    /// The text of a column as in the source; none if it is empty, which counts as absent.
    pub fn text(&self, column: &str) -> Option<&'a str> {
        match *self.values.get(Column::of(column)? as usize)? {
            ValueSlot::Plain(PlainValue::Text(text) | PlainValue::Number(text))
                if !text.is_empty() =>
            {
                Some(text)
            }
            _ => None,
        }
    }

    /// Whether a column has no value.
    pub fn is_null(&self, column: &str) -> bool {
        let slot = Column::of(column).and_then(|column| self.values.get(column as usize));
        matches!(slot, None | Some(ValueSlot::Plain(PlainValue::Null)))
    }
}

impl<'f> Values<'f> for &'f Slots<'_> {
    #[inline]
    fn of(&self, column: Column) -> Option<Value<'f>> {
        match *self.values.get(column as usize)? {
            ValueSlot::Plain(PlainValue::Null) => None,
            ValueSlot::Plain(PlainValue::Text(text)) => Some(Value::Text(text)),
            ValueSlot::Plain(PlainValue::Number(text)) => Some(Value::Number(text)),
            ValueSlot::Plain(PlainValue::Bool(value)) => {
                Some(Value::Other(if value { &TRUE } else { &FALSE }))
            }
            ValueSlot::Made(at) => self.made.get(at).map(Value::from),
        }
    }

    fn unnamed(&self) -> Vec<&'f NamedValue<'f>> {
        self.unnamed.iter().filter(|(_, value)| !matches!(value, FieldValue::Null)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::schema;
    use super::*;

    #[test]
    fn each_column_has_a_slot_and_a_bit_of_its_own() {
        let schema = schema();
        let names = schema.fields().iter().map(|field| field.name().as_str());
        let names: Vec<_> = names.chain(["event_date"]).collect();
        assert_eq!(names.len(), COLUMNS);
        let mut slots = Slots::default();
        for name in &names {
            assert!(slots.is_null(name) && slots.set(name, PlainValue::Number("1")), "{name}");
        }
        for name in &names {
            assert!(!slots.is_null(name) && !slots.set(name, PlainValue::Number("2")), "{name}");
        }
        assert_eq!(slots.given.count_ones() as usize, COLUMNS);
        assert!(slots.unnamed.is_empty());
    }
}
