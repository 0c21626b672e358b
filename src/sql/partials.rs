//! Partials: the rows of `partial.sql`, computed from events or read from a data file.

use std::ops::Bound;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Decimal128Type, Field, Schema};
use futures::{Stream, StreamExt as _};

use super::columns::ResultColumns;
use super::partial_row::PartialRow;
use super::query::PARTIAL;
use super::{Engine, SqlError};
use crate::archive::{ArchiveError, CellReader, CheckedObject, DataFile};
use crate::event::money;

/// Decimals of up to this many digits are stored in 8 bytes.
const SHORT_DIGITS: u8 = 18;

impl Engine {
    /// Runs `partial.sql` over one file.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the file.
    pub async fn partial(&self, file: &Arc<DataFile>) -> Result<Vec<PartialRow>, SqlError> {
        partial_rows(&self.run(&PARTIAL, std::slice::from_ref(file), Vec::new()).await?)
    }

    /// Runs `partial.sql` over rows that are about to become a file, given in pieces. The result is
    /// in the form in which it is stored. It is empty if the rows contain no calls.
    ///
    /// # Errors
    /// [`SqlError::Query`], only for a defect.
    pub async fn partial_of_rows(
        &self,
        rows: &[RecordBatch],
    ) -> Result<Vec<RecordBatch>, SqlError> {
        let cells = self.partial_over_rows(rows).await?;
        let Some(first) = cells.first() else { return Ok(Vec::new()) };
        let wrong = |error: arrow::error::ArrowError| SqlError::Query {
            query: PARTIAL.name,
            reason: error.to_string(),
        };
        let cells = concat_batches(first.schema_ref(), &cells).map_err(wrong)?;
        Ok(vec![shorten(&cells).map_err(wrong)?])
    }

    /// The partial that a file carries, of all organisations or of one.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the file.
    pub async fn stored_partial(
        &self,
        stored: CheckedObject,
        org_id: Option<&str>,
    ) -> Result<Vec<PartialRow>, SqlError> {
        let orgs = match org_id {
            Some(org_id) => (Bound::Included(org_id), Bound::Included(org_id)),
            None => (Bound::Unbounded, Bound::Unbounded),
        };
        let path = stored.path().to_string();
        let cells = CellReader::read_all(self.store(), stored, orgs).await?;
        partial_rows(&cells).map_err(|error| match error {
            // The file's writer did not write what its SQL version says.
            SqlError::Query { reason, .. } => ArchiveError::corrupt(path, reason).into(),
            other => other,
        })
    }

    /// As [`Engine::stored_partial`] for a range of organisations, piece by piece.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the file, now or from the stream.
    pub async fn stored_pieces(
        &self,
        stored: CheckedObject,
        orgs: (Bound<&str>, Bound<&str>),
    ) -> Result<impl Stream<Item = Result<Vec<PartialRow>, SqlError>>, SqlError> {
        let cells = CellReader::open(self.store(), stored).await?;
        Ok(cells.of_orgs(orgs)?.map(|cells| partial_rows(&[cells?])))
    }
}

/// Stores sums that fit into 18 digits as decimals of 18 digits.
fn shorten(cells: &RecordBatch) -> Result<RecordBatch, arrow::error::ArrowError> {
    let short = |column: &ArrayRef| {
        let DataType::Decimal128(_, scale) = column.data_type() else { return Ok(column.clone()) };
        let limit = 10_i128.pow(u32::from(SHORT_DIGITS));
        let sums = column.as_primitive::<Decimal128Type>();
        if sums.iter().flatten().any(|sum| sum <= -limit || sum >= limit) {
            return Ok(column.clone());
        }
        cast(column, &DataType::Decimal128(SHORT_DIGITS, *scale))
    };
    let columns = cells.columns().iter().map(short).collect::<Result<Vec<_>, _>>()?;
    let fields = cells.schema_ref().fields().iter().zip(&columns);
    let fields = fields.map(|(field, column)| {
        Field::new(field.name(), column.data_type().clone(), field.is_nullable())
    });
    RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns)
}

/// Converts cells to rows, whether they were just computed or stored.
///
/// # Errors
/// [`SqlError::Query`], if they are not as described.
pub fn partial_rows(batches: &[RecordBatch]) -> Result<Vec<PartialRow>, SqlError> {
    let mut rows = Vec::with_capacity(batches.iter().map(RecordBatch::num_rows).sum());
    for batch in batches {
        rows.extend(rows_of(&ResultColumns { query: &PARTIAL, batch })?);
    }
    Ok(rows)
}

fn rows_of(columns: &ResultColumns<'_>) -> Result<Vec<PartialRow>, SqlError> {
    let sums = |name, scale| columns.sums(name, scale).map(Vec::into_iter);
    let mut orgs = columns.names("org_id")?.into_iter();
    let mut providers = columns.names("provider")?.into_iter();
    let mut models = columns.names("model")?.into_iter();
    let mut hours = columns.times("hour")?.into_iter();
    let mut requests = columns.counts("requests")?.into_iter();
    let mut input = sums("input_tokens", 0)?;
    let mut output = sums("output_tokens", 0)?;
    let mut cached_input = sums("cached_input_tokens", 0)?;
    let mut cache_write = sums("cache_write_tokens", 0)?;
    let mut reasoning = sums("reasoning_tokens", 0)?;
    let mut costs = sums("cost_usd", money::PLACES)?;
    let mut unpriced = columns.counts("unpriced")?.into_iter();
    let mut last = columns.times("last_ts")?.into_iter();
    // All columns of a batch have the same length, so they end together.
    let row = || {
        Some(PartialRow {
            org_id: orgs.next()?.unwrap_or_default(),
            provider: providers.next()?,
            model: models.next()?,
            hour: hours.next()?,
            requests: requests.next()?,
            input_tokens: input.next()?,
            output_tokens: output.next()?,
            cached_input_tokens: cached_input.next()?,
            cache_write_tokens: cache_write.next()?,
            reasoning_tokens: reasoning.next()?,
            cost: costs.next()?,
            unpriced: unpriced.next()?,
            last_ts: last.next()?,
        })
    };
    Ok(std::iter::from_fn(row).collect())
}
