//! An event's attributes: its values outside the named columns, kept within bounds.

use std::borrow::Cow;
use std::collections::HashSet;

use super::mended::{Mend, Mended};
use super::needed::is_needed;
use super::values::{NamedValue, TEXT_BYTES_MAX, Value};
use super::{FieldValue, json_text};

/// Entries that one event's `attributes` can hold.
pub const ATTRIBUTES_MAX: usize = 64;

/// Bytes of keys and values that one event's `attributes` can hold: 16 KiB.
pub const ATTRIBUTE_BYTES_MAX: usize = 16 * 1024;

/// The key of the one attribute that keeps `attributes` which are not an object.
const NO_OBJECT: &str = "attributes";

/// The attributes of one event: unique keys, within both limits.
#[derive(Debug, Default)]
pub(super) struct Attributes<'f> {
    /// Keys with their values, in the order sent.
    pub(super) entries: Vec<(Cow<'f, str>, Cow<'f, str>)>,
    /// Entries that did not fit or whose key was taken.
    pub(super) dropped: u64,
    /// Bytes of all keys and values in `entries`.
    pub(super) bytes: usize,
}

/// The value of the field `attributes`.
#[derive(Debug)]
pub(super) enum Explicit<'f> {
    /// An object that its decoder has split into entries.
    Sent(&'f [NamedValue<'f>]),
    /// An object that was sent as its JSON text.
    Read(Vec<NamedValue<'f>>),
    /// Something else, which becomes one attribute.
    Whole(Cow<'f, str>),
}

impl<'f> Explicit<'f> {
    /// Accepts any value. Formats without maps send an object as text, and languages that do not
    /// distinguish an empty list from an empty map send a list.
    pub(super) fn of(value: Option<Value<'f>>, mended: &mut Mended) -> Self {
        let text = match value {
            None => return Self::Sent(&[]),
            Some(Value::Other(FieldValue::Map(entries))) => return Self::Sent(entries),
            Some(Value::Text(text) | Value::Number(text)) => Cow::Borrowed(text),
            Some(Value::Other(other)) => {
                if other.is_mended() {
                    mended.add(Mend::Replaced);
                }
                other.attribute_text().unwrap_or_default()
            }
        };
        let is_empty = |list: &str| list.trim().is_empty();
        let list = text.trim().strip_prefix('[').and_then(|list| list.strip_suffix(']'));
        if list.is_some_and(is_empty) || matches!(text.trim(), "" | "null") {
            return Self::Sent(&[]);
        }
        // Only a map's text is owned here, and maps are handled above.
        if let Cow::Borrowed(text) = text
            && text.trim_start().starts_with('{')
            && let Ok(entries) = json_text::entries(text.trim())
        {
            return Self::Read(entries);
        }
        mended.add(Mend::NoObject);
        Self::Whole(text)
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self::Sent([]))
    }
}

impl<'f> Attributes<'f> {
    /// Takes the event's own `attributes` first, then the fields that are not columns, each if it
    /// still fits. If a key occurs again, the first value is kept.
    pub(super) fn collect(
        explicit: Explicit<'f>,
        unnamed: &[&'f NamedValue<'f>],
        mended: &mut Mended,
    ) -> Self {
        let mut attributes = Self::default();
        if explicit.is_empty() && unnamed.is_empty() {
            return attributes;
        }
        let mut taken = HashSet::new();
        let mut add = |key: Cow<'f, str>, value: Option<Cow<'f, str>>, is_mended: bool| {
            let Some(value) = value else { return };
            if is_mended {
                mended.add(Mend::Replaced);
            }
            if taken.insert(key.clone()) {
                attributes.add(key, value);
            } else {
                attributes.dropped += 1;
            }
        };
        match explicit {
            Explicit::Sent(entries) => {
                for (key, value) in entries {
                    add(Cow::Borrowed(key.as_ref()), value.attribute_text(), value.is_mended());
                }
            }
            Explicit::Read(entries) => {
                for (key, value) in entries {
                    let is_mended = value.is_mended();
                    add(key, value.into_attribute_text(), is_mended);
                }
            }
            Explicit::Whole(text) => add(Cow::Borrowed(NO_OBJECT), Some(text), false),
        }
        for entry in unnamed {
            let (key, value) = *entry;
            add(Cow::Borrowed(key.as_ref()), value.attribute_text(), value.is_mended());
        }
        attributes
    }

