//! The log action that adds a new file of events.

use std::collections::HashMap;

use chrono::NaiveDate;
use deltalake_core::kernel::Add;

use super::tags::{TAG_CELLS, TAG_CHECKSUMS, TAG_IDS, TAG_PARTIAL, TAG_SEAL};
use super::{further, seal};
use crate::archive::file::file_write::EncodedFile;
use crate::archive::file::ids::IdFilter;
use crate::archive::parquet::checksums::Checksums;
use crate::archive::paths;
use crate::clock::Micros;

/// The log action that adds a new file of events.
pub fn add_action(path: &str, date: NaiveDate, file: &EncodedFile, now: Micros) -> Add {
    let checksums = Checksums::of(&file.bytes).to_text();
    let mut tags = HashMap::from([(TAG_CHECKSUMS.to_owned(), Some(checksums))]);
    if let Some(filter) = IdFilter::of(&file.ids) {
        tags.insert(TAG_IDS.to_owned(), Some(filter.to_text()));
    }
    if let Some(partial) = &file.partial {
        tags.insert(TAG_PARTIAL.to_owned(), Some(partial.to_text()));
    }
    if !file.further.is_empty() || file.ingested.is_some() {
        let text = further::to_text(&file.further, file.ingested, path);
        tags.insert(TAG_CELLS.to_owned(), Some(text));
    }
    let mut add = Add {
        path: path.to_owned(),
        partition_values: HashMap::from([(paths::PARTITION.to_owned(), Some(date.to_string()))]),
        size: i64::try_from(file.bytes.len()).unwrap_or(i64::MAX),
        modification_time: now / 1_000,
        data_change: true,
        stats: Some(file.stats.to_text()),
        tags: Some(tags),
        ..Add::default()
    };
    let seal = seal::make(&add, &file.stats);
    add.tags.get_or_insert_default().insert(TAG_SEAL.to_owned(), Some(seal));
    add
}
