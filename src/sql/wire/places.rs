//! What the place of a parameter in a query says of its type, where a plan cannot be made before that is
//! known: `substr(x, $1)` takes an integer, `WHERE $1` a truth, and `coalesce(x, $1)` what `x` is.

use datafusion::sql::sqlparser::ast::{
    AccessExpr, BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
    Select, Subscript, UnaryOperator,
};

use super::oids::oid;

/// Not told by the function.
const OPEN: u32 = 0;
/// The types of functions' arguments, by their places.
const ARGUMENTS: [(&str, &[u32]); 22] = [
    ("chr", &[oid::INT4]),
    ("date_bin", &[oid::INTERVAL, OPEN, OPEN]),
    ("lag", &[OPEN, oid::INT4]),
    ("lead", &[OPEN, oid::INT4]),
    ("left", &[OPEN, oid::INT4]),
    ("lpad", &[OPEN, oid::INT4, oid::TEXT]),
    ("make_date", &[oid::INT4, oid::INT4, oid::INT4]),
    ("make_time", &[oid::INT4, oid::INT4, oid::FLOAT8]),
    ("nth_value", &[OPEN, oid::INT4]),
    ("ntile", &[oid::INT4]),
    ("percentile_cont", &[oid::FLOAT8]),
    ("percentile_disc", &[oid::FLOAT8]),
    ("repeat", &[OPEN, oid::INT4]),
    ("right", &[OPEN, oid::INT4]),
    ("round", &[OPEN, oid::INT4]),
    ("rpad", &[OPEN, oid::INT4, oid::TEXT]),
    ("split_part", &[OPEN, OPEN, oid::INT4]),
    ("substr", &[OPEN, oid::INT4, oid::INT4]),
    ("substring", &[OPEN, oid::INT4, oid::INT4]),
    ("to_hex", &[oid::INT8]),
    ("to_timestamp", &[oid::FLOAT8]),
    ("trunc", &[OPEN, oid::INT4]),
];
/// Functions all of whose arguments have one type.
const ALIKE: [&str; 4] = ["coalesce", "greatest", "least", "nullif"];

/// Sees the parts of an expression whose types their places tell.
pub(super) fn told(expr: &mut Expr, see: &mut dyn FnMut(&mut Expr, u32)) {
    match expr {
        Expr::Function(function) => of_function(function, see),
        Expr::Substring { substring_from, substring_for, .. } => {
            let places = substring_from.iter_mut().chain(substring_for);
            places.for_each(|place| see(place, oid::INT4));
        }
        Expr::UnaryOp { op: UnaryOperator::Not, expr } => see(expr, oid::BOOL),
        Expr::BinaryOp { left, op, right } => of_operator(left, op, right, see),
        Expr::Case { operand: None, conditions, .. } => {
            conditions.iter_mut().for_each(|when| see(&mut when.condition, oid::BOOL));
        }
        Expr::CompoundFieldAccess { root, access_chain } => {
            // No column has lists: what is looked up in a column is a key of a map.
            let is_column = matches!(**root, Expr::Identifier(_) | Expr::CompoundIdentifier(_));
            let index = if is_column { oid::TEXT } else { oid::INT4 };
            for access in access_chain {
                if let AccessExpr::Subscript(Subscript::Index { index: place }) = access {
                    see(place, index);
                }
            }
        }
        _ => {}
    }
}

/// As [`told`], of the conditions of a query.
pub(super) fn told_of_select(select: &mut Select, see: &mut dyn FnMut(&mut Expr, u32)) {
    let conditions = select.selection.iter_mut().chain(&mut select.having);
    conditions.for_each(|condition| see(condition, oid::BOOL));
}

fn of_operator(
    left: &mut Expr,
    op: &BinaryOperator,
    right: &mut Expr,
    see: &mut dyn FnMut(&mut Expr, u32),
) {
    match op {
        BinaryOperator::And | BinaryOperator::Or => {
            see(left, oid::BOOL);
            see(right, oid::BOOL);
        }
        BinaryOperator::LongArrow | BinaryOperator::Arrow => see(right, oid::TEXT),
        BinaryOperator::AtArrow => see(right, oid::JSONB),
        _ => {}
    }
}

fn of_function(function: &mut Function, see: &mut dyn FnMut(&mut Expr, u32)) {
    if let Some(filter) = &mut function.filter {
        see(filter, oid::BOOL);
    }
    let name = function.name.to_string().to_lowercase();
    let name = name.strip_prefix("pg_catalog.").unwrap_or(&name);
    let Some((_, types)) = ARGUMENTS.iter().find(|(known, _)| *known == name) else { return };
    let args = arguments(function);
    if args.len() > types.len() {
        return;
    }
    for (arg, known) in args.into_iter().zip(*types) {
        if *known != OPEN {
            see(arg, *known);
        }
    }
}

fn arguments(function: &mut Function) -> Vec<&mut Expr> {
    let FunctionArguments::List(list) = &mut function.args else { return Vec::new() };
    let args = list.args.iter_mut().filter_map(|arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(arg)) => Some(arg),
        _ => None,
    });
    args.collect()
}

/// The parts of an expression that have one type, if there are several.
pub(super) fn alike(expr: &mut Expr) -> Vec<&mut Expr> {
    match expr {
        Expr::Function(function) => {
            let name = function.name.to_string().to_lowercase();
            match ALIKE.contains(&&*name) {
                true => arguments(function),
                false => Vec::new(),
            }
        }
        Expr::Case { conditions, else_result, .. } => {
            let results = conditions.iter_mut().map(|when| &mut when.result);
            results.chain(else_result.iter_mut().map(AsMut::as_mut)).collect()
        }
        _ => Vec::new(),
    }
}
