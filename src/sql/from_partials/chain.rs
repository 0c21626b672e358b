//! The filters and projections between an aggregate and the table or aggregate that it reads,
//! combined so that every expression uses the input's columns.

use std::collections::HashMap;

use datafusion::common::Column;
use datafusion::common::tree_node::{Transformed, TreeNode as _};
use datafusion::error::Result;
use datafusion::logical_expr::expr_rewriter::unalias;
use datafusion::logical_expr::utils::split_conjunction_owned;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan, TableScan};

/// The input of a chain.
pub(super) enum ChainSource<'a> {
    Table(&'a TableScan),
    Aggregate(&'a Aggregate),
}

/// An input, and what a query requires of its rows.
pub(super) struct Chain<'a> {
    pub read: ChainSource<'a>,
    /// The filters that all rows must pass.
    pub filters: Vec<Expr>,
    /// The columns of the topmost plan, in terms of the input's columns.
    columns: HashMap<Column, Expr>,
}

impl<'a> Chain<'a> {
    /// Follows a plan down to its only input; `None` if anything else is in between.
    pub(super) fn of(plan: &'a LogicalPlan) -> Result<Option<Self>> {
        match plan {
            LogicalPlan::TableScan(scan) if scan.fetch.is_none() => Ok(Some(Self::start(scan))),
            LogicalPlan::Aggregate(aggregate) => Ok(Some(Self::above(aggregate))),
            LogicalPlan::Filter(filter) => {
                let Some(mut chain) = Self::of(&filter.input)? else { return Ok(None) };
                let predicate = chain.one_in_base(&filter.predicate)?;
                chain.demand(predicate);
                Ok(Some(chain))
            }
            LogicalPlan::Projection(projection) => {
                let Some(chain) = Self::of(&projection.input)? else { return Ok(None) };
                let exprs = chain.in_base(&projection.expr)?.into_iter().map(unalias);
                let columns = projection.schema.columns().into_iter().zip(exprs).collect();
                Ok(Some(Self { columns, ..chain }))
            }
            LogicalPlan::SubqueryAlias(alias) => {
                let Some(mut chain) = Self::of(&alias.input)? else { return Ok(None) };
                let inside = alias.input.schema().columns();
                let outside = alias.schema.columns().into_iter().zip(inside);
                let columns = outside.filter_map(|(outside, inside)| {
                    Some((outside, chain.columns.remove(&inside)?))
                });
                chain.columns = columns.collect();
                Ok(Some(chain))
            }
            _ => Ok(None),
        }
    }

    fn start(scan: &'a TableScan) -> Self {
        let columns = scan.projected_schema.columns().into_iter();
        let columns = columns.map(|column| {
            let own = Expr::Column(Column::new_unqualified(column.name.clone()));
            (column, own)
        });
        let read = ChainSource::Table(scan);
        let mut chain = Self { read, filters: Vec::new(), columns: columns.collect() };
        for filter in &scan.filters {
            chain.demand(by_name(filter.clone()));
        }
        chain
    }

    /// The columns of an aggregate: groups as their expressions, sums as columns.
    fn above(aggregate: &'a Aggregate) -> Self {
        let groups = aggregate.group_expr.iter().cloned().map(unalias);
        let sums = aggregate.schema.columns().into_iter().skip(aggregate.group_expr.len());
        let columns = aggregate.schema.columns().into_iter();
        let columns = columns.zip(groups.chain(sums.map(Expr::Column))).collect();
        Self { read: ChainSource::Aggregate(aggregate), filters: Vec::new(), columns }
    }

    fn demand(&mut self, filter: Expr) {
        for part in split_conjunction_owned(filter) {
            // A filter that was pushed down to the table also remains above it.
            if !self.filters.contains(&part) {
                self.filters.push(part);
            }
        }
    }

    /// Rewrites expressions of the topmost plan in terms of the input's columns.
    pub(super) fn in_base(&self, exprs: &[Expr]) -> Result<Vec<Expr>> {
        exprs.iter().map(|expr| self.one_in_base(expr)).collect()
    }

    fn one_in_base(&self, expr: &Expr) -> Result<Expr> {
        let changed = expr.clone().transform(|expr| {
            Ok(match &expr {
                Expr::Column(column) => match self.columns.get(column) {
                    Some(own) => Transformed::yes(own.clone()),
                    None => Transformed::no(expr),
                },
                _ => Transformed::no(expr),
            })
        });
        changed.map(|changed| changed.data)
    }
}

/// A table's filter with unqualified columns.
fn by_name(filter: Expr) -> Expr {
    datafusion::logical_expr::expr_rewriter::unnormalize_col(filter)
}
