//! Where nulls come among rows that have none.
//!
//! PostgreSQL has nulls first in a falling order. The dearest of calls that have a cost are then looked for
//! among nulls too: files whose largest value is too small are read all the same, if they hold a null. Where
//! a filter lets no null pass, it is all one where nulls come, and they are put last.

use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, Result};
use datafusion::logical_expr::expr::{Between, InList};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

/// What is unknown of a null.
const COMPARISONS: [Operator; 6] =
    [Operator::Eq, Operator::NotEq, Operator::Lt, Operator::LtEq, Operator::Gt, Operator::GtEq];

/// The optimizer rule.
#[derive(Debug)]
pub(super) struct NullOrder;

impl OptimizerRule for NullOrder {
    fn name(&self) -> &'static str {
        "order_of_absent_nulls"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Sort(mut sort) = plan else { return Ok(Transformed::no(plan)) };
        let mut changed = false;
        for key in &mut sort.expr {
            if let Expr::Column(column) = &key.expr
                && key.nulls_first
                && has_no_null(&sort.input, column)
            {
                key.nulls_first = false;
                changed = true;
            }
        }
        let plan = LogicalPlan::Sort(sort);
        Ok(if changed { Transformed::yes(plan) } else { Transformed::no(plan) })
    }
}

/// Whether filters leave a column of a plan without nulls. That it may is all that is told of other plans.
fn has_no_null(plan: &LogicalPlan, column: &Column) -> bool {
    match plan {
        LogicalPlan::Filter(filter) => {
            lets_no_null_pass(&filter.predicate, column) || has_no_null(&filter.input, column)
        }
        LogicalPlan::TableScan(scan) => {
            scan.filters.iter().any(|filter| lets_no_null_pass(filter, column))
        }
        LogicalPlan::SubqueryAlias(alias) => {
            let inner = alias.schema.maybe_index_of_column(column).map(|place| {
                let (relation, field) = alias.input.schema().qualified_field(place);
                Column::new(relation.cloned(), field.name())
            });
            inner.is_some_and(|inner| has_no_null(&alias.input, &inner))
        }
        LogicalPlan::Projection(projection) => {
            let place = projection.schema.maybe_index_of_column(column);
            match place.and_then(|place| projection.expr.get(place)) {
                Some(Expr::Column(inner)) => has_no_null(&projection.input, inner),
                _ => false,
            }
        }
        _ => false,
    }
}

/// Whether a filter is not true where a column is null.
fn lets_no_null_pass(filter: &Expr, column: &Column) -> bool {
    let is_it = |expr: &Expr| matches!(expr, Expr::Column(found) if found == column);
    split_conjunction(filter).into_iter().any(|part| match part {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            COMPARISONS.contains(op) && (is_it(left) || is_it(right))
        }
        Expr::IsNotNull(expr)
        | Expr::Between(Between { expr, .. })
        | Expr::InList(InList { expr, negated: false, .. }) => is_it(expr),
        _ => false,
    })
}
