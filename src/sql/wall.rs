//! The wall between organisations: a leaf of a plan, whose inside nobody else sees.
//!
//! A plain filter is no boundary. DataFusion merges it with the predicates of whoever asks, and an
//! expression of theirs that fails on another's row would show that row in its error. And files hold
//! the rows of several organisations: what is planned by their number, bounds or tags shows what others
//! have. So to a query the leaf is a table of which nothing is known but its columns, in as many parts
//! whatever the files are. What is behind it is planned when the query runs.

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

/// Plans that together give the rows.
pub(super) type Plans = Vec<Arc<dyn ExecutionPlan>>;

/// What is behind a wall.
#[async_trait]
pub(super) trait Inside: fmt::Debug + Send + Sync {
    /// Plans that together give the rows of one organisation.
    ///
    /// # Errors
    /// A defect only.
    async fn plans(&self) -> Result<Plans>;
}

/// Hands out the rows of one organisation.
#[derive(Debug)]
pub(super) struct OrgWall {
    inside: Arc<dyn Inside>,
    planned: Arc<OnceCell<Plans>>,
    properties: Arc<PlanProperties>,
}

impl OrgWall {
    /// A wall around what gives rows of one organisation only, in these columns.
    pub(super) fn around(
        inside: Arc<dyn Inside>,
        schema: SchemaRef,
        partitions: usize,
    ) -> Arc<dyn ExecutionPlan> {
        let properties = leaf::properties(schema, partitions);
        Arc::new(Self { inside, planned: Arc::default(), properties })
    }
}

/// The rows of the parts of all plans that fall to one of `parts`.
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

/// The rows in the columns of the leaf, which may be null where these are not, or of other types.
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

    /// A recursive query runs the scan once a round.
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
