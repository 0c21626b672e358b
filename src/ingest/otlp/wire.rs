//! The walk over protobuf's wire format: fields in the order in which they were sent, borrowed.
//!
//! What nobody asks for is passed over by its length, so that it costs neither time nor memory,
//! however large or deep it is. Nothing here recurses.

use thiserror::Error;

/// Groups within groups that are passed over. They are long out of use; the libraries have the
/// same bound.
const GROUPS_MAX: usize = 100;

/// Bits of a tag that say how its field is encoded.
const TYPE_BITS: u32 = 3;

/// The value of a field as it is on the wire.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum WireValue<'a> {
    /// An integer, a truth value or a constant of an enum.
    Varint(u64),
    /// Eight bytes.
    Fixed64(u64),
    /// Text, bytes or a message.
    Bytes(&'a [u8]),
    /// Four bytes.
    Fixed32(u32),
}

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(super) enum NotProtobuf {
    /// A field goes on beyond the end.
    #[error("a field is cut short")]
    CutShort,
    /// A varint has more than 64 bits.
    #[error("a number has more than 64 bits")]
    LongVarint,
    /// A tag names no field, or an encoding that does not exist.
    #[error("a tag is invalid")]
    Tag,
    /// Groups that are not closed, or too many within each other.
    #[error("a group is invalid")]
    Group,
}

/// The fields of the message in some bytes.
#[derive(Clone, Debug)]
pub(super) struct WireFields<'a> {
    rest: &'a [u8],
}

