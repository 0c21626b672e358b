//! Sets of values: those that are equal in PostgreSQL are one.

use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::logical_expr::expr::{AggregateFunction, InList};
use datafusion::logical_expr::{Expr, ExprSchemable as _, lit};

use super::{arithmetic, call, time_operators};

/// An aggregate of distinct values.
pub(super) fn distinct(of: &AggregateFunction, schema: &DFSchema) -> Expr {
    let mut of = of.clone();
    if of.func.name() == "count" {
        let told = |arg| told(arg, schema);
        of.params.args = of.params.args.into_iter().map(told).collect();
    }
    Expr::AggregateFunction(of)
}

/// A value among others.
pub(super) fn among(of: InList, schema: &DFSchema) -> Expr {
    let InList { expr, list, negated } = of;
    let list = list.into_iter().map(|item| told(item, schema)).collect();
    Expr::InList(InList::new(Box::new(told(*expr, schema)), list, negated))
}

/// What tells a value from others: of an interval what it lasts, and of a float not the sign of zero.
fn told(value: Expr, schema: &DFSchema) -> Expr {
    match value.get_type(schema) {
        Ok(DataType::Interval(_)) => call(time_operators::span_size(), vec![value]),
        Ok(kind) if kind.is_floating() => call(arithmetic::plus(), vec![value, lit(0.0)]),
        _ => value,
    }
}
