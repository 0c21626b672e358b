//! Mutated log entries, tags, paths and addresses: reading them never panics.

use bytes::Bytes;
use object_store::path::Path;

use crate::archive::file::ids::{EventHash, IdFilter, IdHasher};
use crate::archive::file::lossless::LosslessColumns;
use crate::archive::log::entry;
use crate::archive::parquet::checksums::Checksums;
use crate::archive::paths;
use crate::archive::store::location::ArchiveLocation;
use crate::mutation_tests::{each, each_of};

#[test]
fn entries_of_the_log_are_read_or_refused() {
    each("log-entry", 400, |bytes| {
        let read = entry::read(7, &Bytes::copy_from_slice(bytes));
        if let Err(error) = read {
            assert!(error.to_string().contains("00000000000000000007.json"), "{error}");
        }
    });
}

#[test]
fn tags_are_read_or_refused() {
    let hasher = IdHasher::new([7; 16]);
    let ids: Vec<EventHash> = (0..100).map(|id| hasher.hash("acme", &id.to_string())).collect();
    let filter = IdFilter::of(&ids).unwrap().to_text().into_bytes();
    let checksums = Checksums::of(&vec![b'x'; 200_000]).to_text().into_bytes();
    each_of("text", vec![filter, checksums, b"cpm".to_vec()], 400, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        if let Some(filter) = IdFilter::from_text(&text) {
            assert!(ids.iter().filter(|id| filter.may_hold(**id)).count() <= ids.len());
        }
        if let Some(checksums) = Checksums::from_text(&text) {
            let _ = checksums.verify(0, bytes);
            let _ = checksums.verify(u64::MAX, bytes);
        }
        let _ = LosslessColumns::from_text(&text).to_text();
    });
}

#[test]
fn paths_and_addresses_are_read_or_refused() {
    each("text", 1_000, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let _ = ArchiveLocation::parse(&text);
        let _ = paths::parse_date(&text);
        for path in [Path::from(text.as_ref()), Path::parse(&text).unwrap_or_default()] {
            let _ = paths::is_data_file(&path);
            let _ = paths::is_date_folder(&path);
            let _ = paths::access_key_hash(&path);
            let _ = paths::totals_mark_version(&path);
            let _ = paths::totals_version(&path);
        }
        let _ = paths::in_archive(&text);
    });
}
