//! One query, run over many batches of rows: planned once, since planning takes longer than adding
//! up the rows of a usual commit.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::SortOptions;
use arrow::datatypes::Schema;
use datafusion::common::internal_err;
use datafusion::common::tree_node::{Transformed, TreeNode as _};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::Result;
use datafusion::execution::TaskContext;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::{ExecutionPlan, collect};

/// A plan over one table in memory.
#[derive(Debug)]
pub(super) struct RowsPlan {
    plan: Arc<dyn ExecutionPlan>,
    sorted_by: &'static str,
}

impl RowsPlan {
    /// A plan that was made over a table with the same columns, sorted by the same one.
    pub(super) fn new(plan: Arc<dyn ExecutionPlan>, sorted_by: &'static str) -> Self {
        Self { plan, sorted_by }
    }

    /// Runs it over other rows. Whatever stands above the rows is made anew, without the state of
    /// another run.
    pub(super) async fn run(
        &self,
        batches: Vec<RecordBatch>,
        context: Arc<TaskContext>,
    ) -> Result<Vec<RecordBatch>> {
        let over = self.plan.clone().transform_up(|node| {
            let Some(source) = node.downcast_ref::<DataSourceExec>() else {
                return Ok(Transformed::no(node));
            };
            let rows = source.data_source().downcast_ref::<MemorySourceConfig>();
            let Some((rows, first)) = rows.zip(batches.first()) else {
                return Ok(Transformed::no(node));
            };
            let partitions = [batches.clone()];
            let projection = rows.projection().clone();
            let rows = MemorySourceConfig::try_new(&partitions, first.schema(), projection)?;
            let rows = rows.try_with_sort_information(vec![self.ordering(&first.schema())?])?;
            Ok(Transformed::yes(DataSourceExec::from_data_source(rows) as Arc<dyn ExecutionPlan>))
        })?;
        if !over.transformed {
            return internal_err!("the plan reads no rows");
        }
        collect(over.data, context).await
    }

    fn ordering(&self, schema: &Schema) -> Result<LexOrdering> {
        let column = Arc::new(Column::new_with_schema(self.sorted_by, schema)?);
        Ok([PhysicalSortExpr::new(column, SortOptions::new(false, false))].into())
    }
}
