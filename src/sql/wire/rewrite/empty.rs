//! What tables that are empty for ever answer: there are no indexes, constraints, triggers, comments
//! and so on, and clients ask for them in queries that DataFusion does not plan.

use datafusion::sql::sqlparser::ast::{
    Array, ArrayElemTypeDef, BinaryOperator, DataType, Expr, FunctionArg, FunctionArgExpr,
    FunctionArguments, GroupByExpr, JoinOperator, Query, Select, SelectItem, SetExpr, SetOperator,
    Statement, TableFactor, Value,
};

use super::super::super::catalog::{is_empty_table, is_list_column};
use super::super::literal::{boolean, cast, null, number};
use super::constants::text_of;
use super::parts::{catalog_name, lower};

/// Functions that make one row of none.
const AGGREGATES: [&str; 9] =
    ["count", "sum", "max", "min", "avg", "array_agg", "string_agg", "bool_or", "bool_and"];

/// The kind of each type of the catalog.
const PLAIN_TYPE: &str = "b";

/// Whether a query has no rows, whatever it filters.
pub(in crate::sql) fn is_always_empty(statement: &Statement) -> bool {
    matches!(statement, Statement::Query(query) if has_no_rows(query))
}

fn has_no_rows(query: &Query) -> bool {
    query.with.is_none() && set_has_no_rows(&query.body)
}

fn set_has_no_rows(body: &SetExpr) -> bool {
    match body {
        SetExpr::Select(select) => select_has_no_rows(select),
        SetExpr::Query(query) => has_no_rows(query),
        SetExpr::SetOperation { op: SetOperator::Union, left, right, .. } => {
            set_has_no_rows(left) && set_has_no_rows(right)
        }
        SetExpr::SetOperation { left, .. } => set_has_no_rows(left),
        _ => false,
    }
}

fn select_has_no_rows(select: &Select) -> bool {
    let groups = !matches!(&select.group_by, GroupByExpr::Expressions(by, _) if by.is_empty());
    if !groups && select.projection.iter().any(aggregates) {
        return false;
    }
    from_has_no_rows(select)
}

fn from_has_no_rows(select: &Select) -> bool {
    select.from.iter().any(|from| {
        let (mut rows, mut kept) = (!has_no_rows_of(&from.relation), true);
        for join in &from.joins {
            let right = !has_no_rows_of(&join.relation);
            match join.join_operator {
                JoinOperator::Join(_) | JoinOperator::Inner(_) | JoinOperator::CrossJoin(_) => {
                    rows &= right;
                }
                JoinOperator::Left(_) | JoinOperator::LeftOuter(_) => {}
                JoinOperator::Right(_) | JoinOperator::RightOuter(_) => rows = right,
                _ => kept = false,
            }
        }
        kept && !rows
    })
}

fn has_no_rows_of(table: &TableFactor) -> bool {
    match table {
        TableFactor::Table { name, args: None, .. } => {
            catalog_name(name).is_some_and(|name| is_empty_table(&name))
        }
        TableFactor::Table { name, args: Some(args), .. } => {
            let mut args = args.args.iter().filter_map(|arg| match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(arg)) => Some(arg),
                _ => None,
            });
            match name.to_string().to_lowercase().as_str() {
                "pg_catalog.unnest" => args.all(is_list_of_catalog),
                "generate_series" | "pg_catalog.generate_series" => {
                    args.any(counts_list_of_catalog)
                }
                _ => false,
            }
        }
        TableFactor::UNNEST { array_exprs, .. } => array_exprs.iter().all(is_list_of_catalog),
        TableFactor::Derived { subquery, .. } => has_no_rows(subquery),
        TableFactor::NestedJoin { table_with_joins, .. } => {
            table_with_joins.joins.is_empty() && has_no_rows_of(&table_with_joins.relation)
        }
        _ => false,
    }
}

/// Whether an expression names a column of the catalogs whose lists are null in each row.
fn is_list_of_catalog(expr: &Expr) -> bool {
    match expr {
        Expr::CompoundIdentifier(names) => {
            names.last().is_some_and(|name| is_list_column(&lower(name)))
        }
        Expr::Identifier(name) => is_list_column(&lower(name)),
        _ => false,
    }
}

/// Whether an expression is made of the length of such a list, as in `array_upper(prattrs::int2[], 1)`.
fn counts_list_of_catalog(expr: &Expr) -> bool {
    let text = expr.to_string().to_lowercase();
    let is_name = |char: char| char.is_alphanumeric() || char == '_';
    text.contains("array_upper(") && text.split(|char| !is_name(char)).any(is_list_column)
}

fn aggregates(item: &SelectItem) -> bool {
    let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item else {
        return false;
    };
    // What is written about a whole expression names the functions inside of it as well.
    let text = expr.to_string().to_lowercase();
    AGGREGATES.iter().any(|name| text.contains(&format!("{name}(")))
}

/// The value of an expression that asks a query without rows.
pub(super) fn answered(expr: &Expr) -> Option<Expr> {
    match expr {
        Expr::Subquery(query) if has_no_rows(query) => Some(null()),
        Expr::Subquery(query) => aggregate_of_none(query),
        Expr::Case { operand: None, conditions, else_result, .. } => match conditions.as_slice() {
            [only] if is_no_kind_of_type(&only.condition) => {
                let otherwise = else_result.as_deref();
                Some(match otherwise.filter(|expr| !is_null(expr)) {
                    Some(otherwise) => otherwise.clone(),
                    None => null_like(&only.result),
                })
            }
            _ => None,
        },
        Expr::Exists { subquery, negated } if has_no_rows(subquery) => Some(boolean(*negated)),
        Expr::InSubquery { subquery, negated, .. } if has_no_rows(subquery) => {
            Some(boolean(*negated))
        }
        Expr::AnyOp { right, .. } => match right.as_ref() {
            Expr::Subquery(query) if has_no_rows(query) => Some(boolean(false)),
            _ => None,
        },
        // `ARRAY(SELECT …)`, whose only form with a query this is.
        Expr::Function(function) => match &function.args {
            FunctionArguments::Subquery(query) if has_no_rows(query) => Some(texts()),
            _ => None,
        },
        _ => None,
    }
}

