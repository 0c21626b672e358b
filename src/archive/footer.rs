//! A look at the footer of a Parquet file before a library makes a tree of its schema: the library
//! goes down the tree by calling itself, and a schema of some thousand levels would end the process.

/// Bytes of a footer; a million columns take less.
const FOOTER_BYTES_MAX: usize = 64 << 20;
/// Levels of a schema.
const LEVELS_MAX: usize = 128;
/// The members of Thrift's structs that lead to the schema's elements and their children.
const SCHEMA: i16 = 2;
const NUM_CHILDREN: i16 = 5;
/// Thrift's types, in the compact form.
const BINARY: u8 = 8;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

/// How many bytes the footer has, by the last eight of the file; `None` if they are not those of a
/// plain Parquet file.
///
/// # Errors
/// It is longer than any that is read.
pub fn footer_bytes(end: [u8; 8]) -> Result<Option<usize>, String> {
    let [a, b, c, d, magic @ ..] = end;
    if &magic != b"PAR1" {
        return Ok(None);
    }
    let length = usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or(usize::MAX);
    match length <= FOOTER_BYTES_MAX {
        true => Ok(Some(length)),
        false => Err(format!(
            "its footer has {length} bytes, and at most {FOOTER_BYTES_MAX} are read"
        )),
    }
}

/// Makes sure that the schema in a footer is not deeper than what is read. Of a footer that cannot be
/// followed nothing is said here: the library says it better.
///
/// # Errors
/// It is deeper.
pub fn check_footer(footer: &[u8]) -> Result<(), String> {
    match (Thrift { rest: footer }).levels() {
        Some(levels) if levels > LEVELS_MAX => {
            Err(format!("its columns are nested more than {LEVELS_MAX} levels deep"))
        }
        _ => Ok(()),
    }
}

/// What is left of a text in Thrift's compact form.
struct Thrift<'a> {
    rest: &'a [u8],
}

impl Thrift<'_> {
    /// The levels of the schema, as far as they matter; `None` if there is no schema.
    fn levels(&mut self) -> Option<usize> {
        let mut last = 0;
        loop {
            let (kind, id) = self.member(&mut last)?;
            if id != SCHEMA || kind != LIST {
                self.skip(kind, 0)?;
                continue;
            }
            let (count, kind) = self.list()?;
            if kind != STRUCT {
                return None;
            }
            // Children that are still to come, on each level.
            let (mut open, mut deepest) = (Vec::<i64>::new(), 0);
            for _ in 0..count {
                while open.last() == Some(&0) {
                    open.pop();
                }
                if let Some(left) = open.last_mut() {
                    *left -= 1;
                }
                let children = self.children()?;
                if children > 0 {
                    open.push(children);
                    deepest = deepest.max(open.len());
                }
                if deepest > LEVELS_MAX {
                    break;
                }
            }
            return Some(deepest);
        }
    }

    /// Reads an element of the schema: how many children it has.
    fn children(&mut self) -> Option<i64> {
        let (mut last, mut children) = (0, 0);
        while let Some((kind, id)) = self.member(&mut last) {
            match (id, kind) {
                (NUM_CHILDREN, 4..=6) => children = self.number()?,
                _ => self.skip(kind, 0)?,
            }
            // The end of a struct is a member of no type.
            if self.rest.first() == Some(&0) {
                self.byte()?;
                return Some(children);
            }
        }
        None
    }

    /// The type and number of the next member of a struct; `None` at its end.
    fn member(&mut self, last: &mut i16) -> Option<(u8, i16)> {
        let byte = self.byte()?;
        let kind = byte & 0x0f;
        if kind == 0 {
            return None;
        }
        *last = match byte >> 4 {
            0 => i16::try_from(self.number()?).ok()?,
            more => last.checked_add(i16::from(more))?,
        };
        Some((kind, *last))
    }

    /// The length and the type of a list.
    fn list(&mut self) -> Option<(u64, u8)> {
        let byte = self.byte()?;
        let count = match byte >> 4 {
            15 => self.varint()?,
            count => u64::from(count),
        };
        Some((count, byte & 0x0f))
    }

    /// Passes over a value. What is nested deeper than Parquet nests is followed no further.
    fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
        const DEPTH_MAX: usize = 16;
        if depth > DEPTH_MAX {
            return None;
        }
        match kind {
            1 | 2 => Some(()),
            3 => self.take(1),
            4..=6 => self.varint().map(drop),
            7 => self.take(8),
            BINARY => {
                let length = self.varint()?;
                self.take(usize::try_from(length).ok()?)
            }
            LIST | 10 => {
                let (count, kind) = self.list()?;
                for _ in 0..count {
                    match kind {
                        1 | 2 => self.take(1)?,
                        kind => self.skip(kind, depth + 1)?,
                    }
                }
                Some(())
            }
            STRUCT => {
                let mut last = 0;
                loop {
                    if self.rest.first() == Some(&0) {
                        return self.take(1);
                    }
                    let (kind, _) = self.member(&mut last)?;
                    self.skip(kind, depth + 1)?;
                }
            }
            _ => None,
        }
    }

    fn number(&mut self) -> Option<i64> {
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field, Schema};
    use parquet::arrow::ArrowWriter;
    use parquet::arrow::arrow_writer::ArrowWriterOptions;
    use proptest::prelude::*;

    use super::*;

    /// The footer of an empty file whose column has so many groups around it.
    fn footer(levels: usize) -> Vec<u8> {
        let mut kind = DataType::Utf8;
        for _ in 0..levels {
            kind = DataType::Struct(vec![Field::new("a", kind, true)].into());
        }
        let fields = ["b", "c", "d"].map(|name| Field::new(name, DataType::Int64, false));
        let fields = [Field::new("a", kind, true)].into_iter().chain(fields);
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let options = ArrowWriterOptions::new().with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(Vec::new(), schema, options).unwrap();
        let bytes = writer.into_inner().unwrap();
        let end = bytes[bytes.len() - 8..].try_into().unwrap();
        let length = footer_bytes(end).unwrap().unwrap();
        bytes[bytes.len() - 8 - length..bytes.len() - 8].to_vec()
    }

    #[test]
    fn levels_are_counted_up_to_those_that_are_read() {
        for levels in [0, 1, 5, 100, LEVELS_MAX - 1] {
            let footer = footer(levels);
            assert_eq!(Thrift { rest: &footer }.levels(), Some(levels + 1));
            assert_eq!(check_footer(&footer), Ok(()));
        }
        for levels in [LEVELS_MAX, LEVELS_MAX + 50] {
            assert!(check_footer(&footer(levels)).unwrap_err().contains("nested"), "{levels}");
        }
    }

    #[test]
    fn a_footer_that_is_too_long_is_refused_and_another_end_is_none() {
        assert_eq!(footer_bytes(*b"\x07\0\0\0PAR1"), Ok(Some(7)));
        assert_eq!(footer_bytes(*b"\x07\0\0\0PARE"), Ok(None));
        assert!(footer_bytes(*b"\xff\xff\xff\x7fPAR1").is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_run_on(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = check_footer(&bytes);
            let mut whole = footer(3);
            for (at, byte) in bytes.iter().enumerate() {
                let length = whole.len();
                whole[(at * 7 + usize::from(*byte)) % length] ^= byte;
            }
            let _ = check_footer(&whole);
        }
    }
}
