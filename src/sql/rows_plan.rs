//! A query that is planned once and run over many batches of rows, because planning takes longer
//! than adding up the rows of a typical commit.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::SortExpr;
use datafusion::physical_plan::execution_plan::reset_plan_states;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::physical_plan::{ExecutionPlan, collect};

/// A plan over [`rows_table`].
#[derive(Debug)]
pub(super) struct RowsPlan(pub(super) Arc<dyn ExecutionPlan>);

impl RowsPlan {
    /// Runs the plan over these rows, without state from another run.
    pub(super) async fn run(
        &self,
        batches: Vec<RecordBatch>,
        context: TaskContext,
    ) -> Result<Vec<RecordBatch>> {
        let config = context.session_config().clone().with_extension(Arc::new(RunRows(batches)));
        let context = context.with_session_config(config);
        collect(reset_plan_states(self.0.clone())?, Arc::new(context)).await
    }
}

/// A placeholder table to plan over, sorted by `order`; each run supplies its own rows. It counts
/// as infinite, so that the plan finishes each group when the next begins, also in its sorts.
pub(super) fn rows_table(schema: SchemaRef, order: SortExpr) -> Result<Arc<dyn TableProvider>> {
    let table = StreamingTable::try_new(schema.clone(), vec![Arc::new(RowsOfRun(schema))])?;
    Ok(Arc::new(table.with_infinite_table(true).with_sort_order(vec![order])))
}

/// The rows of one run.
#[derive(Debug)]
struct RunRows(Vec<RecordBatch>);

/// Returns the rows of the run that executes it.
#[derive(Debug)]
struct RowsOfRun(SchemaRef);

impl PartitionStream for RowsOfRun {
    fn schema(&self) -> &SchemaRef {
        &self.0
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = context.session_config().get_extension::<RunRows>();
        let rows = rows.map(|rows| rows.0.clone()).unwrap_or_default();
        let rows = futures::stream::iter(rows.into_iter().map(Ok));
        Box::pin(RecordBatchStreamAdapter::new(self.0.clone(), rows))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray as _, Int64Array, StringArray};
    use arrow::datatypes::Int64Type;
    use datafusion::physical_plan::displayable;
    use datafusion::prelude::{SessionContext, col};

    use super::*;

    fn rows(rows: &[(&str, &str, i64)]) -> RecordBatch {
        let orgs: StringArray = rows.iter().map(|row| Some(row.0)).collect();
        let models: StringArray = rows.iter().map(|row| Some(row.1)).collect();
        let counts: Int64Array = rows.iter().map(|row| row.2).collect();
        RecordBatch::try_from_iter([
            ("org", Arc::new(orgs) as _),
            ("model", Arc::new(models) as _),
            ("n", Arc::new(counts) as _),
        ])
        .unwrap()
    }

    /// A plan over rows sorted by `org`.
    async fn plan(query: &str) -> Result<(RowsPlan, SessionContext)> {
        let context = SessionContext::new();
        let table = rows_table(rows(&[]).schema(), col("org").sort(true, false))?;
        context.register_table("t", table)?;
        let plan = context.sql(query).await?.create_physical_plan().await?;
        Ok((RowsPlan(plan), context))
    }

    async fn sums((plan, context): &(RowsPlan, SessionContext), over: &[RecordBatch]) -> Vec<i64> {
        let found = plan.run(over.to_vec(), TaskContext::from(&context.state())).await.unwrap();
        let sums = found.iter().flat_map(|rows| rows["n"].as_primitive::<Int64Type>().values());
        sums.copied().collect()
    }

    #[tokio::test]
    async fn each_run_is_over_its_own_rows() {
        let query = "SELECT org, model, sum(n) AS n FROM t GROUP BY 1, 2 ORDER BY 1, 2";
        let first = [
            rows(&[("a", "y", 1), ("a", "x", 2), ("a", "y", 4)]),
            rows(&[("a", "x", 8), ("b", "x", 16)]),
        ];
        let plan = plan(query).await.unwrap();
        assert_eq!(sums(&plan, &first).await, [10, 5, 16]);
        assert_eq!(sums(&plan, &[rows(&[("c", "z", 3)])]).await, [3]);
        assert_eq!(sums(&plan, &first).await, [10, 5, 16]);
        assert!(sums(&plan, &[]).await.is_empty());
        let shown = displayable(plan.0.0.as_ref()).indent(false).to_string();
        assert!(shown.contains("PartialSortExec"), "{shown}");
    }

    #[tokio::test]
    async fn a_query_that_needs_all_rows_before_it_begins_is_not_planned() {
        let query = "SELECT org, model, sum(n) AS n FROM t GROUP BY 1, 2 ORDER BY 2, 1";
        assert!(plan(query).await.is_err());
    }
}
