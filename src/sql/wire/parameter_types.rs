//! The types of a query's parameters that a client leaves open: what their places in the query and its plan
//! tell.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion::logical_expr::{BinaryExpr, Expr as PlannedExpr, LogicalPlan, Operator};
use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CaseWhen, DataType as SqlType, Expr, Query, Select, Statement, VisitMut,
    VisitorMut,
};

use super::literal::{number as number_literal, of_parameter};
use super::oids::{WireType, number, oid};
use super::parameters::{place, rows_of};
use super::places::{alike, told, told_of_select};
use super::question::WireParameter;

/// The longest expression that a parameter is compared with.
const REPEATED_BYTES_MAX: usize = 256;

/// The types of a query's parameters.
#[derive(Debug, Default)]
pub(in crate::sql) struct ParameterTypes {
    /// By place; 0 if nothing is known.
    known: BTreeMap<usize, u32>,
    /// Those that are compared with each item of a list.
    lists: Vec<usize>,
    /// Those to which a span of time is added, or from which one is taken.
    moved: Vec<usize>,
}

impl ParameterTypes {
    /// The parameters of a statement, in which those that are lists are replaced by their items, so
    /// that a plan tells the type of these. What a client has declared stands.
    pub(in crate::sql) fn of(statement: &mut Statement, declared: &[WireParameter]) -> Self {
        let mut types = Self::default();
        let declared = declared.iter().enumerate().filter(|(_, parameter)| parameter.oid != 0);
        types.known.extend(declared.map(|(place, parameter)| (place, parameter.oid)));
        // The visitor never ends early.
        let _ = statement.visit(&mut types);
        types
    }

    /// Adds what a plan tells of the others.
    pub(in crate::sql) fn add(&mut self, plan: &LogicalPlan) {
        for name in added_to_times(plan) {
            if let Some(place) = place_of(&name) {
                self.seen(place, oid::INTERVAL);
            }
        }
        for (name, kind) in plan.get_parameter_types().unwrap_or_default() {
            if let (Some(place), Some(kind)) = (place_of(&name), kind) {
                self.seen(place, number(&kind));
            }
        }
    }

    /// The numbers of the types. A type that nothing tells is text, as in PostgreSQL.
    pub(in crate::sql) fn numbers(&self) -> Vec<u32> {
        let count = self.known.last_key_value().map_or(0, |(place, _)| place + 1);
        let mut numbers = vec![oid::TEXT; count];
        for (place, number) in &self.known {
            let list = self.lists.contains(place);
            let item = match number {
                0 if self.moved.contains(place) => oid::INTERVAL,
                0 => oid::TEXT,
                known => *known,
            };
            let known = WireType::of(item).filter(|_| list).map_or(item, |item| item.list);
            if let Some(number) = numbers.get_mut(*place) {
                *number = known;
            }
        }
        numbers
    }

    fn seen(&mut self, place: usize, oid: u32) {
        let known = self.known.entry(place).or_insert(0);
        if *known == 0 {
            *known = oid;
        }
    }

    /// Leaves out the span that a parameter is moved by: both have the type that the place of their sum
    /// tells. If it tells none, it is a span too, as in PostgreSQL.
    fn without_span(&mut self, expr: &mut Expr) {
        let Some(parameter) = moved(expr).cloned() else { return };
        self.moved.extend(place(&parameter));
        *expr = parameter;
    }

    /// Notes the type of a parameter that its place tells, and makes it a null of that type, so that the
    /// rest can be planned.
    fn tell(&mut self, expr: &mut Expr, oid: u32) {
        let Some(at) = place(expr) else { return };
        self.seen(at, oid);
        let oid = self.known.get(&at).copied().unwrap_or(oid);
        // A null is no list that cannot be read.
        if let Ok(null) = of_parameter(&WireParameter { oid, text: None }) {
            *expr = null;
        }
    }
}

/// Makes a parameter that has the type of another expression its comparison with that one, of which a plan
/// tells the type: `coalesce(a, $1)` becomes `coalesce(a, CASE WHEN a = $1 THEN a END)`.
fn compare_alike(expr: &mut Expr) {
    let mut parts = alike(expr);
    if parts.iter().all(|part| place(part).is_none()) {
        return;
    }
    let known = parts.iter().find(|part| place(part).is_none() && is_small(part));
    let Some(known) = known.map(|part| (**part).clone()) else { return };
    for part in parts.iter_mut().filter(|part| place(part).is_some()) {
        let (left, right) = (Box::new(known.clone()), Box::new(part.clone()));
        let condition = Expr::BinaryOp { left, op: BinaryOperator::Eq, right };
        **part = Expr::Case {
            case_token: AttachedToken::empty(),
            end_token: AttachedToken::empty(),
            operand: None,
            conditions: vec![CaseWhen { condition, result: known.clone() }],
            else_result: None,
        };
    }
}

/// Whether an expression can be repeated: it is short, and has no parameter in it, so that what is repeated
/// does not grow with each round.
fn is_small(expr: &Expr) -> bool {
    let text = expr.to_string();
    text.len() <= REPEATED_BYTES_MAX && !text.contains('$')
}

