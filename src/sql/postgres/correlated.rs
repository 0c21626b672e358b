//! Subqueries that ask something of the row outside, in forms that DataFusion makes a wrong join of.

use datafusion::common::Result;
use datafusion::common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{
    Aggregate, BinaryExpr, Cast, Expr, ExprSchemable as _, Filter, LogicalPlan, Subquery,
};

use super::kinds::is_text;
use super::refusal::refused;

/// Refuses those that are part of an expression.
///
/// # Errors
/// For these, in words.
pub(super) fn refuse_wrong_joins(expr: &Expr) -> Result<()> {
    match expr {
        Expr::ScalarSubquery(of) => refuse_casts(of),
        Expr::Exists(of) => refuse_aggregates(&of.subquery),
        Expr::InSubquery(of) => refuse_aggregates(&of.subquery),
        _ => Ok(()),
    }
}

/// DataFusion groups the rows inside by the columns that are compared with the row outside, and joins the
/// groups: a column of which several values have the same cast would give several rows.
///
/// # Errors
/// For such a cast, in words.
pub(super) fn refuse_casts(of: &Subquery) -> Result<()> {
    let (mut casts, mut groups) = (false, false);
    of.subquery.apply(|plan| {
        groups |= matches!(plan, LogicalPlan::Aggregate(_));
        casts |= matches!(plan, LogicalPlan::Filter(filter) if compares_cast(filter));
        Ok(TreeNodeRecursion::Continue)
    })?;
    if casts && groups {
        return Err(refused(
            "a cast column of a subquery is not compared with the row outside; join with a subquery that groups by the cast",
        ));
    }
    Ok(())
}

/// DataFusion joins rows, and an aggregate without groups has one where there are none.
fn refuse_aggregates(of: &Subquery) -> Result<()> {
    let mut aggregates = false;
    of.subquery.apply(|plan| {
        if let LogicalPlan::Aggregate(Aggregate { input, group_expr, .. }) = plan {
            aggregates |= group_expr.is_empty() && !input.all_out_ref_exprs().is_empty();
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    if aggregates {
        return Err(refused(
            "EXISTS and IN do not take an aggregate of what belongs to the row outside; compare with the subquery itself: x = (SELECT …)",
        ));
    }
    Ok(())
}

/// Whether a cast of a column, in which values may become equal, is compared with the row outside.
fn compares_cast(filter: &Filter) -> bool {
    let schema = filter.input.schema();
    let merges = |side: &Expr| match side {
        Expr::Cast(Cast { expr, field }) if matches!(**expr, Expr::Column(_)) => {
            let to = field.data_type();
            expr.get_type(schema.as_ref()).map_or(true, |from| {
                let keeps = from.is_integer() && (to.is_integer() || to.is_decimal());
                !(keeps || is_text(&from) && is_text(to))
            })
        }
        _ => false,
    };
    split_conjunction(&filter.predicate).into_iter().any(|part| match part {
        Expr::BinaryExpr(BinaryExpr { left, right, .. }) => {
            part.contains_outer() && (merges(left) || merges(right))
        }
        _ => false,
    })
}
