use std::borrow::Cow;

use super::*;
use crate::event::{EventBatchBuilder, FieldValue, OrgRule};

fn batch(rows: usize) -> EventBatch {
    let mut builder = EventBatchBuilder::new(OrgRule::Own, 1_770_000_000_000_000);
    for row in 0..rows {
        let text = |text: String| FieldValue::Text(Cow::Owned(text));
        builder.push(
            row,
            &[
                ("event_id".into(), text(row.to_string())),
                ("org_id".into(), text("acme".into())),
                ("ts".into(), FieldValue::Number("1769000000".into())),
            ],
        );
    }
    builder.finish().unwrap().batch
}

fn bytes(batch: &EventBatch) -> usize {
    batch.record_batch().get_array_memory_size()
}

fn date(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, day).unwrap()
}

fn rows(load: Option<Load>) -> usize {
    load.map_or(0, |load| load.batches.iter().map(EventBatch::len).sum())
}

#[test]
fn full_dates_go_first_and_small_ones_together() {
    let (small, large) = (batch(100), batch(6_000));
    let mut held = HeldRows::new(bytes(&large) * 2 * COMMIT_SHARE);
    for day in 1..=20 {
        held.add(date(day), small.clone(), 0);
    }
    assert!(held.take(Need::Full).is_none());
    held.add(date(3), large.clone(), 0);
    assert!(held.take(Need::Full).is_none());
    held.add(date(3), large, 0);
    assert_eq!(rows(held.take(Need::Full)), 12_100);
    assert_eq!(rows(held.take(Need::All)), 1_900);
    assert!(held.take(Need::All).is_none());
    assert_eq!((held.bytes, held.is_empty()), (0, true));
}

#[test]
fn dates_that_are_complete_go_before_those_that_are_not() {
    let one = batch(1_000);
    let mut held = HeldRows::new((bytes(&one) * 3 + 1) * COMMIT_SHARE);
    for day in 1..=4 {
        held.add(date(day), one.clone(), u64::from(day));
        for _ in 0..COLD_CHUNKS {
            held.next_chunk();
        }
    }
    // Together with the fourth, which is cold too by then, they would exceed a commit.
    assert_eq!(held.first(), Some(1));
    held.next_chunk();
    assert_eq!(rows(held.take(Need::Full)), 3_000);
    assert_eq!(held.first(), Some(4));
    assert_eq!(rows(held.take(Need::Room)), 1_000);
    // A few rows are not worth a file.
    held.add(date(9), batch(10), 9);
    for _ in 0..COLD_CHUNKS + 1 {
        held.next_chunk();
    }
    assert_eq!(rows(held.take(Need::Room)), 0);
}

#[test]
fn what_is_unloaded_still_waits() {
    let one = batch(1_000);
    let mut held = HeldRows::new(bytes(&one) * 3 * COMMIT_SHARE);
    held.add(date(1), one.clone(), 5);
    let unloaded = held.unload();
    assert_eq!((unloaded.len(), held.bytes, held.first()), (1, 0, Some(5)));
    held.add(date(1), one.clone(), 6);
    held.add(date(1), one, 7);
    let load = held.take(Need::Full).unwrap();
    assert_eq!((load.batches.len(), load.rows, held.bytes), (2, 3_000, 0));
}
