//! Which filters may run on the rows of others.

use arrow::datatypes::Schema;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

/// By these columns files are sorted and bounded. Bounds of others would tell, by the time that a
/// query takes, what values other organisations have.
const PRUNED: [&str; 4] = ["org_id", "ts", "event_date", "hour"];

/// True for what may run on the rows of others: a comparison of one of a few columns with a literal
/// of its own type, which cannot fail and tells nothing.
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
