//! Rows of several batches, put together in a given order.

use std::ops::Range;

use arrow::array::{
    Array as _, ArrayData, ArrayRef, AsArray as _, Capacities, MutableArrayData, RecordBatch,
    make_array,
};
use arrow::compute::interleave_record_batch;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

use crate::archive::error::ArchiveError;

/// A row of one of several batches.
#[derive(Debug, Clone, Copy)]
pub struct RowPlace {
    /// The index of the batch.
    pub batch: u32,
    /// The index of the row in the batch.
    pub row: u32,
}

/// If runs have this many rows on average, as in events that were sorted piece by piece, each run
/// is copied in one go. Otherwise rows are copied one by one.
const RUN_ROWS: usize = 8;

/// Rows that follow each other in one batch.
#[derive(Debug, PartialEq, Eq)]
struct Run {
    batch: usize,
    rows: Range<usize>,
}

/// The rows at these places, in this order. CPU-bound, in proportion to the rows.
///
/// # Errors
/// Internal, if a place has no row, or if there are more rows than one batch can hold.
pub fn gather_rows(
    batches: &[RecordBatch],
    places: &[RowPlace],
) -> Result<RecordBatch, ArchiveError> {
    // Only the batches that have such a row, renumbered.
    let (mut used, mut numbers) = (Vec::new(), vec![None; batches.len()]);
    let mut rows = Vec::with_capacity(places.len());
    for place in places {
        let (at, row) = (place.batch as usize, place.row as usize);
        let number = numbers.get_mut(at).ok_or_else(defect)?;
        let batch = batches.get(at).filter(|batch| row < batch.num_rows()).ok_or_else(defect)?;
        let number = *number.get_or_insert_with(|| {
            used.push(batch);
            used.len() - 1
        });
        rows.push((number, row));
    }
    let runs = runs_of(&rows);
    let gathered = match used.first() {
        Some(first) if runs.len() * RUN_ROWS <= rows.len() => {
            let columns = (0..first.num_columns()).map(|column| copy(&used, column, &runs));
            let columns = columns.collect::<Result<Vec<_>, _>>();
            columns.and_then(|columns| RecordBatch::try_new(first.schema(), columns))
        }
        _ => interleave_record_batch(&used, &rows),
    };
    gathered.map_err(|error| ArchiveError::internal("sorting rows", error))
}

fn runs_of(rows: &[(usize, usize)]) -> Vec<Run> {
    let mut runs = Vec::<Run>::new();
    for (batch, row) in rows {
        match runs.last_mut().filter(|run| run.batch == *batch && run.rows.end == *row) {
            Some(run) => run.rows.end += 1,
            None => runs.push(Run { batch: *batch, rows: *row..*row + 1 }),
        }
    }
    runs
}

fn copy(batches: &[&RecordBatch], column: usize, runs: &[Run]) -> Result<ArrayRef, ArrowError> {
    let columns: Vec<_> = batches.iter().map(|batch| batch.column(column)).collect();
    let bytes = |run: &Run| {
        let offsets = columns.get(run.batch)?.as_string_opt::<i32>()?.value_offsets();
        usize::try_from(offsets.get(run.rows.end)? - offsets.get(run.rows.start)?).ok()
    };
    let count = runs.iter().map(|run| run.rows.len()).sum();
    let room = match columns.first().map(|column| column.data_type()) {
        Some(DataType::Utf8) => Capacities::Binary(count, runs.iter().map(bytes).sum()),
        _ => Capacities::Array(count),
    };
    let data: Vec<ArrayData> = columns.iter().map(|column| column.to_data()).collect();
    let mut copied = MutableArrayData::with_capacities(data.iter().collect(), false, room);
    for Run { batch, rows } in runs {
        copied.try_extend(*batch, rows.start, rows.end)?;
    }
    Ok(make_array(copied.freeze()))
}

fn defect() -> ArchiveError {
    ArchiveError::internal("sorting rows", "a row is in no batch")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::{EventBatchBuilder, OrgRule};
    use crate::ingest;

    fn batch(ids: Range<u32>) -> RecordBatch {
        let mut builder = EventBatchBuilder::new(OrgRule::Own, 1_770_000_000_000_000);
        for id in ids {
            let model = if id % 3 == 0 { "null".to_owned() } else { format!("\"m{id}\"") };
            let line = format!(
                r#"{{"event_id":"{id}","org_id":"o","ts":{},"model":{model},"cost_usd":{id},"a":"{id}"}}"#,
                1_769_000_000 + id
            );
            builder.push(0, &ingest::fields(&line).unwrap());
        }
        builder.finish().unwrap().batch.record_batch().clone()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]
        #[test]
        fn rows_that_are_copied_together_are_those_copied_alone(
            runs in prop::collection::vec((0..3_u32, 0..40_u32, 1..40_u32), 0..8),
        ) {
            let batches = [batch(0..40), batch(100..140), batch(0..80)];
            let places: Vec<_> = runs.into_iter().flat_map(|(batch, start, count)| {
                let end = (start + count).min(40);
                (start..end).map(move |row| RowPlace { batch, row })
            }).collect();
            let rows: Vec<_> =
                places.iter().map(|place| (place.batch as usize, place.row as usize)).collect();
            let expected = interleave_record_batch(&batches.each_ref(), &rows);
            match expected {
                Ok(expected) if !places.is_empty() => {
                    prop_assert_eq!(gather_rows(&batches, &places).unwrap(), expected.clone());
                    let columns: Vec<_> = (0..expected.num_columns())
                        .map(|column| copy(&batches.each_ref(), column, &runs_of(&rows)).unwrap())
                        .collect();
                    prop_assert_eq!(columns, expected.columns());
                }
                _ => prop_assert!(places.is_empty()),
            }
        }
    }

    #[test]
    fn a_place_without_a_row_is_an_error() {
        for place in [RowPlace { batch: 0, row: 5 }, RowPlace { batch: 1, row: 0 }] {
            assert!(gather_rows(&[batch(0..5)], &[place]).is_err());
        }
    }
}
