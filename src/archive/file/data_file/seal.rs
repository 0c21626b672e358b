//! The seal of an action that adds a file: a checksum of the action, which goes with it into
//! checkpoints of the log.
//!
//! A log entry has its own checksum. A checkpoint, which other programs may write, has none: one
//! flipped bit in a bound, a date or a number of rows would make sums smaller without an error.
//! Statistics are sealed separately, by the values that are read from them, because other programs
//! may write them in another form or leave them out.

use std::fmt::Write as _;

use deltalake_core::kernel::Add;

use super::tags::{ORG, TAG_CHECKSUMS, TAG_IDS, TAG_PARTIAL, TIME};
use crate::archive::chain::parse_crc32;
use crate::archive::file::stats::Stats;
use crate::archive::paths;

/// The seal of an action: the checksum of everything but the statistics, the number of rows, and
/// the checksum of the bounds.
pub(super) fn make(add: &Add, stats: &Stats) -> String {
    let rest = format!("{} {:08x}", rows_text(stats.num_records), crc32fast::hash(&bounds(stats)));
    format!("{:08x} {rest}", crc32fast::hash(&sealed(add, &rest)))
}

/// The trusted statistics of a sealed action: without bounds, if these are not what was sealed.
/// `None` if anything else differs from what was sealed.
pub(super) fn check(seal: &str, add: &Add, stats: Stats) -> Option<Stats> {
    let (crc32, rest) = seal.split_once(' ')?;
    if parse_crc32(crc32)? != crc32fast::hash(&sealed(add, rest)) {
        return None;
    }
    let (rows, of_bounds) = rest.split_once(' ')?;
    let num_records = match rows {
        "-" => None,
        rows => Some(rows.parse().ok()?),
    };
    let intact = parse_crc32(of_bounds)? == crc32fast::hash(&bounds(&stats));
    let believed = if intact { stats } else { Stats::default() };
    Some(Stats { num_records, ..believed })
}

/// The bytes that the first checksum covers. `rest` is the seal without that checksum.
fn sealed(add: &Add, rest: &str) -> Vec<u8> {
    let date = add.partition_values.get(paths::PARTITION).and_then(Option::as_deref);
    let mut text = format!("{}\n{}\n{}\n{rest}", add.path, date.unwrap_or_default(), add.size);
    for name in [TAG_CHECKSUMS, TAG_IDS, TAG_PARTIAL] {
        let tag = add.tags.as_ref().and_then(|tags| tags.get(name)?.as_deref());
        // Writing to a string does not fail.
        let _ = write!(text, "\n{}", tag.unwrap_or("-"));
    }
    text.into_bytes()
}

fn bounds(stats: &Stats) -> Vec<u8> {
    format!("{:?} {:?}", stats.text_bounds(ORG), stats.time_bounds(TIME)).into_bytes()
}

fn rows_text(rows: Option<u64>) -> String {
    rows.map_or_else(|| "-".to_owned(), |rows| rows.to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::archive::file::data_file::DataFile;
    use crate::archive::file::data_file::TAG_SEAL;

    const STATS: &str = r#"{"numRecords":2,"minValues":{"org_id":"b","ts":"2026-01-02T00:00:00Z"},
        "maxValues":{"org_id":"d","ts":"2026-01-02T01:00:00Z"}}"#;

    fn sealed_add() -> Add {
        let mut add = Add {
            path: "event_date=2026-01-02/x.parquet".into(),
            partition_values: HashMap::from([("event_date".into(), Some("2026-01-02".into()))]),
            size: 3,
            tags: Some(HashMap::from([(TAG_IDS.to_owned(), Some("ids".to_owned()))])),
            stats: Some(STATS.to_owned()),
            ..Add::default()
        };
        let seal = make(&add, &Stats::parse(STATS));
        add.tags.get_or_insert_default().insert(TAG_SEAL.to_owned(), Some(seal));
        add
    }

    #[test]
    fn what_is_not_as_it_was_sealed_is_damage() {
        assert!(DataFile::from_add(&sealed_add()).is_ok());
        type Change = fn(&mut Add);
        let changes: [Change; 5] = [
            |add| add.path = "event_date=2026-01-02/y.parquet".into(),
            |add| {
                add.path = "event_date=2026-01-03/x.parquet".into();
                add.partition_values.insert("event_date".into(), Some("2026-01-03".into()));
            },
            |add| add.size = 4,
            |add| drop(add.tags.as_mut().unwrap().insert(TAG_IDS.into(), Some("idt".into()))),
            |add| {
                let seal = add.tags.as_mut().unwrap().get_mut(TAG_SEAL).unwrap().as_mut().unwrap();
                *seal = seal.replace(" 2 ", " 3 ");
            },
        ];
        for change in changes {
            let mut add = sealed_add();
            change(&mut add);
            assert!(DataFile::from_add(&add).is_err(), "{add:?}");
        }
    }

    #[test]
    fn bounds_that_are_not_as_they_were_sealed_bound_nothing() {
        let stats = [Some(STATS.replace("\"b\"", "\"c\"")), None];
        for stats in stats {
            let file = DataFile::from_add(&Add { stats, ..sealed_add() }).unwrap();
            assert!(file.may_hold_org("a") && file.time_bounds().is_none());
            assert_eq!(file.rows, Some(2));
        }
        let file = DataFile::from_add(&sealed_add()).unwrap();
        assert!(!file.may_hold_org("a") && file.time_bounds().is_some());
    }

    #[test]
    fn a_path_of_another_date_is_damage() {
        let add =
            Add { path: "event_date=2026-01-03/x.parquet".into(), tags: None, ..sealed_add() };
        let error = DataFile::from_add(&add).unwrap_err().to_string();
        assert!(error.contains("another date"), "{error}");
    }
}
