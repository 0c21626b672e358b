//! Cells: the rows of `partial.sql` or `dimension_cells.sql`, computed from events or read from a data
//! file.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch, StringArray};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Decimal128Type, Field, Schema};
use arrow::error::ArrowError;
use datafusion::logical_expr::{cast as cast_expr, col, lit};

use super::cell_columns::cell_schema;
use super::cell_kind::CellKind;
use super::columns::ResultColumns;
use super::engine::{params_of, query_of};
use super::partial_row::{PartialRow, part_of};
use super::queries::time;
use super::query::PARTIAL;
use super::sums::{FurtherSums, SeriesTotals};
use super::{Engine, SqlError};
use crate::archive::DataFile;
use crate::clock::{HOUR, Micros};

/// Decimals of up to this many digits are stored in 8 bytes.
const SHORT_DIGITS: u8 = 18;

impl Engine {
    /// Makes the cells of one file.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the file.
    pub async fn cells(
        &self,
        kind: &CellKind,
        file: &Arc<DataFile>,
    ) -> Result<Vec<PartialRow>, SqlError> {
        let files = std::slice::from_ref(file);
        let cells = self.run(query_of(kind), files, params_of(kind)).await?;
        let named = cells.iter().map(|cells| named(kind, cells)).collect::<Result<Vec<_>, _>>();
        partial_rows(&named.map_err(|error| wrong(kind, &error))?)
    }

    /// Makes the cells of one organisation's events in a file with `from ≤ ts < to` that are in the
    /// first `head` of their hour.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the file.
    pub async fn cells_of_heads(
        &self,
        kind: &CellKind,
        file: &Arc<DataFile>,
        org_id: &str,
        (from, to): (Micros, Micros),
        head: Micros,
    ) -> Result<Vec<PartialRow>, SqlError> {
        let own = col("org_id").eq(lit(org_id));
        let span = col("ts").gt_eq(lit(time(from))).and(col("ts").lt(lit(time(to))));
        let mut own = own.and(span);
        if to - from > HOUR {
            let in_hour = cast_expr(col("ts"), DataType::Int64) % lit(HOUR);
            own = own.and(in_hour.lt(lit(head)));
        }
        let cells = self.run_over(query_of(kind), file, own, params_of(kind)).await?;
        let named = cells.iter().map(|cells| named(kind, cells)).collect::<Result<Vec<_>, _>>();
        partial_rows(&named.map_err(|error| wrong(kind, &error))?)
    }

    /// Makes the cells of rows that are about to become a file, given in pieces. The result is in the
    /// form in which it is stored. That of the core is empty if the rows contain no calls.
    ///
    /// # Errors
    /// [`SqlError::Query`], only for a defect.
    pub async fn cells_of_rows(
        &self,
        kind: &CellKind,
        rows: &[RecordBatch],
    ) -> Result<Vec<RecordBatch>, SqlError> {
        let cells = self.cells_over_rows(kind, rows).await?;
        let Some(first) = cells.first() else {
            let none = RecordBatch::new_empty(cell_schema(kind));
            let is_core = *kind == CellKind::Core;
            return Ok(if is_core { Vec::new() } else { vec![none] });
        };
        let cells = concat_batches(first.schema_ref(), &cells);
        let stored = cells.and_then(|cells| shorten(&named(kind, &cells)?));
        Ok(vec![stored.map_err(|error| wrong(kind, &error))?])
    }
}

fn wrong(kind: &CellKind, error: &ArrowError) -> SqlError {
    SqlError::Query { query: query_of(kind).name, reason: error.to_string() }
}

/// The cells with the name of the part of an organisation in the place of organisation and value.
fn named(kind: &CellKind, cells: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    if kind.dimension().is_none() {
        return Ok(cells.clone());
    }
    let text = |name: &str| {
        let column = cells.column_by_name(name);
        let column = column.ok_or_else(|| ArrowError::SchemaError(format!("no column {name}")))?;
        Ok::<_, ArrowError>(cast(column, &DataType::Utf8)?.as_string::<i32>().clone())
    };
    let (orgs, values) = (text("org_id")?, text("value")?);
    let parts = orgs.iter().zip(&values);
    let parts =
        parts.map(|(org_id, value)| part_of(org_id.unwrap_or_default(), value.unwrap_or_default()));
    let parts: ArrayRef = Arc::new(StringArray::from_iter_values(parts));
    let columns = cells.schema_ref().fields().iter().zip(cells.columns());
    let columns = columns.filter(|(field, _)| field.name() != "value");
    let columns = columns.map(|(field, column)| match field.name().as_str() {
        "org_id" => (Field::new("org_id", DataType::Utf8, false), parts.clone()),
        _ => (field.as_ref().clone(), column.clone()),
    });
    let (fields, columns): (Vec<_>, Vec<_>) = columns.unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

/// Stores sums that fit into 18 digits as decimals of 18 digits.
pub(super) fn shorten(cells: &RecordBatch) -> Result<RecordBatch, ArrowError> {
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
    let mut orgs = columns.names("org_id")?.into_iter();
    let mut providers = columns.names("provider")?.into_iter();
    let mut models = columns.names("model")?.into_iter();
    let mut hours = columns.times("hour")?.into_iter();
    let mut totals = SeriesTotals::read(columns)?.into_iter();
    let mut last = columns.times("last_ts")?.into_iter();
    // All columns of a batch have the same length, so they end together.
    let row = || {
        Some(PartialRow {
            org_id: orgs.next()?.unwrap_or_default(),
            provider: providers.next()?,
            model: models.next()?,
            hour: hours.next()?,
            totals: totals.next()?,
            last_ts: last.next()?,
        })
    };
    let mut rows: Vec<_> = std::iter::from_fn(row).collect();
    for (row, further) in rows.iter_mut().zip(FurtherSums::in_cells(columns)?) {
        // What is all zero is as what is not there.
        let told = further != FurtherSums::default();
        row.totals.further = told.then(|| Box::new(further));
    }
    Ok(rows)
}
