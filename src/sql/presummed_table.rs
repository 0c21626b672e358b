//! A table of some files' presummed rows, which takes the place of the files' own rows.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{StreamExt as _, TryStreamExt as _};

use super::file_bounds::{org_of, passing};
use super::leaf::{self, leaf_methods};
use super::presummed::{self, Resolution, Wanted, WantedColumns};
use super::readers::Readers;
use crate::archive::DataFile;

/// Partials that one stream reads concurrently.
const READS: usize = 8;

/// Files that are answered from their partials, with the grain of each.
pub(super) type PresummedFiles = Vec<(Arc<DataFile>, Resolution)>;

/// The presummed rows of some files, of all organisations.
#[derive(Debug)]
pub(super) struct PresummedTable {
    files: PresummedFiles,
    readers: Arc<Readers>,
}

impl PresummedTable {
    pub(super) fn new(files: PresummedFiles, readers: Arc<Readers>) -> Self {
        Self { files, readers }
    }
}

/// The plan of one organisation's presummed rows, for the inside of a wall.
pub(super) fn own_presummed(
    files: &PresummedFiles,
    org: &Arc<str>,
    readers: Arc<Readers>,
    state: &dyn Session,
    projection: &[usize],
    filters: &[Expr],
) -> Result<Arc<dyn ExecutionPlan>> {
    let files = chosen(files, Some(org), state, filters);
    let partitions = state.config_options().execution.target_partitions;
    let scan = PresummedScan { files, org: Some(org.clone()), readers };
    Ok(Arc::new(PartialsExec::new(scan, Some(projection.to_vec()), partitions)?))
}

/// The files that may hold rows that pass the filters.
fn chosen(
    files: &PresummedFiles,
    wall: Option<&str>,
    state: &dyn Session,
    filters: &[Expr],
) -> PresummedFiles {
    let all = files.iter().map(|(file, _)| file).collect::<Vec<_>>();
    let keeps = passing(&all, wall, state, filters, &presummed::schema());
    let kept = files.iter().zip(keeps).filter(|(_, keep)| *keep);
    kept.map(|(file, _)| file.clone()).collect()
}

#[async_trait]
impl TableProvider for PresummedTable {
    fn schema(&self) -> SchemaRef {
        presummed::schema()
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
        let files = chosen(&self.files, None, state, filters);
        let partitions = state.config_options().execution.target_partitions;
        let scan = PresummedScan { files, org: org_of(filters), readers: self.readers.clone() };
        Ok(Arc::new(PartialsExec::new(scan, projection.cloned(), partitions)?))
    }
}

/// The files and rows to read.
#[derive(Debug, Clone)]
pub(super) struct PresummedScan {
    pub files: PresummedFiles,
    pub org: Option<Arc<str>>,
    pub readers: Arc<Readers>,
}

/// Returns the presummed rows.
#[derive(Debug)]
pub(super) struct PartialsExec {
    pub scan: PresummedScan,
    pub projection: Vec<usize>,
    properties: Arc<PlanProperties>,
}

impl PartialsExec {
    /// The same columns of `scan` in this many partitions, of which some may be empty.
    pub(super) fn in_partitions(
        scan: PresummedScan,
        projection: Vec<usize>,
        partitions: usize,
    ) -> Result<Self> {
        let schema = Arc::new(presummed::schema().project(&projection)?);
        Ok(Self { scan, projection, properties: leaf::properties(schema, partitions) })
    }

    fn new(scan: PresummedScan, projection: Option<Vec<usize>>, partitions: usize) -> Result<Self> {
        let columns = presummed::schema().fields().len();
        let projection = projection.unwrap_or_else(|| (0..columns).collect());
        let partitions = partitions.min(scan.files.len()).max(1);
        Self::in_partitions(scan, projection, partitions)
    }
}

impl DisplayAs for PartialsExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days =
            self.scan.files.iter().filter(|(_, resolution)| *resolution == Resolution::Day).count();
        let hours = self.scan.files.len() - days;
        write!(f, "PartialsExec: files by day={days}, files by hour={hours}")
    }
}

impl ExecutionPlan for PartialsExec {
    leaf_methods!("PartialsExec");

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
        let read = move |(file, resolution): (Arc<DataFile>, Resolution)| {
            let (scan, projection, schema) = (scan.clone(), projection.clone(), schema.clone());
            async move {
                let columns = WantedColumns::of(&projection);
                let wanted = Wanted { org: scan.org.as_deref(), resolution, columns };
                let rows = scan.readers.presummed(&file, wanted).await;
                let rows = rows.map_err(|error| DataFusionError::External(Box::new(error)))?;
                let rows = rows
                    .iter()
                    .map(|rows| presummed::project(rows, &file, &projection, &schema))
                    .collect::<Result<Vec<_>, _>>()?;
                Ok::<_, DataFusionError>(slices(rows, size))
            }
        };
        let batches = futures::stream::iter(own).map(read).buffered(READS).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(shown, batches)))
    }
}

fn slices(
    rows: Vec<RecordBatch>,
    size: usize,
) -> impl futures::Stream<Item = Result<RecordBatch>> + Send {
    let slices = rows.into_iter().flat_map(move |rows| {
        let starts = (0..rows.num_rows()).step_by(size.max(1));
        starts.map(move |start| Ok(rows.slice(start, size.min(rows.num_rows() - start))))
    });
    futures::stream::iter(slices)
}
