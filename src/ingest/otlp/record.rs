//! A span or a log record with what is read of it, whichever encoding it came in.

use std::borrow::Cow;

use super::kept::Kept;
use super::names::{self, Field};
use crate::ingest::call::is_zero;

/// Attributes of a record or a resource that are kept: an event can hold no more.
const KEPT_MAX: usize = 64;

/// How much less a name is believed whose value is nothing that its field can have.
const UNBELIEVED: u8 = 128;

/// What is told of a list or a map that cannot be shown.
const NOT_SHOWN: &str = "a list, a map or bytes";

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum AttributeValue<'a> {
    Text(Cow<'a, str>),
    Int(i64),
    Double(f64),
    Bool(bool),
    /// The compact JSON of a list or a map, or bytes in base64; none if it is too much to keep.
    Nested(Option<String>),
}

impl AttributeValue<'_> {
    /// Its text: of a number the shortest decimal that means it, in full.
    pub(super) fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Int(int) => Cow::Owned(int.to_string()),
            Self::Double(double) => Cow::Owned(double.to_string()),
            Self::Bool(value) => Cow::Borrowed(if *value { "true" } else { "false" }),
            Self::Nested(text) => Cow::Borrowed(text.as_deref().unwrap_or(NOT_SHOWN)),
        }
    }

    /// Its text where a number belongs. Bytes may look like one.
    pub(super) fn number_text(&self) -> Cow<'_, str> {
        if self.is_nested() { Cow::Borrowed(NOT_SHOWN) } else { self.text() }
    }

    /// Bytes of its text, about.
    fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Nested(Some(text)) => text.len(),
            _ => size_of::<Self>(),
        }
    }

    fn is_blank(&self) -> bool {
        match self {
            Self::Text(text) => text.trim_ascii().is_empty(),
            // Clients have it in place of a number that they do not know.
            Self::Double(double) => double.is_nan(),
            _ => false,
        }
    }

    fn is_nested(&self) -> bool {
        matches!(self, Self::Nested(_))
    }
}

/// The attributes of a resource or a record that mean something.
#[derive(Clone, Debug, Default)]
pub(super) struct Found<'a> {
    /// A bit for each field that is there.
    has: u64,
    fields: Vec<(Field, u8, AttributeValue<'a>)>,
    /// Those that dimensions read.
    pub(super) read: Vec<NamedAttribute<'a>>,
    /// Those that are kept by their whole name.
    pub(super) named: Vec<NamedAttribute<'a>>,
    /// The others that are kept with a call, as they are sent.
    pub(super) kept: Vec<NamedAttribute<'a>>,
    /// How many more should have been kept.
    pub(super) dropped: usize,
}

/// An attribute with its name.
pub(super) type NamedAttribute<'a> = (Cow<'a, str>, AttributeValue<'a>);

impl<'a> Found<'a> {
    pub(super) fn clear(&mut self) {
        self.has = 0;
        self.fields.clear();
        self.read.clear();
        self.named.clear();
        self.kept.clear();
        self.dropped = 0;
    }

    /// Takes an attribute if its name means something; `value` is asked for no other. An attribute
    /// without a value counts as absent, as does a field without text.
    pub(super) fn add(
        &mut self,
        name: Cow<'a, [u8]>,
        kept: &Kept<'_>,
        value: impl Fn() -> Option<AttributeValue<'a>>,
    ) {
        if let Some((field, rank)) = names::field(&name)
            && let Some(value) = value().filter(|value| !value.is_blank())
        {
            self.put(field, rank, value);
        }
        let once = match &name {
            name if kept.is_read(name) => &mut self.read,
            name if Kept::is_named(name) => &mut self.named,
            _ => return self.keep(name, value),
        };
        if once.iter().any(|(known, _)| known.as_bytes() == name.as_ref()) {
            return;
        }
        match value() {
            Some(AttributeValue::Nested(None)) => self.dropped = self.dropped.saturating_add(1),
            Some(value) => once.push((shown(name), value)),
            None => {}
        }
    }

