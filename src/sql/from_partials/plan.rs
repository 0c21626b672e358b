//! Parts of plans that replace an aggregate.

use std::collections::HashSet;

use datafusion::common::Column;
use datafusion::error::Result;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan, LogicalPlanBuilder};

/// True if two columns have the same name, which an aggregate does not allow.
pub(super) fn has_twins(exprs: &[Expr]) -> bool {
    let names = exprs.iter().map(|expr| expr.schema_name().to_string());
    names.collect::<HashSet<_>>().len() < exprs.len()
}

/// A plan's column by its position.
pub(super) fn column(plan: &LogicalPlan, at: usize) -> Expr {
    Expr::Column(Column::from(plan.schema().qualified_field(at)))
}

/// The aggregate's own columns under their own names: its groups, and the results made from sums.
pub(super) fn shown(
    aggregate: &Aggregate,
    summed: LogicalPlan,
    made: Vec<Expr>,
) -> Result<LogicalPlan> {
    let groups = (0..aggregate.group_expr.len()).map(|at| column(&summed, at));
    let shown = groups.chain(made).zip(aggregate.schema.iter());
    let shown: Vec<_> = shown
        .map(|(expr, (qualifier, field))| expr.alias_qualified(qualifier.cloned(), field.name()))
        .collect();
    LogicalPlanBuilder::from(summed).project(shown)?.build()
}
