//! What a scan makes of a filter: whether it may run on the rows of others, and what it is worth.

use arrow::datatypes::Schema;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

use crate::archive::PARTITION;

/// The columns by which files are sorted and bounded. With bounds of other columns, the time that a
/// query takes would reveal which values other organisations have.
const PRUNED: [&str; 4] = ["org_id", "ts", "event_date", "hour"];

/// Columns with few distinct values.
const COMMON_NAMES: [&str; 6] =
    ["event_type", "provider", "model", "source", "cost_source", PARTITION];

/// True for a filter that may run on the rows of others: a comparison of one of a few columns with
/// a literal of the column's type, which cannot fail and reveals nothing.
pub(super) fn is_plain(filter: &Expr, schema: &Schema) -> bool {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = filter else { return false };
    let compares =
        matches!(op, Operator::Eq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq);
    let (column, literal) = match (left.as_ref(), right.as_ref()) {
        (Expr::Column(column), Expr::Literal(literal, _))
        | (Expr::Literal(literal, _), Expr::Column(column)) => (column, literal),
        _ => return false,
    };
    let same_type = schema
        .field_with_name(column.name())
        .is_ok_and(|field| *field.data_type() == literal.data_type());
    compares && PRUNED.contains(&column.name()) && same_type && !literal.is_null()
}

/// True unless a filter uses only names, each of which occurs in many rows.
pub(super) fn is_selective(filter: &Expr) -> bool {
    let columns = filter.column_refs();
    columns.iter().any(|column| !COMMON_NAMES.contains(&column.name.as_str()))
}

/// True for a filter that compares `event_id` for equality.
pub(super) fn asks_for_id(filter: &Expr) -> bool {
    let is_id = |expr: &Expr| matches!(expr, Expr::Column(column) if column.name == "event_id");
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => {
            is_id(left) || is_id(right)
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And | Operator::Or, right }) => {
            asks_for_id(left) || asks_for_id(right)
        }
        Expr::InList(list) => !list.negated && is_id(&list.expr),
        _ => false,
    }
}
