//! Partials of new files, made while the rows are at hand.

use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use bytes::Bytes;

use super::plain::Plain;
use crate::archive::error::ArchiveError;
use crate::archive::parquet::cells::CellWriter;

/// Makes the partial of a file's rows: what it adds to every organisation's usage. The archive
/// does not know what is in it, only that rows come sorted by `org_id`.
#[async_trait]
pub trait PartialMaker: std::fmt::Debug + Send + Sync {
    /// Names the SQL that makes the partials. A partial made by another is never used.
    fn sql_version(&self) -> Arc<str>;

    /// The partial of the rows of a new file, which come in pieces; `path` is the file's, relative
    /// to the table.
    ///
    /// # Errors
    /// A defect: a file without a partial costs those who read it time, and nothing else.
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
    /// What of the rows it tells without loss.
    pub plain: Plain,
}

impl NewPartial {
    /// The partial of the rows of the new file `path`, if one can be made.
    pub async fn make(
        maker: Arc<dyn PartialMaker>,
        path: &str,
        rows: Vec<RecordBatch>,
    ) -> Option<Self> {
        // In a task of its own: not even a panic of it is the commit's.
        let (sql_version, of, made_of) = (maker.sql_version(), path.to_owned(), rows.clone());
        let cells = tokio::spawn(async move { maker.make(&of, made_of).await }).await;
        let cells = cells.unwrap_or_else(|error| Err(error.into()));
        let cells = cells
            .inspect_err(|error| tracing::warn!(%error, path, "a data file goes without a partial"))
            .ok()?;
        let bytes = encode(&cells);
        let bytes = bytes
            .inspect_err(|error| tracing::warn!(%error, path, "a data file goes without a partial"))
            .ok()??;
        Some(Self { bytes, sql_version, plain: Plain::of(&rows, &cells) })
    }
}

fn encode(cells: &[RecordBatch]) -> Result<Option<Bytes>, ArchiveError> {
    let Some(first) = cells.first() else { return Ok(None) };
    let mut writer = CellWriter::new(first.schema())?;
    cells.iter().try_for_each(|cells| writer.write(cells))?;
    writer.finish().map(Some)
}
