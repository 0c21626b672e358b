//! The partials of new files, made while the rows are in memory.

use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use bytes::Bytes;

use super::lossless::LosslessColumns;
use crate::archive::error::ArchiveError;
use crate::archive::parquet::cells::CellWriter;

/// Makes the partial of a file: the cells that it adds to the usage of each organisation. The
/// archive does not know what they contain, only that they are sorted by `org_id`.
#[async_trait]
pub trait PartialMaker: std::fmt::Debug + Send + Sync {
    /// The version of the SQL that makes the partials. A partial of another version is never used.
    fn sql_version(&self) -> Arc<str>;

    /// The partial of a new file, whose rows come in pieces. `path` is the file's path, relative to
    /// the table.
    ///
    /// # Errors
    /// Any defect. A file without a partial takes longer to read, and has no other drawback.
    async fn make(
        &self,
        path: &str,
        rows: Vec<RecordBatch>,
    ) -> Result<Vec<RecordBatch>, Box<dyn std::error::Error + Send + Sync>>;
}

/// An encoded partial.
#[derive(Debug)]
pub struct NewPartial {
    /// As [`CellWriter`] writes it.
    pub bytes: Bytes,
    /// The version of the SQL that made it.
    pub sql_version: Arc<str>,
    /// The columns whose values it preserves exactly.
    pub lossless: LosslessColumns,
}

impl NewPartial {
    /// The partial of the rows of the new file `path`, if one can be made.
    pub async fn make(
        maker: Arc<dyn PartialMaker>,
        path: &str,
        rows: Vec<RecordBatch>,
    ) -> Option<Self> {
        // In its own task, so that not even a panic makes the commit fail.
        let (sql_version, of, made_of) = (maker.sql_version(), path.to_owned(), rows.clone());
        let cells = tokio::spawn(async move { maker.make(&of, made_of).await }).await;
        let cells = cells.unwrap_or_else(|error| Err(error.into()));
        let cells = cells
            .inspect_err(|error| tracing::warn!(%error, path, "no partial of a data file was made"))
            .ok()?;
        let bytes = encode(&cells);
        let bytes = bytes
            .inspect_err(|error| tracing::warn!(%error, path, "no partial of a data file was made"))
            .ok()??;
        Some(Self { bytes, sql_version, lossless: LosslessColumns::of(&rows, &cells) })
    }
}

fn encode(cells: &[RecordBatch]) -> Result<Option<Bytes>, ArchiveError> {
    let Some(first) = cells.first() else { return Ok(None) };
    let mut writer = CellWriter::new(first.schema())?;
    cells.iter().try_for_each(|cells| writer.write(cells))?;
    writer.finish().map(Some)
}
