//! The memory that decoding a row group takes, judged by its page headers before any page is
//! decompressed.
//!
//! A file of a few kilobytes may hold pages of gigabytes.

use std::ops::Range;
use std::vec;

use parquet::basic::{Encoding, Type};
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};

use super::thrift::{STRUCT, Thrift};

/// The maximum bytes of the pages that are decoded together: one of each column, with its
/// dictionary.
const PAGES_BYTES_MAX: u64 = 128 << 20;
/// The maximum values of one column in one row, on average. No event has that many.
const ROW_VALUES_MAX: u64 = 4 << 20;
/// Bytes that a value takes in addition to its content.
const VALUE_BYTES: u64 = 16;
/// Bytes that are assumed for a text if the page may have left out its beginning, because the text
/// before it begins in the same way.
const CUT_TEXT_BYTES: u64 = 32 << 10;
/// Bytes that are read to find a header: at first, and at most. A header may contain bounds of
/// values.
const HEADER_BYTES: (u64, u64) = (1 << 10, 4 << 20);
/// The numbers of the members of a page header.
const TYPE: i16 = 1;
const BYTES: i16 = 2;
const STORED_BYTES: i16 = 3;
/// The header's members for each type of page. The first member of each is the number of values.
const OF_TYPE: [i16; 3] = [5, 7, 8];
const DICTIONARY: i64 = 2;

/// The memory that decoding a row group takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GroupWeight {
    /// Bytes of a row in the heaviest pages. A value in a dictionary counts only as its index.
    pub row_bytes: u64,
    /// Bytes of the largest page of each column with its dictionary, added up.
    pages_bytes: u64,
}

impl GroupWeight {
    /// How many rows fit into `bytes`; at least one.
    pub fn rows_of(self, bytes: usize) -> usize {
        usize::try_from((bytes as u64 / self.row_bytes.max(1)).max(1)).unwrap_or(usize::MAX)
    }
}

/// A scan of the page headers of a row group. The caller reads the bytes.
pub struct GroupScan {
    columns: vec::IntoIter<ColumnPages>,
    open: Option<ColumnPages>,
    /// Bytes that are read to find the next header.
    header_bytes: u64,
    weight: GroupWeight,
}

struct ColumnPages {
    name: String,
    /// From the start of its next page to the end of its last one.
    pages: Range<u64>,
    /// Values in one row, on average.
    row_values: u64,
    dictionary_bytes: u64,
    page_bytes: u64,
    /// Bytes of a value in the heaviest page.
    value_bytes: u64,
    /// Whether texts are stored without the beginning that they share with the text before.
    cuts_texts: bool,
}

impl ColumnPages {
    fn of(column: &ColumnChunkMetaData, rows: u64) -> Self {
        let number = |number: i64| u64::try_from(number).unwrap_or_default();
        let data = number(column.data_page_offset());
        let start = column.dictionary_page_offset().map_or(data, |start| number(start).min(data));
        let end = start.saturating_add(number(column.compressed_size()));
        let kind = column.column_descr().physical_type();
        let length = if kind == Type::FIXED_LEN_BYTE_ARRAY {
            column.column_descr().type_length()
        } else {
            0
        };
        let repeats = column.column_descr().max_rep_level() > 0;
        let row_values = number(column.num_values()).div_ceil(rows.max(1));
        Self {
            name: column.column_path().string(),
            pages: start..end,
            row_values: if repeats { row_values.max(1) } else { 1 },
            dictionary_bytes: 0,
            page_bytes: 0,
            value_bytes: u64::try_from(length).unwrap_or_default(),
            cuts_texts: column.encodings().any(|encoding| encoding == Encoding::DELTA_BYTE_ARRAY),
        }
    }

    fn add(&mut self, page: &Page) {
        if page.is_dictionary {
            self.dictionary_bytes = self.dictionary_bytes.max(page.bytes);
            return;
        }
        // While it is decompressed, both forms are in memory.
        self.page_bytes = self.page_bytes.max(page.bytes.saturating_add(page.stored_bytes));
        let least = if self.cuts_texts { page.bytes.min(CUT_TEXT_BYTES) } else { 0 };
        let each = page.bytes.div_ceil(page.values.max(1)).max(least);
        self.value_bytes = self.value_bytes.max(each);
    }
}

/// The content of a page header.
#[derive(Debug, PartialEq, Eq)]
struct Page {
    is_dictionary: bool,
    bytes: u64,
    stored_bytes: u64,
    values: u64,
    header_bytes: u64,
}

