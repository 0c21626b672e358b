//! Comparisons with lists as lists of values, which filters are made of, and lists of the rows of a
//! query.

use datafusion::sql::sqlparser::ast::{
    Array, BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArguments, GroupByExpr, Ident, OrderByExpr, OrderByKind, SelectItem, SetExpr,
    TableAlias, TableAliasColumnDef, TableFactor, Value, ValueWithSpan,
};

use super::super::super::postgres::parsed_call;
use super::super::literal::{boolean, list, number, quoted};
use super::constants::text_of;

/// Words of the query by which Grafana asks for the schemas of the search path.
const SEARCH_PATH: &str = "current_setting('search_path')";
/// The table of who has which role, which is empty.
const MEMBERS: &str = "pg_auth_members";
/// The function of numbers or times from one to another.
const SERIES: &str = "generate_series";

/// `a IN (…)` for `a = ANY(ARRAY[…])` and `a = ANY('{…}')`; `None` for what is no such comparison.
pub(super) fn reworded(expr: &Expr) -> Option<Expr> {
    let (left, items, negated) = match expr {
        Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, .. } => match items(right) {
            Some(items) => (left, items, false),
            None => return among(left, right),
        },
        Expr::AllOp { left, compare_op: BinaryOperator::NotEq, right } => {
            (left, items(right)?, true)
        }
        Expr::InSubquery { expr, subquery, negated }
            if subquery.to_string().contains(SEARCH_PATH) =>
        {
            (expr, vec![quoted("public")], *negated)
        }
        Expr::Function(function) => return aggregated(function),
        _ => return None,
    };
    if items.is_empty() {
        return Some(boolean(negated));
    }
    Some(Expr::InList { expr: left.clone(), list: items, negated })
}

/// `a IN (SELECT …)` for `a = ANY(ARRAY(SELECT …))`.
fn among(left: &Expr, right: &Expr) -> Option<Expr> {
    let Expr::Function(Function { args: FunctionArguments::Subquery(query), .. }) = right else {
        return None;
    };
    // pgAdmin asks so whether the user has one of PostgreSQL's own roles. Nobody has.
    let is_own_role = text_of(left).is_some_and(|name| name.starts_with("pg_"));
    if is_own_role && query.to_string().contains(MEMBERS) {
        return Some(boolean(false));
    }
    Some(Expr::InSubquery { expr: left.clone().into(), subquery: query.clone(), negated: false })
}

/// `(SELECT array_agg(a ORDER BY b) FROM t)` for `ARRAY(SELECT a FROM t ORDER BY b)`. What has groups or
/// a limit stays, and is refused by the planner.
fn aggregated(function: &Function) -> Option<Expr> {
    let FunctionArguments::Subquery(query) = &function.args else { return None };
    let mut query = query.clone();
    let order = match query.order_by.take().map(|order| order.kind) {
        None => Vec::new(),
        Some(OrderByKind::Expressions(order)) => order,
        Some(OrderByKind::All(_)) => return None,
    };
    // A number is the place of a column, which an aggregate has not.
    let has_places = order.iter().any(|by| matches!(by.expr, Expr::Value(_)));
    if has_places || query.limit_clause.is_some() || query.fetch.is_some() {
        return None;
    }
    let SetExpr::Select(select) = query.body.as_mut() else { return None };
    let is_plain = select.distinct.is_none()
        && select.having.is_none()
        && matches!(&select.group_by, GroupByExpr::Expressions(by, _) if by.is_empty());
    let [SelectItem::UnnamedExpr(item) | SelectItem::ExprWithAlias { expr: item, .. }] =
        select.projection.as_mut_slice()
    else {
        return None;
    };
    *item = list_of(item.clone(), order);
    is_plain.then_some(Expr::Subquery(query))
}

fn list_of(item: Expr, order: Vec<OrderByExpr>) -> Expr {
    let mut list = parsed_call("array_agg", vec![item]);
    if let Expr::Function(Function { args: FunctionArguments::List(args), .. }) = &mut list
        && !order.is_empty()
    {
        args.clauses = vec![FunctionArgumentClause::OrderBy(order)];
    }
    list
}

