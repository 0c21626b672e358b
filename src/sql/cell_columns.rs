//! Cells that were added up in memory, as the columns of `partial.sql` or `dimension_cells.sql`.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use super::SqlError;
use super::cell_kind::CellKind;
use super::partial_row::PartialRow;
use super::sums::{FurtherSums, SeriesTotals, wrong};
use crate::clock::Micros;

/// The columns' names and types.
pub fn cell_schema(kind: &CellKind) -> SchemaRef {
    let time = || DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let mut fields = vec![
        Field::new("org_id", DataType::Utf8, false),
        Field::new("provider", DataType::Utf8, true),
        Field::new("model", DataType::Utf8, true),
        Field::new("hour", time(), false),
    ];
    fields.extend(SeriesTotals::fields());
    fields.push(Field::new("last_ts", time(), false));
    fields.extend(kind.further_columns().fields());
    Arc::new(Schema::new(fields))
}

/// The rows as columns.
///
/// # Errors
/// [`SqlError::Query`], if a sum has more digits than a decimal can hold.
pub fn cell_columns(kind: &CellKind, rows: &[PartialRow]) -> Result<RecordBatch, SqlError> {
    let text = |of: fn(&PartialRow) -> Option<&str>| -> ArrayRef {
        Arc::new(rows.iter().map(of).collect::<StringArray>())
    };
    let times = |of: fn(&PartialRow) -> Micros| -> ArrayRef {
        let times = TimestampMicrosecondArray::from_iter_values(rows.iter().map(of));
        Arc::new(times.with_timezone("UTC"))
    };
    let mut columns = vec![
        text(|row| Some(&row.org_id)),
        text(|row| row.provider.as_deref()),
        text(|row| row.model.as_deref()),
        times(|row| row.hour),
    ];
    columns.extend(SeriesTotals::columns(rows.iter().map(|row| &row.totals))?);
    columns.push(times(|row| row.last_ts));
    let none = FurtherSums::default();
    let further = rows.iter().map(|row| row.totals.further.as_deref().unwrap_or(&none));
    columns.extend(kind.further_columns().columns(further)?);
    RecordBatch::try_new(cell_schema(kind), columns).map_err(|error| wrong(&error))
}