impl Page {
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut thrift = Thrift { rest: bytes };
        let (mut kind, mut page_bytes, mut stored_bytes, mut values) = (0, 0, 0, 0);
        thrift.members(|thrift, of, id| {
            match (id, of) {
                (TYPE, 4..=6) => kind = thrift.number()?,
                (BYTES, 4..=6) => page_bytes = u64::try_from(thrift.number()?).ok()?,
                (STORED_BYTES, 4..=6) => stored_bytes = u64::try_from(thrift.number()?).ok()?,
                (id, STRUCT) if OF_TYPE.contains(&id) => {
                    thrift.members(|thrift, of, id| match (id, of) {
                        (1, 4..=6) => {
                            values = u64::try_from(thrift.number()?).ok()?;
                            Some(())
                        }
                        _ => thrift.skip(of),
                    })?;
                }
                _ => thrift.skip(of)?,
            }
            Some(())
        })?;
        let header_bytes = (bytes.len() - thrift.rest.len()) as u64;
        let is_dictionary = kind == DICTIONARY;
        Some(Self { is_dictionary, bytes: page_bytes, stored_bytes, values, header_bytes })
    }
}

impl GroupScan {
    /// A scan of the columns of a group. `wanted` chooses them by their index among the leaves.
    pub fn new(group: &RowGroupMetaData, wanted: impl Fn(usize) -> bool) -> Self {
        let rows = u64::try_from(group.num_rows()).unwrap_or_default();
        let columns = group.columns().iter().enumerate().filter(|(at, _)| wanted(*at));
        let columns: Vec<_> = columns.map(|(_, column)| ColumnPages::of(column, rows)).collect();
        let (header_bytes, _) = HEADER_BYTES;
        let (columns, weight) = (columns.into_iter(), GroupWeight::default());
        Self { columns, open: None, header_bytes, weight }
    }

    /// The range of the file to pass to [`GroupScan::take`] next; `None` after the last.
    ///
    /// # Errors
    /// The rows or pages are too large to be read; the text says which.
    pub fn wants(&mut self) -> Result<Option<Range<u64>>, String> {
        loop {
            let Some(column) = &self.open else {
                self.open = self.columns.next();
                if self.open.is_none() {
                    return Ok(None);
                }
                continue;
            };
            let Range { start, end } = column.pages;
            if start < end {
                return Ok(Some(start..end.min(start.saturating_add(self.header_bytes))));
            }
            self.close()?;
        }
    }

    /// Takes the bytes of that range.
    ///
    /// # Errors
    /// They are not a page header; the text names the column.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), String> {
        let Some(column) = &mut self.open else { return Ok(()) };
        let (at_first, at_most) = HEADER_BYTES;
        let left = column.pages.end.saturating_sub(column.pages.start);
        match Page::read(bytes) {
            Some(page) => {
                column.add(&page);
                let length = page.header_bytes.saturating_add(page.stored_bytes);
                column.pages.start = column.pages.start.saturating_add(length);
                self.header_bytes = at_first;
            }
            None if self.header_bytes < left.min(at_most) => self.header_bytes *= 16,
            None => {
                return Err(format!("the pages of its column {} are damaged", column.name));
            }
        }
        Ok(())
    }

    /// Adds a column to the weight once all of its pages were seen.
    fn close(&mut self) -> Result<(), String> {
        let Some(column) = self.open.take() else { return Ok(()) };
        if column.row_values > ROW_VALUES_MAX {
            return Err(format!(
                "its column {} has about {} values in a row; at most {ROW_VALUES_MAX} are read",
                column.name, column.row_values
            ));
        }
        let row_bytes = column.row_values.saturating_mul(column.value_bytes + VALUE_BYTES);
        self.weight.row_bytes = self.weight.row_bytes.saturating_add(row_bytes);
        let pages = column.dictionary_bytes.saturating_add(column.page_bytes);
        self.weight.pages_bytes = self.weight.pages_bytes.saturating_add(pages);
        if self.weight.pages_bytes > PAGES_BYTES_MAX {
            return Err(format!(
                "a page of each of its columns takes more than {} MiB together; write it with smaller pages",
                PAGES_BYTES_MAX >> 20
            ));
        }
        Ok(())
    }

    /// The weight, complete once [`GroupScan::wants`] returns `None`.
    pub fn weight(&self) -> GroupWeight {
        self.weight
    }
}

#[cfg(test)]
#[path = "pages_tests.rs"]
mod tests;
