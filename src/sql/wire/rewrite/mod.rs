//! What clients of PostgreSQL ask about catalogs, in the form that DataFusion plans: one place for all
//! such rewrites of a parsed query.
//!
//! Nothing here reaches rows of events: names of types, functions and tables of `pg_catalog` are
//! exchanged, and what asks tables that are empty for ever is answered without them.

mod casts;
mod constants;
mod empty;
mod lists;
mod parts;

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Ident, ObjectName, ObjectNamePart, Query, Select, SelectItem, SetExpr,
    Statement, TableFactor, VisitMut, VisitorMut,
};

use self::parts::{catalog_name, lower, part};
use super::super::catalog::{Relations, is_catalog_table};
use super::super::postgres::parsed_call;
use super::question::WireQuestion;

pub(in crate::sql) use self::empty::is_always_empty;

/// Rewrites a statement.
///
/// # Errors
/// A relation that is not there, in words.
pub(in crate::sql) fn rewrite(
    statement: &mut Statement,
    question: &WireQuestion,
    relations: &Relations,
) -> Result<(), String> {
    match statement.visit(&mut CatalogRewrite { question, relations, shadows: false }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(wrong) => Err(wrong),
    }
}

struct CatalogRewrite<'a> {
    question: &'a WireQuestion,
    relations: &'a Relations,
    /// The query has a table of its own that is named as one of the catalog.
    shadows: bool,
}

