//! Parameters of a query: `$1` and so on are replaced by values before the query is planned, so that a
//! value is never read as SQL and means what a literal in its place means. What a client asks about
//! types that it leaves open is answered from the plan.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, LimitClause, Offset, Query, Statement, Value, ValueWithSpan, VisitMut,
    VisitorMut,
};

use super::literal::{list, number as number_literal, of_parameter};
use super::oids::{WireType, number, oid};
use super::question::WireParameter;

/// PostgreSQL's bound on parameters.
const PARAMETERS_MAX: usize = 65_535;

/// Replaces parameters by their values.
///
/// # Errors
/// A parameter that has no value, or a list that cannot be read.
pub(in crate::sql) fn set_parameters(
    statement: &mut Statement,
    parameters: &[WireParameter],
) -> Result<(), String> {
    match statement.visit(&mut SetParameters { parameters }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(wrong) => Err(wrong),
    }
}

/// The place of `$1`: 0.
fn place(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Value(ValueWithSpan { value: Value::Placeholder(name), .. }) => {
            let place: usize = name.strip_prefix('$')?.parse().ok()?;
            place.checked_sub(1).filter(|place| *place < PARAMETERS_MAX)
        }
        Expr::Nested(inner) => place(inner),
        _ => None,
    }
}

struct SetParameters<'a> {
    parameters: &'a [WireParameter],
}

impl SetParameters<'_> {
    fn value(&self, place: usize) -> Result<&WireParameter, String> {
        let missing = || format!("there is no parameter ${}; bind a value to it", place + 1);
        self.parameters.get(place).ok_or_else(missing)
    }

    /// The number of rows that a parameter gives.
    fn set_rows(&self, expr: &mut Expr) -> Result<(), String> {
        let Some(place) = place(expr) else { return Ok(()) };
        let text = self.value(place)?.text.as_deref().unwrap_or("0");
        let wrong = |_| format!("the number of rows {text:?} is no integer; bind one");
        *expr = number_literal(text.trim().parse::<u64>().map_err(wrong)?);
        Ok(())
    }

    fn set(&self, expr: &mut Expr) -> Result<(), String> {
        if let Expr::AnyOp { right, .. } | Expr::AllOp { right, .. } = expr
            && let Some(place) = place(right)
        {
            let value = self.value(place)?;
            if let (None, Some(text)) = (WireType::of_items(value.oid), &value.text) {
                **right = list(text, 0)?;
            }
        }
        if let Some(place) = place(expr) {
            *expr = of_parameter(self.value(place)?)?;
        }
        Ok(())
    }
}

impl VisitorMut for SetParameters<'_> {
    type Break = String;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<String> {
        done(rows_of(query).into_iter().try_for_each(|rows| self.set_rows(rows)))
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<String> {
        done(self.set(expr))
    }
}

fn done<E>(result: Result<(), E>) -> ControlFlow<E> {
    result.map_or_else(ControlFlow::Break, ControlFlow::Continue)
}

/// The expressions of `LIMIT` and `OFFSET`.
fn rows_of(query: &mut Query) -> Vec<&mut Expr> {
    match &mut query.limit_clause {
        Some(LimitClause::LimitOffset { limit, offset, .. }) => {
            let offset = offset.as_mut().map(|Offset { value, .. }| value);
            limit.iter_mut().chain(offset).collect()
        }
        Some(LimitClause::OffsetCommaLimit { offset, limit }) => vec![offset, limit],
        None => Vec::new(),
    }
}

/// The types of a query's parameters.
#[derive(Debug, Default)]
pub(in crate::sql) struct ParameterTypes {
    /// By place; 0 if nothing is known.
    known: BTreeMap<usize, u32>,
    /// Those that are compared with each item of a list.
    lists: Vec<usize>,
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
        for (name, kind) in plan.get_parameter_types().unwrap_or_default() {
            let place = name.strip_prefix('$').and_then(|place| place.parse::<usize>().ok());
            let place = place.and_then(|place| place.checked_sub(1));
            if let (Some(place), Some(kind)) = (place, kind) {
                let known = self.known.entry(place).or_insert(0);
                if *known == 0 {
                    *known = number(&kind);
                }
            }
        }
    }

    /// The numbers of the types. A type that nothing tells is text, as in PostgreSQL.
    pub(in crate::sql) fn numbers(&self) -> Vec<u32> {
        let count = self.known.last_key_value().map_or(0, |(place, _)| place + 1);
        let mut numbers = vec![oid::TEXT; count];
        for (place, number) in &self.known {
            let list = self.lists.contains(place);
            let item = if *number == 0 { oid::TEXT } else { *number };
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

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
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
                    self.seen(at, named(&data_type.to_string()));
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

/// The number of a type by a name that it has in SQL; 0 for others.
fn named(name: &str) -> u32 {
    let name = name.to_ascii_lowercase();
    let (name, list) = match name.strip_suffix("[]") {
        Some(item) => (item, true),
        None => (name.as_str(), false),
    };
    let name = match name {
        "int" => "integer",
        "timestamp" => "timestamp without time zone",
        "double" | "float" => "double precision",
        "decimal" => "numeric",
        name => name,
    };
    let known =
        WireType::ALL.into_iter().find(|known| known.name == name || known.sql_name == name);
    known.map_or(0, |known| if list { known.list } else { known.oid })
}

#[cfg(test)]
mod tests {
    use super::super::super::postgres::parsed;
    use super::*;

    fn of(text: &str) -> Statement {
        parsed(text, 50).unwrap()
    }

    fn value(oid: u32, text: &str) -> WireParameter {
        WireParameter { oid, text: Some(text.to_owned()) }
    }

    #[test]
    fn values_take_the_places_of_parameters() {
        let mut statement = of("SELECT $1, a = ANY($2), $1 FROM t WHERE b > $3 LIMIT $4");
        let values = [value(0, "'; DROP"), value(0, "{x,y}"), value(oid::INT8, "7"), value(0, "5")];
        set_parameters(&mut statement, &values).unwrap();
        assert_eq!(
            statement.to_string(),
            "SELECT '''; DROP', a = ANY(ARRAY['x', 'y']), '''; DROP' FROM t WHERE b > '7'::BIGINT LIMIT 5"
        );
        let missing = set_parameters(&mut of("SELECT $2"), &values[..1]).unwrap_err();
        assert!(missing.starts_with("there is no parameter $2"), "{missing}");
        assert!(set_parameters(&mut of("SELECT 1 LIMIT $1"), &[value(0, "x")]).is_err());
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
