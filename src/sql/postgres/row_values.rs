//! Comparisons of row values, such as `(a, b) = (1, 2)`, as comparisons of their parts: DataFusion would
//! compare structs, in which null equals null.

use std::ops::ControlFlow;

use datafusion::error::Result;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, UnaryOperator,
    Visit, Visitor,
};

use super::balance::balance;
use super::calls::{args_of, call};
use super::refusal::refused;

/// Bytes of what a list of rows is compared with, for all rows of the list.
const REPEATED_MAX: usize = 1 << 20;
/// Values of rows that are compared by their order: each is a level more in the tree.
const ORDERED_MAX: usize = 100;

/// Writes a comparison of row values as one of their parts.
///
/// # Errors
/// A row value that is not compared, and rows of other lengths.
pub(super) fn reword_rows(expr: &mut Expr) -> Result<()> {
    if let Some(mut compared) = compared(expr)? {
        balance(&mut compared);
        *expr = Expr::Nested(Box::new(compared));
        return Ok(());
    }
    if let Expr::Function(function) = expr {
        count_of_rows(function);
    }
    if parts_of(expr).is_some() {
        return Err(refused(
            "a row of values such as (a, b) is compared with another one, or with a list of them; \
             write its values one by one",
        ));
    }
    Ok(())
}

/// The comparison of the parts; `None` if no rows are compared.
fn compared(expr: &Expr) -> Result<Option<Expr>> {
    Ok(match expr {
        Expr::BinaryOp { left, op, right } => two(left, op, right)?,
        Expr::IsNull(row) => row_of(row)?.and_then(|parts| all(parts, Expr::IsNull)),
        Expr::IsNotNull(row) => row_of(row)?.and_then(|parts| all(parts, Expr::IsNotNull)),
        // What follows `AND` is split off before, by `syntax.rs`.
        Expr::IsDistinctFrom(left, right) => pairs(left, right)?
            .and_then(|pairs| joined(pairs, &BinaryOperator::Or, Expr::IsDistinctFrom)),
        Expr::IsNotDistinctFrom(left, right) => pairs(left, right)?
            .and_then(|pairs| joined(pairs, &BinaryOperator::And, Expr::IsNotDistinctFrom)),
        Expr::InList { expr, list, negated } => in_list(expr, list, *negated)?,
        Expr::Between { expr, low, high, negated } => between(expr, low, high, *negated)?,
        _ => None,
    })
}

fn two(left: &Expr, op: &BinaryOperator, right: &Expr) -> Result<Option<Expr>> {
    use BinaryOperator as Op;
    let each = |op: &Op| {
        let op = op.clone();
        move |left, right| binary(left, op.clone(), right)
    };
    match op {
        Op::Eq => Ok(pairs(left, right)?.and_then(|pairs| joined(pairs, &Op::And, each(op)))),
        Op::NotEq => Ok(pairs(left, right)?.and_then(|pairs| joined(pairs, &Op::Or, each(op)))),
        Op::Lt | Op::LtEq | Op::Gt | Op::GtEq => in_order(left, op, right),
        _ => Ok(None),
    }
}

/// `a < x OR (a = x AND b < y)` for `(a, b) < (x, y)`.
fn in_order(left: &Expr, op: &BinaryOperator, right: &Expr) -> Result<Option<Expr>> {
    let Some(mut pairs) = pairs(left, right)? else { return Ok(None) };
    if pairs.len() > ORDERED_MAX {
        return Err(refused("rows of more than 100 values have no order here; compare fewer"));
    }
    let strict = match op {
        BinaryOperator::LtEq => BinaryOperator::Lt,
        BinaryOperator::GtEq => BinaryOperator::Gt,
        op => op.clone(),
    };
    let Some((left, right)) = pairs.pop() else { return Ok(None) };
    let last = binary(Box::new(left), op.clone(), Box::new(right));
    Ok(Some(pairs.into_iter().rev().fold(last, |later, (left, right)| {
        let (left, right) = (Box::new(left), Box::new(right));
        let equal = binary(left.clone(), BinaryOperator::Eq, right.clone());
        let equal = binary(Box::new(equal), BinaryOperator::And, Box::new(nested(later)));
        let first = binary(left, strict.clone(), right);
        binary(Box::new(first), BinaryOperator::Or, Box::new(nested(equal)))
    })))
}

