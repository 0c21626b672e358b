//! One query, run over many batches of rows: planned once, since planning takes longer than adding
//! up the rows of a usual commit.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::internal_err;
use datafusion::common::tree_node::{Transformed, TreeNode as _, TreeNodeRecursion};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::coop::cooperative;
use datafusion::physical_plan::execution_plan::ReplaceChildrenOptions;
use datafusion::physical_plan::memory::MemoryStream;
use datafusion::physical_plan::sorts::partial_sort::PartialSortExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties as _, PlanProperties,
    collect,
};

/// A plan over one table in memory.
#[derive(Debug)]
pub(super) struct RowsPlan {
    plan: Arc<dyn ExecutionPlan>,
}

impl RowsPlan {
    /// A plan that was made over a table in memory with the same columns, and sorted as its rows
    /// will be.
    pub(super) fn new(plan: Arc<dyn ExecutionPlan>) -> Result<Self> {
        let plan = plan.transform_up(|node| {
            if let Some(source) = node.downcast_ref::<DataSourceExec>()
                && let Some(rows) = source.data_source().downcast_ref::<MemorySourceConfig>()
            {
                let projection = rows.projection().clone();
                let properties = source.properties().clone();
                return Ok(Transformed::yes(Arc::new(RowsExec {
                    batches: Vec::new(),
                    projection,
                    properties,
                })));
            }
            presorted(node)
        });
        Ok(Self { plan: plan?.data })
    }

    /// Runs it over other rows. Whatever stands above the rows is made anew, without the state of
    /// another run; what is known of it is kept, since its rows have the properties of the others.
    pub(super) async fn run(
        &self,
        batches: Vec<RecordBatch>,
        context: Arc<TaskContext>,
    ) -> Result<Vec<RecordBatch>> {
        let over = self.plan.clone().transform_up(|node| {
            Ok(match node.downcast_ref::<RowsExec>() {
                Some(rows) => Transformed::yes(Arc::new(rows.over(batches.clone()))),
                None => Transformed::no(node),
            })
        })?;
        if !over.transformed {
            return internal_err!("the plan reads no rows");
        }
        collect(over.data, context).await
    }
}

/// Rows that come sorted by some of the columns are sorted group by group. DataFusion does so only
/// where rows have no end.
fn presorted(node: Arc<dyn ExecutionPlan>) -> Result<Transformed<Arc<dyn ExecutionPlan>>> {
    let Some(sort) = node.downcast_ref::<SortExec>().filter(|sort| sort.fetch().is_none()) else {
        return Ok(Transformed::no(node));
    };
    let (order, input) = (sort.expr(), sort.input());
    let (prefix, _) = input.equivalence_properties().extract_common_sort_prefix(order.clone())?;
    if prefix.is_empty() || !order.starts_with(&prefix) {
        return Ok(Transformed::no(node));
    }
    let by_group = PartialSortExec::new(order.clone(), input.clone(), prefix.len());
    Ok(Transformed::yes(Arc::new(by_group)))
}

/// Rows in memory, as the leaf of a plan.
#[derive(Debug)]
struct RowsExec {
    batches: Vec<RecordBatch>,
    projection: Option<Vec<usize>>,
    properties: Arc<PlanProperties>,
}

impl RowsExec {
    fn over(&self, batches: Vec<RecordBatch>) -> Self {
        let (projection, properties) = (self.projection.clone(), self.properties.clone());
        Self { batches, projection, properties }
    }
}

impl DisplayAs for RowsExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RowsExec")
    }
}

impl ExecutionPlan for RowsExec {
    fn name(&self) -> &'static str {
        "RowsExec"
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

    fn execute(&self, _: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (batches, projection) = (self.batches.clone(), self.projection.clone());
        let rows = MemoryStream::try_new(batches, self.schema(), projection)?;
        Ok(Box::pin(cooperative(rows)))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray as _, Int64Array, StringArray};
    use arrow::datatypes::Int64Type;
    use datafusion::datasource::MemTable;
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
    async fn plan(query: &str) -> (RowsPlan, SessionContext) {
        let context = SessionContext::new();
        let table = MemTable::try_new(rows(&[]).schema(), vec![vec![]]).unwrap();
        let table = table.with_sort_order(vec![vec![col("org").sort(true, false)]]);
        context.register_table("t", Arc::new(table)).unwrap();
        let plan = context.sql(query).await.unwrap().create_physical_plan().await.unwrap();
        (RowsPlan::new(plan).unwrap(), context)
    }

    async fn sums((plan, context): &(RowsPlan, SessionContext), over: &[RecordBatch]) -> Vec<i64> {
        let found = plan.run(over.to_vec(), context.task_ctx()).await.unwrap();
        let sums = found.iter().flat_map(|rows| rows["n"].as_primitive::<Int64Type>().values());
        sums.copied().collect()
    }

    #[tokio::test]
    async fn each_run_is_over_its_own_rows() {
        let by_org = "SELECT org, model, sum(n) AS n FROM t GROUP BY 1, 2 ORDER BY 1, 2";
        let by_model = "SELECT org, model, sum(n) AS n FROM t GROUP BY 1, 2 ORDER BY 2, 1";
        let first = [
            rows(&[("a", "y", 1), ("a", "x", 2), ("a", "y", 4)]),
            rows(&[("a", "x", 8), ("b", "x", 16)]),
        ];
        for (query, expected, by_group) in
            [(by_org, [10, 5, 16], true), (by_model, [10, 16, 5], false)]
        {
            let plan = plan(query).await;
            assert_eq!(sums(&plan, &first).await, expected);
            assert_eq!(sums(&plan, &[rows(&[("c", "z", 3)])]).await, [3]);
            assert_eq!(sums(&plan, &first).await, expected);
            let shown = displayable(plan.0.plan.as_ref()).indent(false).to_string();
            assert_eq!(shown.contains("PartialSortExec"), by_group, "{shown}");
            assert!(shown.contains("RowsExec"), "{shown}");
        }
    }

    #[tokio::test]
    async fn a_plan_that_reads_no_rows_is_an_error() {
        let (plan, context) = plan("SELECT 1").await;
        assert!(plan.run(Vec::new(), context.task_ctx()).await.is_err());
    }
}