/// The value of a query that is an aggregate over no rows.
fn aggregate_of_none(query: &Query) -> Option<Expr> {
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    let [
        SelectItem::UnnamedExpr(Expr::Function(function))
        | SelectItem::ExprWithAlias { expr: Expr::Function(function), .. },
    ] = select.projection.as_slice()
    else {
        return None;
    };
    let name = function.name.to_string().to_lowercase();
    let name = name.strip_prefix("pg_catalog.").unwrap_or(&name);
    let is_of_none = query.with.is_none()
        && AGGREGATES.contains(&name)
        && matches!(&select.group_by, GroupByExpr::Expressions(by, _) if by.is_empty())
        && from_has_no_rows(select);
    is_of_none.then(|| if name == "count" { number(0) } else { null() })
}

/// Whether a condition is that a type is a domain, a row and so on. All of them are plain types.
fn is_no_kind_of_type(condition: &Expr) -> bool {
    let Expr::BinaryOp { left, op: BinaryOperator::Eq, right } = condition else { return false };
    let column = match left.as_ref() {
        Expr::CompoundIdentifier(names) => names.last(),
        Expr::Identifier(name) => Some(name),
        _ => None,
    };
    column.is_some_and(|name| lower(name) == "typtype")
        && text_of(right).is_some_and(|kind| kind != PLAIN_TYPE)
}

fn is_null(expr: &Expr) -> bool {
    matches!(expr, Expr::Value(value) if value.value == Value::Null)
}

/// A null of the type that a query would return: a number or a list. A list is one of texts, because
/// clients know its type without asking for it.
fn null_like(expr: &Expr) -> Expr {
    if !expr.to_string().to_lowercase().contains("array_agg(") {
        return cast(null(), DataType::BigInt(None));
    }
    let item = ArrayElemTypeDef::SquareBracket(Box::new(DataType::Text), None);
    cast(null(), DataType::Array(item))
}

/// A list without items.
fn texts() -> Expr {
    let list = Expr::Array(Array { elem: Vec::new(), named: true });
    let item = ArrayElemTypeDef::SquareBracket(Box::new(DataType::Text), None);
    cast(list, DataType::Array(item))
}

#[cfg(test)]
mod tests {
    use super::super::super::super::postgres::{parsed, parsed_expr};
    use super::*;

    #[test]
    fn what_no_row_can_answer_is_answered() {
        let of =
            |text: &str| answered(&parsed_expr(text, 50).unwrap()).map(|expr| expr.to_string());
        for (asked, expected) in [
            ("(SELECT count(*) FROM pg_trigger WHERE tgrelid = c.oid)", Some("0")),
            ("(SELECT max(a) AS a FROM pg_index)", Some("NULL")),
            ("CASE WHEN t.typtype = 'd' THEN (SELECT oid FROM x) END", Some("NULL::BIGINT")),
            (
                "CASE WHEN t.typtype = 'c' THEN (SELECT array_agg(a) FROM x) ELSE NULL END",
                Some("NULL::TEXT[]"),
            ),
            ("CASE WHEN t.typtype = 'c' THEN 1 ELSE 2 END", Some("2")),
            ("CASE WHEN t.typtype = 'b' THEN 1 ELSE 2 END", None),
            ("(SELECT count(*) FROM pg_class)", None),
        ] {
            assert_eq!(of(asked).as_deref(), expected, "{asked}");
        }
    }

    #[test]
    fn what_joins_an_empty_table_has_no_rows() {
        let of = |text: &str| is_always_empty(&parsed(text, 50).unwrap());
        for empty in [
            "SELECT 1 FROM pg_catalog.pg_index",
            "SELECT c.relname FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid",
            "SELECT c.relname FROM pg_class c, pg_index i LEFT JOIN pg_class d ON true",
            "SELECT a FROM (SELECT a FROM pg_trigger) t",
            "SELECT a, count(*) FROM pg_constraint GROUP BY a",
            "SELECT 1 FROM pg_index UNION ALL SELECT 2 FROM pg_trigger",
            "SELECT x FROM pg_catalog.unnest(tc.reloptions) x",
            "SELECT x FROM pg_class c CROSS JOIN unnest(c.relacl) x",
            "SELECT a FROM pg_catalog.generate_series(0, array_upper(pr.prattrs::int2[], 1)) s, pg_class",
        ] {
            assert!(of(empty), "{empty}");
        }
        for other in [
            "SELECT 1",
            "SELECT count(*) FROM pg_index",
            "SELECT 1 FROM pg_class c LEFT JOIN pg_index i ON true",
            "SELECT 1 FROM pg_index i RIGHT JOIN pg_class c ON true",
            "SELECT 1 FROM pg_index i FULL JOIN pg_class c ON true",
            "SELECT 1 FROM pg_index UNION SELECT 1 FROM pg_class",
            "SELECT * FROM events",
            "SELECT x FROM unnest(ARRAY[1]) x",
            "SELECT x FROM generate_series(1, 2) x",
            "SELECT x FROM pg_catalog.unnest(e.models) x",
        ] {
            assert!(!of(other), "{other}");
        }
    }
}
