//! Rows on their way into the table, by date, so that files are few and large.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use crate::event::EventBatch;

/// Rows of one commit.
pub(super) const COMMIT_ROWS: usize = 256 * 1024;

/// Bytes of one commit, by and large: a column of text ends at 2 GiB.
const COMMIT_BYTES: usize = 512 << 20;

/// Rows of one date.
#[derive(Debug, Default)]
struct Pile {
    batches: Vec<EventBatch>,
    rows: usize,
    bytes: usize,
}

/// All rows that wait.
#[derive(Debug, Default)]
pub(super) struct Held {
    dates: BTreeMap<NaiveDate, Pile>,
    bytes: usize,
}

/// What goes into one commit.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) batches: Vec<EventBatch>,
    pub(super) bytes: usize,
}

impl Held {
    pub(super) fn add(&mut self, date: NaiveDate, batch: EventBatch) {
        let bytes = batch.record_batch().get_array_memory_size();
        let pile = self.dates.entry(date).or_default();
        pile.rows += batch.len();
        pile.bytes += bytes;
        pile.batches.push(batch);
        self.bytes += bytes;
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes a date that fills a commit; or where `more` asks for it, the largest dates until they
    /// do.
    pub(super) fn take(&mut self, more: bool) -> Option<Load> {
        let mut load = Load { batches: Vec::new(), bytes: 0 };
        let mut rows = 0;
        while rows < COMMIT_ROWS && load.bytes < COMMIT_BYTES {
            let largest = self.dates.iter().max_by_key(|(_, pile)| pile.rows);
            let Some((date, pile)) = largest else { break };
            let full = pile.rows >= COMMIT_ROWS || pile.bytes >= COMMIT_BYTES;
            if !full && !more || rows > 0 && rows + pile.rows > COMMIT_ROWS {
                break;
            }
            let date = *date;
            let Some(pile) = self.dates.remove(&date) else { break };
            rows += pile.rows;
            load.bytes += pile.bytes;
            load.batches.extend(pile.batches);
        }
        self.bytes -= load.bytes;
        (rows > 0).then_some(load)
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
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

    fn rows(load: Option<Load>) -> usize {
        load.map_or(0, |load| load.batches.iter().map(EventBatch::len).sum())
    }

    #[test]
    fn full_dates_go_first_and_small_ones_together() {
        let (small, large) = (batch(100), batch(COMMIT_ROWS / 2));
        let date = |day| NaiveDate::from_ymd_opt(2026, 1, day).unwrap();
        let mut held = Held::default();
        for day in 1..=20 {
            held.add(date(day), small.clone());
        }
        assert!(held.take(false).is_none());
        held.add(date(3), large.clone());
        assert!(held.take(false).is_none());
        held.add(date(3), large);
        assert_eq!(rows(held.take(false)), COMMIT_ROWS + 100);
        assert_eq!(rows(held.take(true)), 1_900);
        assert!(held.take(true).is_none());
        assert_eq!(held.bytes(), 0);
    }
}
