//! Sets of values: those that are equal in PostgreSQL are one.

use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::functions::string::concat;
use datafusion::logical_expr::expr::{AggregateFunction, InList};
use datafusion::logical_expr::{Expr, ExprSchemable as _, cast, lit};

use super::{arithmetic, call, quoting, time_operators};

/// The function that makes a row of values.
const ROW: &str = "struct";

/// An aggregate of distinct values.
pub(super) fn distinct(of: &AggregateFunction, schema: &DFSchema) -> Expr {
    let mut of = of.clone();
    if of.func.name() == "count" {
        let told = |arg| row_as_text(&arg, schema).unwrap_or_else(|| told(arg, schema));
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

/// A row of values as a text that no other row has; `None` if it is no row, or has parts that a text does
/// not tell. DataFusion would keep each row as a part of its batch, and take its size for that of the batch,
/// so that it ran out of memory over some thousand rows.
fn row_as_text(value: &Expr, schema: &DFSchema) -> Option<Expr> {
    let Expr::ScalarFunction(row) = value else { return None };
    if row.func.name() != ROW {
        return None;
    }
    let mut parts = Vec::new();
    for part in &row.args {
        if !part.get_type(schema).is_ok_and(|kind| is_told_by_text(&kind)) {
            return None;
        }
        let text = cast(part.clone(), DataType::Utf8);
        // Quoted texts do not run into each other.
        parts.extend([call(quoting::quote_nullable(), vec![text]), lit(",")]);
    }
    Some(call(concat().as_ref().clone(), parts))
}

/// Whether values of a type are equal where their texts are.
fn is_told_by_text(kind: &DataType) -> bool {
    let is_text = matches!(kind, DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8);
    let is_time = matches!(kind, DataType::Timestamp(..) | DataType::Date32);
    let is_exact = kind.is_integer() || matches!(kind, DataType::Decimal128(..));
    is_text || is_time || is_exact || matches!(kind, DataType::Boolean | DataType::Null)
}

/// What tells a value from others: of an interval what it lasts, and of a float not the sign of zero.
fn told(value: Expr, schema: &DFSchema) -> Expr {
    match value.get_type(schema) {
        Ok(DataType::Interval(_)) => call(time_operators::span_size(), vec![value]),
        Ok(kind) if kind.is_floating() => call(arithmetic::plus(), vec![value, lit(0.0)]),
        _ => value,
    }
}
