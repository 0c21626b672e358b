//! Rebuilds long lists of conditions as trees of the least depth.
//!
//! `a OR b OR c …` is parsed into a tree with one level per condition. Code that visits everything
//! below at each level takes quadratic time. Conditions have the same meaning however they are
//! grouped, and they stay in their order.

use std::mem::replace;

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, Value};

/// Lists up to this length are shallow in any shape.
const FEW: usize = 16;

/// Balances a list of conditions that are joined by `AND` or by `OR`; leaves everything else as it
/// is.
pub(super) fn balance(expr: &mut Expr) {
    let Expr::BinaryOp { op: op @ (BinaryOperator::And | BinaryOperator::Or), .. } = &*expr else {
        return;
    };
    let op = op.clone();
    if length(expr, &op) <= FEW {
        return;
    }
    let whole = replace(expr, Expr::Value(Value::Null.into()));
    let mut last_first = Vec::new();
    let mut rest = whole;
    let first = loop {
        match rest {
            Expr::BinaryOp { left, op: own, right } if own == op => {
                last_first.push(*right);
                rest = *left;
            }
            first => break first,
        }
    };
    last_first.push(first);
    last_first.reverse();
    if let Some(tree) = tree(last_first, &op) {
        *expr = tree;
    }
}

/// The number of conditions in a list.
fn length(expr: &Expr, op: &BinaryOperator) -> usize {
    let (mut rest, mut length) = (expr, 1);
    while let Expr::BinaryOp { left, op: own, .. } = rest
        && own == op
    {
        (rest, length) = (left, length + 1);
    }
    length
}

/// A balanced tree of the conditions; `None` if there are none.
fn tree(mut conditions: Vec<Expr>, op: &BinaryOperator) -> Option<Expr> {
    let last = conditions.split_off(conditions.len() / 2);
    if conditions.is_empty() {
        return last.into_iter().next();
    }
    let (left, right) = (tree(conditions, op)?, tree(last, op)?);
    Some(Expr::BinaryOp { left: Box::new(left), op: op.clone(), right: Box::new(right) })
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::parser::Parser;

    use super::super::dialect::Postgres;
    use super::*;

    fn read(text: &str) -> Expr {
        Parser::new(&Postgres).try_with_sql(text).unwrap().parse_expr().unwrap()
    }

    fn depth(expr: &Expr) -> usize {
        match expr {
            Expr::BinaryOp { left, right, .. } => 1 + depth(left).max(depth(right)),
            _ => 0,
        }
    }

    #[test]
    fn long_lists_become_shallow_and_keep_their_order() {
        for op in ["AND", "OR"] {
            let text = (0..5_000).map(|n| format!("c{n}")).collect::<Vec<_>>();
            let text = text.join(&format!(" {op} "));
            let mut expr = read(&text);
            assert_eq!(depth(&expr), 4_999);
            balance(&mut expr);
            assert!(depth(&expr) <= 13, "{}", depth(&expr));
            assert_eq!(expr.to_string(), text);
        }
    }

    #[test]
    fn short_lists_and_other_operators_stay() {
        for text in ["a AND b AND c", "a OR b AND c OR d", "1 + 2 + 3 + 4", "a"] {
            let mut expr = read(text);
            balance(&mut expr);
            assert_eq!(expr, read(text));
        }
        // In a mixed list, each part is balanced separately.
        let mut expr = read(&format!("{}x AND y", "a OR ".repeat(40)));
        balance(&mut expr);
        assert!(depth(&expr) <= 8);
        assert!(expr.to_string().ends_with("a OR x AND y"));
    }
}
