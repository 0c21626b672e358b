//! A minimal reader of Thrift's compact protocol, to inspect a value before a library parses it.

/// Types of values.
pub(in crate::archive) const LIST: u8 = 9;
pub(in crate::archive) const STRUCT: u8 = 12;
const BINARY: u8 = 8;
const SET: u8 = 10;
const MAP: u8 = 11;
/// Levels of nested structs and lists that are skipped; Parquet's are not half as deep.
const DEPTH_MAX: usize = 32;

/// The bytes that are still to be read. Methods return `None` if these are malformed.
pub(in crate::archive) struct Thrift<'a> {
    pub(in crate::archive) rest: &'a [u8],
}

impl Thrift<'_> {
    /// Calls `each` with the type and the number of each member of a struct. `each` must read or
    /// skip the member's value.
    pub(in crate::archive) fn members(
        &mut self,
        mut each: impl FnMut(&mut Self, u8, i16) -> Option<()>,
    ) -> Option<()> {
        let mut last = 0_i16;
        loop {
            let byte = self.byte()?;
            let kind = byte & 0x0f;
            if kind == 0 {
                return Some(());
            }
            last = match byte >> 4 {
                0 => i16::try_from(self.number()?).ok()?,
                more => last.checked_add(i16::from(more))?,
            };
            each(self, kind, last)?;
        }
    }

    /// The length of a list, and the type of its elements.
    pub(in crate::archive) fn list(&mut self) -> Option<(u64, u8)> {
        let byte = self.byte()?;
        let count = match byte >> 4 {
            15 => self.varint()?,
            count => u64::from(count),
        };
        Some((count, byte & 0x0f))
    }

    /// Skips the value of a member of this type.
    pub(in crate::archive) fn skip(&mut self, kind: u8) -> Option<()> {
        self.skip_within(kind, DEPTH_MAX)
    }

    fn skip_within(&mut self, kind: u8, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match kind {
            1 | 2 => Some(()),
            3 => self.take(1),
            4..=6 => self.varint().map(drop),
            7 => self.take(8),
            BINARY => {
                let length = self.varint()?;
                self.take(usize::try_from(length).ok()?)
            }
            LIST | SET => {
                let (count, kind) = self.list()?;
                (0..count).try_for_each(|_| self.skip_element(kind, depth))
            }
            MAP => {
                let count = self.varint()?;
                let kinds = if count > 0 { self.byte()? } else { 0 };
                (0..count).try_for_each(|_| {
                    self.skip_element(kinds >> 4, depth)?;
                    self.skip_element(kinds & 0x0f, depth)
                })
            }
            STRUCT => self.members(|thrift, kind, _| thrift.skip_within(kind, depth)),
            13 => self.take(16),
            _ => None,
        }
    }

    /// A boolean takes a byte in a list. As a member, its value is part of its type.
    fn skip_element(&mut self, kind: u8, depth: usize) -> Option<()> {
        if matches!(kind, 1 | 2) { self.take(1) } else { self.skip_within(kind, depth) }
    }

    /// An integer of any width.
    pub(in crate::archive) fn number(&mut self) -> Option<i64> {
        let raw = self.varint()?;
        i64::try_from(raw >> 1).ok().map(|half| if raw & 1 == 0 { half } else { -half - 1 })
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn take(&mut self, count: usize) -> Option<()> {
        self.rest = self.rest.get(count..)?;
        Some(())
    }
}
