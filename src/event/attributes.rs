//! What an event carries besides the named columns, kept within bounds.

use std::borrow::Cow;
use std::collections::HashSet;

use super::FieldValue;

/// Entries that one event's `attributes` can hold.
pub const ATTRIBUTES_MAX: usize = 64;

/// Bytes of keys and values that one event's `attributes` can hold: 16 KiB.
pub const ATTRIBUTE_BYTES_MAX: usize = 16 * 1024;

/// The attributes of one event: no key twice, and within both limits.
#[derive(Debug, Default)]
pub(super) struct Attributes<'f> {
    /// Keys with their values, in the order sent.
    pub(super) entries: Vec<(&'f str, Cow<'f, str>)>,
    /// Entries that did not fit or whose key was taken.
    pub(super) dropped: u64,
    /// Bytes of all keys and values in `entries`.
    pub(super) bytes: usize,
}

impl<'f> Attributes<'f> {
    /// Takes the event's own `attributes` first, then the fields that no column is named for, each
    /// as far as it fits. Where a key occurs in both, the event's `attributes` say what it is.
    pub(super) fn collect(
        explicit: &'f [(Cow<'f, str>, FieldValue<'f>)],
        unnamed: &[&'f (Cow<'f, str>, FieldValue<'f>)],
    ) -> Self {
        let mut attributes = Self::default();
        if explicit.is_empty() && unnamed.is_empty() {
            return attributes;
        }
        let mut taken = HashSet::new();
        for (key, value) in explicit.iter().chain(unnamed.iter().copied()) {
            let Some(text) = value.attribute_text() else { continue };
            if taken.insert(key.as_ref()) {
                attributes.add(key, text);
            } else {
                attributes.dropped += 1;
            }
        }
        attributes
    }

    /// What an event has already.
    pub(super) fn stored(entries: impl Iterator<Item = (&'f str, Cow<'f, str>)>) -> Self {
        Self { entries: entries.collect(), ..Self::default() }
    }

    /// One more before what an event has already, which stays as far as it fits.
    pub(super) fn with(
        key: &'f str,
        value: &'f str,
        entries: impl Iterator<Item = (&'f str, Cow<'f, str>)>,
    ) -> Self {
        let mut attributes = Self::default();
        attributes.add(key, Cow::Borrowed(value));
        for (other, value) in entries {
            if other == key {
                attributes.dropped += 1;
            } else {
                attributes.add(other, value);
            }
        }
        attributes
    }

    fn add(&mut self, key: &'f str, value: Cow<'f, str>) {
        let bytes = self.bytes.saturating_add(key.len()).saturating_add(value.len());
        if self.entries.len() < ATTRIBUTES_MAX && bytes <= ATTRIBUTE_BYTES_MAX {
            self.entries.push((key, value));
            self.bytes = bytes;
        } else {
            self.dropped += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Entry = (Cow<'static, str>, FieldValue<'static>);

    fn text(key: impl Into<Cow<'static, str>>, value: &str) -> Entry {
        (key.into(), FieldValue::Text(value.to_owned().into()))
    }

    fn collect<'f>(explicit: &'f [Entry], unnamed: &'f [Entry]) -> Attributes<'f> {
        Attributes::collect(explicit, &unnamed.iter().collect::<Vec<_>>())
    }

    #[test]
    fn the_explicit_value_of_a_key_wins() {
        let explicit = [text("a", "1"), ("n".into(), FieldValue::Null)];
        let unnamed = [text("a", "2"), text("n", "3"), ("m".into(), FieldValue::Null)];
        let attributes = collect(&explicit, &unnamed);
        assert_eq!(attributes.entries, [("a", "1".into()), ("n", "3".into())]);
        assert_eq!((attributes.dropped, attributes.bytes), (1, 4));
    }

    #[test]
    fn what_is_over_is_dropped_and_counted() {
        let many: Vec<_> = (0..70).map(|n| text(format!("k{n}"), "v")).collect();
        let attributes = collect(&[], &many);
        assert_eq!((attributes.entries.len(), attributes.dropped), (64, 6));

        let big = "x".repeat(ATTRIBUTE_BYTES_MAX - 1);
        let explicit = [text("a", &big), text("b", ""), text("c", "fits no more")];
        let attributes = collect(&explicit, &[]);
        assert_eq!((attributes.entries.len(), attributes.dropped), (1, 2));
        assert_eq!(attributes.bytes, ATTRIBUTE_BYTES_MAX);

        let explicit = [text("ab", &big), text("b", "later and smaller")];
        let attributes = collect(&explicit, &[]);
        assert_eq!((attributes.entries.len(), attributes.dropped), (1, 1));
    }
}
