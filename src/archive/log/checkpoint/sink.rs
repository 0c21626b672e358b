//! The Parquet file of a checkpoint, uploaded while actions are added to it.

use std::sync::Arc;

use arrow::array::RecordBatch;
use object_store::ObjectStore;
use object_store::path::Path;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::columns;
use crate::archive::error::ArchiveError;
use crate::archive::file::file_write::blocking;
use crate::archive::store::upload::Upload;

/// Actions of one row group.
const GROUP_ROWS: usize = 10_000;
/// The encoded size of one row group, about.
const GROUP_BYTES: usize = 8 << 20;

/// A checkpoint in the making.
pub(super) struct Sink {
    writer: ArrowWriter<Vec<u8>>,
    upload: Upload,
    size_bytes: u64,
}

impl Sink {
    /// Begins a checkpoint at `place`.
    ///
    /// # Errors
    /// Internal only.
    pub fn new(store: Arc<dyn ObjectStore>, place: Path) -> Result<Self, ArchiveError> {
        // Options that every reader of Delta supports.
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .build();
        let options =
            ArrowWriterOptions::new().with_skip_arrow_metadata(true).with_properties(properties);
        let writer =
            ArrowWriter::try_new_with_options(Vec::new(), columns::SCHEMA.clone(), options);
        let writer = writer.map_err(|error| internal(&error))?;
        Ok(Self { writer, upload: Upload::new(store, place), size_bytes: 0 })
    }

    /// Adds actions.
    ///
    /// # Errors
    /// Unavailable; nothing is left of the checkpoint then.
    pub async fn add(self, rows: Vec<RecordBatch>) -> Result<Self, ArchiveError> {
        let Self { mut writer, upload, size_bytes } = self;
        let encode = move || {
            for rows in &rows {
                writer.write(rows)?;
                if writer.in_progress_size() >= GROUP_BYTES {
                    writer.flush()?;
                }
            }
            // The encoded bytes are taken out and sent; the writer keeps count of them itself.
            let made = std::mem::take(writer.inner_mut());
            Ok::<_, ParquetError>((writer, made))
        };
        match blocking(move || encode().map_err(|error| internal(&error))).await {
            Ok((writer, made)) => Self { writer, upload, size_bytes }.send(made).await,
            Err(error) => {
                upload.abort().await;
                Err(error)
            }
        }
    }

    /// Ends the checkpoint. Returns its size in bytes.
    ///
    /// # Errors
    /// As [`Sink::add`].
    pub async fn finish(self) -> Result<u64, ArchiveError> {
        let Self { mut writer, mut upload, size_bytes } = self;
        let encode = move || {
            writer.finish().map_err(|error| internal(&error))?;
            Ok(std::mem::take(writer.inner_mut()))
        };
        match blocking(encode).await {
            Ok(made) => {
                upload.add(&made).await?;
                upload.finish().await?;
                Ok(size_bytes + made.len() as u64)
            }
            Err(error) => {
                upload.abort().await;
                Err(error)
            }
        }
    }

    /// Abandons the checkpoint.
    pub async fn abort(self) {
        self.upload.abort().await;
    }

    async fn send(mut self, made: Vec<u8>) -> Result<Self, ArchiveError> {
        self.upload.add(&made).await?;
        self.size_bytes += made.len() as u64;
        Ok(self)
    }
}

fn internal(error: &ParquetError) -> ArchiveError {
    ArchiveError::internal("writing a checkpoint of the log", error)
}
