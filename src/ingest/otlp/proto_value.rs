//! Attributes' values in protobuf.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::nested::NestedText;
use super::record::AttributeValue;
use super::wire::{NotProtobuf, WireFields, WireValue};

/// `ArrayValue.values` and `KeyValueList.values`.
const VALUES: u32 = 1;

/// The parts of a `KeyValue`.
pub(super) fn key_value(bytes: &[u8]) -> Result<(&[u8], Option<&[u8]>), NotProtobuf> {
    let (mut name, mut value) = (&[][..], None);
    for field in WireFields::of(bytes) {
        match field? {
            (1, WireValue::Bytes(bytes)) => name = bytes,
            (2, WireValue::Bytes(bytes)) => value = Some(bytes),
            _ => {}
        }
    }
    Ok((name, value))
}

/// The value in an `AnyValue`; none if it has none or is broken.
pub(super) fn any_value(bytes: &[u8]) -> Option<AttributeValue<'_>> {
    let value = kind(bytes)?;
    single(value).or_else(|| match value {
        (7, WireValue::Bytes(bytes)) => Some(AttributeValue::Nested(Some(STANDARD.encode(bytes)))),
        (5 | 6, WireValue::Bytes(_)) => {
            let text = NestedText::of(|nested| write(nested, bytes));
            Some(AttributeValue::Nested(text))
        }
        _ => None,
    })
}

/// As [`any_value`], but none if it is a list, a map or bytes.
pub(super) fn single_value(bytes: &[u8]) -> Option<AttributeValue<'_>> {
    kind(bytes).and_then(single)
}

/// What a value is: the last of its fields.
fn kind(bytes: &[u8]) -> Option<(u32, WireValue<'_>)> {
    let mut kind = None;
    for field in WireFields::of(bytes) {
        let (number, value) = field.ok()?;
        if is_kind(number, value) {
            kind = Some((number, value));
        }
    }
    kind
}

/// Whether a field is one of an `AnyValue`, whatever it has in it.
fn is_kind(number: u32, value: WireValue<'_>) -> bool {
    match value {
        WireValue::Varint(_) => matches!(number, 2 | 3 | 5..=8),
        WireValue::Fixed64(_) => matches!(number, 4..=8),
        WireValue::Bytes(_) => matches!(number, 1 | 5..=8),
        WireValue::Fixed32(_) => matches!(number, 5..=8),
    }
}

fn single<'a>(kind: (u32, WireValue<'a>)) -> Option<AttributeValue<'a>> {
    match kind {
        (1, WireValue::Bytes(text)) => Some(AttributeValue::Text(String::from_utf8_lossy(text))),
        (2, WireValue::Varint(value)) => Some(AttributeValue::Bool(value != 0)),
        (3, WireValue::Varint(int)) => Some(AttributeValue::Int(int.cast_signed())),
        (4, WireValue::Fixed64(bits)) => Some(AttributeValue::Double(f64::from_bits(bits))),
        _ => None,
    }
}

/// Writes the value in an `AnyValue`.
fn write(nested: &mut NestedText, bytes: &[u8]) -> Option<()> {
    match kind(bytes) {
        Some((5, WireValue::Bytes(list))) => nested.within(["[", "]"], |nested| {
            each(list, |value| {
                nested.next()?;
                write(nested, value)
            })
        }),
        Some((6, WireValue::Bytes(map))) => nested.within(["{", "}"], |nested| {
            each(map, |attribute| {
                let (name, value) = key_value(attribute).ok()?;
                nested.next_named(&String::from_utf8_lossy(name))?;
                write(nested, value.unwrap_or_default())
            })
        }),
        Some((7, WireValue::Bytes(bytes))) => nested.quoted(&STANDARD.encode(bytes)),
        kind => nested.single(kind.and_then(single).as_ref()),
    }
}

/// Calls `visit` with each value of a list or a map; none if it is broken.
fn each<'a>(message: &'a [u8], mut visit: impl FnMut(&'a [u8]) -> Option<()>) -> Option<()> {
    for field in WireFields::of(message) {
        if let (VALUES, WireValue::Bytes(value)) = field.ok()? {
            visit(value)?;
        }
    }
    Some(())
}
