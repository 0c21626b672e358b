//! The stored events of a data file, some of their columns, one batch at a time.

use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, MapArray, PrimitiveArray, RecordBatch, StringArray,
    new_null_array,
};
use arrow::datatypes::{Decimal128Type, Field, Schema, TimestampMicrosecondType};
use arrow::error::ArrowError;

use super::RepriceError;
use super::scope::RepriceScope;
use crate::archive::{Archive, DataFile, ForeignRows, Snapshot, stored_rows};
use crate::clock::Micros;
use crate::event::{self, EventError, OrgId};

/// Opens the rows of a file that are of the organisation of a scope. A file of another program is judged
/// before.
///
/// # Errors
/// Corrupt, Foreign or Unavailable, naming the file, now or from the stream.
pub(super) async fn open_events(
    archive: &Archive,
    snapshot: &Snapshot,
    file: &Arc<DataFile>,
    columns: &[&str],
    scope: &RepriceScope,
) -> Result<ForeignRows, RepriceError> {
    let org = scope.org_id.as_ref().map(OrgId::as_str);
    archive.judge().check(snapshot, file, org).await?;
    Ok(stored_rows(archive.store(), file, columns, scope.orgs()).await?)
}

/// The same rows with nulls in those of `columns` that older files lack.
///
/// # Errors
/// Internal only.
pub(super) fn with_all(rows: RecordBatch, columns: &[&str]) -> Result<RecordBatch, EventError> {
    let known = event::schema();
    let lacking = columns.iter().filter(|name| rows.column_by_name(name).is_none());
    let lacking = lacking.map(|name| known.field_with_name(name)).collect::<Result<Vec<_>, _>>()?;
    if lacking.is_empty() {
        return Ok(rows);
    }
    let nothing = lacking.iter().map(|field| new_null_array(field.data_type(), rows.num_rows()));
    let all: Vec<ArrayRef> = rows.columns().iter().cloned().chain(nothing).collect();
    let fields = rows.schema_ref().fields().iter().cloned();
    let lacking =
        lacking.into_iter().map(|field| Arc::new(Field::clone(field).with_nullable(true)));
    let schema = Schema::new(fields.chain(lacking).collect::<Vec<_>>());
    Ok(RecordBatch::try_new(Arc::new(schema), all)?)
}

/// What calls and corrections have in common.
pub(super) struct EventColumns<'r> {
    pub(super) ids: &'r StringArray,
    pub(super) orgs: &'r StringArray,
    pub(super) types: &'r StringArray,
    times: &'r PrimitiveArray<TimestampMicrosecondType>,
    costs: &'r PrimitiveArray<Decimal128Type>,
    cost_sources: &'r StringArray,
    pub(super) attributes: &'r MapArray,
}

impl<'r> EventColumns<'r> {
    /// The names of these columns.
    pub(super) const NAMES: [&'static str; 7] =
        ["event_id", "org_id", "event_type", "ts", "cost_usd", "cost_source", "attributes"];

    /// # Errors
    /// Internal only.
    pub(super) fn of(rows: &'r RecordBatch) -> Result<Self, EventError> {
        let missing = |name: &str| ArrowError::SchemaError(format!("no column {name}"));
        let column = |name: &str| rows.column_by_name(name).ok_or_else(|| missing(name));
        let text = |name: &str| column(name)?.as_string_opt::<i32>().ok_or_else(|| missing(name));
        Ok(Self {
            ids: text("event_id")?,
            orgs: text("org_id")?,
            types: text("event_type")?,
            times: column("ts")?.as_primitive_opt().ok_or_else(|| missing("ts"))?,
            costs: column("cost_usd")?.as_primitive_opt().ok_or_else(|| missing("cost_usd"))?,
            cost_sources: text("cost_source")?,
            attributes: column("attributes")?.as_map_opt().ok_or_else(|| missing("attributes"))?,
        })
    }

    pub(super) fn ts(&self, row: usize) -> Micros {
        self.times.value(row)
    }

    /// The cost, in 10^-12 dollars.
    pub(super) fn cost(&self, row: usize) -> Option<i128> {
        self.costs.is_valid(row).then(|| self.costs.value(row))
    }

    pub(super) fn cost_source(&self, row: usize) -> Option<&'r str> {
        self.cost_sources.is_valid(row).then(|| self.cost_sources.value(row))
    }
}
