//! Texts that are written in a query.

use datafusion::sql::sqlparser::ast::{Expr, Value, ValueWithSpan};

/// The text in plain quotes that an expression is, whatever parentheses are around it.
pub(super) fn literal_text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) => Some(text),
        Expr::Nested(inner) => literal_text(inner),
        _ => None,
    }
}
