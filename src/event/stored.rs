//! Batches of checked events written to storage and read back, in Arrow's stream format.
//!
//! The events are not checked again when they are read: the caller guarantees that the bytes are
//! unchanged.

use std::io::{Read, Write};

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;

use super::{EventBatch, EventError, schema};

impl EventBatch {
    /// Writes batches in order.
    ///
    /// # Errors
    /// If writing fails.
    pub fn store(batches: &[Self], to: impl Write) -> Result<(), EventError> {
        let mut writer = StreamWriter::try_new(to, &schema())?;
        batches.iter().try_for_each(|batch| writer.write(batch.record_batch()))?;
        Ok(writer.finish()?)
    }

    /// Reads what [`EventBatch::store`] wrote.
    ///
    /// # Errors
    /// If reading fails, or if the input holds no events.
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
