//! Parts of a plan that takes the place of an aggregate.

use std::collections::HashSet;

use datafusion::common::Column;
use datafusion::error::Result;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan, LogicalPlanBuilder};

/// True if two columns have become one, which an aggregate does not take.
pub(super) fn has_twins(exprs: &[Expr]) -> bool {
    let names = exprs.iter().map(|expr| expr.schema_name().to_string());
    names.collect::<HashSet<_>>().len() < exprs.len()
}

/// A plan's column by its place.
pub(super) fn column(plan: &LogicalPlan, at: usize) -> Expr {
    Expr::Column(Column::from(plan.schema().qualified_field(at)))
}

/// The aggregate's own columns, by its names: what it groups by, and what was made of sums.
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
