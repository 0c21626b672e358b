//! The table `provider_reports`: what providers report, of all organisations or of one.
//!
//! Reports are no events, and are read out of the archive's records when a query runs: a part at a time,
//! and none by a query of other tables.

use std::fmt;
use std::sync::{Arc, LazyLock};

use arrow::array::{
    ArrayRef, Decimal128Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::project_schema;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::stream::{self, TryStreamExt as _};
use futures::{Stream, StreamExt as _};

use super::leaf::{self, leaf_methods};
use super::wall::{Inside, OrgWall, Plans};
use crate::archive::{ArchiveError, ReportFigures, ReportPart, ReportRow, Reports};
use crate::event::money;

/// Its name.
pub(super) const PROVIDER_REPORTS: &str = "provider_reports";
/// Digits of a cost.
const DIGITS: u8 = 38;
/// Rows that are given at once.
const BATCH_ROWS: usize = 8_192;

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let text = |name: &str, is_null: bool| Field::new(name, DataType::Utf8, is_null);
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let time = |name: &str| Field::new(name, time.clone(), false);
    let count = |name: &str| Field::new(name, DataType::Int64, true);
    Arc::new(Schema::new(vec![
        text("org_id", false),
        text("provider", false),
        text("report", false),
        time("start"),
        time("end"),
        text("model", true),
        text("line_item", true),
        count("requests"),
        count("input_tokens"),
        count("output_tokens"),
        count("cached_input_tokens"),
        count("cache_write_tokens"),
        Field::new("cost_usd", DataType::Decimal128(DIGITS, money::PLACES), true),
    ]))
});

/// The table.
#[derive(Debug, Clone)]
pub(super) struct ReportsTable {
    reports: Reports,
    /// The organisation behind the wall; none for all of them, without a wall.
    own: Option<Arc<str>>,
}

impl ReportsTable {
    /// Of one organisation, or of all.
    pub(super) fn new(reports: Reports, org_id: Option<&str>) -> Self {
        Self { reports, own: org_id.map(Arc::from) }
    }
}

#[async_trait]
impl TableProvider for ReportsTable {
    fn schema(&self) -> SchemaRef {
        SCHEMA.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = project_schema(&SCHEMA, projection)?;
        let projection = projection.cloned();
        let projection = projection.unwrap_or_else(|| (0..SCHEMA.fields().len()).collect());
        let scan = ReportsExec::new(self.clone(), projection, schema.clone());
        if self.own.is_none() {
            return Ok(Arc::new(scan));
        }
        let partitions = state.config_options().execution.target_partitions;
        Ok(OrgWall::around(Arc::new(BehindReports(Arc::new(scan))), schema, partitions))
    }
}

/// The inside of the table's wall.
#[derive(Debug)]
struct BehindReports(Arc<ReportsExec>);

#[async_trait]
impl Inside for BehindReports {
    async fn plans(&self) -> Result<Plans> {
        Ok(vec![self.0.clone()])
    }
}

/// Returns the rows.
#[derive(Debug)]
struct ReportsExec {
    table: ReportsTable,
    projection: Vec<usize>,
    properties: Arc<PlanProperties>,
}

impl ReportsExec {
    fn new(table: ReportsTable, projection: Vec<usize>, schema: SchemaRef) -> Self {
        Self { table, projection, properties: leaf::properties(schema, 1) }
    }
}

impl DisplayAs for ReportsExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReportsExec")
    }
}

impl ExecutionPlan for ReportsExec {
    leaf_methods!("ReportsExec");

    fn execute(&self, _: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let projection = self.projection.clone();
        let external = |error: ArchiveError| DataFusionError::External(Box::new(error));
        let parts = parts(self.table.clone()).map_err(external);
        let batches = parts.and_then(move |(org_id, part)| {
            let projection = projection.clone();
            async move { Ok(stream::iter(batches(&org_id, &part, &projection))) }
        });
        let batches = batches.try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }
}

/// The parts of the table's organisations, with the names of these, one after another.
fn parts(
    table: ReportsTable,
) -> impl Stream<Item = std::result::Result<(Arc<str>, ReportPart), ArchiveError>> + Send {
    let ReportsTable { reports, own } = table;
    let (all, only) = (reports.clone(), own.clone());
    let orgs = async move {
        match only {
            Some(own) => Ok(vec![own.to_ascii_lowercase()]),
            None => all.orgs().await,
        }
    };
    let orgs = stream::once(orgs)
        .map_ok(|orgs| stream::iter(orgs.into_iter().map(Ok::<_, ArchiveError>)))
        .try_flatten();
    orgs.and_then(move |org| {
        let (reports, own) = (reports.clone(), own.clone());
        async move {
            let catalogue = reports.catalogue(&org).await?;
            // A JWT may spell a name in another way, and is then of another organisation.
            let is_own = |name: &str| own.as_deref().is_none_or(|own| own == name);
            let catalogue = catalogue.filter(|catalogue| is_own(&catalogue.org_id));
            let listed = catalogue.map(|catalogue| {
                let org_id: Arc<str> = catalogue.org_id.into();
                catalogue.parts.into_iter().map(move |part| (org_id.clone(), part))
            });
            let listed: Vec<_> = listed.into_iter().flatten().collect();
            Ok(stream::iter(listed).then(move |(org_id, listed)| {
                let (reports, org) = (reports.clone(), org.clone());
                async move { Ok((org_id, reports.part(&org, &listed).await?)) }
            }))
        }
    })
    .try_flatten()
}

/// The rows of a part, in the columns of a projection.
fn batches(org_id: &str, part: &ReportPart, projection: &[usize]) -> Vec<Result<RecordBatch>> {
    let batches = part.rows.chunks(BATCH_ROWS).map(|rows| {
        let batch = batch(org_id, part, rows).and_then(|batch| batch.project(projection));
        batch.map_err(DataFusionError::from)
    });
    batches.collect()
}

fn batch(
    org_id: &str,
    part: &ReportPart,
    rows: &[ReportRow],
) -> std::result::Result<RecordBatch, ArrowError> {
    let same = |text: &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rows.iter().map(|_| text)))
    };
    let text = |of: fn(&ReportRow) -> Option<&str>| -> ArrayRef {
        Arc::new(rows.iter().map(of).collect::<StringArray>())
    };
    let time = |of: fn(&ReportRow) -> i64| -> ArrayRef {
        let times = TimestampMicrosecondArray::from_iter_values(rows.iter().map(of));
        Arc::new(times.with_timezone("UTC"))
    };
    let count = |of: fn(&ReportFigures) -> Option<i64>| -> ArrayRef {
        Arc::new(rows.iter().map(|row| of(&row.figures)).collect::<Int64Array>())
    };
    let costs = rows.iter().map(|row| row.figures.cost_usd.map(|cost| cost.0));
    let costs =
        costs.collect::<Decimal128Array>().with_precision_and_scale(DIGITS, money::PLACES)?;
    let columns = vec![
        same(org_id),
        same(&part.of.provider),
        same(&part.of.report),
        time(|row| row.start_us),
        time(|row| row.end_us),
        text(ReportRow::model),
        text(ReportRow::line_item),
        count(|figures| figures.requests),
        count(|figures| figures.input_tokens),
        count(|figures| figures.output_tokens),
        count(|figures| figures.cached_input_tokens),
        count(|figures| figures.cache_write_tokens),
        Arc::new(costs),
    ];
    RecordBatch::try_new(SCHEMA.clone(), columns)
}
