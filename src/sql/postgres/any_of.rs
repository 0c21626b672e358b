//! `ANY` and `ALL` of lists, which are unknown where a null may be what is looked for, and lists that
//! are written as texts.

use datafusion::error::Result;
use datafusion::sql::sqlparser::ast::{
    Array, ArrayElemTypeDef, BinaryOperator, CastKind, DataType, Expr, UnaryOperator, Value,
};

use super::list_read::list_items;
use super::literal_text::literal_text;
use super::refusal::{quoted, refused};
use super::types::is_numeric;

/// `a IN (…)` for `a = ANY(ARRAY[…])`, of which filters are made. Of other lists, what holds of any item
/// is what its contrary does not hold of all: DataFusion knows of nulls in `ALL` only.
///
/// # Errors
/// A text that is no list.
pub(super) fn any_of(left: &Expr, op: &BinaryOperator, right: &Expr) -> Result<Option<Expr>> {
    if is_subquery(right) {
        return Ok(None);
    }
    if *op == BinaryOperator::Eq
        && let Some(list) = items(right)?
    {
        return Ok(Some(among(left, list, false)));
    }
    let Some(contrary) = contrary(op) else { return Ok(None) };
    let right = list_of(right)?.unwrap_or_else(|| right.clone());
    let all =
        Expr::AllOp { left: Box::new(left.clone()), compare_op: contrary, right: Box::new(right) };
    let expr = Box::new(Expr::Nested(Box::new(all)));
    Ok(Some(Expr::UnaryOp { op: UnaryOperator::Not, expr }))
}

/// `a NOT IN (…)` for `a <> ALL(ARRAY[…])`.
///
/// # Errors
/// A text that is no list.
pub(super) fn all_of(left: &Expr, op: &BinaryOperator, right: &Expr) -> Result<Option<Expr>> {
    if is_subquery(right) {
        return Ok(None);
    }
    if *op == BinaryOperator::NotEq
        && let Some(list) = items(right)?
    {
        return Ok(Some(among(left, list, true)));
    }
    Ok(list_of(right)?.map(|right| Expr::AllOp {
        left: Box::new(left.clone()),
        compare_op: op.clone(),
        right: Box::new(right),
    }))
}

/// The list that a cast of a text such as `'{a,b}'` makes; `None` for other casts.
///
/// # Errors
/// A text that is no list, and items that would lose places.
pub(super) fn cast_to_list(expr: &Expr, to: &DataType) -> Result<Option<Expr>> {
    let DataType::Array(ArrayElemTypeDef::SquareBracket(item, _)) = to else { return Ok(None) };
    let texts = match literal_text(expr) {
        Some(text) => texts(text)?,
        None if is_numeric(item) => {
            return Err(refused(
                "the items of a list have places of their own only as text, or as numeric(20, 6)[]",
            ));
        }
        None => return Ok(None),
    };
    if texts.is_empty() {
        let expr = Box::new(list(texts));
        let (kind, data_type) = (CastKind::DoubleColon, to.clone());
        return Ok(Some(Expr::Cast { kind, expr, data_type, array: false, format: None }));
    }
    let cast = |text| Expr::Cast {
        kind: CastKind::DoubleColon,
        expr: Box::new(text),
        data_type: item.as_ref().clone(),
        array: false,
        format: None,
    };
    Ok(Some(list(texts.into_iter().map(cast).collect())))
}

fn among(left: &Expr, list: Vec<Expr>, negated: bool) -> Expr {
    if list.is_empty() {
        return Expr::Value(Value::Boolean(negated).into());
    }
    Expr::InList { expr: Box::new(left.clone()), list, negated }
}

fn is_subquery(right: &Expr) -> bool {
    match right {
        Expr::Nested(inner) => is_subquery(inner),
        right => matches!(right, Expr::Subquery(_)),
    }
}

/// The items that are written in the query; `None` for other lists.
fn items(right: &Expr) -> Result<Option<Vec<Expr>>> {
    Ok(match right {
        Expr::Array(Array { elem, .. }) => {
            let flat = !elem.iter().any(|item| matches!(item, Expr::Array(_)));
            (flat && !elem.is_empty()).then(|| elem.clone())
        }
        Expr::Nested(inner) => items(inner)?,
        // The items have types of their own, or are texts that take the type of the left side.
        Expr::Cast { expr, data_type: DataType::Array(_), .. } => items(expr)?,
        right => literal_text(right).map(texts).transpose()?,
    })
}

/// A list for a text alone.
fn list_of(right: &Expr) -> Result<Option<Expr>> {
    match right {
        Expr::Nested(inner) => list_of(inner),
        right => Ok(literal_text(right).map(texts).transpose()?.map(list)),
    }
}

fn list(elem: Vec<Expr>) -> Expr {
    Expr::Array(Array { elem, named: true })
}

fn texts(text: &str) -> Result<Vec<Expr>> {
    let Some(items) = list_items(text) else {
        return Err(refused(&format!(
            "{} is no list of one dimension; write it as ARRAY['a', 'b'] or '{{a,b}}'",
            quoted(text)
        )));
    };
    let value = |item: Option<String>| item.map_or(Value::Null, Value::SingleQuotedString);
    Ok(items.into_iter().map(|item| Expr::Value(value(item).into())).collect())
}

fn contrary(op: &BinaryOperator) -> Option<BinaryOperator> {
    Some(match op {
        BinaryOperator::Eq => BinaryOperator::NotEq,
        BinaryOperator::NotEq => BinaryOperator::Eq,
        BinaryOperator::Lt => BinaryOperator::GtEq,
        BinaryOperator::LtEq => BinaryOperator::Gt,
        BinaryOperator::Gt => BinaryOperator::LtEq,
        BinaryOperator::GtEq => BinaryOperator::Lt,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::syntax::statement;

    #[test]
    fn any_and_all_of_lists_know_of_nulls() {
        let of = |text: &str| match statement(&format!("SELECT {text}"), 50) {
            Ok(statement) => statement.to_string(),
            Err(error) => error.to_string(),
        };
        for (asked, expected) in [
            ("a = ANY(ARRAY['x', NULL])", "a IN ('x', NULL)"),
            ("a = ANY('{x,\"y z\",NULL}')", "a IN ('x', 'y z', NULL)"),
            ("a = SOME('{1}'::int[])", "a IN ('1')"),
            ("a = ANY('{}')", "false"),
            ("a = ANY(b)", "NOT (a <> ALL(b))"),
            ("a > ANY(ARRAY[1, NULL])", "NOT (a <= ALL(ARRAY[1, NULL]))"),
            ("a <> ALL(ARRAY[1, 2])", "a NOT IN (1, 2)"),
            ("a > ALL('{1,2}')", "a > ALL(ARRAY['1', '2'])"),
            ("a = ANY(SELECT b FROM t)", "a = ANY(SELECT b FROM t)"),
            ("'{a,NULL}'::text[]", "ARRAY['a'::TEXT, NULL::TEXT]"),
            ("'{}'::int[]", "ARRAY[]::INT[]"),
            ("ARRAY[1]::text[]", "ARRAY[1]::TEXT[]"),
        ] {
            assert_eq!(of(asked), format!("SELECT {expected}"), "{asked}");
        }
        for (asked, words) in [
            ("a = ANY('x')", "'x' is no list"),
            ("'{{a}}'::text[]", "no list of one dimension"),
            ("ARRAY[1.5]::numeric[]", "numeric(20, 6)[]"),
        ] {
            assert!(of(asked).contains(words), "{asked}: {}", of(asked));
        }
    }
}