/// The places in the list of schemas, which JDBC's driver counts by `generate_series`; `None` for other tables.
pub(super) fn places_of_schemas(table: &TableFactor) -> Option<TableFactor> {
    let TableFactor::Table { name, args: Some(args), alias, .. } = table else { return None };
    let name = name.to_string().to_lowercase();
    let counts = name.ends_with("generate_series")
        && args.args.iter().any(|arg| arg.to_string().contains("current_schemas("));
    let places = Array { elem: vec![number(1), number(2)], named: true };
    counts.then(|| rows_of(Expr::Array(places), alias.clone()))
}

/// The rows of `generate_series` as those of its list, which is a function that every asker may call;
/// `None` for other tables.
pub(super) fn series(table: &TableFactor) -> Option<TableFactor> {
    let TableFactor::Table { name, args: Some(args), alias, .. } = table else { return None };
    let name = Ident::new(name.to_string().to_lowercase());
    if name.value != SERIES {
        return None;
    }
    let args = args.args.iter().map(|arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(arg)) => Some(arg.clone()),
        _ => None,
    });
    let list = parsed_call(SERIES, args.collect::<Option<_>>()?);
    // A column without a name of its own has that of its table.
    let mut alias = alias.clone().unwrap_or_else(|| named(name));
    if alias.columns.is_empty() {
        alias.columns = named(alias.name.clone()).columns;
    }
    Some(rows_of(list, Some(alias)))
}

/// A table and its one column, of the same name.
fn named(name: Ident) -> TableAlias {
    let column = TableAliasColumnDef { name: name.clone(), data_type: None };
    TableAlias { explicit: true, name, columns: vec![column], at: None }
}

fn rows_of(list: Expr, alias: Option<TableAlias>) -> TableFactor {
    TableFactor::UNNEST {
        alias,
        array_exprs: vec![list],
        with_offset: false,
        with_offset_alias: None,
        with_ordinality: false,
    }
}

fn items(expr: &Expr) -> Option<Vec<Expr>> {
    match expr {
        Expr::Array(Array { elem, .. }) => Some(elem.clone()),
        Expr::Nested(inner) => items(inner),
        // The items have types of their own, or are texts that take the type of the left side.
        Expr::Cast { expr, data_type, .. } if data_type.to_string().ends_with("[]") => items(expr),
        Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) => {
            match list(text, 0).ok()? {
                Expr::Array(Array { elem, .. }) => Some(elem),
                _ => None,
            }
        }
        Expr::Function(function) if function.name.to_string().ends_with("current_schemas") => {
            Some(vec![quoted("pg_catalog"), quoted("public")])
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::super::postgres::parsed_expr;
    use super::*;

    #[test]
    fn comparisons_with_lists_are_lists_of_values() {
        let of =
            |text: &str| reworded(&parsed_expr(text, 50).unwrap()).map(|expr| expr.to_string());
        for (asked, expected) in [
            ("a = ANY(ARRAY['x', 'y'])", "a IN ('x', 'y')"),
            ("a = ANY(ARRAY(SELECT b FROM t))", "a IN (SELECT b FROM t)"),
            ("'pg_monitor' = ANY(ARRAY(SELECT 1 FROM pg_auth_members))", "false"),
            ("a = ANY('{x,y}')", "a IN ('x', 'y')"),
            ("a = ANY('{x,y}'::text[])", "a IN ('x', 'y')"),
            ("a <> ALL(ARRAY[1, 2])", "a NOT IN (1, 2)"),
            ("a = ANY('{}')", "false"),
            ("a = ANY(pg_catalog.current_schemas(true))", "a IN ('pg_catalog', 'public')"),
            (
                "ARRAY(SELECT a FROM t WHERE b ORDER BY c DESC)",
                "(SELECT array_agg(a ORDER BY c DESC) FROM t WHERE b)",
            ),
            ("ARRAY(SELECT a FROM t)", "(SELECT array_agg(a) FROM t)"),
        ] {
            assert_eq!(of(asked).as_deref(), Some(expected), "{asked}");
        }
        for other in [
            "a > ANY(ARRAY[1])",
            "ARRAY(SELECT DISTINCT a FROM t)",
            "ARRAY(SELECT a FROM t ORDER BY 1)",
            "ARRAY(SELECT a FROM t LIMIT 1)",
            "ARRAY(SELECT a FROM t GROUP BY a)",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