    fn keep(&mut self, name: Cow<'a, [u8]>, value: impl Fn() -> Option<AttributeValue<'a>>) {
        let value = if Kept::has(&name) { value() } else { None };
        let Some(value) = value else { return };
        let fits = !matches!(value, AttributeValue::Nested(None))
            && Kept::fits(&name, value.bytes())
            && self.kept.len() < KEPT_MAX;
        if fits {
            self.kept.push((shown(name), value));
        } else {
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    fn put(&mut self, field: Field, rank: u8, value: AttributeValue<'a>) {
        let is_odd = value.is_nested();
        // A text that is none counts as absent; a number that is none is told.
        if is_odd && !field.is_number() {
            return;
        }
        let is_none = is_odd || field == Field::Cost && is_zero(&value.text());
        let rank = if is_none { rank.saturating_add(UNBELIEVED) } else { rank };
        let bit = 1 << field as u32;
        if self.has & bit == 0 {
            self.has |= bit;
            self.fields.push((field, rank, value));
            return;
        }
        let known = self.fields.iter_mut().find(|(known, ..)| *known == field);
        if let Some(known) = known.filter(|(_, known, _)| rank < *known) {
            *known = (field, rank, value);
        }
    }

    /// The value of a field.
    pub(super) fn get(&self, field: Field) -> Option<&AttributeValue<'a>> {
        if self.has & (1 << field as u32) == 0 {
            return None;
        }
        self.fields.iter().find(|(known, ..)| *known == field).map(|(.., value)| value)
    }

    /// The text of a field without white space around it.
    pub(super) fn text(&self, field: Field) -> Option<&str> {
        match self.get(field) {
            Some(AttributeValue::Text(text)) => Some(text.trim()),
            _ => None,
        }
    }

    /// The text of an attribute that is kept by its whole name.
    pub(super) fn named_text(&self, name: &str) -> Option<&str> {
        let mut all = self.read.iter().chain(&self.named);
        all.find_map(|(known, value)| match value {
            AttributeValue::Text(text) if known == name => Some(text.trim()),
            _ => None,
        })
    }

    /// Whether a field is there.
    pub(super) fn has(&self, field: Field) -> bool {
        self.has & (1 << field as u32) != 0
    }
}

/// Bytes of attributes, of whose values at most so many are taken.
pub(super) fn bytes_of(attributes: &[NamedAttribute<'_>], value_bytes_max: usize) -> usize {
    let bytes =
        |(name, value): &NamedAttribute<'_>| name.len() + value.bytes().min(value_bytes_max);
    attributes.iter().map(bytes).sum()
}

/// A name as text.
fn shown(name: Cow<'_, [u8]>) -> Cow<'_, str> {
    match name {
        Cow::Borrowed(name) => String::from_utf8_lossy(name),
        Cow::Owned(name) => Cow::Owned(String::from_utf8_lossy(&name).into_owned()),
    }
}

/// What the records of one scope have in common.
#[derive(Clone, Debug, Default)]
pub(super) struct RecordContext<'a> {
    pub(super) resource: Found<'a>,
    /// The name of the instrumentation.
    pub(super) scope: Cow<'a, str>,
}

/// Where all attributes of a record are, for whom those that were found are not enough.
#[derive(Clone, Copy, Debug)]
pub(super) enum AttributeSource<'a> {
    /// The message of a record in protobuf, and the number of its attributes.
    Message(&'a [u8], u32),
    /// The array of attributes in JSON; empty if there is none.
    Array(&'a [u8]),
}

/// A span or a log record.
#[derive(Clone, Debug)]
pub(super) struct OtlpRecord<'a> {
    /// Of a span its name, of a log record that of its event.
    pub(super) name: Cow<'a, str>,
    /// Invalid ids are none.
    pub(super) trace_id: Option<[u8; 16]>,
    pub(super) span_id: Option<[u8; 8]>,
    /// Nanoseconds of Unix time: the end of a span, the time of a log record; 0 if not told.
    pub(super) time_ns: u64,
    /// What stands for it where it is not told: the start of a span, when a log record was seen.
    pub(super) other_time_ns: u64,
    /// Whether a span's status is an error.
    pub(super) is_error: bool,
    pub(super) found: Found<'a>,
    pub(super) source: AttributeSource<'a>,
}

impl Default for OtlpRecord<'_> {
    fn default() -> Self {
        Self {
            name: Cow::default(),
            trace_id: None,
            span_id: None,
            time_ns: 0,
            other_time_ns: 0,
            is_error: false,
            found: Found::default(),
            source: AttributeSource::Array(&[]),
        }
    }
}

impl<'a> OtlpRecord<'a> {
    /// The same memory for the next record.
    pub(super) fn clear(&mut self, source: AttributeSource<'a>) {
        let mut found = std::mem::take(&mut self.found);
        found.clear();
        *self = Self { found, source, ..Self::default() };
    }

    /// When it happened, in nanoseconds of Unix time.
    pub(super) fn happened_ns(&self) -> Option<u64> {
        [self.time_ns, self.other_time_ns].into_iter().find(|time| *time > 0)
    }
}

/// An id of as many bytes; one of zeros is none.
pub(super) fn id<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    <[u8; N]>::try_from(bytes).ok().filter(|id| id.iter().any(|byte| *byte != 0))
}

/// What a walk finds, record by record.
pub(super) trait Visit<'a> {
    /// A record, and what it has in common with its neighbours.
    fn record(&mut self, index: usize, context: &RecordContext<'a>, record: &OtlpRecord<'a>);

    /// A record that cannot be read.
    fn broken(&mut self, index: usize, reason: &'static str);
}
