//! The tag that names the blocks of cells which a file carries beside its partial, each with the version
//! of what made it, and the instant at which all of its events were ingested, where that is one. Programs
//! that do not know it pass it over.
//!
//! It has a checksum of its own, over the file's path as well: the seal of the action is of the tags
//! that older programs know.

use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;

use crate::archive::chain::parse_crc32;
use crate::clock::Micros;

/// The word before the instant. No block has that name.
const INGESTED: &str = "ingested";

/// Cells that a data file carries beside its partial, as `cells.rs` has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCells {
    /// What they tell apart, for people who look into a log.
    pub name: Arc<str>,
    /// The version of the query that made them.
    pub version: Arc<str>,
    /// Where they lie, in bytes.
    pub range: Range<u64>,
}

/// The tag of the file at `path`.
pub(super) fn to_text(cells: &[StoredCells], ingested: Option<Micros>, path: &str) -> String {
    let mut text = String::new();
    for StoredCells { name, version, range } in cells {
        // Writing to a string does not fail.
        let _ = write!(text, " {name} {version} {} {}", range.start, range.end);
    }
    if let Some(ingested) = ingested {
        let _ = write!(text, " {INGESTED} {ingested}");
    }
    format!("{:08x}{text}", checksum(path, &text))
}

/// Reads a tag of a file of `size_bytes`; `None` if it is not what was written.
pub(super) fn from_text(
    text: &str,
    path: &str,
    size_bytes: u64,
) -> Option<(Vec<StoredCells>, Option<Micros>)> {
    let (crc32, rest) = text.split_at_checked(text.find(' ')?)?;
    if parse_crc32(crc32)? != checksum(path, rest) {
        return None;
    }
    let mut words = rest.split_ascii_whitespace();
    let (mut cells, mut ingested) = (Vec::new(), None);
    while let Some(name) = words.next() {
        if name == INGESTED {
            ingested = Some(words.next()?.parse().ok()?);
            continue;
        }
        let version = words.next()?.into();
        let range = words.next()?.parse().ok()?..words.next()?.parse().ok()?;
        if range.start >= range.end || range.end > size_bytes {
            return None;
        }
        cells.push(StoredCells { name: name.into(), version, range });
    }
    Some((cells, ingested))
}

fn checksum(path: &str, rest: &str) -> u32 {
    crc32fast::hash(format!("{path}\n{rest}").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_read_as_written_and_no_flipped_bit_passes() {
        let cells = |version: &str, range| StoredCells {
            name: "dimension".into(),
            version: version.into(),
            range,
        };
        let cells = vec![cells("ab", 5..9), cells("cd", 9..20)];
        let of = |cells: &[StoredCells], ingested| {
            let text = to_text(cells, ingested, "x.parquet");
            from_text(&text, "x.parquet", 20)
        };
        for ingested in [None, Some(1_770_000_000_000_000)] {
            assert_eq!(of(&cells, ingested), Some((cells.clone(), ingested)));
        }
        assert_eq!(of(&[], Some(7)), Some((Vec::new(), Some(7))));
        let written = (cells, Some(7));
        let text = to_text(&written.0, written.1, "x.parquet");
        assert_eq!(from_text(&text, "x.parquet", 19), None);
        assert_eq!(from_text(&text, "y.parquet", 20), None);
        for bit in 0..text.len() * 8 {
            let mut bytes = text.clone().into_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let Ok(other) = String::from_utf8(bytes) else { continue };
            let read = from_text(&other, "x.parquet", 20);
            assert!(read.is_none_or(|read| read == written), "{other}");
        }
    }
}
