//! Decides which filters may run on the rows of other organisations.

use arrow::datatypes::Schema;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

/// The columns by which files are sorted and bounded. With bounds of other columns, the time that a
/// query takes would reveal which values other organisations have.
const PRUNED: [&str; 4] = ["org_id", "ts", "event_date", "hour"];

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
