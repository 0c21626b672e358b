//! The encoding of protobuf: varints, and fields that come after their lengths.
//!
//! Source: "Encoding" of Protocol Buffers. Field numbers are below 16 here, so a key is one byte.

/// The type of a field whose content comes after its length.
const LENGTH: u8 = 2;
/// The type of a number.
const VARINT: u8 = 0;
/// The type of a double.
const DOUBLE: u8 = 1;

/// Bytes of a field with a double.
pub(super) const DOUBLE_BYTES: usize = 1 + size_of::<f64>();

/// Bytes of a varint.
pub(super) fn varint_bytes(value: u64) -> usize {
    let mut bytes = 1;
    let mut left = value >> 7;
    while left > 0 {
        bytes += 1;
        left >>= 7;
    }
    bytes
}

/// Bytes of a field whose content has this length.
pub(super) fn field_bytes(content: usize) -> usize {
    1 + varint_bytes(wide(content)) + content
}

/// Bytes of a field with a number.
pub(super) fn number_bytes(value: u64) -> usize {
    1 + varint_bytes(value)
}

/// Adds a varint.
pub(super) fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            out.push(low & 0x7f);
            return;
        }
        out.push(low | 0x80);
    }
}

/// Adds the length of a message.
pub(super) fn push_length(out: &mut Vec<u8>, content: usize) {
    push_varint(out, wide(content));
}

/// Adds the start of a field; its content must follow, of exactly this length.
pub(super) fn push_field(out: &mut Vec<u8>, field: u8, content: usize) {
    out.push(field << 3 | LENGTH);
    push_length(out, content);
}

/// Adds a field with text.
pub(super) fn push_text(out: &mut Vec<u8>, field: u8, text: &str) {
    push_field(out, field, text.len());
    out.extend_from_slice(text.as_bytes());
}

/// Adds a field with a number.
pub(super) fn push_number(out: &mut Vec<u8>, field: u8, value: u64) {
    out.push(field << 3 | VARINT);
    push_varint(out, value);
}

/// Adds the start of a field with a double; its eight bytes must follow.
pub(super) fn push_double_key(out: &mut Vec<u8>, field: u8) {
    out.push(field << 3 | DOUBLE);
}

/// Adds the bytes of a double.
pub(super) fn push_double(out: &mut Vec<u8>, value: f64) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn varints_are_those_of_the_page_about_encoding() {
        for (value, bytes) in [
            (0, &[0][..]),
            (1, &[1]),
            (127, &[0x7f]),
            (128, &[0x80, 1]),
            (150, &[0x96, 1]),
            (u64::MAX, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
        ] {
            let mut out = Vec::new();
            push_varint(&mut out, value);
            assert_eq!(out, bytes, "{value}");
        }
        let mut out = Vec::new();
        push_text(&mut out, 2, "testing");
        assert_eq!(out, b"\x12\x07testing");
    }

    proptest! {
        #[test]
        fn lengths_are_told_before(value: u64, text in "\\PC{0,300}", shift in 0_u32..64) {
            let value = value >> shift;
            let mut out = Vec::new();
            push_number(&mut out, 3, value);
            prop_assert_eq!(out.len(), number_bytes(value));
            push_text(&mut out, 4, &text);
            prop_assert_eq!(out.len(), number_bytes(value) + field_bytes(text.len()));
        }
    }
}
