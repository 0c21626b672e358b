//! Optimized plans of queries over data files, kept from one file to the next: to plan a query takes
//! longer than to run it over the file of a usual commit.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::Transformed;
use datafusion::datasource::provider_as_source;
use datafusion::error::Result;
use datafusion::logical_expr::{LogicalPlan, TableScan};
use parking_lot::Mutex;

use super::query::Query;

/// Plans that are kept. Times are parameters: those of a minute ago are asked for no more.
const KEPT_MAX: usize = 32;

/// The parameters of a query, by name.
pub(super) type Params = Vec<(&'static str, ScalarValue)>;

/// The plans of the queries that were asked last.
#[derive(Debug, Default)]
pub(super) struct PlannedQueries(Mutex<Vec<PlannedQuery>>);

#[derive(Debug)]
struct PlannedQuery {
    name: &'static str,
    params: Params,
    plan: LogicalPlan,
}

impl PlannedQueries {
    /// The plan of a query with these parameters, which becomes the last that was asked for.
    pub(super) fn known(&self, query: &Query, params: &Params) -> Option<LogicalPlan> {
        let mut kept = self.0.lock();
        let is_same = |of: &PlannedQuery| of.name == query.name && of.params == *params;
        let at = kept.iter().position(is_same)?;
        let found = kept.remove(at);
        let plan = found.plan.clone();
        kept.push(found);
        Some(plan)
    }

    /// Keeps an optimized plan. Its table is a stand-in, which holds no file.
    pub(super) fn keep(&self, query: &'static Query, params: Params, plan: &LogicalPlan) {
        let mut kept = self.0.lock();
        if kept.len() >= KEPT_MAX {
            kept.remove(0);
        }
        kept.push(PlannedQuery { name: query.name, params, plan: plan.clone() });
    }
}

/// The plan with `table` in the place of the one table that it was made over. Both are of the same
/// kind: the same columns, and the same filters that they apply by themselves.
///
/// # Errors
/// None that a plan of ours has.
pub(super) fn over(plan: LogicalPlan, table: Arc<dyn TableProvider>) -> Result<LogicalPlan> {
    let source = provider_as_source(table);
    let placed = plan.transform_down_with_subqueries(|node| match node {
        LogicalPlan::TableScan(scan) => {
            let scan = TableScan { source: source.clone(), ..scan };
            Ok(Transformed::yes(LogicalPlan::TableScan(scan)))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(placed.data)
}

#[cfg(test)]
mod tests {
    use datafusion::datasource::MemTable;
    use datafusion::prelude::SessionContext;

    use super::super::query::{EDGE_ROWS, TOTALS};
    use super::*;

    fn table(numbers: &[i64]) -> Arc<dyn TableProvider> {
        let column: arrow::array::Int64Array = numbers.iter().copied().collect();
        let rows = arrow::array::RecordBatch::try_from_iter([("n", Arc::new(column) as _)]);
        let rows = rows.unwrap();
        Arc::new(MemTable::try_new(rows.schema(), vec![vec![rows]]).unwrap())
    }

    #[tokio::test]
    async fn a_plan_is_run_over_each_table_also_in_its_inner_queries() {
        let context = SessionContext::new();
        context.register_table("t", table(&[])).unwrap();
        let query = "SELECT count(*) FROM t WHERE n >= (SELECT avg(n) FROM t) AND n > 0";
        let plan = context.sql(query).await.unwrap().into_optimized_plan().unwrap();
        for (numbers, count) in [(&[1, 2, 6][..], 1), (&[0, 5, 5, 6], 3), (&[], 0)] {
            let plan = over(plan.clone(), table(numbers)).unwrap();
            let state = context.state();
            let planner = state.query_planner();
            let plan = planner.create_physical_plan(&plan, &state).await.unwrap();
            let rows = datafusion::physical_plan::collect(plan, context.task_ctx()).await.unwrap();
            let shown = arrow::util::pretty::pretty_format_batches(&rows).unwrap().to_string();
            assert!(shown.contains(&format!("| {count} ")), "{shown}");
        }
    }

    #[test]
    fn plans_that_were_asked_for_last_are_kept() {
        let planned = PlannedQueries::default();
        let params = |time: i64| vec![("from", ScalarValue::from(time))];
        let plan = LogicalPlan::default();
        planned.keep(&TOTALS, Vec::new(), &plan);
        for time in 0..100 {
            assert!(planned.known(&TOTALS, &Vec::new()).is_some());
            planned.keep(&EDGE_ROWS, params(time), &plan);
        }
        assert!(planned.known(&EDGE_ROWS, &params(99)).is_some());
        assert!(planned.known(&TOTALS, &params(99)).is_none());
        assert!(planned.known(&EDGE_ROWS, &params(0)).is_none());
        assert_eq!(planned.0.lock().len(), KEPT_MAX);
    }
}
