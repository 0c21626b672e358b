//! Parquet: batches of rows, as a stream.

use std::fs::File;
use std::sync::Arc;

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::reader::ChunkReader;

use super::{ReadError, Rows, Sink, no_column};
use crate::backfill::Progress;
use crate::backfill::inputs::{Input, Place};
use crate::backfill::source::RemoteFile;

/// Rows at once.
const BATCH_ROWS: usize = 8 * 1024;

pub(super) fn read(
    input: &Input,
    columns: &[String],
    progress: &Arc<Progress>,
    sink: Sink<'_>,
) -> Result<(), ReadError> {
    let read = Read { columns, progress, bytes: input.bytes };
    match &input.place {
        Place::File(path) => read.batches(File::open(path)?, sink),
        Place::Object(objects, object) => {
            read.batches(RemoteFile(objects.clone(), object.clone()), sink)
        }
    }
}

struct Read<'a> {
    columns: &'a [String],
    progress: &'a Progress,
    bytes: u64,
}

impl Read<'_> {
    fn batches(&self, file: impl ChunkReader + 'static, sink: Sink<'_>) -> Result<(), ReadError> {
        let failed = |error: &dyn std::fmt::Display| {
            ReadError::File(format!("it is not a whole Parquet file: {error}"))
        };
        let reader =
            ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| failed(&error))?;
        let names: Vec<_> =
            reader.schema().fields().iter().map(|field| field.name().clone()).collect();
        if let Some(column) = self.columns.iter().find(|column| !names.contains(column)) {
            return Err(no_column(column, &names));
        }
        let total = u64::try_from(reader.metadata().file_metadata().num_rows()).unwrap_or_default();
        let reader = reader.with_batch_size(BATCH_ROWS).build().map_err(|error| failed(&error))?;
        let mut first = 0;
        for batch in reader {
            let batch = batch.map_err(|error| failed(&error))?;
            let rows = batch.num_rows() as u64;
            self.progress.add_bytes(self.share(rows, total));
            if rows > 0 && !sink(first, Rows::Batch(batch)) {
                return Ok(());
            }
            first += rows;
        }
        Ok(())
    }

    /// What the rows take of the file, by and large.
    fn share(&self, rows: u64, total: u64) -> u64 {
        let share = u128::from(self.bytes) * u128::from(rows) / u128::from(total.max(1));
        u64::try_from(share).unwrap_or(self.bytes)
    }
}
