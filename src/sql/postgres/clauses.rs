//! Clauses that DataFusion passes over, refuses, or gives another meaning than PostgreSQL.

use datafusion::error::Result;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Fetch, Function, GroupByExpr, Ident, LimitClause, ObjectNamePart, Query,
    Select, SelectItem, SetExpr, SetOperator, SetQuantifier, TableAlias, TableFactor, Value,
};

use super::calls::call;
use super::outer::each_outer_expr;
use super::refusal::{quoted, refused};

/// The function that returns several rows from a select list.
const SERIES: &str = "generate_series";

/// Writes `FETCH FIRST 5 ROWS ONLY` as `LIMIT 5`.
///
/// # Errors
/// The forms that a limit cannot say.
pub(super) fn reword_query(query: &mut Query) -> Result<()> {
    check_set(&query.body)?;
    for table in query.with.iter().flat_map(|with| &with.cte_tables) {
        check_alias(&table.alias)?;
    }
    let Some(Fetch { with_ties, percent, quantity }) = query.fetch.take() else { return Ok(()) };
    if with_ties || percent {
        return Err(refused("FETCH has neither WITH TIES nor PERCENT here; use LIMIT"));
    }
    let rows = quantity.unwrap_or_else(|| number("1"));
    let offset = match query.limit_clause.take() {
        None => None,
        Some(LimitClause::LimitOffset { limit: None, offset, limit_by }) if limit_by.is_empty() => {
            offset
        }
        Some(_) => return Err(refused("a query has LIMIT and FETCH; keep one of them")),
    };
    let limit_by = Vec::new();
    query.limit_clause = Some(LimitClause::LimitOffset { limit: Some(rows), offset, limit_by });
    Ok(())
}

/// Refuses the set operations that the planner would do without counting equal rows.
fn check_set(body: &SetExpr) -> Result<()> {
    let SetExpr::SetOperation { op, set_quantifier, left, right } = body else { return Ok(()) };
    let counts = matches!(set_quantifier, SetQuantifier::All | SetQuantifier::AllByName);
    if counts && *op != SetOperator::Union {
        return Err(refused(
            "EXCEPT ALL and INTERSECT ALL are not supported; number equal rows on both sides by \
             row_number(), and leave ALL out",
        ));
    }
    check_set(left)?;
    check_set(right)
}

/// Refuses what the planner would pass over, and rewrites the items of a select list.
///
/// # Errors
/// What would be passed over.
pub(super) fn reword_select(select: &mut Select) -> Result<()> {
    if select.prewhere.is_some() || !select.connect_by.is_empty() {
        return Err(refused("PREWHERE and CONNECT BY are not supported; use WHERE"));
    }
    if select.into.is_some() {
        return Err(refused("SELECT INTO is refused, because SQL only reads here; leave INTO out"));
    }
    if let GroupByExpr::Expressions(by, _) = &mut select.group_by {
        flatten_rows(by);
    }
    for item in &mut select.projection {
        if let SelectItem::ExprWithAlias { alias, .. } = item {
            check_name(alias)?;
        }
        if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
            as_rows(expr);
            each_outer_expr(expr, |expr| {
                if let Some(counted) = existence(expr) {
                    *expr = counted;
                }
            });
        }
    }
    Ok(())
}

/// Refuses what the planner would pass over.
///
/// # Errors
/// What would be passed over.
pub(super) fn check_table(table: &TableFactor) -> Result<()> {
    check_names(table)?;
    let (sample, passed_over) = match table {
        TableFactor::Table {
            with_hints,
            version,
            with_ordinality,
            partitions,
            json_path,
            sample,
            index_hints,
            ..
        } => (
            sample,
            *with_ordinality
                || version.is_some()
                || json_path.is_some()
                || !with_hints.is_empty()
                || !partitions.is_empty()
                || !index_hints.is_empty(),
        ),
        TableFactor::Derived { sample, .. } => (sample, false),
        _ => return Ok(()),
    };
    if sample.is_some() {
        let words =
            "TABLESAMPLE is not supported; filter by a function, as in WHERE random() < 0.1";
        return Err(refused(words));
    }
    if passed_over {
        return Err(refused(
            "a table has neither WITH ORDINALITY nor hints, versions and partitions here; \
             number rows with row_number()",
        ));
    }
    Ok(())
}

/// `GROUP BY (a, b)` groups by `a` and `b`.
fn flatten_rows(by: &mut Vec<Expr>) {
    let is_row = |by: &Expr| matches!(by, Expr::Tuple(parts) if !parts.is_empty());
    if by.iter().any(is_row) {
        let parts = |by| match by {
            Expr::Tuple(parts) if !parts.is_empty() => parts,
            by => vec![by],
        };
        *by = std::mem::take(by).into_iter().flat_map(parts).collect();
    }
}

/// Refuses texts as the names of a table.
fn check_names(table: &TableFactor) -> Result<()> {
    let alias = match table {
        TableFactor::Table { name, alias, .. } => {
            name.0.iter().filter_map(ObjectNamePart::as_ident).try_for_each(check_name)?;
            alias
        }
        TableFactor::Derived { alias, .. }
        | TableFactor::UNNEST { alias, .. }
        | TableFactor::NestedJoin { alias, .. } => alias,
        _ => return Ok(()),
    };
    alias.iter().try_for_each(check_alias)
}

fn check_alias(alias: &TableAlias) -> Result<()> {
    check_name(&alias.name)?;
    alias.columns.iter().try_for_each(|column| check_name(&column.name))
}

/// Refuses a text as a name: the parser would take the second of `'a' 'b'` for the name of the first.
fn check_name(name: &Ident) -> Result<()> {
    if name.quote_style == Some('\'') {
        return Err(refused(&format!(
            "there is a text where a name should be, {}; names have double quotes",
            quoted(&name.value)
        )));
    }
    Ok(())
}

