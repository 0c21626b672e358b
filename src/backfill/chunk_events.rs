//! The events of a chunk by date, and within a date by organisation, the order that data files
//! have. Rows that are already adjacent are sorted and copied together later.

use std::collections::BTreeMap;

use arrow::array::{AsArray as _, UInt32Array};
use arrow::datatypes::TimestampMicrosecondType;
use chrono::NaiveDate;

use super::BackfillError;
use crate::archive::{ByOrg, date_of};
use crate::clock::{DAY, Micros};
use crate::event::EventBatch;

/// The events of a chunk.
#[derive(Debug, Default)]
pub(super) struct ChunkEvents {
    /// Events by date. Within a date the events of an organisation are adjacent, in the order in
    /// which they came.
    pub(super) dates: Vec<(NaiveDate, EventBatch)>,
    /// All organisations, in the order of their first rows.
    pub(super) orgs: Vec<String>,
}

/// Splits the events of a chunk.
pub(super) fn split(batch: &EventBatch) -> Result<ChunkEvents, BackfillError> {
    let defect = || BackfillError::Internal("finding the dates of events");
    let rows = batch.record_batch();
    let orgs = rows.column_by_name("org_id").and_then(|column| column.as_string_opt::<i32>());
    let times = rows.column_by_name("ts");
    let times = times.and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>());
    let (orgs, times) = orgs.zip(times).ok_or_else(defect)?;
    let mut dates: BTreeMap<i64, (Micros, ByOrg<'_, Vec<u32>>)> = BTreeMap::new();
    for ((row, ts), org_id) in (0..).zip(times.values()).zip(orgs) {
        let date = dates.entry(ts.div_euclid(DAY)).or_insert_with(|| (*ts, ByOrg::default()));
        date.1.of(org_id.ok_or_else(defect)?).push(row);
    }
    let mut split = ChunkEvents::default();
    let mut first_rows: BTreeMap<&str, u32> = BTreeMap::new();
    for (ts, orgs) in dates.into_values() {
        let (day, orgs) = (date_of(ts).ok_or_else(defect)?, orgs.into_sorted());
        for (org_id, rows) in &orgs {
            let row = rows.first().copied().unwrap_or_default();
            first_rows.entry(org_id).and_modify(|first| *first = row.min(*first)).or_insert(row);
        }
        let sorted: Vec<u32> = orgs.into_iter().flat_map(|(_, rows)| rows).collect();
        let as_it_is = sorted.len() == batch.len() && sorted.is_sorted();
        let part = if as_it_is { batch.clone() } else { batch.take(&UInt32Array::from(sorted))? };
        split.dates.push((day, part));
    }
    let mut orgs: Vec<_> = first_rows.into_iter().collect();
    orgs.sort_by_key(|(_, row)| *row);
    split.orgs = orgs.into_iter().map(|(org_id, _)| org_id.to_owned()).collect();
    Ok(split)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{EventBatchBuilder, OrgRule};
    use crate::ingest;

    fn batch(events: &[(&str, i64)]) -> EventBatch {
        let mut builder = EventBatchBuilder::new(OrgRule::Own, 1_770_000_000_000_000);
        for (index, (org_id, ts)) in events.iter().enumerate() {
            let line = format!(r#"{{"event_id":"{index}","org_id":"{org_id}","ts":{ts}}}"#);
            builder.push(index, &ingest::fields(&line).unwrap());
        }
        builder.finish().unwrap().batch
    }

    #[test]
    fn events_stand_by_date_and_organisation_in_their_order() {
        const DAY_SECONDS: i64 = 86_400;
        let day = 1_768_953_600;
        let (next, before) = (day + DAY_SECONDS, day - 1);
        let events = [
            ("b", day + 9),
            ("a", next),
            ("a", day + 5),
            ("b", day + 3),
            ("a", day),
            ("c", before),
        ];
        let found = split(&batch(&events)).unwrap();
        let places: Vec<_> =
            found.dates.iter().map(|(date, rows)| (date.to_string(), rows.indices())).collect();
        let expected: [(String, &[u32]); 3] = [
            ("2026-01-20".to_owned(), &[5]),
            ("2026-01-21".to_owned(), &[2, 4, 0, 3]),
            ("2026-01-22".to_owned(), &[1]),
        ];
        assert_eq!(places, expected);
        assert_eq!(found.orgs, ["b", "a", "c"], "in the order of their first rows");
        assert!(split(&batch(&[])).unwrap().dates.is_empty());
    }
}
