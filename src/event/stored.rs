//! Batches of checked events on their way out of memory and back, in Arrow's stream format.
//!
//! What comes back is not checked again, so it must be what was written: whoever stores it sees to
//! that.

use std::io::{Read, Write};

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;

use super::{EventBatch, EventError, schema};

impl EventBatch {
    /// Writes batches, one after the other.
    ///
    /// # Errors
    /// What writing says.
    pub fn store(batches: &[Self], to: impl Write) -> Result<(), EventError> {
        let mut writer = StreamWriter::try_new(to, &schema())?;
        batches.iter().try_for_each(|batch| writer.write(batch.record_batch()))?;
        Ok(writer.finish()?)
    }

    /// Reads what [`EventBatch::store`] wrote.
    ///
    /// # Errors
    /// What reading says, or that it is something else.
    pub fn restore(from: impl Read) -> Result<Vec<Self>, EventError> {
        let batch = |rows: Result<RecordBatch, ArrowError>| {
            let rows = rows?;
            if rows.schema() != schema() {
                return Err(ArrowError::SchemaError("it holds no events".to_owned()).into());
            }
            let indices = (0..).take(rows.num_rows()).collect();
            Ok(Self::new(rows, indices))
        };
        StreamReader::try_new(from, None)?.map(batch).collect()
    }
}
