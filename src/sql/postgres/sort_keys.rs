//! The order in which aggregates take rows: each key of it once, and none where it decides nothing.
//!
//! A key that comes again decides nothing. DataFusion's aggregates keep each key once, but have a column
//! for each mention of it in what they pass on, so they would panic or fail. The same holds for the order
//! of an aggregate for which no order matters. Keys become equal while a plan is made simpler, so this is
//! the last of the optimizer's rules.

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode as _};
use datafusion::logical_expr::expr::{AggregateFunction, Sort};
use datafusion::logical_expr::expr_rewriter::{NamePreserver, unalias};
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

/// Aggregates whose value depends on the order of rows.
const ORDERED: [&str; 5] = ["array_agg", "string_agg", "first_value", "last_value", "nth_value"];

/// The optimizer rule.
#[derive(Debug)]
pub(super) struct SortKeys;

impl OptimizerRule for SortKeys {
    fn name(&self) -> &'static str {
        "sort_keys_of_aggregates"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Aggregate(aggregate) = &plan else { return Ok(Transformed::no(plan)) };
        let names = NamePreserver::new(&plan);
        let mut changed = false;
        let aggregates = aggregate.aggr_expr.iter().map(|expr| {
            let name = names.save(expr);
            let with_keys = expr.clone().transform_up(|expr| Ok(of_expr(expr)))?;
            changed |= with_keys.transformed;
            // The name of a column tells the order.
            Ok(if with_keys.transformed { name.restore(with_keys.data) } else { with_keys.data })
        });
        let aggregates = aggregates.collect::<Result<Vec<_>>>()?;
        if !changed {
            return Ok(Transformed::no(plan));
        }
        let Aggregate { input, group_expr, schema, .. } = aggregate.clone();
        let aggregate = Aggregate::try_new_with_schema(input, group_expr, aggregates, schema)?;
        Ok(Transformed::yes(LogicalPlan::Aggregate(aggregate)))
    }
}

fn of_expr(expr: Expr) -> Transformed<Expr> {
    let Expr::AggregateFunction(mut of) = expr else { return Transformed::no(expr) };
    let kept = kept(&of);
    if kept.len() == of.params.order_by.len() {
        return Transformed::no(Expr::AggregateFunction(of));
    }
    of.params.order_by = kept;
    Transformed::yes(Expr::AggregateFunction(of))
}

/// The keys of an aggregate that decide something.
fn kept(of: &AggregateFunction) -> Vec<Sort> {
    let keys = &of.params.order_by;
    if of.func.supports_within_group_clause() {
        // What is sorted is the argument.
        return keys.clone();
    }
    if !ORDERED.contains(&of.func.name()) {
        return Vec::new();
    }
    let key = |sort: &Sort| unalias(sort.expr.clone());
    let is_new = |at: usize, sort: &Sort| keys.iter().take(at).all(|other| key(other) != key(sort));
    let kept = keys.iter().enumerate().filter(|(at, sort)| is_new(*at, sort));
    kept.map(|(_, sort)| sort.clone()).collect()
}
