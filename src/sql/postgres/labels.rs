//! The names of columns in a plan, which has each name once: those of inner queries are PostgreSQL's, so
//! that the query around them can ask for `count`, and a second one of the result gets a number.

use std::collections::{HashMap, HashSet};
use std::mem::replace;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, ObjectName, Query, SelectItem, SetExpr, Statement, TableFactor, TypedString,
    Value, VisitMut as _, VisitorMut,
};

use super::names::{folded, name_of_item};
use super::types::is_numeric;

/// Names the columns of inner tables, as they are written.
pub(super) fn label_inner_columns(statement: &mut Statement) {
    // It has no error to break off with.
    let _ = statement.visit(&mut InnerTables);
}

struct InnerTables;

impl VisitorMut for InnerTables {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        for table in query.with.iter_mut().flat_map(|with| &mut with.cte_tables) {
            label_first(&mut table.query.body);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, table: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Derived { subquery, .. } = table {
            label_first(&mut subquery.body);
        }
        ControlFlow::Continue(())
    }
}

/// Labels the select that names the columns of a set.
fn label_first(body: &mut SetExpr) {
    match body {
        SetExpr::Select(select) => label(&mut select.projection),
        SetExpr::Query(query) => label_first(&mut query.body),
        SetExpr::SetOperation { left, .. } => label_first(left),
        _ => {}
    }
}

/// Gives expressions the names that PostgreSQL gives them. Several of one name are numbered, since
/// PostgreSQL lets nobody ask for one of them; what is named as a column that is there stays.
fn label(items: &mut [SelectItem]) {
    let mut counts = HashMap::new();
    let (mut named, mut taken) = (HashSet::new(), HashSet::new());
    for item in items.iter() {
        let Some(name) = name_of_item(item) else { continue };
        if is_computed(item) {
            *counts.entry(name.clone()).or_insert(0_u64) += 1;
        } else {
            named.insert(name.clone());
        }
        taken.insert(name);
    }
    for item in items {
        let (true, Some(name)) = (is_computed(item), name_of_item(item)) else { continue };
        let label = match counts.get(&name) {
            _ if named.contains(&name) => None,
            Some(1) => Some(name),
            _ => numbered(&name, 1, &mut taken),
        };
        if let (Some(label), SelectItem::UnnamedExpr(expr)) = (label, &*item) {
            let alias = Ident::with_quote('"', label);
            *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
        }
    }
}

/// Whether an item has neither a name of its own nor that of a column.
fn is_computed(item: &SelectItem) -> bool {
    matches!(item, SelectItem::UnnamedExpr(expr)
        if !matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_)))
}

/// The name with the first number that makes it a new one.
fn numbered(name: &str, from: u64, taken: &mut HashSet<String>) -> Option<String> {
    let mut names = (from..).map(|number| format!("{name}_{number}"));
    let free = names.find(|name| !taken.contains(name))?;
    taken.insert(free.clone());
    Some(free)
}

/// Distinguishes the columns of each side of a set operation: the first side names those of the result.
pub(super) fn distinguish_columns(body: &mut SetExpr) {
    match body {
        SetExpr::Select(select) => {
            let tables = select.from.as_slice();
            let is_one = matches!(tables, [only] if only.joins.is_empty());
            distinguish(&mut select.projection, is_one);
        }
        SetExpr::Query(query) => distinguish_columns(&mut query.body),
        SetExpr::SetOperation { left, right, .. } => {
            distinguish_columns(left);
            distinguish_columns(right);
        }
        _ => {}
    }
}

/// Renames a second column with the same name, because a DataFusion plan allows each name only
/// once.
fn distinguish(items: &mut [SelectItem], is_of_one_table: bool) {
    let all = items.iter().any(|item| match item {
        SelectItem::Wildcard(_) => true,
        SelectItem::QualifiedWildcard(..) => is_of_one_table,
        _ => false,
    });
    let names: Vec<_> = items.iter().map(|item| plan_name(item, all)).collect();
    let mut taken: HashSet<String> = names.iter().flatten().map(|(name, _)| name.clone()).collect();
    let mut seen = HashSet::new();
    for (item, named) in items.iter_mut().zip(names) {
        let Some((name, known)) = named else { continue };
        if seen.insert(name.clone()) && !known {
            continue;
        }
        let Some(free) = numbered(&name, 2, &mut taken) else { continue };
        let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = &*item
        else {
            continue;
        };
        *item =
            SelectItem::ExprWithAlias { expr: expr.clone(), alias: Ident::with_quote('"', free) };
    }
}