fn in_list(row: &Expr, list: &[Expr], negated: bool) -> Result<Option<Expr>> {
    if parts_of(row).is_none() && list.iter().all(|item| parts_of(item).is_none()) {
        return Ok(None);
    }
    if row.to_string().len().saturating_mul(list.len()) > REPEATED_MAX {
        return Err(refused("the row before IN is too long; name its values in an inner query"));
    }
    let equal = list.iter().map(|item| Ok(two(row, &BinaryOperator::Eq, item)?.map(nested)));
    let equal: Option<Vec<_>> = equal.collect::<Result<_>>()?;
    let or = |left, right| binary(Box::new(left), BinaryOperator::Or, Box::new(right));
    let found = equal.and_then(|equal| equal.into_iter().reduce(or));
    Ok(found.map(|found| if negated { not(found) } else { found }))
}

fn between(row: &Expr, low: &Expr, high: &Expr, negated: bool) -> Result<Option<Expr>> {
    let from = two(row, &BinaryOperator::GtEq, low)?;
    let Some(from) = from else { return Ok(None) };
    let Some(to) = two(row, &BinaryOperator::LtEq, high)? else { return Ok(None) };
    let (from, to) = (Box::new(nested(from)), Box::new(nested(to)));
    let inside = binary(from, BinaryOperator::And, to);
    Ok(Some(if negated { not(inside) } else { inside }))
}

/// The parts of two rows; `None` if neither is a row.
fn pairs(left: &Expr, right: &Expr) -> Result<Option<Vec<(Expr, Expr)>>> {
    match (row_of(left)?, row_of(right)?) {
        (None, None) => Ok(None),
        (Some(left), Some(right)) if left.len() == right.len() && !left.is_empty() => {
            Ok(Some(left.into_iter().zip(right).collect()))
        }
        (Some(_), Some(_)) => {
            Err(refused("the rows that are compared have unequal numbers of values; change one"))
        }
        _ => Err(refused(
            "a row of values is compared with another one here, and not with a query or a value; \
             write its values one by one",
        )),
    }
}

/// The values of a row, in which are no rows: PostgreSQL compares those in another way, in which null
/// equals null, and what is in a row may be written several times here.
fn row_of(expr: &Expr) -> Result<Option<Vec<Expr>>> {
    let parts = parts_of(expr);
    if parts.iter().flatten().any(has_row) {
        return Err(refused(
            "rows within rows are not compared here; write their values one by one",
        ));
    }
    Ok(parts)
}

/// The values of `(a, b)` and of `ROW(a, b)`.
fn parts_of(expr: &Expr) -> Option<Vec<Expr>> {
    match expr {
        Expr::Tuple(parts) => Some(parts.clone()),
        Expr::Nested(inner) => parts_of(inner),
        Expr::Function(function) if function.name.to_string().eq_ignore_ascii_case("row") => {
            args_of(function)
        }
        _ => None,
    }
}

/// Rows that are counted are structs: each counts, and null equals null in them as in PostgreSQL.
fn count_of_rows(function: &mut Function) {
    if !function.name.to_string().eq_ignore_ascii_case("count") {
        return;
    }
    let FunctionArguments::List(list) = &mut function.args else { return };
    if let [FunctionArg::Unnamed(FunctionArgExpr::Expr(arg))] = list.args.as_mut_slice()
        && let Some(parts) = parts_of(arg)
    {
        *arg = call("struct", parts);
    }
}

fn has_row(expr: &Expr) -> bool {
    expr.visit(&mut FindRow).is_break()
}

