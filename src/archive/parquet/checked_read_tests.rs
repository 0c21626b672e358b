//! Tests of reading with checksums.

use super::*;
use crate::archive::file::data_file::DataFile;
use chrono::NaiveDate;
use object_store::memory::InMemory;
use proptest::prelude::*;

fn reader(content: &[u8], stored: &[u8]) -> CheckedReader {
    let file = DataFile::for_tests(
        "f",
        content.len() as u64,
        NaiveDate::MIN,
        Some(Checksums::of(content)),
    );
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let place = Path::from(file.path_in_archive());
    futures::executor::block_on(store.put(&place, Bytes::copy_from_slice(stored).into())).unwrap();
    CheckedReader::new(store, CheckedObject::of(&file))
}

fn content(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 31 % 251) as u8).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn ranges_come_back_as_stored(len in 1usize..900_000, cuts in prop::collection::vec((0.0..1.0, 0.0..1.0), 1..6)) {
        let content = content(len);
        let at = |part: f64| (part * len as f64) as u64;
        let ranges: Vec<_> = cuts.iter().map(|(a, b): &(f64, f64)| at(a.min(*b))..at(a.max(*b))).collect();
        let mut reader = reader(&content, &content);
        // Later calls partly use blocks that earlier ones held.
        let (first, second) = ranges.split_at(ranges.len() / 2);
        for ranges in [first, second, &ranges] {
            let found = futures::executor::block_on(reader.get_byte_ranges(ranges.to_vec())).unwrap();
            for (range, bytes) in ranges.iter().zip(found) {
                prop_assert_eq!(&bytes[..], &content[range.start as usize..range.end as usize]);
            }
        }
    }

    #[test]
    fn no_flipped_bit_is_read(len in 1usize..400_000, at in 0.0..1.0, bit in 0u8..8) {
        let content = content(len);
        let mut stored = content.clone();
        let at = (at * len as f64) as usize;
        stored[at] ^= 1 << bit;
        let range = at as u64..at as u64 + 1;
        let error = futures::executor::block_on(reader(&content, &stored).get_bytes(range)).unwrap_err();
        prop_assert!(error.to_string().contains("checksum"));
    }
}

#[test]
fn a_cut_file_is_noticed() {
    let content = content(300_000);
    let mut reader = reader(&content, &content[..200_000]);
    assert!(futures::executor::block_on(reader.get_bytes(190_000..210_000)).is_err());
}

#[test]
fn checksums_survive_their_text() {
    let checksums = Checksums::of(&content(200_000));
    assert_eq!(Checksums::from_text(&checksums.to_text()), Some(checksums));
}