impl VisitorMut for CatalogRewrite<'_> {
    type Break = String;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<String> {
        let mut own = query.with.iter().flat_map(|with| &with.cte_tables);
        self.shadows |= own.any(|own| lower(&own.alias.name).starts_with("pg_"));
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, name: &mut ObjectName) -> ControlFlow<String> {
        if !self.shadows {
            qualify(name, &self.question.database);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, table: &mut TableFactor) -> ControlFlow<String> {
        // Some tables of the catalog are functions in PostgreSQL.
        if let TableFactor::Table { name, args, .. } = table
            && catalog_name(name).is_some_and(|name| is_catalog_table(&name))
        {
            *args = None;
        }
        if let Some(rows) = lists::places_of_schemas(table).or_else(|| lists::series(table)) {
            *table = rows;
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<String> {
        if reads_catalog_only(select) {
            rename_beside_all(&mut select.projection);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<String> {
        if let Some(known) = empty::answered(expr).filter(|_| !self.shadows) {
            *expr = known;
        }
        if let Some(list) = lists::reworded(expr) {
            *expr = list;
        }
        aggregate_lookup(expr);
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<String> {
        match self.reworded(expr) {
            Ok(Some(new)) => *expr = new,
            Ok(None) => {}
            Err(wrong) => return ControlFlow::Break(wrong),
        }
        ControlFlow::Continue(())
    }
}

impl CatalogRewrite<'_> {
    fn reworded(&self, expr: &mut Expr) -> Result<Option<Expr>, String> {
        Ok(match expr {
            Expr::Function(function) => {
                unqualify(&mut function.name);
                match constants::looked_up(function, self.relations)? {
                    None => constants::of_call(function, self.question),
                    known => known,
                }
            }
            Expr::Identifier(name) if name.quote_style.is_none() => {
                constants::of_word(&name.value, self.question)
            }
            Expr::Cast { expr, data_type, .. } => casts::reworded(expr, data_type, self.relations)?,
            Expr::BinaryOp { left, op, right } => match operator(left, op, right) {
                None => casts::compared(left, op, right, self.relations)?,
                known => known,
            },
            Expr::Collate { expr, .. } => Some(expr.as_ref().clone()),
            _ => None,
        })
    }
}

/// Names tables of the catalog with their schema, and others without the database.
fn qualify(name: &mut ObjectName, database: &str) {
    if name.0.len() == 3 && part(name, 0).is_some_and(|first| lower(first) == *database) {
        name.0.remove(0);
    }
    let only = if name.0.len() == 1 { part(name, 0).map(lower) } else { None };
    if only.is_some_and(|only| only.starts_with("pg_") && is_catalog_table(&only)) {
        name.0.insert(0, ObjectNamePart::Identifier(Ident::new("pg_catalog")));
    }
}

/// Functions have no schemas.
fn unqualify(name: &mut ObjectName) {
    let schema = part(name, 0).map(lower);
    if name.0.len() == 2
        && schema.is_some_and(|schema| ["pg_catalog", "information_schema"].contains(&&*schema))
    {
        name.0.remove(0);
    }
}

/// Renames columns that are asked for beside all columns of their table, as in `c.oid, c.*`, because a
/// plan has each name once. The other one keeps it.
fn rename_beside_all(items: &mut [SelectItem]) {
    let all = |item: &SelectItem| {
        matches!(item, SelectItem::QualifiedWildcard(..) | SelectItem::Wildcard(_))
    };
    if !items.iter().any(all) {
        return;
    }
    for (place, item) in items.iter_mut().enumerate() {
        let SelectItem::UnnamedExpr(Expr::CompoundIdentifier(names)) = &*item else { continue };
        let Some(name) = names.last() else { continue };
        let alias = Ident::with_quote('"', format!("{}_{}", name.value, place + 2));
        let expr = Expr::CompoundIdentifier(names.clone());
        *item = SelectItem::ExprWithAlias { expr, alias };
    }
}

/// The operator of `OPERATOR(pg_catalog.~)`.
fn operator(left: &Expr, op: &BinaryOperator, right: &Expr) -> Option<Expr> {
    let BinaryOperator::PGCustomBinaryOperator(parts) = op else { return None };
    let op = match parts.last()?.as_str() {
        "~" => BinaryOperator::PGRegexMatch,
        "~*" => BinaryOperator::PGRegexIMatch,
        "!~" => BinaryOperator::PGRegexNotMatch,
        "!~*" => BinaryOperator::PGRegexNotIMatch,
        "~~" => BinaryOperator::PGLikeMatch,
        "!~~" => BinaryOperator::PGNotLikeMatch,
        "=" => BinaryOperator::Eq,
        "<>" => BinaryOperator::NotEq,
        "<" => BinaryOperator::Lt,
        ">" => BinaryOperator::Gt,
        "<=" => BinaryOperator::LtEq,
        ">=" => BinaryOperator::GtEq,
        "+" => BinaryOperator::Plus,
        "-" => BinaryOperator::Minus,
        "||" => BinaryOperator::StringConcat,
        _ => return None,
    };
    Some(Expr::BinaryOp { left: Box::new(left.clone()), op, right: Box::new(right.clone()) })
}

/// Looks up one value in tables of the catalog by an aggregate, because a correlated query must have one.
/// There is one row at most, since keys of the catalog are looked up.
fn aggregate_lookup(expr: &mut Expr) {
    let Expr::Subquery(query) = expr else { return };
    let SetExpr::Select(select) = query.body.as_mut() else { return };
    if !reads_catalog_only(select) {
        return;
    }
    let [SelectItem::UnnamedExpr(item) | SelectItem::ExprWithAlias { expr: item, .. }] =
        select.projection.as_mut_slice()
    else {
        return;
    };
    if !matches!(item, Expr::Function(_)) {
        *item = parsed_call("max", vec![item.clone()]);
        query.order_by = None;
        query.limit_clause = None;
    }
}

/// Whether a query reads tables of the catalog, and no others.
fn reads_catalog_only(select: &Select) -> bool {
    let mut tables = select.from.iter().flat_map(|from| {
        std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation))
    });
    !select.from.is_empty() && tables.all(is_of_catalog)
}

fn is_of_catalog(table: &TableFactor) -> bool {
    match table {
        TableFactor::Table { name, .. } => {
            catalog_name(name).is_some_and(|name| is_catalog_table(&name))
        }
        TableFactor::Derived { subquery, .. } => of_query(subquery),
        _ => false,
    }
}

fn of_query(query: &Query) -> bool {
    matches!(query.body.as_ref(), SetExpr::Select(select) if reads_catalog_only(select))
}