/// What a plan names an item after, and whether it is a column that is there already, among `all`.
fn plan_name(item: &SelectItem, all: bool) -> Option<(String, bool)> {
    let expr = match item {
        SelectItem::ExprWithAlias { alias, .. } => return Some((folded(alias), false)),
        SelectItem::UnnamedExpr(expr) => expr,
        _ => return None,
    };
    Some(match &without_casts(expr) {
        Expr::Identifier(name) => (name.value.clone(), all),
        Expr::CompoundIdentifier(names) => (names.last()?.value.clone(), all),
        expr => (expr.to_string(), false),
    })
}

/// The expression as a plan's names show it.
pub(super) fn without_casts(expr: &Expr) -> Expr {
    let mut expr = expr.clone();
    // It has no error to break off with.
    let _ = expr.visit(&mut Uncast);
    expr
}

/// Takes away what a plan's names leave out: casts, parentheses, and the case of names.
struct Uncast;

impl VisitorMut for Uncast {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let plain = match expr {
            // It is a call in a plan.
            Expr::Cast { data_type, .. } if is_numeric(data_type) => None,
            Expr::Cast { expr: inner, .. } | Expr::Nested(inner) => {
                Some(replace(inner.as_mut(), Expr::Value(Value::Null.into())))
            }
            Expr::TypedString(TypedString { value, .. }) => Some(Expr::Value(value.clone())),
            Expr::Identifier(name) => Some(Expr::Identifier(Ident::new(folded(name)))),
            Expr::CompoundIdentifier(names) => {
                let names = names.iter().map(|name| Ident::new(folded(name)));
                Some(Expr::CompoundIdentifier(names.collect()))
            }
            Expr::Function(function) => {
                let name = Ident::new(function.name.to_string().to_lowercase());
                function.name = ObjectName::from(vec![name]);
                None
            }
            _ => None,
        };
        if let Some(plain) = plain {
            *expr = plain;
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::syntax::statement;

    #[test]
    fn columns_of_inner_queries_have_postgresqls_names() {
        let of = |text: &str| statement(text, 50).unwrap().to_string();
        for (inner, expected) in [
            ("count(*), a, 1 + 1", r#"count(*) AS "count", a, 1 + 1 AS "?column?""#),
            ("max(a), max(b), b::text", r#"max(a) AS "max_1", max(b) AS "max_2", b::TEXT AS "b""#),
            ("a, a::date, count(*), 1 AS count", "a, a::DATE, count(*), 1 AS count"),
            ("*, (SELECT max(a) FROM t)", r#"*, (SELECT max(a) FROM t) AS "max""#),
        ] {
            assert_eq!(
                of(&format!("SELECT * FROM (SELECT {inner} FROM t) x")),
                format!("SELECT * FROM (SELECT {expected} FROM t) x")
            );
            assert_eq!(
                of(&format!("WITH x AS (SELECT {inner} FROM t UNION SELECT 1 + 1) SELECT 1 + 1")),
                format!("WITH x AS (SELECT {expected} FROM t UNION SELECT 1 + 1) SELECT 1 + 1")
            );
        }
    }

    #[test]
    fn a_second_column_of_a_name_has_a_number() {
        let of = |text: &str| statement(text, 50).unwrap().to_string();
        for (items, expected) in [
            ("avg(a), avg(a::float8)", r#"avg(a), avg(coalesce(a::FLOAT8)) AS "avg(a)_2""#),
            (
                "a / count(*), a::int / Count(*)",
                r#"a / count(*), a::INT / Count(*) AS "a / count(*)_2""#,
            ),
            ("1 + 1, 1::int8 + 1", r#"1 + 1, 1::INT8 + 1 AS "1 + 1_2""#),
            ("a, e.*", r#"a AS "a_2", e.*"#),
            ("a AS X, b AS x", r#"a AS X, b AS "x_2""#),
            ("sum(a), sum(b)", "sum(a), sum(b)"),
        ] {
            assert_eq!(of(&format!("SELECT {items} FROM e")), format!("SELECT {expected} FROM e"));
        }
        let joined = "SELECT a, e.* FROM e JOIN f ON b = c";
        assert_eq!(of(joined), joined);
    }
}