struct FindRow;

impl Visitor for FindRow {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if parts_of(expr).is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

fn all(parts: Vec<Expr>, test: fn(Box<Expr>) -> Expr) -> Option<Expr> {
    let tests = parts.into_iter().map(|part| test(Box::new(part)));
    tests.reduce(|left, right| binary(Box::new(left), BinaryOperator::And, Box::new(right)))
}

fn joined(
    pairs: Vec<(Expr, Expr)>,
    by: &BinaryOperator,
    each: impl Fn(Box<Expr>, Box<Expr>) -> Expr,
) -> Option<Expr> {
    let tests = pairs.into_iter().map(|(left, right)| each(Box::new(left), Box::new(right)));
    tests.reduce(|left, right| binary(Box::new(left), by.clone(), Box::new(right)))
}

fn binary(left: Box<Expr>, op: BinaryOperator, right: Box<Expr>) -> Expr {
    Expr::BinaryOp { left, op, right }
}

fn nested(expr: Expr) -> Expr {
    Expr::Nested(Box::new(expr))
}

fn not(expr: Expr) -> Expr {
    let expr = Box::new(nested(expr));
    Expr::UnaryOp { op: UnaryOperator::Not, expr }
}

#[cfg(test)]
mod tests {
    use super::super::syntax::statement;

    #[test]
    fn rows_are_compared_by_their_values_or_refused() {
        let of = |text: &str| match statement(&format!("SELECT {text}"), 50) {
            Ok(statement) => statement.to_string(),
            Err(error) => error.to_string(),
        };
        for (asked, expected) in [
            ("(a, b) = (1, 2)", "(a = 1 AND b = 2)"),
            ("ROW(a, b) <> (1, 2)", "(a <> 1 OR b <> 2)"),
            ("(a, b, c) <= (1, 2, 3)", "(a < 1 OR (a = 1 AND (b < 2 OR (b = 2 AND (c <= 3)))))"),
            ("(a, b) IN ((1, 2), (3, 4))", "((a = 1 AND b = 2) OR (a = 3 AND b = 4))"),
            ("(a, b) NOT IN ((1, NULL))", "(NOT ((a = 1 AND b = NULL)))"),
            ("(a, b) IS NULL", "(a IS NULL AND b IS NULL)"),
            ("(a, b) IS NOT NULL", "(a IS NOT NULL AND b IS NOT NULL)"),
            ("(a, b) IS DISTINCT FROM (1, 2)", "(a IS DISTINCT FROM 1 OR b IS DISTINCT FROM 2)"),
            (
                "(a, b) BETWEEN (1, 2) AND (3, 4) AND c",
                "((a > 1 OR (a = 1 AND (b >= 2))) AND (a < 3 OR (a = 3 AND (b <= 4)))) AND c",
            ),
            (
                "(a, b) IS DISTINCT FROM (1, 2) AND c",
                "(a IS DISTINCT FROM 1 OR b IS DISTINCT FROM 2) AND c",
            ),
            ("count(DISTINCT (a, b))", "count(DISTINCT struct(a, b))"),
        ] {
            assert_eq!(of(asked), format!("SELECT {expected}"));
        }
        for (asked, words) in [
            ("(a, b) = (1, 2, 3)", "unequal numbers"),
            ("(a, b) = (SELECT 1, 2)", "not with a query"),
            ("(a, b) IN (SELECT 1, 2)", "one by one"),
            ("((a, b), c) = ((1, 2), 3)", "within rows"),
            ("((a, b), c) IS NULL", "within rows"),
            ("a IN ((1, 2))", "one by one"),
            ("(a, b)", "one by one"),
            ("max((a, b))", "one by one"),
            ("CASE (a, b) WHEN (1, 2) THEN 3 END", "one by one"),
        ] {
            assert!(of(asked).contains(words), "{asked}: {}", of(asked));
        }
    }
}