    /// The attributes of a stored event.
    pub(super) fn stored(entries: impl Iterator<Item = (&'f str, Cow<'f, str>)>) -> Self {
        let entries = entries.map(|(key, value)| (Cow::Borrowed(key), value));
        Self { entries: entries.collect(), ..Self::default() }
    }

    /// Puts other attributes before an event's own, which are kept as far as they fit: first those of
    /// which `is_kept` says that something depends on them.
    pub(super) fn with(
        first: &[(&'f str, &'f str)],
        entries: impl Iterator<Item = (&'f str, Cow<'f, str>)>,
        is_kept: impl Fn(&str) -> bool,
    ) -> Self {
        let is_needed = |key: &str| is_needed(key) || is_kept(key);
        let mut attributes = Self::default();
        for (key, value) in first {
            attributes.add(Cow::Borrowed(key), Cow::Borrowed(value));
        }
        let is_ours = |key: &str| first.iter().any(|(our, _)| *our == key);
        let (replaced, own): (Vec<_>, Vec<_>) = entries.partition(|(key, _)| is_ours(key));
        attributes.dropped += u64::try_from(replaced.len()).unwrap_or(u64::MAX);
        let bytes = own.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
        let all_fit = attributes.entries.len() + own.len() <= ATTRIBUTES_MAX
            && attributes.bytes + bytes <= ATTRIBUTE_BYTES_MAX;
        let (needed, others): (Vec<_>, Vec<_>) =
            own.into_iter().partition(|(key, _)| all_fit || is_needed(key));
        for (key, value) in needed.into_iter().chain(others) {
            attributes.add(Cow::Borrowed(key), value);
        }
        attributes
    }

    fn add(&mut self, key: Cow<'f, str>, value: Cow<'f, str>) {
        if self.fits(&key, &value) || self.make_room(&key, &value) {
            self.bytes += key.len() + value.len();
            self.entries.push((key, value));
        } else {
            self.dropped += 1;
        }
    }

    fn fits(&self, key: &str, value: &str) -> bool {
        let bytes = self.bytes.saturating_add(key.len()).saturating_add(value.len());
        self.entries.len() < ATTRIBUTES_MAX && bytes <= ATTRIBUTE_BYTES_MAX
    }

    /// Drops the last entries that no sum and no price depends on, as far as one on which it does needs
    /// their room.
    /// False if there is no room for it.
    fn make_room(&mut self, key: &str, value: &str) -> bool {
        let is_meant = is_needed(key) && value.len() <= TEXT_BYTES_MAX;
        while is_meant
            && !self.fits(key, value)
            && let Some(last) = self.entries.iter().rposition(|(key, _)| !is_needed(key))
        {
            let (key, value) = self.entries.remove(last);
            self.bytes -= key.len() + value.len();
            self.dropped += 1;
        }
        is_meant && self.fits(key, value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(key: impl Into<Cow<'static, str>>, value: &str) -> NamedValue<'static> {
        (key.into(), FieldValue::Text(value.to_owned().into()))
    }

    fn collect<'f>(
        explicit: &'f [NamedValue<'f>],
        unnamed: &'f [NamedValue<'f>],
    ) -> Attributes<'f> {
        let unnamed: Vec<_> = unnamed.iter().collect();
        Attributes::collect(Explicit::Sent(explicit), &unnamed, &mut Mended::default())
    }

    #[test]
    fn the_explicit_value_of_a_key_wins() {
        let explicit = [text("a", "1"), ("n".into(), FieldValue::Null)];
        let unnamed = [text("a", "2"), text("n", "3"), ("m".into(), FieldValue::Null)];
        let attributes = collect(&explicit, &unnamed);
        let expected = [("a", "1"), ("n", "3")];
        assert_eq!(attributes.entries, expected.map(|(key, value)| (key.into(), value.into())));
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

        // What a price depends on takes the room of the last ones.
        let priced = [text("service_tier", "flex"), text("billed_pages", "2")];
        let attributes = collect(&many, &priced);
        assert_eq!((attributes.entries.len(), attributes.dropped), (64, 8));
        let kept: Vec<_> = attributes.entries.iter().map(|(key, _)| key.as_ref()).collect();
        assert_eq!(kept[61..], ["k61", "service_tier", "billed_pages"]);
        let explicit = [text("a", &big)];
        let attributes = collect(&explicit, &priced);
        assert_eq!((attributes.entries.len(), attributes.dropped, attributes.bytes), (2, 1, 29));

        let explicit = [text("ab", &big), text("b", "later and smaller")];
        let attributes = collect(&explicit, &[]);
        assert_eq!((attributes.entries.len(), attributes.dropped), (1, 1));
    }
}