impl<'a> WireFields<'a> {
    pub(super) fn of(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// The next field that is no group; none at the end.
    #[inline]
    fn field(&mut self) -> Result<Option<(u32, WireValue<'a>)>, NotProtobuf> {
        while !self.rest.is_empty() {
            let (number, kind) = self.tag()?;
            let value = match kind {
                0 => WireValue::Varint(self.varint()?),
                1 => WireValue::Fixed64(u64::from_le_bytes(self.fixed()?)),
                2 => WireValue::Bytes(self.bytes()?),
                3 => {
                    self.pass_group(number)?;
                    continue;
                }
                4 => return Err(NotProtobuf::Group),
                _ => WireValue::Fixed32(u32::from_le_bytes(self.fixed()?)),
            };
            return Ok(Some((number, value)));
        }
        Ok(None)
    }

    /// The number of a field, and how it is encoded: 0 to 5.
    fn tag(&mut self) -> Result<(u32, u32), NotProtobuf> {
        let tag = u32::try_from(self.varint()?).map_err(|_| NotProtobuf::Tag)?;
        let (number, kind) = (tag >> TYPE_BITS, tag & ((1 << TYPE_BITS) - 1));
        if number == 0 || kind > 5 { Err(NotProtobuf::Tag) } else { Ok((number, kind)) }
    }

    /// Nearly all tags and lengths have one byte.
    #[inline]
    fn varint(&mut self) -> Result<u64, NotProtobuf> {
        match self.rest.split_first() {
            Some((byte, rest)) if *byte < 0x80 => {
                self.rest = rest;
                Ok(u64::from(*byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, NotProtobuf> {
        let mut value = 0_u64;
        for (at, byte) in self.rest.iter().enumerate().take(10) {
            // Of the tenth byte only one bit is left.
            if at == 9 && *byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << (7 * at);
            if *byte < 0x80 {
                self.rest = self.rest.get(at + 1..).unwrap_or_default();
                return Ok(value);
            }
        }
        let cut_short = self.rest.len() < 10;
        Err(if cut_short { NotProtobuf::CutShort } else { NotProtobuf::LongVarint })
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], NotProtobuf> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(NotProtobuf::CutShort)?;
        self.rest = rest;
        Ok(*bytes)
    }

    fn bytes(&mut self) -> Result<&'a [u8], NotProtobuf> {
        let length = usize::try_from(self.varint()?).map_err(|_| NotProtobuf::CutShort)?;
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(NotProtobuf::CutShort)?;
        self.rest = rest;
        Ok(bytes)
    }

    /// Passes over the group that has begun, with all groups in it.
    fn pass_group(&mut self, number: u32) -> Result<(), NotProtobuf> {
        let mut open = vec![number];
        while let Some(innermost) = open.last().copied() {
            if self.rest.is_empty() {
                return Err(NotProtobuf::CutShort);
            }
            let (number, kind) = self.tag()?;
            match kind {
                0 => drop(self.varint()?),
                1 => drop(self.fixed::<8>()?),
                2 => drop(self.bytes()?),
                3 if open.len() < GROUPS_MAX => open.push(number),
                4 if number == innermost => drop(open.pop()),
                5 => drop(self.fixed::<4>()?),
                _ => return Err(NotProtobuf::Group),
            }
        }
        Ok(())
    }
}

impl<'a> Iterator for WireFields<'a> {
    type Item = Result<(u32, WireValue<'a>), NotProtobuf>;

    /// After an error there is nothing more.
    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let field = self.field().transpose();
        if let Some(Err(_)) = field {
            self.rest = &[];
        }
        field
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::WireValue::{Bytes, Fixed32, Fixed64, Varint};
    use super::*;

    fn all(bytes: &[u8]) -> Result<Vec<(u32, WireValue<'_>)>, NotProtobuf> {
        WireFields::of(bytes).collect()
    }

    #[test]
    fn each_encoding_is_read() {
        let bytes =
            [0x08, 0x96, 0x01, 0x11, 1, 0, 0, 0, 0, 0, 0, 0, 0x1a, 2, b'h', b'i', 0x25, 7, 0, 0, 0];
        let fields = [(1, Varint(150)), (2, Fixed64(1)), (3, Bytes(b"hi")), (4, Fixed32(7))];
        assert_eq!(all(&bytes).unwrap(), fields);
        assert_eq!(all(&[]).unwrap(), []);
        let largest = [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(all(&largest).unwrap(), [(1, Varint(u64::MAX))]);
    }

    #[test]
    fn groups_are_passed_over() {
        // A group 1 with a group 2, a varint, text and fixed values; then a field 3.
        let bytes = [
            0x0b, 0x13, 0x14, 0x08, 1, 0x12, 1, 9, 0x1d, 0, 0, 0, 0, 0x19, 0, 0, 0, 0, 0, 0, 0, 0,
            0x0c, 0x18, 5,
        ];
        assert_eq!(all(&bytes).unwrap(), [(3, Varint(5))]);
        let nested = |depth| [vec![0x0b; depth], vec![0x0c; depth]].concat();
        assert_eq!(all(&nested(GROUPS_MAX)).unwrap(), []);
        assert_eq!(all(&nested(GROUPS_MAX + 1)), Err(NotProtobuf::Group));
        assert_eq!(all(&nested(1_000_000)), Err(NotProtobuf::Group));
        assert_eq!(all(&[0x0b]), Err(NotProtobuf::CutShort));
        assert_eq!(all(&[0x0c]), Err(NotProtobuf::Group));
        assert_eq!(all(&[0x0b, 0x14]), Err(NotProtobuf::Group));
    }

    #[test]
    fn what_is_no_message_is_told_and_ends_the_walk() {
        for (bytes, error) in [
            (&[0x08][..], NotProtobuf::CutShort),
            (&[0x80], NotProtobuf::CutShort),
            (&[0x0a, 5, 1], NotProtobuf::CutShort),
            (&[0x09, 1, 2, 3], NotProtobuf::CutShort),
            (&[0x0d, 1], NotProtobuf::CutShort),
            (&[0x00, 1], NotProtobuf::Tag),
            (&[0x0e, 1], NotProtobuf::Tag),
            (&[0x0f, 1], NotProtobuf::Tag),
            (&[0xff, 0xff, 0xff, 0xff, 0x7f], NotProtobuf::Tag),
            (&[0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2], NotProtobuf::LongVarint),
            (&[0x0a, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1], NotProtobuf::CutShort),
        ] {
            assert_eq!(all(bytes), Err(error), "{bytes:?}");
            let mut fields = WireFields::of(bytes);
            assert!(fields.next().is_some_and(|field| field.is_err()) && fields.next().is_none());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_come_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            // Each field takes at least two bytes.
            prop_assert!(WireFields::of(&bytes).count() <= bytes.len());
        }
    }
}
