//! Weighed rows of some files as a table, which stands for the rows of the files themselves.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{
    Boundedness, EmissionType, ReplaceChildrenOptions,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
};
use futures::{StreamExt as _, TryStreamExt as _};

use super::file_bounds::{org_of, passing};
use super::readers::Readers;
use super::wall::OrgWall;
use super::weighed::{self, Grain};
use crate::archive::DataFile;

/// Partials that one stream reads side by side.
const READS: usize = 8;

/// Files whose partials tell their rows, with how much of them.
pub(super) type Told = Vec<(Arc<DataFile>, Grain)>;

/// The weighed rows of some files, of one organisation or of all.
#[derive(Debug)]
pub(super) struct WeighedTable {
    files: Told,
    org: Option<Arc<str>>,
    readers: Arc<Readers>,
}

impl WeighedTable {
    pub(super) fn new(files: Told, org: Option<Arc<str>>, readers: Arc<Readers>) -> Self {
        Self { files, org, readers }
    }
}

#[async_trait]
impl TableProvider for WeighedTable {
    fn schema(&self) -> SchemaRef {
        weighed::schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let files = self.files.iter().map(|(file, _)| file).collect::<Vec<_>>();
        let keeps = passing(&files, self.org.as_deref(), state, filters, &weighed::schema());
        let files = self.files.iter().zip(keeps).filter(|(_, keep)| *keep);
        let files = files.map(|(file, _)| file.clone()).collect();
        let org = self.org.clone().or_else(|| org_of(filters));
        let partitions = state.config_options().execution.target_partitions;
        let scan = Scan { files, org, readers: self.readers.clone() };
        let plan = PartialsExec::new(scan, projection.cloned(), partitions, self.org.is_none())?;
        match &self.org {
            Some(_) => OrgWall::around(Arc::new(plan), state.config_options()),
            None => Ok(Arc::new(plan)),
        }
    }
}

/// What is read.
#[derive(Debug, Clone)]
struct Scan {
    files: Told,
    org: Option<Arc<str>>,
    readers: Arc<Readers>,
}

/// Gives the weighed rows.
#[derive(Debug)]
struct PartialsExec {
    scan: Scan,
    projection: Vec<usize>,
    /// Whether a plan that is shown counts the files.
    counts_files: bool,
    properties: Arc<PlanProperties>,
}

impl PartialsExec {
    fn new(
        scan: Scan,
        projection: Option<Vec<usize>>,
        partitions: usize,
        counts_files: bool,
    ) -> Result<Self> {
        let schema = weighed::schema();
        let projection = projection.unwrap_or_else(|| (0..schema.fields().len()).collect());
        let schema = Arc::new(schema.project(&projection)?);
        let partitions = partitions.min(scan.files.len()).max(1);
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        Ok(Self { scan, projection, counts_files, properties })
    }
}

impl DisplayAs for PartialsExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PartialsExec")?;
        if self.counts_files {
            let days = self.scan.files.iter().filter(|(_, grain)| *grain == Grain::Day).count();
            let hours = self.scan.files.len() - days;
            write!(f, ": files by day={days}, files by hour={hours}")?;
        }
        Ok(())
    }
}

impl ExecutionPlan for PartialsExec {
    fn name(&self) -> &'static str {
        "PartialsExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_new_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let partitions = self.properties.partitioning.partition_count();
        let own = self.scan.files.iter().skip(partition).step_by(partitions).cloned();
        let own = own.collect::<Vec<_>>();
        let (scan, projection) = (self.scan.clone(), self.projection.clone());
        let (schema, size) = (self.schema(), context.session_config().batch_size());
        let shown = schema.clone();
        let read = move |(file, grain): (Arc<DataFile>, Grain)| {
            let (scan, projection, schema) = (scan.clone(), projection.clone(), schema.clone());
            async move {
                let rows = scan.readers.weighed(&file, scan.org.as_deref(), grain).await;
                let rows = rows.map_err(|error| DataFusionError::External(Box::new(error)))?;
                let rows = weighed::project(&rows, &file, &projection, &schema)?;
                Ok::<_, DataFusionError>(slices(rows, size))
            }
        };
        let batches = futures::stream::iter(own).map(read).buffered(READS).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(shown, batches)))
    }
}

fn slices(
    rows: RecordBatch,
    size: usize,
) -> impl futures::Stream<Item = Result<RecordBatch>> + Send {
    let starts = (0..rows.num_rows()).step_by(size.max(1));
    futures::stream::iter(
        starts.map(move |start| Ok(rows.slice(start, size.min(rows.num_rows() - start)))),
    )
}