/// The parameter to which an expression adds spans of time, or from which it takes them.
fn moved(expr: &Expr) -> Option<&Expr> {
    let inner = match expr {
        Expr::Nested(inner) => return moved(inner),
        Expr::BinaryOp { left, op: BinaryOperator::Plus | BinaryOperator::Minus, right }
            if is_span(right) =>
        {
            left
        }
        Expr::BinaryOp { left, op: BinaryOperator::Plus, right } if is_span(left) => right,
        _ => return None,
    };
    if place(inner).is_some() { Some(inner) } else { moved(inner) }
}

/// Whether an expression is written as a span of time.
fn is_span(expr: &Expr) -> bool {
    match expr {
        Expr::Interval(_) => true,
        Expr::Nested(inner) => is_span(inner),
        Expr::Cast { data_type, .. } => matches!(data_type, SqlType::Interval { .. }),
        _ => false,
    }
}

/// The place of a plan's `$1`: 0.
fn place_of(name: &str) -> Option<usize> {
    name.strip_prefix('$')?.parse::<usize>().ok()?.checked_sub(1)
}

/// Parameters that are added to times. A plan takes them for times too, which are never added.
fn added_to_times(plan: &LogicalPlan) -> Vec<String> {
    let mut names = Vec::new();
    let mut see = |expr: &PlannedExpr| {
        if let PlannedExpr::BinaryExpr(BinaryExpr { left, op: Operator::Plus, right }) = expr {
            for side in [left, right] {
                if let PlannedExpr::Placeholder(of) = side.as_ref()
                    && let Some(field) = &of.field
                    && matches!(field.data_type(), DataType::Timestamp(..))
                {
                    names.push(of.id.clone());
                }
            }
        }
        Ok(TreeNodeRecursion::Continue)
    };
    // The visitor has no errors.
    let _ = plan.apply_with_subqueries(|plan| plan.apply_expressions(|expr| expr.apply(&mut see)));
    names
}

impl VisitorMut for ParameterTypes {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        for rows in rows_of(query) {
            if let Some(place) = place(rows) {
                self.seen(place, oid::INT8);
                *rows = number_literal(1);
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        told_of_select(select, &mut |expr, oid| self.tell(expr, oid));
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        self.without_span(expr);
        told(expr, &mut |expr, oid| self.tell(expr, oid));
        compare_alike(expr);
        match expr {
            Expr::AnyOp { left, right, .. } | Expr::AllOp { left, right, .. } => {
                if let Some(at) = place(right) {
                    let is_declared = self.known.get(&at).is_some_and(|oid| *oid != 0);
                    if !is_declared {
                        self.lists.push(at);
                    }
                    let (left, op, right) = (left.clone(), BinaryOperator::Eq, right.clone());
                    *expr = Expr::BinaryOp { left, op, right };
                }
            }
            Expr::Cast { expr: inner, data_type, .. } => {
                if let Some(at) = place(inner) {
                    self.seen(at, WireType::named(&data_type.to_string()).unwrap_or(0));
                }
            }
            expr => {
                if let Some(at) = place(expr) {
                    self.seen(at, 0);
                }
            }
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::postgres::parsed;
    use super::*;

    fn of(text: &str) -> Statement {
        parsed(text, 50).unwrap()
    }

    #[test]
    fn types_are_told_by_places() {
        let mut statement = of(
            "SELECT substr(a, $1, $2), a ->> $3, a['x'], a[$4], round(b, $5), lag(c, $6) OVER (), \
             count(*) FILTER (WHERE $7), coalesce(a, $8) FROM t WHERE NOT $9 AND ($10 OR b) HAVING $11",
        );
        let mut types = ParameterTypes::of(&mut statement, &[]);
        let (int, text, truth) = (oid::INT4, oid::TEXT, oid::BOOL);
        types.seen(7, oid::NUMERIC);
        assert_eq!(
            types.numbers(),
            [int, int, text, text, int, int, truth, oid::NUMERIC, truth, truth, truth]
        );
        let open = statement.to_string();
        assert!(open.contains("coalesce(a, CASE WHEN a = $8 THEN a END)"), "{open}");
        assert!(!open.contains("$1,") && open.contains("NOT NULL::BOOLEAN"), "{open}");
    }

    #[test]
    fn a_parameter_that_is_moved_by_a_span_has_the_type_of_its_place() {
        let mut statement = of(
            "SELECT a >= $1, a < $1 + interval '1 day', interval '1 h' + ($2) - '1 d'::interval, $3 - interval '1 h'",
        );
        let mut types = ParameterTypes::of(&mut statement, &[]);
        assert_eq!(statement.to_string(), "SELECT a >= $1, a < $1, ($2), $3");
        types.seen(0, oid::TIMESTAMPTZ);
        types.seen(1, oid::DATE);
        assert_eq!(types.numbers(), [oid::TIMESTAMPTZ, oid::DATE, oid::INTERVAL]);
    }

    #[test]
    fn types_are_told_by_casts_limits_and_declarations() {
        let mut statement =
            of("SELECT $1::int, $2::timestamptz, $3 = ANY($4), a = ANY($5) LIMIT $6");
        let declared = [0, 0, oid::INT8].map(|oid| WireParameter { oid, text: None });
        let types = ParameterTypes::of(&mut statement, &declared);
        let text = 1009;
        assert_eq!(
            types.numbers(),
            [oid::INT4, oid::TIMESTAMPTZ, oid::INT8, text, text, oid::INT8]
        );
    }
}
