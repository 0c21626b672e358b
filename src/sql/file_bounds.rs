//! Decides by the bounds in the log which files may hold rows that pass a filter.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray as _, BooleanArray, Date32Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::Session;
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::stats::Precision;
use datafusion::common::{Column, DFSchema, ScalarValue, Statistics};
use datafusion::error::Result;
use datafusion::logical_expr::expr_rewriter::unnormalize_col;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;

use super::filters::is_plain;
use super::sql_version;
use crate::archive::{DataFile, PARTITION};
use crate::clock::{HOUR, Micros};
use crate::event::API_CALL;

/// For each file, false if certainly none of its rows passes; `None` if the filter cannot decide.
fn may_pass(
    files: &[&Arc<DataFile>],
    filter: Arc<dyn PhysicalExpr>,
    schema: SchemaRef,
) -> Option<Vec<bool>> {
    let predicate = PruningPredicateBuilder::new().with_file_schema(schema).try_build(filter);
    predicate.ok()?.prune(&BoundsOfFiles(files)).ok()
}

/// For each file, false if certainly none of its rows passes these filters of a query. Behind a
/// wall, the bounds cover other organisations' rows too, so only filters that cannot fail use them.
pub(super) fn passing(
    files: &[&Arc<DataFile>],
    wall: Option<&str>,
    state: &dyn Session,
    filters: &[Expr],
    schema: &SchemaRef,
) -> Vec<bool> {
    let of_org = |file: &&Arc<DataFile>| wall.is_none_or(|org| file.may_hold_org(org));
    let mut keeps: Vec<bool> = files.iter().map(of_org).collect();
    let filters =
        filters.iter().filter(|filter| wall.is_none() || is_plain(filter, schema)).cloned();
    let passes = conjunction(filters).and_then(|filter| {
        let columns = DFSchema::try_from(schema.as_ref().clone()).ok()?;
        let filter = state.create_physical_expr(unnormalize_col(filter), &columns).ok()?;
        may_pass(files, filter, schema.clone())
    });
    for (keep, passes) in keeps.iter_mut().zip(passes.into_iter().flatten()) {
        *keep &= passes;
    }
    keeps
}

/// The one organisation whose rows can pass, if the filters name one.
pub(super) fn org_of(filters: &[Expr]) -> Option<Arc<str>> {
    filters.iter().find_map(|filter| {
        let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = filter else {
            return None;
        };
        match (left.as_ref(), right.as_ref()) {
            (Expr::Column(column), Expr::Literal(org, _))
            | (Expr::Literal(org, _), Expr::Column(column))
                if column.name == "org_id" =>
            {
                org.try_as_str().flatten().map(Arc::from)
            }
            _ => None,
        }
    })
}

/// The date of a file's events, in days since 1970.
pub(super) fn days(file: &DataFile) -> i32 {
    let days = file.date.signed_duration_since(chrono::NaiveDate::default()).num_days();
    i32::try_from(days).unwrap_or_default()
}

/// True for a filter on dates only, which passes either all rows of a file or none.
pub(super) fn is_of_dates(filter: &Expr) -> bool {
    let columns = filter.column_refs();
    !filter.is_volatile() && !columns.is_empty() && columns.iter().all(|at| at.name == PARTITION)
}

/// For each file, whether its date passes. Filters on more than dates are ignored.
///
/// # Errors
/// An error that a filter causes.
pub(super) fn dates_pass(
    files: &[&Arc<DataFile>],
    state: &dyn Session,
    filters: &[Expr],
) -> Result<Vec<bool>> {
    let filters = filters.iter().filter(|filter| is_of_dates(filter)).cloned();
    let Some(filter) = conjunction(filters) else { return Ok(vec![true; files.len()]) };
    let schema = Arc::new(Schema::new(vec![Field::new(PARTITION, DataType::Date32, false)]));
    let columns = DFSchema::try_from(schema.as_ref().clone())?;
    let filter = state.create_physical_expr(unnormalize_col(filter), &columns)?;
    let dates = Date32Array::from_iter_values(files.iter().map(|file| days(file)));
    let dates = RecordBatch::try_new(schema, vec![Arc::new(dates)])?;
    let passes = filter.evaluate(&dates)?.into_array(files.len())?;
    Ok(passes.as_boolean().iter().map(|passes| passes == Some(true)).collect())
}

/// The log's statistics of a file's rows. The bounds of columns prune files by filters that become
/// known while a query runs. They may be wider than the rows, so they never answer a query.
pub(super) fn statistics(file: &DataFile, schema: &SchemaRef) -> Statistics {
    let rows = file.rows.and_then(|rows| usize::try_from(rows).ok());
    let mut statistics = Statistics::new_unknown(schema);
    statistics.num_rows = rows.map_or(Precision::Absent, Precision::Exact);
    statistics.total_byte_size =
        usize::try_from(file.size_bytes).map_or(Precision::Absent, Precision::Inexact);
    let mut set = |name: &str, low: ScalarValue, high: ScalarValue| {
        let column = schema.index_of(name).ok();
        if let Some(column) = column.and_then(|at| statistics.column_statistics.get_mut(at)) {
            column.min_value = Precision::Inexact(low);
            column.max_value = Precision::Inexact(high);
        }
    };
    if let Some((low, high)) = file.time_bounds() {
        let time = |at| ScalarValue::TimestampMicrosecond(Some(at), Some("UTC".into()));
        set("ts", time(low), time(high));
    }
    if let Some((low, high)) = file.org_bounds() {
        set("org_id", ScalarValue::from(low), ScalarValue::from(high));
    }
    // A column with a single value is neither read nor compared.
    let calls = file.lossless(&sql_version()).is_some_and(|lossless| lossless.calls);
    let kind = schema.index_of("event_type").ok().filter(|_| calls);
    if let Some(kind) = kind.and_then(|at| statistics.column_statistics.get_mut(at)) {
        let call = Precision::Exact(ScalarValue::from(API_CALL));
        (kind.min_value, kind.max_value) = (call.clone(), call);
        kind.null_count = Precision::Exact(0);
    }
    statistics
}

struct BoundsOfFiles<'a>(&'a [&'a Arc<DataFile>]);

impl BoundsOfFiles<'_> {
    fn times(&self, bound: impl Fn((Micros, Micros)) -> Micros) -> ArrayRef {
        let times = self.0.iter().map(|file| file.time_bounds().map(&bound));
        Arc::new(times.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
    }

    fn of(&self, column: &Column, low: bool) -> Option<ArrayRef> {
        let of = |(least, most): (Micros, Micros)| if low { least } else { most };
        match column.name.as_str() {
            PARTITION => {
                let dates = self.0.iter().map(|file| days(file));
                Some(Arc::new(Date32Array::from_iter_values(dates)))
            }
            "ts" => Some(self.times(of)),
            "hour" => Some(self.times(|bounds| of(bounds).div_euclid(HOUR) * HOUR)),
            "org_id" => {
                let orgs = self.0.iter().map(|file| {
                    file.org_bounds().map(|(least, most)| if low { least } else { most })
                });
                Some(Arc::new(orgs.collect::<StringArray>()))
            }
            _ => None,
        }
    }
}

impl PruningStatistics for BoundsOfFiles<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.of(column, true)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.of(column, false)
    }

    fn num_containers(&self) -> usize {
        self.0.len()
    }

    fn null_counts(&self, _: &Column) -> Option<ArrayRef> {
        None
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        None
    }

    fn contained(&self, _: &Column, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}
