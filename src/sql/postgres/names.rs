//! The names that PostgreSQL gives to the columns of a result.

use datafusion::sql::sqlparser::ast::{Expr, Ident, ObjectName, SelectItem, SetExpr, Statement};

/// What has no name.
const NAMELESS: &str = "?column?";

/// The names of a query's columns; `None` if they are those of its tables.
pub(in crate::sql) fn column_names(statement: &Statement) -> Option<Vec<String>> {
    match statement {
        Statement::Query(query) => of_set(&query.body),
        _ => None,
    }
}

fn of_set(body: &SetExpr) -> Option<Vec<String>> {
    match body {
        SetExpr::Select(select) => select.projection.iter().map(of_item).collect(),
        SetExpr::Query(query) => of_set(&query.body),
        SetExpr::SetOperation { left, .. } => of_set(left),
        _ => None,
    }
}

fn of_item(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(folded(alias)),
        SelectItem::UnnamedExpr(expr) => Some(of_expr(expr).unwrap_or_else(|| NAMELESS.to_owned())),
        _ => None,
    }
}

fn of_expr(expr: &Expr) -> Option<String> {
    Some(match expr {
        Expr::Identifier(name) => folded(name),
        Expr::CompoundIdentifier(names) => folded(names.last()?),
        Expr::Function(function) => last(&function.name)?,
        Expr::Cast { expr, data_type, .. } => {
            return of_expr(expr).or_else(|| type_name(data_type));
        }
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => return of_expr(inner),
        Expr::CompoundFieldAccess { root, .. } => return of_expr(root),
        Expr::Case { .. } => "case".to_owned(),
        Expr::Array(_) => "array".to_owned(),
        Expr::Exists { .. } => "exists".to_owned(),
        Expr::Extract { .. } => "extract".to_owned(),
        Expr::Substring { .. } => "substring".to_owned(),
        Expr::Position { .. } => "position".to_owned(),
        Expr::Trim { .. } => "btrim".to_owned(),
        Expr::AtTimeZone { .. } => "timezone".to_owned(),
        Expr::Floor { .. } => "floor".to_owned(),
        Expr::Ceil { .. } => "ceil".to_owned(),
        Expr::Subquery(query) => return of_set(&query.body)?.into_iter().next(),
        _ => return None,
    })
}

fn type_name(kind: &datafusion::sql::sqlparser::ast::DataType) -> Option<String> {
    let name = kind.to_string().to_ascii_lowercase();
    let short = match name.as_str() {
        "int" | "integer" => "int4",
        "bigint" => "int8",
        "smallint" => "int2",
        "boolean" => "bool",
        "double precision" => "float8",
        "real" => "float4",
        name => name.split(['(', ' ']).next()?,
    };
    Some(short.to_owned())
}

fn last(name: &ObjectName) -> Option<String> {
    Some(folded(name.0.last()?.as_ident()?))
}

/// A name without quotes is in lower case.
fn folded(name: &Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() }
}

#[cfg(test)]
mod tests {
    use super::super::super::postgres::parsed;
    use super::*;

    #[test]
    fn columns_have_postgresqls_names() {
        let of = |text: &str| column_names(&parsed(text, 50).unwrap());
        let named = of(
            "SELECT a, t.B, count(*), pg_catalog.version(), 1, 'x'::text, a::int, (SELECT max(c) FROM t), \
             CASE WHEN true THEN 1 END, a + 1, sum(x) AS \"Sum\", a, 'now'::timestamptz FROM t",
        );
        let expected = [
            "a",
            "b",
            "count",
            "version",
            NAMELESS,
            "text",
            "a",
            "max",
            "case",
            NAMELESS,
            "Sum",
            "a",
            "timestamptz",
        ];
        assert_eq!(named.unwrap(), expected);
        assert_eq!(of("SELECT * FROM t"), None);
        assert_eq!(of("SELECT a FROM t UNION SELECT b FROM t"), Some(vec!["a".to_owned()]));
    }
}