/// A series in a select list is rows, not a list.
fn as_rows(item: &mut Expr) {
    let is_series = matches!(&*item, Expr::Function(Function { name, .. })
        if name.to_string().eq_ignore_ascii_case(SERIES));
    if is_series {
        *item = call("unnest", vec![item.clone()]);
    }
}

/// `(SELECT count(1) > 0 FROM t WHERE …)` for `EXISTS (SELECT … FROM t WHERE …)`, which is a filter in
/// DataFusion and no value. A query that groups, limits or joins others stays, and is refused by the
/// planner.
fn existence(expr: &Expr) -> Option<Expr> {
    let Expr::Exists { subquery, negated } = expr else { return None };
    let mut query = subquery.clone();
    if query.limit_clause.take().is_some_and(|limit| !keeps_one(&limit)) {
        return None;
    }
    query.order_by = None;
    let SetExpr::Select(select) = query.body.as_mut() else { return None };
    let is_plain = matches!(&select.group_by, GroupByExpr::Expressions(by, _) if by.is_empty())
        && select.having.is_none()
        && select.qualify.is_none()
        && !select.projection.iter().any(has_call);
    let op = if *negated { BinaryOperator::Eq } else { BinaryOperator::Gt };
    let (count, none) = (call("count", vec![number("1")]), number("0"));
    let counted = Expr::BinaryOp { left: Box::new(count), op, right: Box::new(none) };
    select.projection = vec![SelectItem::UnnamedExpr(counted)];
    select.distinct = None;
    is_plain.then_some(Expr::Subquery(query))
}

/// Whether a limit leaves a first row.
fn keeps_one(limit: &LimitClause) -> bool {
    let LimitClause::LimitOffset { limit: Some(Expr::Value(rows)), offset: None, .. } = limit
    else {
        return false;
    };
    matches!(&rows.value, Value::Number(rows, _) if rows.parse::<u64>().is_ok_and(|rows| rows > 0))
}

fn has_call(item: &SelectItem) -> bool {
    matches!(
        item,
        SelectItem::UnnamedExpr(Expr::Function(_))
            | SelectItem::ExprWithAlias { expr: Expr::Function(_), .. }
    )
}

fn number(digits: &str) -> Expr {
    Expr::Value(Value::Number(digits.to_owned(), false).into())
}

#[cfg(test)]
mod tests {
    use super::super::syntax::statement;

    #[test]
    fn clauses_are_reworded_or_refused() {
        let of = |text: &str| match statement(text, 50) {
            Ok(statement) => statement.to_string(),
            Err(error) => error.to_string(),
        };
        for (asked, expected) in [
            ("SELECT a FROM t FETCH FIRST 5 ROWS ONLY", "SELECT a FROM t LIMIT 5"),
            ("SELECT a FROM t OFFSET 2 FETCH NEXT ROW ONLY", "SELECT a FROM t LIMIT 1 OFFSET 2"),
            ("SELECT a FROM t GROUP BY (a, b), c", "SELECT a FROM t GROUP BY a, b, c"),
            ("SELECT 'a'\n  'b', 'c' AS d", "SELECT 'ab', 'c' AS d"),
            ("SELECT generate_series(1, 2)", "SELECT unnest(generate_series(1, 2))"),
            (
                "SELECT array_length(generate_series(1, 2), 1)",
                "SELECT array_length(generate_series(1, 2), 1)",
            ),
            (
                "SELECT EXISTS (SELECT a FROM t WHERE b LIMIT 1)",
                "SELECT (SELECT count(1) > 0 FROM t WHERE b)",
            ),
            (
                "SELECT CASE WHEN NOT EXISTS (SELECT 1 FROM t) THEN 1 END",
                "SELECT CASE WHEN (SELECT count(1) = 0 FROM t) THEN 1 END",
            ),
            ("SELECT EXISTS (SELECT max(a) FROM t)", "SELECT EXISTS (SELECT max(a) FROM t)"),
            ("SELECT a FROM t WHERE EXISTS (SELECT 1)", "SELECT a FROM t WHERE EXISTS (SELECT 1)"),
        ] {
            assert_eq!(of(asked), expected, "{asked}");
        }
        for (asked, words) in [
            ("SELECT a FROM t TABLESAMPLE bernoulli (1)", "TABLESAMPLE is not supported"),
            ("SELECT a FROM t ORDER BY a FETCH FIRST 1 ROWS WITH TIES", "neither WITH TIES"),
            ("SELECT a FROM t LIMIT 1 FETCH FIRST 1 ROWS ONLY", "LIMIT and FETCH"),
            ("SELECT a INTO b FROM t", "only reads"),
            ("SELECT 'a' 'b'", "names have double quotes"),
            ("SELECT a 'b' FROM t", "names have double quotes"),
            ("SELECT a FROM t AS 'b'", "names have double quotes"),
            ("SELECT a FROM 't'", "names have double quotes"),
            ("SELECT a FROM (SELECT 1) x('a')", "names have double quotes"),
            ("WITH 'x' AS (SELECT 1) SELECT 2", "names have double quotes"),
            ("SELECT 1 UNION ALL (SELECT 2 EXCEPT ALL SELECT 3)", "row_number"),
            ("SELECT 1 INTERSECT ALL SELECT 2 UNION SELECT 3", "row_number"),
            ("SELECT a FROM unnest(ARRAY[1]) WITH ORDINALITY", "WITH ORDINALITY"),
        ] {
            assert!(of(asked).contains(words), "{asked}: {}", of(asked));
        }
    }
}
