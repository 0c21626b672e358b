//! Groups and aggregates that differ by a cast alone, such as `avg(a)` and `avg(a::float8)`. A plan has
//! one name for both, because it leaves casts out of names, and allows each name once. So what is cast is
//! wrapped in a function that does nothing.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, GroupByExpr, Ident, OrderBy, Query, Select, SelectItem, SetExpr, Value, ValueWithSpan,
    VisitMut, VisitorMut,
};

use super::calls::call;
use super::labels::without_casts;
use super::names::{folded, name_of_item};
use super::outer::each_outer_expr;

/// Aggregates and functions of windows, the names of which have their arguments in a plan.
const NAMED: [&str; 22] = [
    "array_agg",
    "avg",
    "bool_and",
    "bool_or",
    "corr",
    "count",
    "dense_rank",
    "first_value",
    "lag",
    "last_value",
    "lead",
    "max",
    "min",
    "rank",
    "row_number",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "string_agg",
    "sum",
    "var_pop",
    "variance",
];

/// Makes the names of a query's groups and aggregates distinct, outside of its inner queries.
pub(super) fn distinguish_casts(query: &mut Query) {
    of_set(&mut query.body, &mut query.order_by);
}

fn of_set(body: &mut SetExpr, order: &mut Option<OrderBy>) {
    match body {
        SetExpr::Select(select) => of_select(select, order),
        SetExpr::SetOperation { left, right, .. } => {
            of_set(left, &mut None);
            of_set(right, &mut None);
        }
        _ => {}
    }
}

fn of_select(select: &mut Select, order: &mut Option<OrderBy>) {
    if !has_cast(&select.to_string()) {
        return;
    }
    let mut parts = NamedParts { same: SameNames::default(), wraps: false };
    for by in groups(select) {
        parts.same.note(&by);
    }
    parts.visit(select, order);
    if parts.same.0.values().any(|written| written.len() > 1) {
        parts.wraps = true;
        parts.visit(select, order);
    }
}

fn has_cast(text: &str) -> bool {
    text.contains("::") || text.contains("CAST(")
}

/// The expressions by which a select groups, also those that it names or counts.
fn groups(select: &Select) -> Vec<Expr> {
    let GroupByExpr::Expressions(by, _) = &select.group_by else { return Vec::new() };
    let item = |item: &SelectItem| match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
            Some(expr.clone())
        }
        _ => None,
    };
    let meant = |by: &Expr| match by {
        Expr::Value(ValueWithSpan { value: Value::Number(place, _), .. }) => {
            let place = place.parse::<usize>().ok()?.checked_sub(1)?;
            select.projection.get(place).and_then(item)
        }
        Expr::Identifier(name) => {
            let named = |item: &&SelectItem| matches!(item, SelectItem::ExprWithAlias { alias, .. } if folded(alias) == folded(name));
            select.projection.iter().find(named).map_or(Some(by.clone()), item)
        }
        by => Some(by.clone()),
    };
    by.iter().filter_map(meant).collect()
}

/// What is written for each name of a plan.
#[derive(Default)]
struct SameNames(HashMap<String, Vec<String>>);

impl SameNames {
    fn note(&mut self, expr: &Expr) {
        let written = self.0.entry(without_casts(expr).to_string()).or_default();
        let this = expr.to_string();
        match written.contains(&this) {
            true => {}
            // What has no cast stays as it is.
            false if !has_cast(&this) => written.insert(0, this),
            false => written.push(this),
        }
    }

    /// How many others were written before with the name of this one.
    fn before(&self, expr: &Expr) -> usize {
        let this = expr.to_string();
        let written = self.0.get(&without_casts(expr).to_string());
        written.and_then(|written| written.iter().position(|one| *one == this)).unwrap_or(0)
    }
}

/// The parts of a select outside of its inner queries.
struct NamedParts {
    same: SameNames,
    /// Whether names are made distinct, or noted.
    wraps: bool,
}

impl NamedParts {
    fn visit(&mut self, select: &mut Select, order: &mut Option<OrderBy>) {
        if self.wraps {
            for item in &mut select.projection {
                self.keep_name(item);
            }
        }
        each_outer_expr(&mut select.projection, |expr| self.part(expr));
        each_outer_expr(&mut select.group_by, |expr| self.part(expr));
        each_outer_expr(&mut select.having, |expr| self.part(expr));
        each_outer_expr(order, |expr| self.part(expr));
    }

    fn part(&mut self, expr: &mut Expr) {
        let named = match expr {
            Expr::Function(function) => {
                NAMED.contains(&function.name.to_string().to_lowercase().as_str())
            }
            Expr::Cast { .. } => self.wraps,
            _ => false,
        };
        if !named {
            return;
        }
        if !self.wraps {
            self.same.note(expr);
            return;
        }
        let times = self.same.before(expr);
        if matches!(expr, Expr::Cast { .. }) {
            wrap(expr, times);
        } else {
            let _ = expr.visit(&mut WrapCasts(times));
        }
    }

    /// A column of a group keeps its name.
    fn keep_name(&self, item: &mut SelectItem) {
        if let SelectItem::UnnamedExpr(expr) = &*item
            && matches!(expr, Expr::Cast { .. })
            && self.same.before(expr) > 0
            && let Some(name) = name_of_item(item)
        {
            let alias = Ident::with_quote('"', name);
            *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
        }
    }
}

fn wrap(expr: &mut Expr, times: usize) {
    for _ in 0..times {
        *expr = call("coalesce", vec![expr.clone()]);
    }
}

/// Wraps each cast.
struct WrapCasts(usize);

impl VisitorMut for WrapCasts {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if matches!(expr, Expr::Cast { .. }) {
            wrap(expr, self.0);
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::syntax::statement;

    #[test]
    fn what_differs_by_a_cast_has_names_of_its_own() {
        let of = |text: &str| statement(&format!("SELECT {text}"), 50).unwrap().to_string();
        for (asked, expected) in [
            (
                "max(a) AS b, max(a::date) AS c FROM t ORDER BY max(a::date)",
                "max(a) AS b, max(coalesce(a::DATE)) AS c FROM t ORDER BY max(coalesce(a::DATE))",
            ),
            (
                "a::date AS b, a FROM t GROUP BY 1, a",
                "coalesce(a::DATE) AS b, a FROM t GROUP BY 1, a",
            ),
            (
                "count(*) FROM t GROUP BY a, a::date HAVING a::date > b",
                "count(*) FROM t GROUP BY a, coalesce(a::DATE) HAVING coalesce(a::DATE) > b",
            ),
            ("a::date AS b, max(a) FROM t GROUP BY 1", "a::DATE AS b, max(a) FROM t GROUP BY 1"),
            (
                "sum(a) OVER () AS b, sum(a::int) OVER (), (SELECT max(a::int) FROM s) FROM t",
                "sum(a) OVER () AS b, sum(coalesce(a::INT)) OVER (), (SELECT max(a::INT) FROM s) FROM t",
            ),
        ] {
            assert_eq!(of(asked), format!("SELECT {expected}"), "{asked}");
        }
    }
}
