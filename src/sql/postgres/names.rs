//! The names that PostgreSQL gives to the columns of a result.

use datafusion::sql::sqlparser::ast::{
    DataType, Expr, Ident, ObjectName, SelectItem, SetExpr, Statement, TrimWhereField, TypedString,
};

/// What has no name.
const NAMELESS: &str = "?column?";
/// PostgreSQL's names of types that may be written otherwise. A name of several words comes before its
/// beginning.
const TYPES: [(&str, &str); 17] = [
    ("timestamp with time zone", "timestamptz"),
    ("time with time zone", "timetz"),
    ("double precision", "float8"),
    ("character varying", "varchar"),
    ("char varying", "varchar"),
    ("character", "bpchar"),
    ("char", "bpchar"),
    ("integer", "int4"),
    ("int", "int4"),
    ("bigint", "int8"),
    ("smallint", "int2"),
    ("boolean", "bool"),
    ("double", "float8"),
    ("float", "float8"),
    ("real", "float4"),
    ("decimal", "numeric"),
    ("dec", "numeric"),
];

/// The names of a query's columns; `None` if they are those of its tables.
pub(in crate::sql) fn column_names(statement: &Statement) -> Option<Vec<String>> {
    match statement {
        Statement::Query(query) => of_set(&query.body),
        _ => None,
    }
}

fn of_set(body: &SetExpr) -> Option<Vec<String>> {
    match body {
        SetExpr::Select(select) => select.projection.iter().map(name_of_item).collect(),
        SetExpr::Query(query) => of_set(&query.body),
        SetExpr::SetOperation { left, .. } => of_set(left),
        _ => None,
    }
}

/// The name of one item of a select list; `None` if it stands for several columns.
pub(super) fn name_of_item(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(folded(alias)),
        SelectItem::UnnamedExpr(expr) => {
            Some(of_expr(expr).map_or_else(|| NAMELESS.to_owned(), |name| name.text))
        }
        _ => None,
    }
}

/// The name of an expression.
struct ExprName {
    text: String,
    /// It is only used if what is around has none: that of a type, or of `CASE`.
    weak: bool,
}

fn of_expr(expr: &Expr) -> Option<ExprName> {
    let fixed = match expr {
        Expr::Identifier(name) => folded(name),
        Expr::CompoundIdentifier(names) => folded(names.last()?),
        Expr::Function(function) => last(&function.name)?,
        Expr::Cast { expr, data_type, .. } => {
            let strong = of_expr(expr).filter(|name| !name.weak);
            return strong.or_else(|| Some(ExprName { text: type_name(data_type)?, weak: true }));
        }
        Expr::TypedString(TypedString { data_type, .. }) => {
            return Some(ExprName { text: type_name(data_type)?, weak: true });
        }
        Expr::Interval(_) => return Some(ExprName { text: "interval".to_owned(), weak: true }),
        Expr::Case { .. } => return Some(ExprName { text: "case".to_owned(), weak: true }),
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => return of_expr(inner),
        Expr::CompoundFieldAccess { root, .. } => return of_expr(root),
        Expr::Subquery(query) => of_set(&query.body)?.into_iter().next()?,
        expr => syntax_name(expr)?.to_owned(),
    };
    Some(ExprName { text: fixed, weak: false })
}

/// The name of what has a syntax of its own.
fn syntax_name(expr: &Expr) -> Option<&'static str> {
    Some(match expr {
        Expr::Array(_) => "array",
        Expr::Tuple(_) => "row",
        Expr::Exists { .. } => "exists",
        Expr::Extract { .. } => "extract",
        Expr::Substring { shorthand: true, .. } => "substr",
        Expr::Substring { .. } => "substring",
        Expr::Overlay { .. } => "overlay",
        Expr::Position { .. } => "position",
        Expr::Trim { trim_where: Some(TrimWhereField::Leading), .. } => "ltrim",
        Expr::Trim { trim_where: Some(TrimWhereField::Trailing), .. } => "rtrim",
        Expr::Trim { .. } => "btrim",
        Expr::AtTimeZone { .. } => "timezone",
        Expr::Floor { .. } => "floor",
        Expr::Ceil { .. } => "ceil",
        _ => return None,
    })
}

fn type_name(kind: &DataType) -> Option<String> {
    let written = kind.to_string();
    let bare = written.rsplit('.').next()?;
    // A type in quotes has no other name.
    if let Some(quoted) = bare.strip_prefix('"') {
        return quoted.split('"').next().map(str::to_owned);
    }
    let plain = without_brackets(&bare.to_ascii_lowercase());
    let known = TYPES.iter().find(|(name, _)| *name == plain).map(|(_, short)| *short);
    known.or_else(|| plain.split(' ').next()).map(str::to_owned)
}

/// `timestamp with time zone` for `timestamp(3) with time zone[]`.
fn without_brackets(name: &str) -> String {
    let mut depth = 0_usize;
    let outside = name.chars().filter(|char| match char {
        '(' | '[' => {
            depth += 1;
            false
        }
        ')' | ']' => {
            depth = depth.saturating_sub(1);
            false
        }
        _ => depth == 0,
    });
    outside.collect::<String>().trim().to_owned()
}

fn last(name: &ObjectName) -> Option<String> {
    Some(folded(name.0.last()?.as_ident()?))
}

/// A name without quotes is in lower case.
pub(super) fn folded(name: &Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() }
}

#[cfg(test)]
mod tests {
    use super::super::parsed;
    use super::*;

    #[test]
    fn columns_have_postgresqls_names() {
        let of = |text: &str| column_names(&parsed(text, 50).unwrap());
        for (asked, expected) in [
            ("a, t.B, count(*), pg_catalog.version()", "a b count version"),
            ("1, a + 1, 'x'::text, a::int, sum(x) AS \"Sum\", a", "?column? ?column? text a Sum a"),
            ("(SELECT max(c) FROM t), (SELECT 1)::text", "max ?column?"),
            ("CASE WHEN true THEN 1 END, CASE WHEN true THEN 1 END::int", "case int4"),
            (
                "substr(a, 1), substring(a FROM 1), trim(LEADING 'x' FROM a)",
                "substr substring ltrim",
            ),
            (
                "timestamptz '2026-01-01', 'now'::timestamp with time zone",
                "timestamptz timestamptz",
            ),
            ("date '2026-01-01', interval '1 day', x::float8::int", "date interval x"),
            ("1::float8::int, 1::decimal(4, 1), '{1}'::int[]", "int4 numeric int4"),
            ("'a'::varchar(3), 'a'::\"char\", 'a'::char", "varchar char bpchar"),
            ("now()::timestamp(3) with time zone, 1::pg_catalog.int4", "now int4"),
        ] {
            let named = of(&format!("SELECT {asked} FROM t")).unwrap().join(" ");
            assert_eq!(named, expected, "{asked}");
        }
        assert_eq!(of("SELECT * FROM t"), None);
        assert_eq!(of("SELECT a FROM t UNION SELECT b FROM t"), Some(vec!["a".to_owned()]));
    }
}
