//! Partials: the rows of `partial.sql`, computed or as a data file carries them.

use std::ops::Bound;
use std::sync::{Arc, LazyLock};

use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Decimal128Type, Field, Schema};
use futures::{Stream, StreamExt as _};
use sha2::{Digest as _, Sha256};

use super::columns::Columns;
use super::queries::{MONEY_SCALE, PARTIAL};
use super::{Engine, SqlError};
use crate::archive::{ArchiveError, CellReader, CheckedObject, DataFile};
use crate::clock::Micros;

/// What is stored of sums is used only where this matches: a hash of the query without comments.
static SQL_VERSION: LazyLock<Arc<str>> = LazyLock::new(|| {
    let code = PARTIAL.text.lines().filter(|line| !line.trim_start().starts_with("--"));
    let code: Vec<_> = code.flat_map(str::split_whitespace).chain([MEANING]).collect();
    let hash = Sha256::digest(code.join(" "));
    hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>().into()
});

/// To be changed where the same query comes to mean another thing, as by another `lower` or
/// another sense of the cells of a checkpoint.
const MEANING: &str = "1";

/// Decimals of up to this many digits are stored in 8 bytes.
const SHORT_DIGITS: u8 = 18;

/// The version of `partial.sql`.
pub fn sql_version() -> Arc<str> {
    SQL_VERSION.clone()
}

/// A row of `partial.sql`. Money is in units of 10⁻¹² dollars.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartialRow {
    /// As stored.
    pub org_id: Arc<str>,
    /// Lower case; `None` where unknown.
    pub provider: Option<Arc<str>>,
    /// Lower case; `None` where unknown.
    pub model: Option<Arc<str>>,
    /// The start of the hour.
    pub hour: Micros,
    /// Events.
    pub requests: u64,
    /// LLM tokens.
    pub input_tokens: i128,
    /// LLM tokens.
    pub output_tokens: i128,
    /// LLM tokens.
    pub cached_input_tokens: i128,
    /// LLM tokens.
    pub cache_write_tokens: i128,
    /// LLM tokens.
    pub reasoning_tokens: i128,
    /// Of the priced events.
    pub cost: i128,
    /// Events without a price.
    pub unpriced: u64,
    /// The latest event.
    pub last_ts: Micros,
}

impl Engine {
    /// Runs `partial.sql` over one file.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the file.
    pub async fn partial(&self, file: &Arc<DataFile>) -> Result<Vec<PartialRow>, SqlError> {
        partial_rows(&self.run(&PARTIAL, std::slice::from_ref(file), Vec::new()).await?)
    }

    /// Runs `partial.sql` over rows that are about to become a file, in pieces. The result is in a form to be
    /// stored; it is empty where nothing counts.
    ///
    /// # Errors
    /// [`SqlError::Query`] only, for a defect.
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

    /// The partial that a file carries, or that of one organisation alone.
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
            // Whoever wrote it did not write what the version says.
            SqlError::Query { reason, .. } => ArchiveError::corrupt(path, reason).into(),
            other => other,
        })
    }

    /// As [`Engine::stored_partial`] of a range of organisations, piece by piece.
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

/// Sums that fit into 18 digits, as decimals of 18.
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

/// Reads cells, whether the query made them just now or they were stored.
///
/// # Errors
/// [`SqlError::Query`], if they are not as described.
pub fn partial_rows(batches: &[RecordBatch]) -> Result<Vec<PartialRow>, SqlError> {
    let mut rows = Vec::with_capacity(batches.iter().map(RecordBatch::num_rows).sum());
    for batch in batches {
        rows.extend(rows_of(&Columns { query: &PARTIAL, batch })?);
    }
    Ok(rows)
}

fn rows_of(columns: &Columns<'_>) -> Result<Vec<PartialRow>, SqlError> {
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
    let mut costs = sums("cost_usd", MONEY_SCALE)?;
    let mut unpriced = columns.counts("unpriced")?.into_iter();
    let mut last = columns.times("last_ts")?.into_iter();
    // All columns of a batch are of one length, so they end together.
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
