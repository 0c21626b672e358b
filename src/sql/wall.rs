//! The wall between organisations: a leaf of a plan whose inside the rest of the plan does not see.
//!
//! A plain filter is not a boundary. DataFusion merges it with the predicates of the user's query,
//! and an expression there that fails on another organisation's row would show that row in its
//! error. Files also hold the rows of several organisations, so a plan that depends on their
//! number, bounds or tags reveals what others have. So to a query, the leaf is a table of which
//! only the columns are known, with the same number of partitions whatever the files are. The
//! inside is planned when the query runs.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::execution_plan::reset_plan_states;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::stream::{SelectAll, StreamExt as _, TryStreamExt as _};
use tokio::sync::OnceCell;

use super::leaf::{self, leaf_methods};

/// Plans that together return the rows.
pub(super) type Plans = Vec<Arc<dyn ExecutionPlan>>;

/// The inside of a wall.
#[async_trait]
pub(super) trait Inside: fmt::Debug + Send + Sync {
    /// Plans that together return the rows of one organisation.
    ///
    /// # Errors
    /// Only for a defect.
    async fn plans(&self) -> Result<Plans>;
}

/// Returns the rows of one organisation.
#[derive(Debug)]
pub(super) struct OrgWall {
    inside: Arc<dyn Inside>,
    planned: Arc<OnceCell<Plans>>,
    properties: Arc<PlanProperties>,
}

impl OrgWall {
    /// A wall around `inside`, which returns rows of one organisation only, in these columns.
    pub(super) fn around(
        inside: Arc<dyn Inside>,
        schema: SchemaRef,
        partitions: usize,
    ) -> Arc<dyn ExecutionPlan> {
        let properties = leaf::properties(schema, partitions);
        Arc::new(Self { inside, planned: Arc::default(), properties })
    }
}

/// The rows of share `part`, if the partitions of all plans are divided into `parts` shares.
fn rows_of(
    plans: &Plans,
    part: usize,
    parts: usize,
    context: &Arc<TaskContext>,
) -> Result<SelectAll<SendableRecordBatchStream>> {
    let all = plans.iter().flat_map(|plan| {
        let count = plan.properties().output_partitioning().partition_count();
        (0..count).map(move |inner| (plan, inner))
    });
    let own = all.skip(part).step_by(parts);
    own.map(|(plan, inner)| plan.execute(inner, context.clone())).collect()
}

/// The rows in the columns of the leaf, whose types and nullability may differ.
fn conformed(rows: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = rows.columns().iter().zip(schema.fields()).map(|(column, field)| {
        if column.data_type() == field.data_type() {
            return Ok(column.clone());
        }
        cast(column, field.data_type())
    });
    let columns = columns.collect::<std::result::Result<Vec<_>, _>>()?;
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}

impl DisplayAs for OrgWall {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OrgWall")
    }
}

impl ExecutionPlan for OrgWall {
    leaf_methods!("OrgWall");

    /// A recursive query runs the scan once per round.
    fn reset_state(self: Arc<Self>) -> Result<Arc<dyn ExecutionPlan>> {
        let planned = match self.planned.get() {
            Some(plans) => {
                let plans = plans.iter().cloned().map(reset_plan_states);
                OnceCell::new_with(Some(plans.collect::<Result<Plans>>()?))
            }
            None => OnceCell::new(),
        };
        let (inside, properties) = (self.inside.clone(), self.properties.clone());
        Ok(Arc::new(Self { inside, planned: Arc::new(planned), properties }))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let parts = self.properties.partitioning.partition_count();
        let (inside, planned) = (self.inside.clone(), self.planned.clone());
        let rows = async move {
            let plans = planned.get_or_try_init(|| inside.plans()).await?;
            rows_of(plans, partition, parts, &context)
        };
        let (schema, shown) = (self.schema(), self.schema());
        let rows = futures::stream::once(rows).try_flatten();
        let rows = rows.map(move |rows| conformed(&rows?, &schema));
        Ok(Box::pin(RecordBatchStreamAdapter::new(shown, rows)))
    }
}
