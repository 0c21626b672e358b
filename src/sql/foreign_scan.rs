//! The scan of foreign data files, as a leaf of a plan.
//!
//! DataFusion's own scan could cast their columns, but it rounds decimals, wraps INT96 around and
//! fails on maps whose parts have other names. It would also apply filters before the values are
//! checked. So the archive reads these files, and filters stay above the scan.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::ObjectStore;

use super::file_bounds::days;
use super::leaf::{self, leaf_methods};
use crate::archive::{ArchiveError, DataFile, PARTITION, foreign_rows};
use crate::event;

/// Returns some columns of the rows of foreign files.
#[derive(Debug)]
pub(super) struct ForeignExec {
    pub files: Vec<Arc<DataFile>>,
    pub store: Arc<dyn ObjectStore>,
    properties: Arc<PlanProperties>,
}

impl ForeignExec {
    /// A scan of `files` in this many partitions, of which some may be empty.
    pub(super) fn in_partitions(
        files: Vec<Arc<DataFile>>,
        schema: SchemaRef,
        partitions: usize,
        store: Arc<dyn ObjectStore>,
    ) -> Self {
        Self { files, store, properties: leaf::properties(schema, partitions) }
    }

    /// A scan of `files` in the columns of `schema`, some of the table's columns. It comes after
    /// `own`, the scan of our own files, if there is one.
    pub(super) fn beside(
        own: Option<Arc<dyn ExecutionPlan>>,
        files: Vec<Arc<DataFile>>,
        schema: SchemaRef,
        partitions: usize,
        store: Arc<dyn ObjectStore>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let partitions = partitions.min(files.len()).max(1);
        let foreign = Self::in_partitions(files, schema, partitions, store);
        let foreign: Arc<dyn ExecutionPlan> = Arc::new(foreign);
        match own {
            Some(own) => UnionExec::try_new(vec![own, foreign]),
            None => Ok(foreign),
        }
    }
}

impl DisplayAs for ForeignExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ForeignExec: files={}", self.files.len())
    }
}

impl ExecutionPlan for ForeignExec {
    leaf_methods!("ForeignExec");

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let partitions = self.properties.partitioning.partition_count();
        let own: Vec<_> = self.files.iter().skip(partition).step_by(partitions).cloned().collect();
        let (store, size) = (self.store.clone(), context.session_config().batch_size());
        let (schema, shown) = (self.schema(), self.schema());
        let failed = |error: ArchiveError| DataFusionError::External(Box::new(error));
        let read = move |file: Arc<DataFile>| {
            let (store, schema) = (store.clone(), schema.clone());
            async move {
                let wanted = stored_columns(&schema)?;
                let rows = foreign_rows(store, &file, wanted, size).await.map_err(failed)?;
                let shown = move |rows| shown_columns(&rows, &file, &schema);
                Ok::<_, DataFusionError>(rows.map_err(failed).map(move |rows| shown(rows?)))
            }
        };
        let batches = futures::stream::iter(own).then(read).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(shown, batches)))
    }
}

/// The columns of `schema` that files contain, with the types of events.
fn stored_columns(schema: &SchemaRef) -> Result<SchemaRef> {
    let events = event::schema();
    let names = schema.fields().iter().filter(|field| field.name() != PARTITION);
    let places = names.map(|field| events.index_of(field.name()));
    let places = places.collect::<std::result::Result<Vec<_>, _>>()?;
    Ok(Arc::new(events.project(&places)?))
}

/// The same rows in the columns of `schema`.
fn shown_columns(rows: &RecordBatch, file: &DataFile, schema: &SchemaRef) -> Result<RecordBatch> {
    let count = rows.num_rows();
    let columns = schema.fields().iter().map(|field| -> Result<ArrayRef> {
        match rows.column_by_name(field.name()) {
            Some(column) if column.data_type() == field.data_type() => Ok(column.clone()),
            Some(column) => Ok(cast(column, field.data_type())?),
            None => Ok(Arc::new(Date32Array::from_value(days(file), count))),
        }
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(count));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}
