//! The operators of PostgreSQL's `jsonb` on a map of texts, which is what `attributes` is.

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::functions::core::get_field;
use datafusion::logical_expr::{Cast, Expr, and, lit};
use datafusion::sql::sqlparser::ast::BinaryOperator;
use serde_json::{Map, Value};

use super::function::call;
use super::refusal::refused;

/// Whether an operator is one of those on `jsonb`.
pub(super) fn is_of_maps(op: &BinaryOperator) -> bool {
    use BinaryOperator as Op;
    matches!(op, Op::LongArrow | Op::Arrow | Op::AtArrow)
}

/// `->>` is the value of a key, and `@>` tells whether there are those of an object. `None` if the left side is no map, or the right side no text that is known.
///
/// # Errors
/// `->`, which would be JSON and is a text here; and what is no object.
pub(super) fn of_map(
    op: &BinaryOperator,
    (left, of): (&Expr, &DataType),
    right: &Expr,
) -> Result<Option<Expr>> {
    // A text says what it is, as in `'{}'::jsonb`.
    let right = match right {
        Expr::Cast(Cast { expr, .. }) => expr.as_ref(),
        right => right,
    };
    let Expr::Literal(text, _) = right else { return Ok(None) };
    let (DataType::Map(..), Some(Some(text))) = (of, text.try_as_str()) else { return Ok(None) };
    let value = |key: &str| call(get_field().as_ref().clone(), vec![left.clone(), lit(key)]);
    Ok(match op {
        BinaryOperator::LongArrow => Some(value(text)),
        BinaryOperator::AtArrow => {
            let object: Map<String, Value> = serde_json::from_str(text).map_err(|_| {
                refused(r#"what follows @> is an object of JSON, as in '{"team":"a"}'"#)
            })?;
            let equal = object.iter().map(|(key, wanted)| {
                let wanted = ScalarValue::from(text_of(wanted));
                value(key).eq(Expr::Literal(wanted, None))
            });
            let all = equal.reduce(and).unwrap_or_else(|| left.clone().is_not_null());
            // A key that is not there is no match.
            Some(all.is_true())
        }
        BinaryOperator::Arrow => {
            return Err(refused("values of attributes are texts; write ->> instead of ->"));
        }
        _ => None,
    })
}

/// A value as attributes keep it: texts as they are, all others as JSON.
fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}
