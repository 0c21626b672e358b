//! Sums of sums: an aggregate over another aggregate's sums becomes one aggregate over the inner
//! one's input. So a query over `usage_hourly` need not add up each hour first.

use std::collections::HashMap;

use arrow::datatypes::DataType;
use datafusion::common::Column;
use datafusion::error::Result;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::expr_rewriter::unalias;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan, LogicalPlanBuilder, cast};

use super::chain::Chain;
use super::plan::{column, has_twins, shown};

/// One aggregate for two; `None` if the outer one uses more than sums of sums and the inner one's
/// groups.
pub(super) fn sums_of_sums(
    outer: &Aggregate,
    inner: &Aggregate,
    chain: &Chain<'_>,
) -> Result<Option<LogicalPlan>> {
    let sums = inner.schema.columns().into_iter().skip(inner.group_expr.len());
    let sums: HashMap<_, _> = sums.zip(inner.aggr_expr.iter()).collect();
    let told = |expr: &Expr| {
        let of_groups = expr.column_refs().iter().all(|column| !sums.contains_key(*column));
        of_groups && !expr.is_volatile()
    };
    let groups = chain.in_base(&outer.group_expr)?;
    // The sum of floats depends on the order in which they are added.
    let exact = outer.schema.fields().iter().all(|field| !field.data_type().is_floating());
    let grouped =
        exact && inner.group_expr.iter().all(|expr| !matches!(expr, Expr::GroupingSet(_)));
    if !grouped
        || has_twins(&groups)
        || !groups.iter().chain(&chain.filters).chain(&inner.group_expr).all(told)
    {
        return Ok(None);
    }
    let asked = chain.in_base(&outer.aggr_expr)?.into_iter().map(unalias);
    let asked = asked.map(|asked| flat(asked, &sums, &told)).collect::<Option<Vec<_>>>();
    let Some(asked) = asked else { return Ok(None) };
    let rows = LogicalPlanBuilder::from(inner.input.clone());
    let rows = chain.filters.iter().try_fold(rows, |rows, filter| rows.filter(filter.clone()))?;
    let flat = rows.aggregate(groups, asked)?.build()?;
    let made = outer.schema.fields().iter().enumerate().skip(outer.group_expr.len());
    let made = made.map(|(at, field)| cast(column(&flat, at), field.data_type().clone())).collect();
    shown(outer, flat, made).map(Some)
}

/// An aggregate of the outer plan, rewritten over the rows of the inner one.
fn flat(asked: Expr, sums: &HashMap<Column, &Expr>, told: &impl Fn(&Expr) -> bool) -> Option<Expr> {
    let Expr::AggregateFunction(mut aggregate) = asked else { return None };
    let params = &aggregate.params;
    if !params.order_by.is_empty() || !params.filter.as_deref().is_none_or(told) {
        return None;
    }
    let [arg] = params.args.as_slice() else { return None };
    match (aggregate.func.name(), params.distinct) {
        ("min" | "max", _) | ("count", true) if told(arg) => {}
        ("sum", false) => {
            let summed = |column| summed(&unalias((*sums.get(column)?).clone()));
            let arg = match arg {
                Expr::Column(column) => summed(column)?,
                // A sum of integers is added up as a decimal without places.
                Expr::Cast(of) => match (of.expr.as_ref(), of.field.data_type()) {
                    (Expr::Column(column), kind @ DataType::Decimal128(38, 0)) => {
                        cast(summed(column)?, kind.clone())
                    }
                    _ => return None,
                },
                _ => return None,
            };
            aggregate.params.args = vec![arg];
        }
        _ => return None,
    }
    Some(Expr::AggregateFunction(aggregate))
}

/// The argument of an exact sum.
fn summed(sum: &Expr) -> Option<Expr> {
    let Expr::AggregateFunction(AggregateFunction { func, params }) = sum else { return None };
    let plain = !params.distinct && params.filter.is_none() && params.order_by.is_empty();
    let [arg] = params.args.as_slice() else { return None };
    (func.name() == "sum" && plain).then(|| arg.clone())
}
