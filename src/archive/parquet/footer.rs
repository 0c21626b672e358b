//! A check of a Parquet footer before a library parses its schema.
//!
//! The library walks the tree of the schema by recursion, so a schema of a few thousand levels
//! would overflow the stack and end the process.

use std::ops::Range;

use super::thrift::{LIST, STRUCT, Thrift};

/// The maximum bytes of a footer; a million columns take less.
const FOOTER_BYTES_MAX: usize = 64 << 20;
/// Bytes at the end of a file that say how long its footer is.
pub const END_BYTES: u64 = 8;
/// The maximum levels of a schema.
const LEVELS_MAX: usize = 128;
/// The numbers of the Thrift members that hold the schema's elements, and an element's number of
/// children.
const SCHEMA: i16 = 2;
const NUM_CHILDREN: i16 = 5;

/// Why a footer is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FooterFlaw {
    /// It is too long.
    #[error("its footer has {0} bytes, and at most {FOOTER_BYTES_MAX} are read")]
    Long(usize),
    /// Its schema is too deep.
    #[error("its columns are nested more than {LEVELS_MAX} levels deep")]
    Deep,
    /// It cannot be parsed to its end.
    #[error("its footer is damaged")]
    Damaged,
}

/// The range of the footer of a file of `size` bytes, which the file's last [`END_BYTES`]
/// determine; `None` if they are not the end of a plain Parquet file.
///
/// # Errors
/// The footer is too long.
pub fn footer_range(size: u64, end: &[u8]) -> Result<Option<Range<u64>>, FooterFlaw> {
    let Ok(last) = <[u8; 8]>::try_from(end) else { return Ok(None) };
    let Some(length) = footer_bytes(last)? else { return Ok(None) };
    let end = size.saturating_sub(END_BYTES);
    Ok(end.checked_sub(length as u64).map(|start| start..end))
}

/// The length of the footer in bytes; `None` if the file does not end as a plain Parquet file.
fn footer_bytes(end: [u8; 8]) -> Result<Option<usize>, FooterFlaw> {
    let [a, b, c, d, magic @ ..] = end;
    if &magic != b"PAR1" {
        return Ok(None);
    }
    let length = usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or(usize::MAX);
    match length <= FOOTER_BYTES_MAX {
        true => Ok(Some(length)),
        false => Err(FooterFlaw::Long(length)),
    }
}

/// Makes sure that the schema in a footer is not too deep for the library.
///
/// # Errors
/// It is too deep, or the footer is damaged.
pub fn check_footer(footer: &[u8]) -> Result<(), FooterFlaw> {
    match levels(footer) {
        Some(levels) if levels <= LEVELS_MAX => Ok(()),
        Some(_) => Err(FooterFlaw::Deep),
        None => Err(FooterFlaw::Damaged),
    }
}

/// The levels of the schema; `None` if the footer is damaged.
fn levels(footer: &[u8]) -> Option<usize> {
    let mut deepest = 0;
    (Thrift { rest: footer }).members(|thrift, kind, id| {
        if id != SCHEMA || kind != LIST {
            return thrift.skip(kind);
        }
        deepest = deepest.max(levels_of(thrift)?);
        Some(())
    })?;
    Some(deepest)
}

/// Reads the elements of a schema, which come in depth-first order, and returns its levels.
fn levels_of(thrift: &mut Thrift<'_>) -> Option<usize> {
    let (count, kind) = thrift.list()?;
    if kind != STRUCT {
        return None;
    }
    // The children that are still to come, on each level.
    let (mut open, mut deepest) = (Vec::<i64>::new(), 0);
    for _ in 0..count {
        while open.last() == Some(&0) {
            open.pop();
        }
        if let Some(left) = open.last_mut() {
            *left -= 1;
        }
        let mut children = 0;
        thrift.members(|thrift, kind, id| match (id, kind) {
            (NUM_CHILDREN, 4..=6) => {
                children = thrift.number()?;
                Some(())
            }
            _ => thrift.skip(kind),
        })?;
        if children > 0 {
            open.push(children);
            deepest = deepest.max(open.len());
        }
    }
    Some(deepest)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field, Schema};
    use parquet::arrow::ArrowWriter;
    use parquet::arrow::arrow_writer::ArrowWriterOptions;
    use proptest::prelude::*;

    use super::*;

    /// The footer of an empty file whose first column is nested in this many groups.
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
            assert_eq!(super::levels(&footer), Some(levels + 1));
            assert_eq!(check_footer(&footer), Ok(()));
        }
        for levels in [LEVELS_MAX, LEVELS_MAX + 50] {
            assert_eq!(check_footer(&footer(levels)), Err(FooterFlaw::Deep), "{levels}");
        }
    }

    #[test]
    fn a_footer_that_is_too_long_is_refused_and_another_end_is_none() {
        assert_eq!(footer_bytes(*b"\x07\0\0\0PAR1"), Ok(Some(7)));
        assert_eq!(footer_bytes(*b"\x07\0\0\0PARE"), Ok(None));
        assert!(footer_bytes(*b"\xff\xff\xff\x7fPAR1").is_err());
    }

    #[test]
    fn a_footer_that_is_cut_is_damaged() {
        let whole = footer(3);
        for end in 0..whole.len() {
            assert_eq!(check_footer(&whole[..end]), Err(FooterFlaw::Damaged));
        }
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
